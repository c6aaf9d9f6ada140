package dynamodb_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsdb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
	"github.com/ceap-platform/ceap/store/dynamodb"
)

const life = 30 * 24 * time.Hour

func candidate(customer, subject string) *ceap.Candidate {
	return &ceap.Candidate{
		Key:       ceap.Key{CustomerID: customer, ProgramID: "product-reviews", Marketplace: "US", SubjectType: "product", SubjectID: subject},
		EventDate: time.Date(2026, 1, 26, 0, 0, 0, 0, time.UTC), Currency: "USD",
		Channels: []ceap.ChannelFlag{{Channel: "email", Eligible: true}},
		Meta:     ceap.Meta{ConnectorID: "deliveries", CorrelationID: "corr-1"},
	}
}

func options(runID string) store.UpsertOptions {
	return store.UpsertOptions{RunID: runID, Now: noon(), TTL: life}
}

// upsert writes candidates and returns the outcome of each, with its code.
func upsert(t *testing.T, roles store.Roles, opts store.UpsertOptions, batch ...*ceap.Candidate) []string {
	t.Helper()
	results, err := roles.Candidates.Upsert(t.Context(), batch, opts)
	if err != nil {
		t.Fatalf("upserting: %v", err)
	}
	var out []string
	for _, r := range results {
		out = append(out, strings.TrimSpace(string(r.Kind)+" "+r.Code))
	}
	return out
}

