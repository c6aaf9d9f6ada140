package ceap

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// Kind says what a [Value] is.
type Kind uint8

// The kinds of values. NULL, empty text and false differ (D23).
const (
	KindNull    Kind = iota
	KindBool         // true or false
	KindInt          // a whole number of 64 bits
	KindFloat        // a 64-bit floating-point number that is not a KindInt, never NaN or infinite
	KindDecimal      // an exact decimal that is neither of the two, kept as its text
	KindString       // text; may be empty
	KindTime         // an instant, to the microsecond, UTC
	KindLocal        // a date with time but without zone, to the microsecond
	KindDate         // a civil date
)

// String returns the kind in words.
func (k Kind) String() string {
	return [...]string{"null", "boolean", "integer", "number", "decimal", "text", "timestamp", "local timestamp", "date"}[k]
}

// Value is one value of a row or of a candidate. The zero Value is NULL. Values
// are comparable and safe for concurrent use.
type Value struct {
	text string
	bits uint64
	kind Kind
}

// Null returns NULL.
func Null() Value { return Value{} }

// Bool returns a boolean.
func Bool(b bool) Value { //nolint:revive // the value itself, not a switch
	if b {
		return Value{kind: KindBool, bits: 1}
	}
	return Value{kind: KindBool}
}

// Int returns a whole number.
func Int(n int64) Value { return Value{kind: KindInt, bits: uint64(n)} }

// Float returns a number. A whole number of 64 bits becomes a [KindInt], so that
// equal numbers are equal Values; NaN and the infinities become their text,
// since no rule may take them for numbers.
func Float(f float64) Value {
	if math.Abs(f) < 1<<63 && f == math.Trunc(f) {
		return Int(int64(f))
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return String(strconv.FormatFloat(f, 'g', -1, 64))
	}
	return Value{kind: KindFloat, bits: math.Float64bits(f)}
}

// Decimal returns the number that text shows, exactly: a [KindInt] or
// [KindFloat] where one prints as just that text, else a [KindDecimal]. Text
// that is not an optional minus sign and digits with at most one point between
// them becomes a [KindString].
func Decimal(text string) Value {
	if !isDecimal(text) {
		return String(text)
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return Int(n)
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		if v := Float(f); v.kind == KindFloat && strconv.FormatFloat(f, 'f', -1, 64) == text {
			return v
		}
	}
	return Value{kind: KindDecimal, text: text}
}

// isDecimal reports whether text is a JSON number without an exponent.
func isDecimal(text string) bool {
	digits := strings.TrimPrefix(text, "-")
	whole, fraction, point := strings.Cut(digits, ".")
	isDigits := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	return isDigits(whole) && (whole == "0" || whole[0] != '0') && (!point || isDigits(fraction))
}

// String returns text.
func String(s string) Value { return Value{kind: KindString, text: s} }

// Time returns an instant, cut to microseconds.
func Time(t time.Time) Value {
	return Value{kind: KindTime, bits: uint64(t.UnixMicro())}
}

// Local returns a date and time without a zone; t's own zone is ignored.
func Local(t time.Time) Value {
	y, m, d := t.Date()
	wall := time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	return Value{kind: KindLocal, bits: uint64(wall.UnixMicro())}
}

// CivilDate returns a civil date.
func CivilDate(d Date) Value { return Value{kind: KindDate, bits: uint64(d)} }

// Kind returns what v is.
func (v Value) Kind() Kind { return v.kind }

// IsNull reports whether v is NULL.
func (v Value) IsNull() bool { return v.kind == KindNull }

// Bool returns the boolean; false for other kinds.
func (v Value) Bool() bool { return v.kind == KindBool && v.bits == 1 }

// Int returns the whole number; 0 for other kinds.
func (v Value) Int() int64 {
	if v.kind != KindInt {
		return 0
	}
	return int64(v.bits)
}

