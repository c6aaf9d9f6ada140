//go:build cgo

package duckdb_test

import (
	"testing"
)

func TestQuick(t *testing.T) {
	f := newFolder(t)
	f.run(`COPY (SELECT 'C' || i AS customer_id, i * 1.5 AS v, DATE '2026-01-26' + (i % 4)::INT AS d, '2026-01-2' || (6 + i % 4) AS day, [1,2] AS l FROM range(10) t(i))
		TO '@/deliveries' (FORMAT parquet, PARTITION_BY (day))`)
	f.write("csvt/a.csv", "id,price,ok,d,e\n007,29.90,true,2026-01-26,\n008,30.00,false,2026-01-26,\"\"\n")
	f.write("j/a.jsonl", "{\"a\":1,\"b\":\"2026-01-26\",\"c\":{\"x\":1},\"d\":2.5}\n{\"a\":2,\"b\":\"007\",\"d\":1}\n")
	t.Log(f.query("SELECT * FROM deliveries WHERE day BETWEEN '{startDate}' AND '{endDate}' ORDER BY customer_id -- x\n;"))
	t.Log(f.query("SELECT * FROM csvt"))
	t.Log(f.query("SELECT * FROM j"))
	for _, q := range []string{"SELECT zzz FROM csvt", "SELECT * FROM\n  csv", "SELECT * FROM csvt WHERE id > 3", "SELECT a FRM x y z",
		"SELECT id::INT FROM csvt WHERE d = '{startDate}' AND l", "SELECT '{startDate}'::INT, 'é', [d] FROM csvt", "SELECT * FROM read_csv('/etc/passwd')", "SELECT ('x' || id)::INT, [id] FROM csvt"} {
		_, err := f.query(q)
		t.Log(err)
	}
	r, _ := f.query("SELECT '{startDate}' AS x, DATE '{startDate}' AS y, [1], 1::HUGEINT, 12.50::DECIMAL(10,2), now()::TIMESTAMP, TIMESTAMPTZ '2026-01-01 00:00:00+01', TIME '10:00:00', NULL")
	t.Log(r.columns, r.rows)
}
