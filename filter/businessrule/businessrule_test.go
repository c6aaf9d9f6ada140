package businessrule_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/filter"
	"github.com/ceap-platform/ceap/filter/businessrule"
	"github.com/ceap-platform/ceap/filter/filtertest"
	"github.com/ceap-platform/ceap/plugin/plugintest"
)

func TestFilter_Conformance(t *testing.T) {
	t.Parallel()
	filtertest.Run(t, businessrule.Plugin(), filtertest.Env(),
		`{"minOrderValue": 20, "maxDaysSinceEvent": 30, "requireDeliveryDate": true}`,
		`{"rules": [{"expression": "orderValue >= 20 && eligible.email", "reasonCode": "TOO_SMALL"}]}`,
		`{"rules": [{"expression": "coalesce(scores.trust, 0) > 0.5", "reasonCode": "A"}, {"expression": "has(extra.fraud_score)", "reasonCode": "B"}]}`)
}

func TestFilter_Apply(t *testing.T) {
	t.Parallel()
	bare := filtertest.Candidate()
	bare.OrderValue, bare.DeliveryDate = ceap.Null(), time.Time{}
	const own = `{"rules": [
		{"expression": "orderValue >= 20", "reasonCode": "FIRST", "reason": "small orders get no survey"},
		{"expression": "extra.category != 'garden'", "reasonCode": "SECOND"},
		{"expression": "now < eventDate", "reasonCode": "THIRD"}]}`
	for _, tc := range []struct {
		name, config string
		candidate    *ceap.Candidate
		code         string
		words        string // of the reason or the error
	}{
		{"order value", `{"minOrderValue": 29.99}`, filtertest.Candidate(), "", ""},
		{"order value too low", `{"minOrderValue": 30}`, filtertest.Candidate(), businessrule.CodeOrderValueLow, "orderValue is 29.99 USD, below minOrderValue 30"},
		{"order value missing", `{"minOrderValue": 0}`, bare, businessrule.CodeOrderValueMissing, "the row has no orderValue"},
		{"event", `{"maxDaysSinceEvent": 2}`, filtertest.Candidate(), "", ""},
		{"event too old", `{"maxDaysSinceEvent": 1.5}`, filtertest.Candidate(), businessrule.CodeEventTooOld, "the event of 2026-01-26T12:00:00Z is 2.0 days old, above maxDaysSinceEvent 1.5"},
		{"event of today only", `{"maxDaysSinceEvent": 0}`, filtertest.Candidate(), businessrule.CodeEventTooOld, ""},
		{"delivery date", `{"requireDeliveryDate": true}`, filtertest.Candidate(), "", ""},
		{"delivery date missing", `{"requireDeliveryDate": true}`, bare, businessrule.CodeDeliveryDateMissing, "the row has no deliveryDate"},
		{"the first rule", own, func() *ceap.Candidate { c := filtertest.Candidate(); c.OrderValue = ceap.Int(3); return c }(), "FIRST", "small orders get no survey: orderValue is 3"},
		{"the second rule", own, filtertest.Candidate(), "SECOND", `the rule extra.category != 'garden' does not hold: extra.category is "garden"`},
		{"the third rule", own, plugintest.With(filtertest.Candidate(), "category", ceap.String("toys")), "THIRD", "eventDate is 2026-01-26T12:00:00Z"},
		{"an expression that errs", own, bare, "", "asking rule FIRST: evaluating \"orderValue >= 20\": orderValue is null"},
		{"bounds come first", `{"minOrderValue": 50, "rules": [{"expression": "false", "reasonCode": "NEVER"}]}`, filtertest.Candidate(), businessrule.CodeOrderValueLow, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			filtertest.Expect(t, businessrule.Plugin(), tc.config, tc.candidate, tc.code, tc.words)
		})
	}
}

func TestFilter_Reads(t *testing.T) {
	t.Parallel()
	f := plugintest.Open(t, businessrule.Plugin(), filtertest.Env(), `{"rules": [
		{"expression": "scores['b'] > 0 && extra.y > 1", "reasonCode": "A"}, {"expression": "scores.a > score", "reasonCode": "B"}]}`)
	if diff := cmp.Diff([]string{"*", "a", "b"}, f.(filter.ScoreReader).ReadsScores()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"y"}, f.(*businessrule.Filter).ReadsExtra()); diff != "" {
		t.Error(diff)
	}
}

func TestPlugin_explainsProblems(t *testing.T) {
	t.Parallel()
	for config, want := range map[string][]string{
		``:                                    {"the filter has no rule, so everybody would pass"},
		`{"rules": []}`:                       {"rules"},
		`{"maxDaysSinceEvent": -1}`:           {"maxDaysSinceEvent"},
		`{"rules": [{"expression": "true"}]}`: {"rules[0]", "reasonCode"},
		`{"rules": [{"expression": "true", "reasonCode": "tooSmall"}]}`:     {`rules[0].reasonCode: "tooSmall" is not a reason code`},
		`{"rules": [{"expression": "true", "reasonCode": "FILTER_ERROR"}]}`: {`rules[0].reasonCode: FILTER_ERROR is the code of filters that break`},
		`{"rules": [{"expression": "orderVal > 1", "reasonCode": "A"}, {"expression": "1", "reasonCode": "B"}]}`: {
			`rules[0].expression: unknown name "orderVal", at column 1 of the expression`, `did you mean "orderValue"?`,
			`rules[1].expression: it gives a number, not true or false`,
		},
	} {
		got := plugintest.Problems(t, businessrule.Plugin(), config)
		for _, part := range want {
			if !strings.Contains(got, part) {
				t.Errorf("the problems of %s do not say %q: %s", config, part, got)
			}
		}
	}
}

func TestPlugin_hasBothSpellings(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff([]string{"business_rule", "business-rule"}, businessrule.Plugin().Names()); diff != "" {
		t.Error(diff)
	}
}

// BenchmarkFilter_Apply measures a batch of which some candidates are rejected
// with their values in words.
func BenchmarkFilter_Apply(b *testing.B) {
	f := plugintest.Open(b, businessrule.Plugin(), filtertest.Env(),
		`{"rules": [{"expression": "coalesce(orderValue, 0) >= 20 && eligible.email", "reasonCode": "TOO_SMALL"}]}`)
	batch := plugintest.Candidates(1000)
	verdicts := make([]filter.Verdict, len(batch))
	b.ReportAllocs()
	for b.Loop() {
		if err := f.Apply(b.Context(), batch, verdicts); err != nil {
			b.Fatal(err)
		}
	}
}