// Number returns v as a float64 and whether it is a number. A decimal is
// rounded to the nearest float64.
func (v Value) Number() (float64, bool) {
	switch v.kind {
	case KindInt:
		return float64(v.Int()), true
	case KindFloat:
		return math.Float64frombits(v.bits), true
	case KindDecimal:
		f, err := strconv.ParseFloat(v.text, 64)
		return f, err == nil
	default:
		return 0, false
	}
}

// Micros returns the microseconds since 1970 of a [KindTime] (UTC) or
// [KindLocal] (wall clock); 0 for other kinds.
func (v Value) Micros() int64 {
	if v.kind != KindTime && v.kind != KindLocal {
		return 0
	}
	return int64(v.bits)
}

// Date returns the civil date of a [KindDate]; the zero Date for other kinds.
func (v Value) Date() Date {
	if v.kind != KindDate {
		return 0
	}
	return Date(v.bits)
}

// Text returns the text of a [KindString] or [KindDecimal]; "" for other kinds.
func (v Value) Text() string { return v.text }

// String returns v as text: numbers in the shortest form that reads back as the
// same number, instants in RFC 3339 with Z, NULL as "".
func (v Value) String() string {
	if v.kind == KindString || v.kind == KindDecimal {
		return v.text
	}
	return string(v.AppendText(nil))
}

// AppendText appends what [Value.String] returns to b.
func (v Value) AppendText(b []byte) []byte {
	switch v.kind {
	case KindBool:
		return strconv.AppendBool(b, v.Bool())
	case KindInt:
		return strconv.AppendInt(b, v.Int(), 10)
	case KindFloat:
		return appendFloat(b, math.Float64frombits(v.bits))
	case KindDecimal, KindString:
		return append(b, v.text...)
	case KindTime:
		return time.UnixMicro(v.Micros()).UTC().AppendFormat(b, time.RFC3339Nano)
	case KindLocal:
		return time.UnixMicro(v.Micros()).UTC().AppendFormat(b, "2006-01-02T15:04:05.999999999")
	case KindDate:
		return v.Date().In(time.UTC).AppendFormat(b, time.DateOnly)
	default:
		return b
	}
}

// appendFloat appends f without an exponent as far as that stays readable.
func appendFloat(b []byte, f float64) []byte {
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		return strconv.AppendFloat(b, f, 'e', -1, 64)
	}
	return strconv.AppendFloat(b, f, 'f', -1, 64)
}

// AppendJSON appends v as JSON: null, a boolean, a number or a string.
func (v Value) AppendJSON(b []byte) []byte {
	switch v.kind {
	case KindNull:
		return append(b, "null"...)
	case KindBool, KindInt, KindFloat:
		return v.AppendText(b)
	case KindDecimal:
		return append(b, v.text...)
	case KindString:
		return AppendJSONString(b, v.text)
	default:
		b = append(b, '"')
		b = v.AppendText(b)
		return append(b, '"')
	}
}

// MarshalJSON returns v as JSON.
func (v Value) MarshalJSON() ([]byte, error) { return v.AppendJSON(nil), nil }

// UnmarshalJSON reads JSON. Numbers become what [Decimal] makes of them, arrays and objects their compact text.
func (v *Value) UnmarshalJSON(data []byte) error {
	switch data[0] {
	case 'n':
		*v = Null()
	case 't', 'f':
		*v = Bool(data[0] == 't')
	case '"':
		var s string
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
		*v = String(s)
	case '{', '[':
		var b bytes.Buffer
		if err := json.Compact(&b, data); err != nil {
			return err
		}
		*v = String(b.String())
	default:
		if *v = Decimal(string(data)); v.kind != KindString {
			return nil
		}
		f, err := strconv.ParseFloat(string(data), 64)
		if err != nil {
			return Errorf(CodeInvalid, "%s is not a number", data)
		}
		*v = Float(f)
	}
	return nil
}

// AppendJSONString appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD, as in encoding/json.
func AppendJSONString(b []byte, s string) []byte {
	plain := true
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x80 {
			plain = false
			break
		}
	}
	if plain {
		b = append(b, '"')
		b = append(b, s...)
		return append(b, '"')
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always encodes
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}
