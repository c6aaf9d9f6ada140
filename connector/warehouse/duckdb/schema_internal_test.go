package duckdb

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap"
)

// guideTable is the guide's main table.
const guideTable = `CREATE EXTERNAL TABLE IF NOT EXISTS ceap_data_dev.product_deliveries (
    customer_id STRING,
    order_value DOUBLE,
    email_eligible BOOLEAN
)
PARTITIONED BY (delivery_date_partition STRING)
STORED AS PARQUET
LOCATION 's3://your-data-bucket/product-deliveries/';`

func TestParseSchema(t *testing.T) {
	t.Parallel()
	for ddl, want := range map[string]*schema{
		guideTable: {
			table:      "product_deliveries",
			columns:    []columnDecl{{"customer_id", "VARCHAR"}, {"order_value", "DOUBLE"}, {"email_eligible", "BOOLEAN"}},
			partitions: []columnDecl{{"delivery_date_partition", "VARCHAR"}}, delimiter: ",",
		},
		"-- a comment\ncreate table `t` (`a b` varchar(20) COMMENT 'it''s', c decimal, d DECIMAL(9), e decimal(9,2)) /* x */ " +
			"COMMENT 'z' ROW FORMAT DELIMITED FIELDS TERMINATED BY '\\t' LINES TERMINATED BY '\\n' " +
			"TBLPROPERTIES ('has_encrypted_data'='false', 'skip.header.line.count'='1')": {
			table: "t", columns: []columnDecl{{"a b", "VARCHAR"}, {"c", "DECIMAL(10,0)"}, {"d", "DECIMAL(9,0)"}, {"e", "DECIMAL(9,2)"}},
			delimiter: "\t", header: true,
		},
		"CREATE EXTERNAL TABLE t (a INT) ROW FORMAT SERDE 'x' WITH SERDEPROPERTIES ('a'='(b)')": {
			table: "t", columns: []columnDecl{{"a", "INTEGER"}}, delimiter: ",",
		},
	} {
		got, err := parseSchema(ddl)
		if err != nil {
			t.Errorf("%s: %v", ddl, err)
			continue
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(schema{}, columnDecl{})); diff != "" {
			t.Errorf("%s: %s", ddl, diff)
		}
	}
}

func TestParseSchema_Refused(t *testing.T) {
	t.Parallel()
	for ddl, want := range map[string]string{
		"":                                   `1:1: no CREATE at "the end"`,
		"SELECT 1":                           `1:1: no CREATE at "SELECT"`,
		"CREATE TABLE t (a ARRAY<INT>)":      `1:19: an unknown type at "ARRAY"`,
		"CREATE TABLE t (a INT,\n a STRING)": `column "a" is declared twice`,
		"CREATE TABLE t (a INT) PARTITIONED BY (A INT)":                         `column "A" is declared twice`,
		"CREATE TABLE t (a DECIMAL(99,1))":                                      "a DECIMAL beyond",
		"CREATE TABLE t ()":                                                     `no name at ")"`,
		"CREATE TABLE t (a INT":                                                 `no , at "the end"`,
		"CREATE TABLE t (a INT) ROW FORMAT DELIMITED FIELDS TERMINATED BY '\"'": "a delimiter that is not one character",
		"CREATE TABLE t (a INT) TBLPROPERTIES ('skip.header.line.count'='2')":   "skip.header.line.count other than 0 or 1",
		"CREATE TABLE t (a INT); DROP TABLE t":                                  "a second statement",
		"CREATE TABLE t (a INT) WITH SERDEPROPERTIES ('a'='b'":                  "an open parenthesis",
	} {
		_, err := parseSchema(ddl)
		if ceap.ErrorCode(err) != ceap.CodeInvalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: no %q in %v", ddl, want, err)
		}
	}
}

// FuzzDDL holds that no declaration makes the parser panic or loop, and that
// what it accepts has columns with types from its table.
func FuzzDDL(f *testing.F) {
	f.Add(guideTable)
	f.Add("create table `t` (`a` decimal(9,2) COMMENT 'x') FIELDS TERMINATED BY '\\001' TBLPROPERTIES ('a'='b');")
	f.Add("CREATE TABLE t (a INT) (((")
	f.Add("/* CREATE")
	f.Fuzz(func(t *testing.T, ddl string) {
		s, err := parseSchema(ddl)
		if err != nil {
			if ceap.ErrorCode(err) != ceap.CodeInvalid {
				t.Fatalf("%q: %v", ddl, err)
			}
			return
		}
		if len(s.columns) == 0 || len(s.delimiter) != 1 {
			t.Fatalf("%q: %+v", ddl, s)
		}
		for _, c := range append(s.columns, s.partitions...) {
			if c.name == "" || strings.Trim(c.typ, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789(),") != "" {
				t.Fatalf("%q: %+v", ddl, c)
			}
		}
	})
}
