package tabular_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/tabular"
)

// delivery is a row of the guide's, more or less.
type delivery struct {
	CustomerID string    `parquet:"customer_id,dict"`
	ProductID  *string   `parquet:"product_id,optional"`
	Value      float64   `parquet:"order_value"`
	Price      int64     `parquet:"price,decimal(2:18)"`
	Eligible   bool      `parquet:"email_eligible"`
	At         time.Time `parquet:"at,timestamp(microsecond)"`
	Tags       []string  `parquet:"tags,list"`
}

func deliveries(n int) []delivery {
	out := make([]delivery, n)
	for i := range out {
		product := fmt.Sprintf("PROD-%d", i)
		out[i] = delivery{
			CustomerID: fmt.Sprintf("CUST-%d", i%10), Value: float64(i) / 4, Price: int64(i) - 5, Eligible: i%2 == 0,
			At: time.Date(2026, 1, 26, 0, 0, i, 0, time.UTC), Tags: strings.Fields(strings.Repeat("x ", i%3)),
		}
		if i%3 != 0 {
			out[i].ProductID = &product
		}
	}
	return out
}

// written returns a Parquet file.
func written(tb testing.TB, rows []delivery, options ...parquet.WriterOption) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[delivery](&b, options...)
	if _, err := w.Write(rows); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// readParquet reads all rows of a file.
func readParquet(data []byte) ([]connector.Column, [][]ceap.Value, error) {
	p, err := tabular.OpenParquet(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, nil, err
	}
	var out [][]ceap.Value
	rows := p.Rows(0, len(p.RowGroups()))
	for {
		batch, err := rows.Next()
		if errors.Is(err, io.EOF) {
			return p.Columns(), out, rows.Close()
		}
		if err != nil {
			return p.Columns(), out, err
		}
		for _, rec := range batch {
			out = append(out, append([]ceap.Value(nil), rec.Values...))
		}
	}
}

func equal() cmp.Option { return cmp.Comparer(func(a, b ceap.Value) bool { return a == b }) }

func TestParquet_ReadsTypes(t *testing.T) {
	t.Parallel()
	columns, rows, err := readParquet(written(t, deliveries(3)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]connector.Column{
		{Name: "customer_id", Type: "VARCHAR"},
		{Name: "product_id", Type: "VARCHAR"},
		{Name: "order_value", Type: "DOUBLE"},
		{Name: "price", Type: "DECIMAL(18,2)"},
		{Name: "email_eligible", Type: "BOOLEAN"},
		{Name: "at", Type: "TIMESTAMP WITH TIME ZONE"},
		{Name: "tags", Type: "LIST"},
	}, columns); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]ceap.Value{
		ceap.String("CUST-1"), ceap.String("PROD-1"), ceap.Float(0.25), ceap.Decimal("-0.04"), ceap.Bool(false),
		ceap.Time(time.Date(2026, 1, 26, 0, 0, 1, 0, time.UTC)), ceap.String("[x]"),
	}, rows[1], equal()); diff != "" {
		t.Error(diff)
	}
	if !rows[0][1].IsNull() || rows[0][6] != ceap.String("[]") {
		t.Errorf("row 1: %v", rows[0])
	}
}

func TestI8_RowGroupsAreTheWhole(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(0, 150).Draw(r, "rows")
		data := written(t, deliveries(n), parquet.MaxRowsPerRowGroup(int64(rapid.IntRange(10, 80).Draw(r, "group"))),
			parquet.PageBufferSize(rapid.SampledFrom([]int{64, 4096}).Draw(r, "page")))
		_, want, err := readParquet(data)
		if err != nil || len(want) != n {
			r.Fatalf("%d rows of %d, %v", len(want), n, err)
		}
		p, err := tabular.OpenParquet(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			r.Fatal(err)
		}
		var rows int64
		for _, g := range p.RowGroups() {
			rows += g.Rows
		}
		if rows != int64(n) {
			r.Fatalf("row groups of %d rows", rows)
		}
		var got [][]ceap.Value
		for from := 0; from < len(p.RowGroups()); {
			to := rapid.IntRange(from+1, len(p.RowGroups())).Draw(r, "to")
			part := p.Rows(from, to)
			for {
				batch, err := part.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					r.Fatal(err)
				}
				for _, rec := range batch {
					if rec.Row != int64(len(got)+1) {
						r.Fatalf("row %d is numbered %d", len(got)+1, rec.Row)
					}
					got = append(got, append([]ceap.Value(nil), rec.Values...))
				}
			}
			from = to
		}
		if diff := cmp.Diff(want, got, equal()); diff != "" {
			r.Fatal(diff)
		}
	})
}

func TestParquet_RefusesWhatIsNone(t *testing.T) {
	t.Parallel()
	good := written(t, deliveries(20))
	length := func(n uint32) []byte {
		b := bytes.Clone(good)
		binary.LittleEndian.PutUint32(b[len(b)-8:], n)
		return b
	}
	for name, data := range map[string][]byte{
		"nothing":             nil,
		"only the marks":      []byte("PAR1PAR1"),
		"no footer":           []byte("PAR1\x00\x00\x00\x00PAR1"),
		"another file":        []byte(strings.Repeat("a,b\n", 100)),
		"encrypted":           append(bytes.Clone(good[:len(good)-4]), "PARE"...),
		"cut off":             good[:len(good)-1],
		"its end alone":       good[len(good)/2:],
		"a footer too long":   length(1 << 31),
		"a footer too short":  length(10),
		"a footer like a GB":  append(append([]byte("PAR1"), bytes.Repeat([]byte{0x15}, 100)...), "PAR1PAR1"...),
		"a list of a billion": listBomb(),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := readParquet(data)
		runtime.ReadMemStats(&after)
		d, ok := errors.AsType[*tabular.Damage](err)
		if !ok || d.Reason == "" || d.Remedy == "" {
			t.Errorf("%s: %v", name, err)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 100<<20 {
			t.Errorf("%s took %d bytes", name, used)
		}
	}
}

// listBomb is a file whose footer says that its schema has a billion elements.
func listBomb() []byte {
	footer := []byte{0x15, 0x02, 0x19, 0xFC}
	footer = binary.AppendUvarint(footer, 1<<30)
	footer = append(footer, 0)
	b := append([]byte("PAR1"), footer...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(footer)))
	return append(b, "PAR1"...)
}

