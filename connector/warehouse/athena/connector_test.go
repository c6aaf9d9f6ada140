//go:build cgo

package athena_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/connectortest"
	"github.com/ceap-platform/ceap/connector/warehouse"
	fakeathena "github.com/ceap-platform/ceap/internal/awstest/athena"
)

// sqlType gives each kind of value a type of DuckDB's. Athena unloads no
// timestamps with a zone; those go through CSV.
func sqlType(k ceap.Kind) string {
	return map[ceap.Kind]string{
		ceap.KindBool: "BOOLEAN", ceap.KindInt: "BIGINT", ceap.KindFloat: "DOUBLE", ceap.KindDecimal: "DECIMAL(38,10)",
		ceap.KindString: "VARCHAR", ceap.KindTime: "TIMESTAMP WITH TIME ZONE", ceap.KindLocal: "TIMESTAMP", ceap.KindDate: "DATE",
	}[k]
}

// parquet writes the fixture as a table of one Parquet file.
func (c *cloud) parquet(name string, fixture connectortest.Fixture) {
	c.t.Helper()
	var columns, rows []string
	for _, column := range fixture.Columns {
		columns = append(columns, `"`+column.Name+`" `+sqlType(column.Kind))
	}
	for _, row := range fixture.Rows {
		var values []string
		for _, v := range row {
			text := "NULL"
			if !v.IsNull() {
				text = "'" + strings.ReplaceAll(v.String(), "'", "''") + "'"
			}
			values = append(values, text)
		}
		rows = append(rows, "("+strings.Join(values, ", ")+")")
	}
	sql := "SET TimeZone='UTC'; CREATE TABLE t (" + strings.Join(columns, ", ") + ");"
	if len(rows) > 0 {
		sql += "INSERT INTO t VALUES " + strings.Join(rows, ",\n") + ";"
	}
	runDuck(c.t, sql+"COPY t TO '"+filepath.Join(c.folder, database, name+".parquet")+"'")
}

// sameMillis reports whether the values are equal; as text, Athena shows times to
// the millisecond.
func sameMillis(want, got ceap.Value) bool {
	timed := want.Kind() == ceap.KindTime || want.Kind() == ceap.KindLocal
	return want == got || timed && want.Kind() == got.Kind() && want.Micros()/1000*1000 == got.Micros()
}

func TestConnector_Conformance(t *testing.T) {
	t.Parallel()
	connectortest.Run(t, connectortest.Capabilities{Same: sameMillis}, func(t *testing.T, fixture connectortest.Fixture) connector.Connector {
		t.Helper()
		c := newCloud(t, fakeathena.Options{})
		if !fixture.Missing {
			c.parquet("fixture", fixture)
		}
		return c.connector(warehouse.Config{Query: "SELECT * FROM fixture", MaxWaitSeconds: 60, FieldMappings: fixture.Mappings})
	})
}
