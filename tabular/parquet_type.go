package tabular

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"github.com/ceap-platform/ceap"
)

// arena holds the texts of a batch in few pieces of memory, which are never
// written again.
type arena struct{ bytes []byte }

func (a *arena) text(b []byte) string {
	start := len(a.bytes)
	a.bytes = append(a.bytes, b...)
	return unsafe.String(unsafe.SliceData(a.bytes[start:]), len(b)) //nolint:gosec // these bytes are never written again
}

// next forgets the last batch's texts, without touching them.
func (a *arena) next() { a.bytes = make([]byte, 0, max(len(a.bytes), 1<<10)) }

var errNotText = errors.New("a text is not UTF-8")

// leafType fills in type and reader of a leaf.
func (n *parquetNode) leafType(e *format.SchemaElement) {
	switch e.Type.V {
	case format.Boolean:
		n.set("BOOLEAN", func(v parquet.Value, _ *arena) (ceap.Value, error) { return ceap.Bool(v.Boolean()), nil })
	case format.Int32:
		n.intType(e, func(v parquet.Value) int64 { return int64(v.Int32()) })
	case format.Int64:
		n.intType(e, parquet.Value.Int64)
	case format.Int96:
		n.set("TIMESTAMP", func(v parquet.Value, _ *arena) (ceap.Value, error) { return ceap.Local(int96Time(v.Int96())), nil })
	case format.Float:
		n.set("FLOAT", func(v parquet.Value, _ *arena) (ceap.Value, error) { return floatValue(v.Float()), nil })
	case format.Double:
		n.set("DOUBLE", func(v parquet.Value, _ *arena) (ceap.Value, error) { return ceap.Float(v.Double()), nil })
	default:
		n.bytesType(e)
	}
}

func (n *parquetNode) set(name string, value func(parquet.Value, *arena) (ceap.Value, error)) {
	n.typeName, n.value = name, value
}

// converted reports whether the field has that annotation of the older kind.
func converted(e *format.SchemaElement, t deprecated.ConvertedType) bool {
	return e.LogicalType.Value == nil && e.ConvertedType.Valid && e.ConvertedType.V == t
}

// intType is the type of whole numbers and of what is counted in them.
func (n *parquetNode) intType(e *format.SchemaElement, get func(parquet.Value) int64) {
	plain := func(name string) {
		n.set(name, func(v parquet.Value, _ *arena) (ceap.Value, error) { return ceap.Int(get(v)), nil })
	}
	switch t := e.LogicalType.Value.(type) {
	case *format.DecimalType:
		n.decimalType(t.Precision, t.Scale, get)
	case *format.DateType:
		n.dateType(get)
	case *format.TimeType:
		n.timeType(t.Unit.Value, get)
	case *format.TimestampType:
		n.timestampType(t.Unit.Value, t.IsAdjustedToUTC, get)
	case *format.IntType:
		n.sizedInt(t.BitWidth, t.IsSigned, get)
	default:
		switch {
		case converted(e, deprecated.Decimal):
			n.decimalType(e.Precision.V, e.Scale.V, get)
		case converted(e, deprecated.Date):
			n.dateType(get)
		case converted(e, deprecated.TimeMillis):
			n.timeType(&format.MilliSeconds{}, get)
		case converted(e, deprecated.TimeMicros):
			n.timeType(&format.MicroSeconds{}, get)
		case converted(e, deprecated.TimestampMillis):
			n.timestampType(&format.MilliSeconds{}, true, get)
		case converted(e, deprecated.TimestampMicros):
			n.timestampType(&format.MicroSeconds{}, true, get)
		case converted(e, deprecated.Uint8):
			n.sizedInt(8, false, get)
		case converted(e, deprecated.Uint16):
			n.sizedInt(16, false, get)
		case converted(e, deprecated.Uint32):
			n.sizedInt(32, false, get)
		case converted(e, deprecated.Uint64):
			n.sizedInt(64, false, get)
		case converted(e, deprecated.Int8):
			n.sizedInt(8, true, get)
		case converted(e, deprecated.Int16):
			n.sizedInt(16, true, get)
		case e.Type.V == format.Int32:
			plain("INTEGER")
		default:
			plain("BIGINT")
		}
	}
}

