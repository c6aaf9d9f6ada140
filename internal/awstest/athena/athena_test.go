//go:build cgo

package athena_test

import (
	"strings"
	"testing"

	"github.com/ceap-platform/ceap/internal/awstest/athena"
)

func TestFake_Select(t *testing.T) {
	t.Parallel()
	c := newCloud(t, athena.Options{})
	for expr, want := range map[string]string{
		"NULL":                           "",
		"CAST(NULL AS VARCHAR)":          "",
		"''":                             `""`,
		"false":                          `"false"`,
		"CAST(-7 AS TINYINT)":            `"-7"`,
		"CAST('0.1' AS REAL)":            `"0.1"`,
		"CAST('1e300' AS DOUBLE)":        `"1.0E300"`,
		"29.99e0":                        `"29.99"`,
		"CAST('NaN' AS DOUBLE)":          `"NaN"`,
		"infinity()":                     `"Infinity"`,
		"CAST('29.90' AS DECIMAL(10,2))": `"29.90"`,
		"CAST('-0.05' AS DECIMAL(4,2))":  `"-0.05"`,
		"CAST('12345678901234567890123456.78' AS DECIMAL(38,2))": `"12345678901234567890123456.78"`,
		"'a \"b\", c'":                        `"a ""b"", c"`,
		"'Grüße, 東京 👋'":                       `"Grüße, 東京 👋"`,
		"DATE '2026-01-26'":                   `"2026-01-26"`,
		"TIMESTAMP '2026-01-26 12:34:56.789'": `"2026-01-26 12:34:56.789"`,
		"7 / 2":                               `"3"`,
		"CAST(date_add('day', 2, DATE '2026-01-30') AS DATE)":      `"2026-02-01"`,
		"date_diff('day', DATE '2026-01-30', DATE '2026-02-01')":   `"2"`,
		"date_format(TIMESTAMP '2026-01-26 12:34:56', '%Y-%m %i')": `"2026-01 34"`,
		"date_parse('2026-01-26', '%Y-%m-%d')":                     `"2026-01-26 00:00:00.000"`,
		"CAST(current_date AS VARCHAR) > '2020-01-01'":             `"true"`,
		"CASE WHEN true = true THEN true ELSE false END":           `"true"`,
		"regexp_like('abc', 'b')":                                  `"true"`,
		"json_extract_scalar('{\"a\": 1}', '$.a')":                 `"1"`,
		"(SELECT sum(n) FROM UNNEST(sequence(1, 4)) AS t(n))":      `"10"`,
		"DECIMAL '12'":    `"12"`,
		"DECIMAL '-0.50'": `"-0.50"`,
		"(SELECT count(*) FROM UNNEST(sequence(1, 3)) AS t(n), UNNEST(sequence(1, 10000000)) AS u(n))": `"30000000"`,
		"(SELECT max(n) FROM UNNEST(ARRAY[1, 7]) AS t(n))":                                             `"7"`,
		"to_hex(X'0aff')": `"0AFF"`,
		"from_iso8601_timestamp('2026-01-26T12:00:00+02:00')":       `"2026-01-26 10:00:00.000 UTC"`,
		"CAST(DATE '2026-01-26' AS VARCHAR) || ' ' || lower('ABC')": `"2026-01-26 abc"`,
	} {
		if got := c.csv("SELECT " + expr + " AS v"); got != want {
			t.Errorf("%s: %s instead of %s", expr, got, want)
		}
	}
}

func TestFake_Unload(t *testing.T) {
	t.Parallel()
	c := newCloud(t, athena.Options{UnloadFiles: 4, UnloadRows: 200_000, GroupRows: 50_000})
	c.write("ceap_data_dev/orders/day=2026-01-26/a.csv", "customer_id,order_value\nCUST-1,29.99\nCUST-2,\n")
	c.write("ceap_data_dev/orders/day=2026-01-27/b.csv", "customer_id,order_value\nCUST-3,19.99\n")
	q := c.must("UNLOAD (SELECT customer_id, order_value, day FROM orders WHERE day BETWEEN ? AND ?) TO '"+results+"runs/1/' WITH (format = 'PARQUET', compression = 'SNAPPY')",
		"'2026-01-26'", "'2026-01-27'")
	manifest := strings.Fields(c.object(*q.Statistics.DataManifestLocation))
	if len(manifest) != 3 {
		t.Fatalf("the manifest lists %v", manifest)
	}
	if e := c.refused("UNLOAD (SELECT 1 AS n) TO '" + results + "runs/1' WITH (format = 'PARQUET')"); *e.ErrorType != 1109 || !strings.HasPrefix(*e.ErrorMessage, "HIVE_PATH_ALREADY_EXISTS") {
		t.Errorf("%d: %s", *e.ErrorType, *e.ErrorMessage)
	}
}