func equal(t *testing.T, what string, want, got any) {
	t.Helper()
	opt := gocmp.Comparer(func(a, b ceap.Value) bool { return a == b })
	if diff := gocmp.Diff(want, got, opt); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func get(t *testing.T, roles store.Roles, k ceap.Key) ceap.Candidate {
	t.Helper()
	c, err := roles.Candidates.Get(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func key(pk, sk string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"PK": &types.AttributeValueMemberS{Value: pk}, "SK": &types.AttributeValueMemberS{Value: sk}}
}

// drop removes an item as DynamoDB does once its ttl has passed, or says that it is
// not there.
func (s *stage) drop(ctx context.Context, table, pk, sk string) error {
	out, err := s.db.DeleteItem(ctx, &awsdb.DeleteItemInput{
		TableName: aws.String(table + "-" + s.config.Stage), Key: key(pk, sk), ReturnValues: types.ReturnValueAllOld,
	})
	if err == nil && len(out.Attributes) == 0 {
		return fmt.Errorf("there is no item %s %s", pk, sk)
	}
	return err
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func ignoreUnexported() gocmp.Option {
	return cmpopts.IgnoreUnexported(types.AttributeValueMemberS{}, types.AttributeValueMemberN{}, types.AttributeValueMemberM{})
}

func drawNumber(t *rapid.T) ceap.Value {
	switch rapid.IntRange(0, 3).Draw(t, "kind of number") {
	case 0:
		return ceap.Int(rapid.Int64().Draw(t, "integer"))
	case 1:
		return ceap.Float(rapid.Float64().Draw(t, "float"))
	default:
		return ceap.Decimal(rapid.StringMatching(`-?(0|[1-9][0-9]{0,45})(\.[0-9]{1,45})?`).Draw(t, "decimal"))
	}
}

func drawContent(t *rapid.T) *ceap.Candidate {
	c := candidate("c", "1")
	moment := rapid.Map(rapid.Int64Range(0, 4e15), func(n int64) time.Time { return time.UnixMicro(n).UTC() })
	c.EventDate = moment.Draw(t, "event")
	c.OrderValue = drawNumber(t)
	if rapid.Bool().Draw(t, "delivered") {
		c.DeliveryDate = moment.Draw(t, "delivery")
	}
	names := rapid.SliceOfNDistinct(rapid.String(), 0, 4, rapid.ID)
	value := rapid.Custom(func(t *rapid.T) ceap.Value {
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			return ceap.Null()
		case 1:
			return ceap.Bool(rapid.Bool().Draw(t, "bool"))
		case 2:
			return ceap.String(rapid.String().Draw(t, "text"))
		default:
			return drawNumber(t)
		}
	})
	extra := map[string]ceap.Value{}
	for _, name := range names.Draw(t, "columns") {
		extra[name] = value.Draw(t, "value")
	}
	for _, name := range sortedKeys(extra) {
		c.Extra = append(c.Extra, ceap.Attribute{Name: name, Value: extra[name]})
	}
	unit := rapid.OneOf(rapid.Float64Range(0, 1), rapid.SampledFrom([]float64{0, 1, math.SmallestNonzeroFloat64, 1e-200}))
	if c.Scored = rapid.Bool().Draw(t, "scored"); c.Scored {
		c.Score = unit.Draw(t, "score")
		c.Scores = []ceap.Score{{ModelID: "m", State: ceap.ScoreModel, Value: unit.Draw(t, "value"), HasConfidence: true, Confidence: unit.Draw(t, "confidence")}}
	}
	return c
}

func TestI30_ItemsGiveBackEqualCandidates(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := drawContent(t)
		got, err := dynamodb.ReadBack(c)
		if err != nil {
			t.Fatal(err)
		}
		got.Meta, c.Meta = ceap.Meta{}, ceap.Meta{}
		if diff := gocmp.Diff(*c, got, gocmp.Comparer(func(a, b ceap.Value) bool { return a == b })); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

// TestI30_Numbers writes numbers that DynamoDB has no N for, or gives back in other
// words, to each emulator.
func TestI30_Numbers(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, s *stage) {
		t.Helper()
		roles := s.open(t)
		var batch []*ceap.Candidate
		for i, v := range []ceap.Value{
			ceap.Int(0), ceap.Int(math.MaxInt64), ceap.Int(math.MinInt64), ceap.Int(100), ceap.Int(1e18), ceap.Float(0.1), ceap.Float(-1e-7), ceap.Float(1.5e-8),
			ceap.Float(1e21), ceap.Float(1e124), ceap.Float(1e300), ceap.Float(math.SmallestNonzeroFloat64), ceap.Float(1.0 / 3),
			ceap.Decimal("49.90"), ceap.Decimal("-0.00"), ceap.Decimal("0.10"), ceap.Decimal("12345678901234567890.10"), ceap.Decimal(strings.Repeat("7", 38)), ceap.Decimal(strings.Repeat("7", 60)),
		} {
			c := candidate("c", fmt.Sprintf("%02d", i))
			c.OrderValue, c.Extra = v, []ceap.Attribute{{Name: "n", Value: v}}
			batch = append(batch, c)
		}
		upsert(t, roles, options("run-1"), batch...)
		for _, c := range batch {
			got := get(t, roles, c.Key)
			if extra, _ := got.Attribute("n"); got.OrderValue != c.OrderValue || extra != c.OrderValue {
				t.Errorf("%s comes back as %s and %s", c.OrderValue, got.OrderValue, extra)
			}
		}
		for i, got := range upsert(t, roles, options("run-2"), batch...) {
			if got != "unchanged" {
				t.Errorf("%s again: %s", batch[i].OrderValue, got)
			}
		}
	})
}

func TestCandidates_Item(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles := s.open(t)
	c := candidate("CUST-1", "PROD-1")
	c.OrderValue, c.Score, c.Scored = ceap.Decimal("49.90"), 0.75, true
	c.Extra = []ceap.Attribute{{Name: "order_id", Value: ceap.String("O-1")}}
	upsert(t, roles, options("run-1"), c, candidate("CUST-2", "PROD-1"))
	// The guide's scan finds the candidates and nothing else (D1).
	if got := len(s.items(t, "Candidates", "CUST#")); got != 2 {
		t.Errorf("the guide's scan finds %d items, not 2", got)
	}
	it := s.items(t, "Candidates", "CUST#CUST-1")[0]
	text := func(v string) types.AttributeValue { return &types.AttributeValueMemberS{Value: v} }
	number := func(v string) types.AttributeValue { return &types.AttributeValueMemberN{Value: v} }
	for name, want := range map[string]types.AttributeValue{
		"SK": text("PROG#product-reviews#MKT#US#SUBJ#product#PROD-1"), "customerId": text("CUST-1"), "status": text("open"),
		"eventDate": text("2026-01-26T00:00:00.000000Z"), "orderValue": number("49.90"), "score": number("0.75"), "version": number("1"),
		"ttl":    number(fmt.Sprint(noon().Add(life).Unix())), // D3
		"extra":  &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"order_id": text("O-1")}},
		"GSI1SK": text("4017ffffffffffff 7ff9b6c0cfd75fff CUST-1 product-reviews US product PROD-1 "),
		"GSI2SK": text("2026-01-27T12:00:00.000000Z CUST-1 product-reviews US product PROD-1 "),
	} {
		if diff := gocmp.Diff(want, it[name], ignoreUnexported()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	closing := store.Closing{Status: ceap.StatusConsumed, Channel: "email", At: noon()}
	if err := roles.Candidates.Close(t.Context(), c.Key, closing); err != nil {
		t.Fatal(err)
	}
	if it := s.items(t, "Candidates", "CUST#CUST-1")[0]; it["GSI1PK"] != nil || it["GSI1SK"] != nil || it["GSI2PK"] == nil {
		t.Errorf("a consumed one is in the index of open ones: %v", it)
	}
}

// TestI34_TooLarge: an item that DynamoDB refuses concerns nobody else.
func TestI34_TooLarge(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, s *stage) {
		t.Helper()
		large, just, long := candidate("a", "1"), candidate("b", "1"), candidate("c", strings.Repeat("x", 1025))
		large.Extra = []ceap.Attribute{{Name: "text", Value: ceap.String(strings.Repeat("x", 400<<10))}}
		just.Extra = []ceap.Attribute{{Name: "text", Value: ceap.String("")}}
		just.Meta = ceap.Meta{RunID: "run-1", CreatedRunID: "run-1", ConnectorID: "deliveries", CorrelationID: "corr-1", Status: ceap.StatusOpen, Version: 1}
		just.Extra[0].Value = ceap.String(strings.Repeat("x", 404_000-dynamodb.Size(just)-2)) // moto takes 405,000 bytes
		got := upsert(t, s.open(t), options("run-1"), large, just, long, candidate("d", "1"))
		equal(t, "outcomes", []string{"failed VALUE_TOO_LONG", "created", "failed VALUE_TOO_LONG", "created"}, got)
	})
}