func (n *parquetNode) sizedInt(bits int8, signed bool, get func(parquet.Value) int64) { //nolint:revive // as the annotation has it
	name := map[int8]string{8: "TINYINT", 16: "SMALLINT", 32: "INTEGER", 64: "BIGINT"}[bits]
	if signed {
		n.set(name, func(v parquet.Value, _ *arena) (ceap.Value, error) { return ceap.Int(get(v)), nil })
		return
	}
	n.set("U"+name, func(v parquet.Value, _ *arena) (ceap.Value, error) {
		u := uint64(get(v)) //nolint:gosec // the bits of an unsigned number
		if bits < 64 {
			u &= 1<<bits - 1
		}
		return ceap.Decimal(strconv.FormatUint(u, 10)), nil
	})
}

func (n *parquetNode) decimalType(precision, scale int32, get func(parquet.Value) int64) {
	name := fmt.Sprintf("DECIMAL(%d,%d)", precision, scale)
	if scale < 0 || scale > maxScale {
		n.set(name, func(parquet.Value, *arena) (ceap.Value, error) {
			return ceap.Null(), fmt.Errorf("a %s has no text", name)
		})
		return
	}
	if get != nil {
		n.set(name, func(v parquet.Value, _ *arena) (ceap.Value, error) {
			return ceap.Decimal(withPoint(strconv.FormatInt(get(v), 10), int(scale))), nil
		})
		return
	}
	n.set(name, func(v parquet.Value, _ *arena) (ceap.Value, error) {
		b := v.ByteArray()
		if len(b) > maxScale {
			return ceap.Null(), fmt.Errorf("a decimal of %d bytes", len(b))
		}
		whole := new(big.Int).SetBytes(b)
		if len(b) > 0 && b[0] >= 0x80 {
			whole.Sub(whole, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
		}
		return ceap.Decimal(withPoint(whole.String(), int(scale))), nil
	})
}

// maxScale bounds decimals; SQL engines stop at 38 or 76 digits.
const maxScale = 128

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

func (n *parquetNode) dateType(get func(parquet.Value) int64) {
	n.set("DATE", func(v parquet.Value, _ *arena) (ceap.Value, error) {
		return ceap.CivilDate(ceap.Date(get(v))), nil //nolint:gosec // stored in 32 bits
	})
}

func (n *parquetNode) timeType(unit format.TimeUnitValue, get func(parquet.Value) int64) {
	step := unitOf(unit)
	n.set("TIME", func(v parquet.Value, _ *arena) (ceap.Value, error) {
		at := time.Unix(0, 0).UTC().Add(time.Duration(get(v)) * step).Truncate(time.Microsecond)
		return ceap.String(at.Format("15:04:05.999999")), nil
	})
}

func unitOf(unit format.TimeUnitValue) time.Duration {
	if unit == nil {
		return time.Microsecond
	}
	return unit.Duration()
}

func (n *parquetNode) timestampType(unit format.TimeUnitValue, instant bool, get func(parquet.Value) int64) { //nolint:revive // as the annotation has it
	at, local := time.UnixMicro, "TIMESTAMP"
	if step := unitOf(unit); step == time.Millisecond {
		at = time.UnixMilli
	} else if step == time.Nanosecond {
		at, local = func(ns int64) time.Time { return time.Unix(0, ns) }, "TIMESTAMP_NS"
	}
	if instant {
		n.set("TIMESTAMP WITH TIME ZONE", func(v parquet.Value, _ *arena) (ceap.Value, error) { return ceap.Time(at(get(v))), nil })
		return
	}
	n.set(local, func(v parquet.Value, _ *arena) (ceap.Value, error) { return ceap.Local(at(get(v)).UTC()), nil })
}

// int96Time reads the days and nanoseconds that Hive and Impala write.
func int96Time(v deprecated.Int96) time.Time {
	const unixEpoch = 2440588 // 1970-01-01 as a Julian day
	nanos := int64(v[0]) | int64(v[1])<<32
	days := int64(int32(v[2])) - unixEpoch //nolint:gosec // the format's 32 bits
	return time.Unix(days*86400, nanos).UTC()
}

// floatValue returns the number that f's shortest decimal shows.
func floatValue(f float32) ceap.Value {
	d, _ := strconv.ParseFloat(strconv.FormatFloat(float64(f), 'g', -1, 32), 64)
	return ceap.Float(d)
}

// bytesType is the type of texts and bytes.
func (n *parquetNode) bytesType(e *format.SchemaElement) {
	switch t := e.LogicalType.Value.(type) {
	case *format.DecimalType:
		n.decimalType(t.Precision, t.Scale, nil)
	case *format.UUIDType:
		n.set("UUID", uuidValue)
	case *format.StringType, *format.EnumType:
		n.set("VARCHAR", textValue)
	case *format.JsonType:
		n.set("VARCHAR", textValue)
	case *format.Float16Type:
		n.set("FLOAT", halfValue)
	default:
		switch {
		case converted(e, deprecated.Decimal):
			n.decimalType(e.Precision.V, e.Scale.V, nil)
		case converted(e, deprecated.UTF8), converted(e, deprecated.Enum):
			n.set("VARCHAR", textValue)
		case converted(e, deprecated.Json):
			n.set("VARCHAR", textValue)
		case converted(e, deprecated.Interval):
			n.set("INTERVAL", intervalValue)
		default:
			n.set("BLOB", blobValue)
		}
	}
}

func textValue(v parquet.Value, a *arena) (ceap.Value, error) {
	b := v.ByteArray()
	if !utf8.Valid(b) {
		return ceap.Null(), errNotText
	}
	return ceap.String(a.text(b)), nil
}

func blobValue(v parquet.Value, _ *arena) (ceap.Value, error) {
	return ceap.String(BlobText(v.ByteArray())), nil
}

// BlobText returns bytes as DuckDB casts them to text: printable characters of
// ASCII as they are, others, quotes and the backslash as \xFF.
func BlobText(bytes []byte) string {
	var out strings.Builder
	for _, c := range bytes {
		if c >= ' ' && c <= '~' && c != '\\' && c != '\'' && c != '"' {
			out.WriteByte(c)
		} else {
			fmt.Fprintf(&out, `\x%02X`, c)
		}
	}
	return out.String()
}

func uuidValue(v parquet.Value, _ *arena) (ceap.Value, error) {
	b := v.ByteArray()
	if len(b) != 16 {
		return ceap.Null(), fmt.Errorf("a UUID of %d bytes", len(b))
	}
	h := hex.EncodeToString(b)
	return ceap.String(h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]), nil
}

