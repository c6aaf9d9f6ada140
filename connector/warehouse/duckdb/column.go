//go:build cgo

package duckdb

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unsafe"

	bind "github.com/duckdb/duckdb-go-bindings"

	"github.com/ceap-platform/ceap"
)

// column is a column of a result and of its current chunk, whose values lie in
// DuckDB's memory.
type column struct {
	name         string
	typ          bind.Type
	width, scale uint8 // of a decimal

	rows  int
	data  unsafe.Pointer
	valid unsafe.Pointer // a bit per row, set unless NULL; nil if no row is NULL
}

func newColumn(name string, t bind.LogicalType) column {
	c := column{name: name}
	if t.Ptr == nil {
		return c
	}
	c.typ = bind.GetTypeId(t)
	if c.typ == bind.TypeDecimal {
		c.width, c.scale = bind.DecimalWidth(t), bind.DecimalScale(t)
	}
	return c
}

// point makes c read the vector.
func (c *column) point(v bind.Vector, rows int) {
	c.rows, c.data, c.valid = rows, bind.VectorGetData(v), bind.VectorGetValidity(v)
}

// native reports whether the type's values can be read as they are; all others
// are cast to text by the query.
func (c *column) native() bool {
	switch c.typ {
	case bind.TypeBoolean, bind.TypeTinyInt, bind.TypeSmallInt, bind.TypeInteger, bind.TypeBigInt,
		bind.TypeUTinyInt, bind.TypeUSmallInt, bind.TypeUInteger, bind.TypeUBigInt, bind.TypeHugeInt,
		bind.TypeFloat, bind.TypeDouble, bind.TypeDecimal, bind.TypeVarchar, bind.TypeDate,
		bind.TypeTimestamp, bind.TypeTimestampS, bind.TypeTimestampMS, bind.TypeTimestampNS,
		bind.TypeTimestampTZ, bind.TypeSQLNull:
		return true
	default:
		return false
	}
}

func (c *column) null(row int) bool {
	if c.typ == bind.TypeSQLNull {
		return true
	}
	if c.valid == nil {
		return false
	}
	word := *(*uint64)(unsafe.Add(c.valid, row>>6<<3))
	return word&(1<<(row&63)) == 0
}

// slots returns the values of a column whose physical type is T. Those of NULL
// rows hold anything.
func slots[T any](c *column) []T { return unsafe.Slice((*T)(c.data), c.rows) }

// text is duckdb_string_t: a length, then the bytes themselves if they are at
// most 12, else a prefix and a pointer.
type text struct {
	length  uint32
	prefix  [4]byte
	pointer unsafe.Pointer
}

func (t *text) bytes() []byte {
	if t.length <= 12 { // 12: the size of an inlined string, from duckdb_string_t
		return unsafe.Slice((*byte)(unsafe.Pointer(&t.prefix)), t.length)
	}
	return unsafe.Slice((*byte)(t.pointer), t.length)
}

// textSize returns the bytes that the column's texts need.
func (c *column) textSize() int {
	if c.typ != bind.TypeVarchar {
		return 0
	}
	size := 0
	for row, t := range slots[text](c) {
		if !c.null(row) {
			size += int(t.length)
		}
	}
	return size
}

// fill writes the column's values to every stride-th element of out. Texts are
// copied to the arena, which has room for them and is never written again; the
// strings live as long as anyone holds one of them.
func (c *column) fill(out []ceap.Value, stride int, arena []byte) []byte {
	switch c.typ {
	case bind.TypeVarchar:
		texts := slots[text](c)
		for row := range texts {
			if c.null(row) {
				out[row*stride] = ceap.Null()
				continue
			}
			start := len(arena)
			arena = append(arena, texts[row].bytes()...)
			out[row*stride] = ceap.String(unsafe.String(unsafe.SliceData(arena[start:]), len(arena)-start))
		}
	case bind.TypeBoolean:
		each(c, out, stride, func(b uint8) ceap.Value { return ceap.Bool(b != 0) })
	case bind.TypeTinyInt:
		each(c, out, stride, func(n int8) ceap.Value { return ceap.Int(int64(n)) })
	case bind.TypeSmallInt:
		each(c, out, stride, func(n int16) ceap.Value { return ceap.Int(int64(n)) })
	case bind.TypeInteger:
		each(c, out, stride, func(n int32) ceap.Value { return ceap.Int(int64(n)) })
	case bind.TypeBigInt:
		each(c, out, stride, ceap.Int)
	case bind.TypeUTinyInt:
		each(c, out, stride, func(n uint8) ceap.Value { return ceap.Int(int64(n)) })
	case bind.TypeUSmallInt:
		each(c, out, stride, func(n uint16) ceap.Value { return ceap.Int(int64(n)) })
	case bind.TypeUInteger:
		each(c, out, stride, func(n uint32) ceap.Value { return ceap.Int(int64(n)) })
	case bind.TypeDouble:
		each(c, out, stride, ceap.Float)
	default:
		c.fillRare(out, stride)
	}
	return arena
}

