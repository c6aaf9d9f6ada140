package dynamodb

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/plugin"
	"github.com/ceap-platform/ceap/store"
)

// WithTicks lets claims be renewed when the channel delivers.
func WithTicks(roles store.Roles, ticks <-chan time.Time) {
	r, ok := roles.Runs.(*runs)
	if !ok {
		panic("not of this store")
	}
	r.every = func(time.Duration) (<-chan time.Time, func()) { return ticks, func() {} }
}

// RoundTrip returns the document as it is once it was an item.
func RoundTrip(document []byte) ([]byte, error) {
	n, err := plugin.FromJSON("", document)
	if err != nil {
		return nil, err
	}
	v, err := attribute(n)
	if err != nil {
		return nil, err
	}
	return node(v).Canonical(), nil
}

// RankText returns the candidate's place among the best.
func RankText(c *ceap.Candidate) string { return rankText(c) }

// CreatedText returns the candidate's place in the order of creation.
func CreatedText(c *ceap.Candidate) string { return createdText(c) }

// KeyText returns the key's place.
func KeyText(k ceap.Key) string { return keyText(k) }

// MaxSortKey is the limit that places keep to.
const MaxSortKey = maxSortKey

// ReadBack returns the candidate as it comes back from its item, with numbers as
// DynamoDB makes them.
func ReadBack(c *ceap.Candidate) (ceap.Candidate, error) {
	it := encode(c, 8)
	for name, v := range it {
		it[name] = normal(v)
	}
	return decode(it, time.Time{})
}

// Size returns how many bytes an item is taken to have.
func Size(c *ceap.Candidate) int { return size(encode(c, 8)) }

// normal drops what DynamoDB does not keep of a number: zeros at its ends, and the
// way it was written.
func normal(v types.AttributeValue) types.AttributeValue {
	switch v := v.(type) {
	case *types.AttributeValueMemberN:
		sign, number := "", v.Value
		if strings.HasPrefix(number, "-") {
			sign, number = "-", number[1:]
		}
		mantissa, exponent, _ := strings.Cut(strings.ToLower(number), "e")
		shift, _ := strconv.Atoi(exponent)
		whole, fraction, _ := strings.Cut(mantissa, ".")
		digits := strings.TrimLeft(whole+fraction, "0")
		shift -= len(fraction)
		for strings.HasSuffix(digits, "0") {
			digits, shift = digits[:len(digits)-1], shift+1
		}
		if digits == "" {
			return &types.AttributeValueMemberN{Value: "0"}
		}
		return &types.AttributeValueMemberN{Value: sign + digits + "E" + strconv.Itoa(shift)}
	case *types.AttributeValueMemberM:
		out := item{}
		for name, v := range v.Value {
			out[name] = normal(v)
		}
		return &types.AttributeValueMemberM{Value: out}
	case *types.AttributeValueMemberL:
		out := make([]types.AttributeValue, len(v.Value))
		for i := range v.Value {
			out[i] = normal(v.Value[i])
		}
		return &types.AttributeValueMemberL{Value: out}
	default:
		return v
	}
}

// ParseCursor reads a cursor of a form.
func ParseCursor(text, form string) (string, error) { return parseCursor(text, form) }

// NewCursor writes one.
func NewCursor(form, place string) string { return cursor{form, place}.String() }

// MarkPK returns the partition key of a candidate's mark.
func MarkPK(ctx context.Context, roles store.Roles, k ceap.Key) (string, error) {
	s := (*Store)(roles.Candidates.(*candidates))
	db, err := s.db(ctx)
	if err != nil {
		return "", err
	}
	secret, err := s.markSecret(ctx, db)
	return markPK(secret, k), err
}