// intervalValue writes an interval as ISO 8601 does.
func intervalValue(v parquet.Value, _ *arena) (ceap.Value, error) {
	b := v.ByteArray()
	if len(b) != 12 {
		return ceap.Null(), fmt.Errorf("an interval of %d bytes", len(b))
	}
	months, days, millis := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])
	return ceap.String(fmt.Sprintf("P%dM%dDT%sS", months, days, strconv.FormatFloat(float64(millis)/1000, 'f', -1, 64))), nil
}

// halfValue reads a number of 16 bits.
func halfValue(v parquet.Value, _ *arena) (ceap.Value, error) {
	b := v.ByteArray()
	if len(b) != 2 {
		return ceap.Null(), fmt.Errorf("a half of %d bytes", len(b))
	}
	bits := binary.LittleEndian.Uint16(b)
	exponent, fraction := int(bits>>10&31), float64(bits&1023)
	var f float64
	switch {
	case exponent == 31 && fraction != 0:
		return ceap.Float(math.NaN()), nil
	case exponent == 31:
		f = math.Inf(1)
	case exponent == 0:
		f = math.Ldexp(fraction, -24)
	default:
		f = math.Ldexp(1024+fraction, exponent-25)
	}
	if bits&0x8000 != 0 {
		f = -f
	}
	return ceap.Float(f), nil
}
