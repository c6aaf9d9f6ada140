package athena

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/athena/types"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/tabular"
)

// plainColumn reads the texts of a column.
type plainColumn struct {
	Column connector.Column `json:"column"`
	value  func(text string) (ceap.Value, error)
}

func plainColumns(info []types.ColumnInfo) []plainColumn {
	var out []plainColumn
	for _, c := range named(info) {
		out = append(out, plainColumn{c, reader(c.Type)})
	}
	return out
}

func columnsOf(plain []plainColumn) []connector.Column {
	out := make([]connector.Column, len(plain))
	for i, c := range plain {
		out[i] = c.Column
	}
	return out
}

// reader returns what reads the texts of a type.
func reader(typ string) func(string) (ceap.Value, error) {
	base, _, _ := strings.Cut(strings.ToLower(typ), "(")
	switch base {
	case "boolean":
		return boolValue
	case "tinyint", "smallint", "integer", "int", "bigint":
		return intValue
	case "float", "real", "double":
		return floatValue
	case "decimal":
		return func(text string) (ceap.Value, error) { return ceap.Decimal(text), nil }
	case "date":
		return dateValue
	case "timestamp":
		return timestampValue
	case "timestamp with time zone":
		return instantValue
	case "time":
		return func(text string) (ceap.Value, error) {
			if strings.Contains(text, ".") {
				text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
			}
			return ceap.String(text), nil
		}
	case "varbinary":
		return bytesValue
	default:
		return func(text string) (ceap.Value, error) { return ceap.String(text), nil }
	}
}

func boolValue(text string) (ceap.Value, error) {
	if text != "true" && text != "false" {
		return ceap.Null(), fmt.Errorf("%q is no boolean", text)
	}
	return ceap.Bool(text == "true"), nil
}

func intValue(text string) (ceap.Value, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	return ceap.Int(n), err
}

func floatValue(text string) (ceap.Value, error) {
	f, err := strconv.ParseFloat(text, 64)
	return ceap.Float(f), err
}

func dateValue(text string) (ceap.Value, error) {
	d, err := ceap.ParseDate(text)
	if err != nil {
		return ceap.String(text), nil //nolint:nilerr // a year that has no four digits
	}
	return ceap.CivilDate(d), nil
}

func timestampValue(text string) (ceap.Value, error) {
	t, err := time.Parse("2006-01-02 15:04:05.999999999", text)
	if err != nil {
		return ceap.String(text), nil //nolint:nilerr // a year that has no four digits
	}
	return ceap.Local(t), nil
}

// instantValue reads a timestamp with the name of a zone, or its offset, after the
// last space.
func instantValue(text string) (ceap.Value, error) {
	at := strings.LastIndexByte(text, ' ')
	if at < 0 {
		return ceap.String(text), nil
	}
	if t, err := time.Parse("2006-01-02 15:04:05.999999999 -07:00", text); err == nil {
		return ceap.Time(t), nil
	}
	zone, err := time.LoadLocation(text[at+1:])
	if err != nil {
		return ceap.String(text), nil //nolint:nilerr // who reads the value says what it lacks
	}
	t, err := time.ParseInLocation("2006-01-02 15:04:05.999999999", text[:at], zone)
	if err != nil {
		return ceap.String(text), nil //nolint:nilerr // a year that has no four digits
	}
	return ceap.Time(t), nil
}

// bytesValue reads pairs of hexadecimal digits with spaces between them.
func bytesValue(text string) (ceap.Value, error) {
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		return ceap.Null(), fmt.Errorf("%q are no bytes", text)
	}
	return ceap.String(tabular.BlobText(b)), nil
}

// athenaType returns Athena's name of the type of a Parquet file's column.
func athenaType(typ string) string {
	switch typ {
	case "BLOB":
		return "varbinary"
	case "LIST":
		return "array"
	case "STRUCT":
		return "row"
	case "TIMESTAMP WITH TIME ZONE", "TIMESTAMP_NS":
		return "timestamp"
	default:
		return strings.ToLower(typ)
	}
}

// localTimes makes instants what they were in the query: UNLOAD takes no other
// timestamps than those without a zone, and some writers mark all as UTC.
func localTimes(values []ceap.Value) {
	for i, v := range values {
		if v.Kind() == ceap.KindTime {
			values[i] = ceap.Local(time.UnixMicro(v.Micros()).UTC())
		}
	}
}