func TestI31_PlacesSortAsRanks(t *testing.T) {
	t.Parallel()
	part := rapid.SampledFrom([]string{"", "\x00", "\x00\x01", " ", "!", "!20", "\"", "#", "a", "a\x00", "a b", "a!", "a\x01", "ab", "é", "\uffff", "😀"})
	event := rapid.OneOf(rapid.Int64Range(-3, 3), rapid.Int64())
	drawn := rapid.Custom(func(t *rapid.T) *ceap.Candidate {
		c := &ceap.Candidate{Key: ceap.Key{
			CustomerID: part.Draw(t, "customer"), ProgramID: part.Draw(t, "program"), Marketplace: part.Draw(t, "marketplace"),
			SubjectType: part.Draw(t, "type"), SubjectID: part.Draw(t, "id"),
		}}
		c.EventDate = time.UnixMicro(event.Draw(t, "event")).UTC()
		if c.Scored = rapid.Bool().Draw(t, "scored"); c.Scored {
			c.Score = rapid.OneOf(rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1, -1, 0.5}), rapid.Float64()).Draw(t, "score")
		}
		return c
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawn.Draw(t, "a"), drawn.Draw(t, "b")
		if rapid.Bool().Draw(t, "tie") {
			b.Score, b.Scored, b.EventDate = a.Score, a.Scored, a.EventDate
		}
		if got, want := cmp.Compare(dynamodb.RankText(a), dynamodb.RankText(b)), ceap.CompareRank(a, b); got != want {
			t.Fatalf("ranks compare as %d, want %d", got, want)
		}
		if got, want := cmp.Compare(dynamodb.KeyText(a.Key), dynamodb.KeyText(b.Key)), a.Compare(b.Key); got != want {
			t.Fatalf("keys compare as %d, want %d", got, want)
		}
	})
}

// TestI12_LongPlaces: places of the longest keys fit, and differ.
func TestI12_LongPlaces(t *testing.T) {
	t.Parallel()
	a, b := candidate(strings.Repeat("é", 1000), "1"), candidate(strings.Repeat("é", 1000), "2")
	for _, place := range []func(*ceap.Candidate) string{dynamodb.RankText, dynamodb.CreatedText} {
		if n := len(place(a)); n > dynamodb.MaxSortKey || place(a) == place(b) || !strings.HasPrefix(place(a), place(a)[:900]) {
			t.Errorf("%d bytes: %s", n, place(a))
		}
	}
	s := newStage(t)
	roles := s.open(t)
	equal(t, "outcomes", []string{"created", "created"}, upsert(t, roles, options("run-1"), a, b))
	for _, limit := range []int{1, 2} {
		q, found := store.Query{ProgramID: a.ProgramID, Channel: "email", Limit: limit}, 0
		for more := true; more; more = q.Cursor != "" {
			page, err := roles.Candidates.Find(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			found += len(page.Candidates)
			q.Cursor = page.Next
		}
		equal(t, "found", 2, found)
	}
}

func FuzzParseCursor(f *testing.F) {
	f.Add("", "rank")
	f.Add(dynamodb.NewCursor("rank", "x"), "rank")
	f.Add(dynamodb.NewCursor("rank", "x"), "created")
	f.Add("e30", "rank")
	f.Fuzz(func(t *testing.T, text, form string) {
		place, err := dynamodb.ParseCursor(text, form)
		switch {
		case err != nil:
			wantCode(t, err, ceap.CodeInvalid)
		case text == "" && place != "":
			t.Errorf("no cursor is at %q", place)
		case text != "":
			if again, err := dynamodb.ParseCursor(dynamodb.NewCursor(form, place), form); err != nil || again != place {
				t.Errorf("%q becomes %q, %v", place, again, err)
			}
		}
	})
}
