package athena

import (
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/deprecated"
)

// hivePhysical reports whether a type is stored in another physical type by Hive's
// writer than by DuckDB's.
func (c outColumn) hivePhysical() bool { return c.typ == "timestamp" || c.typ == "decimal" }

// rewriteParquet makes the file at path one that Athena could have written:
// TIMESTAMP as INT96, DECIMAL as a fixed-length byte array. Files with nested
// columns stay as they are.
func rewriteParquet(path string, columns []outColumn, compression string, groupRows int) error {
	nested := func(c outColumn) bool { return slices.Contains([]string{"array", "map", "row"}, c.typ) }
	if !slices.ContainsFunc(columns, outColumn.hivePhysical) || slices.ContainsFunc(columns, nested) {
		return nil
	}
	in, err := os.Open(path) //nolint:gosec // a file of ours
	if err != nil {
		return fmt.Errorf("rewriting a file: %w", err)
	}
	defer in.Close() //nolint:errcheck // it is only read
	info, err := in.Stat()
	if err != nil {
		return fmt.Errorf("rewriting a file: %w", err)
	}
	from, err := parquet.OpenFile(in, info.Size())
	if err != nil {
		return fmt.Errorf("rewriting a file: %w", err)
	}
	out, err := os.Create(path + ".hive") //nolint:gosec // a file of ours
	if err != nil {
		return fmt.Errorf("rewriting a file: %w", err)
	}
	w := parquet.NewGenericWriter[any](out, hiveSchema(columns), parquet.Compression(codec(compression)),
		parquet.MaxRowsPerRowGroup(int64(groupRows)), parquet.CreatedBy("parquet-mr", "1.12.3", "fake"))
	err = copyRows(w, from, columns)
	if err = errors.Join(err, w.Close(), out.Close()); err != nil {
		return fmt.Errorf("rewriting a file: %w", err)
	}
	return os.Rename(path+".hive", path)
}

func codec(name string) compress.Codec {
	switch name {
	case "gzip":
		return &parquet.Gzip
	case "snappy":
		return &parquet.Snappy
	case "zstd":
		return &parquet.Zstd
	case "lz4":
		return &parquet.Lz4Raw
	default:
		return &parquet.Uncompressed
	}
}

// ordered is a group whose fields keep their order.
type ordered struct {
	parquet.Group
	names []string
}

// Fields returns the fields in the order of the query's columns.
func (o ordered) Fields() []parquet.Field {
	fields := o.Group.Fields()
	slices.SortFunc(fields, func(a, b parquet.Field) int {
		return slices.Index(o.names, a.Name()) - slices.Index(o.names, b.Name())
	})
	return fields
}

func hiveSchema(columns []outColumn) *parquet.Schema {
	root := ordered{Group: parquet.Group{}}
	for _, c := range columns {
		root.names = append(root.names, c.name)
		root.Group[c.name] = parquet.Optional(c.hiveNode())
	}
	return parquet.NewSchema("hive_schema", root)
}

func (c outColumn) hiveNode() parquet.Node {
	switch c.typ {
	case "boolean":
		return parquet.Leaf(parquet.BooleanType)
	case "tinyint":
		return parquet.Int(8)
	case "smallint":
		return parquet.Int(16)
	case "integer", "unknown":
		return parquet.Int(32)
	case "bigint":
		return parquet.Int(64)
	case "float":
		return parquet.Leaf(parquet.FloatType)
	case "double":
		return parquet.Leaf(parquet.DoubleType)
	case "decimal":
		return parquet.Decimal(int(c.scale), int(c.precision), parquet.FixedLenByteArrayType(decimalBytes(c.precision)))
	case "date":
		return parquet.Date()
	case "timestamp":
		return parquet.Leaf(parquet.Int96Type)
	case "varbinary":
		return parquet.Leaf(parquet.ByteArrayType)
	default:
		return parquet.String()
	}
}

// decimalBytes returns how many bytes hold any decimal of that many digits.
func decimalBytes(precision int32) int {
	limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(precision)), nil)
	return limit.BitLen()/8 + 1 // a bit for the sign
}

func copyRows(w *parquet.GenericWriter[any], from *parquet.File, columns []outColumn) error {
	for _, group := range from.RowGroups() {
		rows := group.Rows()
		if err := errors.Join(copyGroup(w, rows, columns), rows.Close()); err != nil {
			return err
		}
	}
	return nil
}

func copyGroup(w *parquet.GenericWriter[any], rows parquet.Rows, columns []outColumn) error {
	buffer := make([]parquet.Row, 1024)
	for {
		n, err := rows.ReadRows(buffer)
		for _, row := range buffer[:n] {
			for i, v := range row {
				if c := columns[v.Column()]; c.hivePhysical() && !v.IsNull() {
					row[i] = c.hiveValue(v).Level(0, 1, v.Column())
				}
			}
		}
		if _, err := w.WriteRows(buffer[:n]); err != nil {
			return err
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// hiveValue returns a value of DuckDB's in Hive's physical type.
func (c outColumn) hiveValue(v parquet.Value) parquet.Value {
	if c.typ == "timestamp" {
		return parquet.Int96Value(int96(v.Int64()))
	}
	n := new(big.Int)
	switch v.Kind() {
	case parquet.Int32, parquet.Int64:
		n.SetInt64(v.Int64())
	default:
		n = signed(v.ByteArray())
	}
	return parquet.FixedLenByteArrayValue(twosComplement(n, decimalBytes(c.precision)))
}

// int96 is nanoseconds of a day, and the day's Julian number.
func int96(micros int64) deprecated.Int96 {
	const dayMicros = 24 * 60 * 60 * 1e6
	day, rest := micros/dayMicros, micros%dayMicros
	if rest < 0 {
		day, rest = day-1, rest+dayMicros
	}
	nanos := uint64(rest) * 1000                                                       //nolint:gosec // not negative
	return deprecated.Int96{uint32(nanos), uint32(nanos >> 32), uint32(day + 2440588)} //nolint:gosec // 2440588: the Julian day of 1970-01-01
}

// signed reads a whole number, its highest byte first.
func signed(b []byte) *big.Int {
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n
}

func twosComplement(n *big.Int, size int) []byte {
	if n.Sign() < 0 {
		n = new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), uint(8*size)))
	}
	return n.FillBytes(make([]byte, size))
}

// fileName is the name that Athena gives to file n of a query's result.
func (q *query) fileName(n int) string {
	return fmt.Sprintf("%s_%05d_%s", q.submitted.UTC().Format("20060102_150405"), n, q.id)
}