func (c *column) fillRare(out []ceap.Value, stride int) {
	switch c.typ {
	case bind.TypeUBigInt:
		each(c, out, stride, func(n uint64) ceap.Value { return ceap.Decimal(strconv.FormatUint(n, 10)) })
	case bind.TypeHugeInt:
		each(c, out, stride, func(n hugeInt) ceap.Value { return ceap.Decimal(n.String()) })
	case bind.TypeFloat:
		each(c, out, stride, floatValue)
	case bind.TypeDecimal:
		c.fillDecimal(out, stride)
	case bind.TypeDate:
		each(c, out, stride, dateValue)
	case bind.TypeTimestamp, bind.TypeTimestampS, bind.TypeTimestampMS, bind.TypeTimestampNS, bind.TypeTimestampTZ:
		each(c, out, stride, c.timeValue)
	default: // SQLNULL
		for row := range c.rows {
			out[row*stride] = ceap.Null()
		}
	}
}

// each writes what of makes of the values.
func each[T any](c *column, out []ceap.Value, stride int, of func(T) ceap.Value) {
	for row, v := range slots[T](c) {
		if c.null(row) {
			out[row*stride] = ceap.Null()
		} else {
			out[row*stride] = of(v)
		}
	}
}

// floatValue returns the number that f's shortest decimal shows: 0.1 for the
// float 0.1, as the same value is in a file of text.
func floatValue(f float32) ceap.Value {
	d, _ := strconv.ParseFloat(strconv.FormatFloat(float64(f), 'g', -1, 32), 64)
	return ceap.Float(d)
}

func dateValue(days int32) ceap.Value {
	if days == math.MaxInt32 || days == -math.MaxInt32 {
		return infinity(days < 0)
	}
	return ceap.CivilDate(ceap.Date(days))
}

func (c *column) timeValue(n int64) ceap.Value {
	if n == math.MaxInt64 || n == -math.MaxInt64 {
		return infinity(n < 0)
	}
	switch c.typ {
	case bind.TypeTimestampTZ:
		return ceap.Time(time.UnixMicro(n))
	case bind.TypeTimestampS:
		return ceap.Local(time.Unix(n, 0).UTC())
	case bind.TypeTimestampMS:
		return ceap.Local(time.UnixMilli(n).UTC())
	case bind.TypeTimestampNS:
		return ceap.Local(time.Unix(0, n).UTC())
	default:
		return ceap.Local(time.UnixMicro(n).UTC())
	}
}

func infinity(negative bool) ceap.Value { //nolint:revive // the sign, not a mode
	if negative {
		return ceap.String("-infinity")
	}
	return ceap.String("infinity")
}

func (c *column) fillDecimal(out []ceap.Value, stride int) {
	scaled := func(digits string) ceap.Value { return ceap.Decimal(withPoint(digits, int(c.scale))) }
	switch { // the bounds of the physical types, from the C API's notes on DECIMAL
	case c.width <= 4:
		each(c, out, stride, func(n int16) ceap.Value { return scaled(strconv.FormatInt(int64(n), 10)) })
	case c.width <= 9:
		each(c, out, stride, func(n int32) ceap.Value { return scaled(strconv.FormatInt(int64(n), 10)) })
	case c.width <= 18:
		each(c, out, stride, func(n int64) ceap.Value { return scaled(strconv.FormatInt(n, 10)) })
	default:
		each(c, out, stride, func(n hugeInt) ceap.Value { return scaled(n.String()) })
	}
}

// withPoint puts a point before the last scale digits.
func withPoint(digits string, scale int) string {
	if scale == 0 {
		return digits
	}
	digits, negative := strings.CutPrefix(digits, "-")
	if missing := scale + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	out := digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
	if negative {
		return "-" + out
	}
	return out
}

// hugeInt is a whole number of 128 bits.
type hugeInt struct {
	lower uint64
	upper int64
}

func (h hugeInt) String() string {
	b := new(big.Int).Lsh(big.NewInt(h.upper), 64)
	return b.Add(b, new(big.Int).SetUint64(h.lower)).String()
}

// texts returns the current chunk as text.
func (c *cursor) texts() [][]string {
	values := make([]ceap.Value, c.rows*len(c.columns))
	for i := range c.columns {
		col := &c.columns[i]
		col.fill(values[i:], len(c.columns), make([]byte, 0, col.textSize()))
	}
	out := make([][]string, c.rows)
	for row := range out {
		out[row] = make([]string, len(c.columns))
		for i := range c.columns {
			out[row][i] = values[row*len(c.columns)+i].String()
		}
	}
	return out
}