func TestParquet_ChecksChecksums(t *testing.T) {
	t.Parallel()
	good := written(t, deliveries(200))
	_, want, err := readParquet(good)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	changed := 0
	for range 300 {
		data := bytes.Clone(good)
		at := 4 + r.IntN(len(data)-4)
		data[at] ^= 1 << r.IntN(8)
		columns, got, err := readParquet(data)
		if err == nil && len(columns) == len(want[0]) && !cmp.Equal(want, got, equal()) {
			changed++
		}
	}
	// What a page holds has a checksum; its header and the footer have none.
	if changed > 15 {
		t.Errorf("%d of 300 flipped bits gave other values without an error", changed)
	}
}

func TestParquet_PassesTheReadersErrorsOn(t *testing.T) {
	t.Parallel()
	broken := errors.New("the network is down")
	data := written(t, deliveries(20))
	for _, from := range []int64{0, int64(len(data)) - 8, 4} {
		r := &breaking{data: data, from: from, err: broken}
		p, err := tabular.OpenParquet(r, int64(len(data)))
		if err == nil {
			_, err = p.Rows(0, 1).Next()
		}
		if !errors.Is(err, broken) {
			t.Errorf("from byte %d: %v", from, err)
		}
	}
}

// breaking is a reader that cannot read what starts at a byte.
type breaking struct {
	data []byte
	from int64
	err  error
}

func (b *breaking) ReadAt(p []byte, at int64) (int, error) {
	if at == b.from {
		return 0, b.err
	}
	return bytes.NewReader(b.data).ReadAt(p, at)
}

func TestBlobText(t *testing.T) {
	t.Parallel()
	if got := tabular.BlobText([]byte("a b\x00\xff'\"\\~")); got != `a b\x00\xFF\x27\x22\x5C~` {
		t.Error(got)
	}
}

// FuzzParquet holds that no file makes the reader panic, hang or give rows that
// are not of its columns.
func FuzzParquet(f *testing.F) {
	for _, n := range []int{0, 1, 30} {
		f.Add(written(f, deliveries(n)))
		f.Add(written(f, deliveries(n), parquet.Compression(&parquet.Snappy), parquet.DataPageVersion(1)))
		f.Add(written(f, deliveries(n), parquet.Compression(&parquet.Zstd)))
		f.Add(written(f, deliveries(n), parquet.Compression(&parquet.Gzip), parquet.MaxRowsPerRowGroup(7)))
	}
	f.Add([]byte("PAR1PAR1"))
	f.Add(listBomb())
	f.Fuzz(func(t *testing.T, data []byte) {
		columns, rows, err := readParquet(data)
		if err != nil {
			if d, ok := errors.AsType[*tabular.Damage](err); !ok || d.Reason == "" {
				t.Fatalf("no damage: %v", err)
			}
		}
		for _, row := range rows {
			if len(row) != len(columns) {
				t.Fatalf("a row of %d values for %d columns", len(row), len(columns))
			}
		}
	})
}

// BenchmarkParquet reads rows like the guide's.
func BenchmarkParquet(b *testing.B) {
	const n = 500_000
	type row struct {
		CustomerID string  `parquet:"customer_id"`
		ProductID  string  `parquet:"product_id,dict"`
		OrderID    string  `parquet:"order_id"`
		Date       string  `parquet:"delivery_date,dict"`
		Value      float64 `parquet:"order_value"`
		Category   string  `parquet:"product_category,dict"`
		Market     string  `parquet:"marketplace,dict"`
		Email      bool    `parquet:"email_eligible"`
		SMS        bool    `parquet:"sms_eligible"`
	}
	rows := make([]row, n)
	for i := range rows {
		rows[i] = row{
			fmt.Sprintf("CUST%010d", i), fmt.Sprintf("PROD-%d", i%5000), fmt.Sprintf("ORD-%d", i), fmt.Sprintf("2026-01-2%d", 6+i%4),
			float64(i%10000) / 100, fmt.Sprintf("category %d", i%20), "US", i%2 == 0, i%3 == 0,
		}
	}
	var file bytes.Buffer
	w := parquet.NewGenericWriter[row](&file, parquet.Compression(&parquet.Snappy), parquet.MaxRowsPerRowGroup(100_000))
	if _, err := w.Write(rows); err != nil {
		b.Fatal(err)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	data := file.Bytes()
	for b.Loop() {
		p, err := tabular.OpenParquet(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			b.Fatal(err)
		}
		in, total := p.Rows(0, len(p.RowGroups())), 0
		for {
			batch, err := in.Next()
			if err != nil {
				break
			}
			total += len(batch)
		}
		if total != n {
			b.Fatalf("%d rows", total)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(len(data)), "bytes")
}
