package tabular_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/tabular"
)

const benchRows = 100_000

// benchmark reads a text of benchRows rows, again and again.
func benchmark(b *testing.B, text []byte, open func(io.Reader) (tabular.Rows, error)) {
	b.Helper()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		rows, err := open(bytes.NewReader(text))
		n := 0
		for err == nil {
			var batch []connector.Record
			batch, err = rows.Next()
			n += len(batch)
		}
		if !errors.Is(err, io.EOF) || n != benchRows {
			b.Fatalf("got %d rows and %v", n, err)
		}
	}
}

func BenchmarkCSV(b *testing.B) {
	text := []byte("customer_id,product_id,delivery_date,order_value,product_category,email_eligible\n")
	for i := range benchRows {
		text = fmt.Appendf(text, "CUST-%07d,PROD-%d,2026-01-26,%d.99,\"home, garden\",true\n", i, i%1000, i%500)
	}
	benchmark(b, text, func(r io.Reader) (tabular.Rows, error) { return tabular.OpenCSV(r, tabular.CSVOptions{}) })
}

func BenchmarkJSONLines(b *testing.B) {
	var text []byte
	for i := range benchRows {
		text = fmt.Appendf(text, `{"customerId":"CUST-%07d","productId":"PROD-%d","deliveryDate":"2026-01-26","orderValue":%d.99,"emailEligible":true}`+"\n", i, i%1000, i%500)
	}
	benchmark(b, text, func(r io.Reader) (tabular.Rows, error) { return tabular.OpenJSONLines(r, tabular.JSONOptions{}) })
}
