package dynamodb

import (
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/ceap-platform/ceap"
)

// item is an item of a table, or a part of one.
type item = map[string]types.AttributeValue

// timeLayout has a fixed width, so that times sort as text. All are UTC.
const timeLayout = "2006-01-02T15:04:05.000000Z"

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func integer(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func boolean(b bool) types.AttributeValue {
	return &types.AttributeValueMemberBOOL{Value: b}
}

func instant(t time.Time) types.AttributeValue { return text(formatTime(t)) }

// seconds is a time as a TTL attribute has it.
func seconds(t time.Time) types.AttributeValue { return integer(t.Unix()) }

func formatTime(t time.Time) string { return t.UTC().Format(timeLayout) }

// micros cuts t to what is kept of it.
func micros(t time.Time) time.Time { return time.UnixMicro(t.UnixMicro()).UTC() }

// key is the primary key of an item.
func key(pk, sk string) item { return item{"PK": text(pk), "SK": text(sk)} }

// textOf returns the text of an attribute; "" if it is missing or no text.
func textOf(it item, name string) string {
	if s, ok := it[name].(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

// fields reads the attributes of an item and remembers what is wrong first.
type fields struct {
	item
	err error
}

func (f *fields) wrong(name, want string) {
	if f.err == nil {
		f.err = ceap.Errorf(ceap.CodeInternal, "the item %q %q: its attribute %s is no %s", textOf(f.item, "PK"), textOf(f.item, "SK"), name, want).
			WithHint("CEAP does not write it so; mend or delete the item")
	}
}

// text returns a text; "" if there is none.
func (f *fields) text(name string) string {
	switch v := f.item[name].(type) {
	case nil, *types.AttributeValueMemberNULL:
	case *types.AttributeValueMemberS:
		return v.Value
	default:
		f.wrong(name, "text")
	}
	return ""
}

// integer returns a whole number; 0 if there is none.
func (f *fields) integer(name string) int64 {
	switch v := f.item[name].(type) {
	case nil, *types.AttributeValueMemberNULL:
	case *types.AttributeValueMemberN:
		n, err := strconv.ParseInt(v.Value, 10, 64)
		if err == nil {
			return n
		}
		f.wrong(name, "whole number")
	default:
		f.wrong(name, "whole number")
	}
	return 0
}

// boolean returns a truth value; false if there is none.
func (f *fields) boolean(name string) bool {
	switch v := f.item[name].(type) {
	case nil, *types.AttributeValueMemberNULL:
	case *types.AttributeValueMemberBOOL:
		return v.Value
	default:
		f.wrong(name, "truth value")
	}
	return false
}

// instant returns a time; the zero time if there is none.
func (f *fields) instant(name string) time.Time {
	s := f.text(name)
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, s) // people write times without fractions
	if err != nil {
		f.wrong(name, "time such as 2026-01-27T00:00:00Z")
	}
	return t.UTC()
}
