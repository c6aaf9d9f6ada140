package s3_test

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	parquetgo "github.com/parquet-go/parquet-go"

	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/connectortest"
	"github.com/ceap-platform/ceap/connector/s3"
)

type delivery struct {
	ID    string  `parquet:"id"`
	Total float64 `parquet:"total"`
	Count int64   `parquet:"count"`
	Mail  *bool   `parquet:"mail,optional"`
}

// parquetOf returns a file of the rows from to end, with a row group for each
// thousand.
func parquetOf(t *testing.T, from, end int) string {
	t.Helper()
	var out bytes.Buffer
	w := parquetgo.NewGenericWriter[delivery](&out, parquetgo.MaxRowsPerRowGroup(1000))
	yes := true
	for i := from; i < end; i++ {
		row := delivery{ID: fmt.Sprintf("CUST-%05d", i), Total: float64(i) + 0.5, Count: int64(i)}
		if i%2 == 0 {
			row.Mail = &yes
		}
		if _, err := w.Write([]delivery{row}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestExtract_parquet(t *testing.T) {
	t.Parallel()
	const rows = 4500
	var want []string
	for i := range rows {
		mail := "∅"
		if i%2 == 0 {
			mail = "true"
		}
		want = append(want, fmt.Sprintf("CUST-%05d|%d.5|%d|%s", i, i, i, mail))
	}
	s := serve(t)
	s.put("in/1.parquet", parquetOf(t, 0, 2500))
	s.put("in/2.parquet", parquetOf(t, 2500, rows))
	s.fault = func(n int, w http.ResponseWriter, r *http.Request) bool {
		if n%3 == 0 { // every third answer breaks off
			s.cut(w, r, 10)
			return true
		}
		return false
	}
	c := open(t, s.config(func(c *s3.Config) { c.Prefix = "in/" }), s.load)
	if diff := cmp.Diff(want, mustRead(t, c)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	columns, err := c.Describe(t.Context(), connectortest.Request())
	if err != nil {
		t.Fatal(err)
	}
	types := []connector.Column{{Name: "id", Type: "VARCHAR"}, {Name: "total", Type: "DOUBLE"}, {Name: "count", Type: "BIGINT"}, {Name: "mail", Type: "BOOLEAN"}}
	if diff := cmp.Diff(types, columns); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	some := open(t, s.config(func(c *s3.Config) { c.Key, c.Columns = "in/1.parquet", []string{"mail", "none", "id"} }), s.load)
	if got := mustRead(t, some); len(got) != 2500 || got[0] != "true|∅|CUST-00000" || got[2499] != "∅|∅|CUST-02499" {
		t.Errorf("selected columns: got %d rows, the first %q", len(got), got[0])
	}
}
