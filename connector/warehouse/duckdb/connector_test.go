//go:build cgo

package duckdb_test

import (
	"strings"
	"testing"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/connectortest"
	"github.com/ceap-platform/ceap/connector/warehouse"
)

// sqlType gives each kind of value a type of DuckDB's.
func sqlType(k ceap.Kind) string {
	return map[ceap.Kind]string{
		ceap.KindBool: "BOOLEAN", ceap.KindInt: "BIGINT", ceap.KindFloat: "DOUBLE", ceap.KindDecimal: "DECIMAL(38,10)",
		ceap.KindString: "VARCHAR", ceap.KindTime: "TIMESTAMP WITH TIME ZONE", ceap.KindLocal: "TIMESTAMP", ceap.KindDate: "DATE",
	}[k]
}

// parquet writes the fixture as a table of one Parquet file.
func (f folder) parquet(name string, fixture connectortest.Fixture) {
	f.t.Helper()
	var columns, rows []string
	for _, c := range fixture.Columns {
		columns = append(columns, `"`+c.Name+`" `+sqlType(c.Kind))
	}
	for _, row := range fixture.Rows {
		var values []string
		for _, v := range row {
			if v.IsNull() {
				values = append(values, "NULL")
			} else {
				values = append(values, "'"+strings.ReplaceAll(v.String(), "'", "''")+"'")
			}
		}
		rows = append(rows, "("+strings.Join(values, ", ")+")")
	}
	sql := "SET TimeZone='UTC'; CREATE TABLE t (" + strings.Join(columns, ", ") + ");"
	if len(rows) > 0 {
		sql += "INSERT INTO t VALUES " + strings.Join(rows, ",\n") + ";"
	}
	f.run(sql + "COPY t TO '@/" + name + ".parquet'")
}

func TestConnector_Conformance(t *testing.T) {
	t.Parallel()
	connectortest.Run(t, connectortest.Capabilities{}, func(t *testing.T, fixture connectortest.Fixture) connector.Connector {
		t.Helper()
		f := newFolder(t)
		if !fixture.Missing {
			f.parquet("fixture", fixture)
		}
		return f.connectorWith(settings(), warehouse.Config{
			Database: database, Query: "SELECT * FROM fixture", MaxWaitSeconds: 60, FieldMappings: fixture.Mappings,
		})
	})
}
