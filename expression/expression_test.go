package expression_test

import (
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/expression"
)

// asOf is the clock of all tests.
func asOf() time.Time { return time.Date(2026, 1, 28, 12, 0, 0, 0, time.UTC) }

func candidate() *ceap.Candidate {
	return &ceap.Candidate{
		Key: ceap.Key{
			CustomerID: "CUST-001", ProgramID: "product-reviews", Marketplace: "US",
			SubjectType: "product", SubjectID: "PROD-123",
		},
		EventDate:    time.Date(2026, 1, 26, 0, 0, 0, 0, time.UTC),
		DeliveryDate: time.Date(2026, 1, 27, 0, 0, 0, 0, time.UTC),
		TimingWindow: "morning",
		OrderValue:   ceap.Decimal("29.99"),
		Currency:     "USD",
		Channels:     []ceap.ChannelFlag{{Channel: "email", Eligible: true}, {Channel: "sms"}},
		Extra: []ceap.Attribute{
			{Name: "category", Value: ceap.String("Garden")},
			{Name: "churned_at", Value: ceap.String("2026-01-18")},
			{Name: "nothing", Value: ceap.Null()},
			{Name: "premium", Value: ceap.Bool(true)},
			{Name: "visits", Value: ceap.Int(7)},
		},
		Scores: []ceap.Score{
			{ModelID: "trust", Value: 0.75, State: ceap.ScoreModel},
			{ModelID: "review-propensity", State: ceap.ScoreUnscored, Reason: ceap.ReasonModelNotConfigured},
		},
		Score: 0.75, Scored: true,
	}
}

func compile(tb testing.TB, source string, kind expression.Kind) *expression.Program {
	tb.Helper()
	p, err := expression.Compile(source, kind, asOf())
	if err != nil {
		tb.Fatalf("Compile(%q): %v", source, err)
	}
	return p
}

func TestProgram_EvalBool(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]bool{
		`orderValue >= 20`:       true,
		`orderValue >= 30`:       false,
		`orderValue == 29.99`:    true,
		`orderValue * 2 > 59`:    true,
		`2 * orderValue < 60`:    true,
		`-orderValue < -29`:      true,
		`orderValue / 3 - 1 > 8`: true,
		`customerId == "CUST-001" && subjectType == 'product' && subjectId.endsWith("123")`:  true,
		`programId == "product-reviews" && marketplace in ["US", "UK"] && currency == "USD"`: true,
		`timingWindow == "morning"`:                                   true,
		`eligible["email"]`:                                           true,
		`eligible.sms`:                                                false,
		`eligible.push`:                                               false,
		`has(eligible.sms) && !has(eligible.push)`:                    true,
		`"email" in eligible && !("push" in eligible)`:                true,
		`size(eligible) == 2`:                                         true,
		`extra.category == "Garden"`:                                  true,
		`extra["category"].contains("ard")`:                           true,
		`extra.category.matches("^G.*n$")`:                            true,
		`lower(extra.category) == "garden"`:                           true,
		`upper(trim("  a ")) == "A"`:                                  true,
		`extra.premium`:                                               true,
		`int(extra.visits) % 2 == 1`:                                  true,
		`extra.visits == 7`:                                           true,
		`extra.nothing == null`:                                       true,
		`has(extra.nothing) || has(extra.missing)`:                    false,
		`has(extra.visits)`:                                           true,
		`coalesce(extra.nothing, 3) == 3`:                             true,
		`coalesce(orderValue, 0) * 2 > 59`:                            true,
		`mediaEligible == null`:                                       true,
		`coalesce(mediaEligible, true)`:                               true,
		`deliveryDate > eventDate`:                                    true,
		`deliveryDate - eventDate == duration("24h")`:                 true,
		`daysSince(eventDate) == 2.5`:                                 true,
		`daysSince(deliveryDate) < 2`:                                 true,
		`daysSince(extra.churned_at) == 10.5`:                         true,
		`daysSince("2026-01-28T00:00:00Z") == 0.5`:                    true,
		`now > eventDate && now == timestamp("2026-01-28T12:00:00Z")`: true,
		`eventDate.getDayOfWeek() * 2 == 2`:                           true, // a Monday
		`now.getHours() >= 9`:                                         true,
		`score > 0.7 && scores.trust > 0.7`:                           true,
		`scores["review-propensity"] == null`:                         true,
		`"review-propensity" in scores`:                               false,
		`has(scores.trust)`:                                           true,
		`scores.all(m, scores[m] >= 0.5)`:                             true,
		`[extra.visits > 5, orderValue > 20, score > 0.9].filter(x, x).size() >= 2`: true,
		`[1, 2, 3].exists_one(x, x * 2 == 4)`:                                       true,
		`[1, 2, 3][1] == 2`:                                                         true,
		`[1, 2, 3].map(x, x * orderValue)[0] < 30`:                                  true,
		`extra.visits in [5, 6, 7]`:                                                 true,
		`{1: "a", 7: "b"}[extra.visits] == "b"`:                                     true,
		`min(orderValue, 10) == 10 && max(1, 2) == 2`:                               true,
		`clamp(orderValue, 0, 1) == 1 && clamp(-3, 0, 1) == 0`:                      true,
		`ln(1) == 0`:                      true,
		`size(extra.category) / 4 == 1.5`: true,
		`"é".size() == 1`:                 true,
		`timestamp(0) < eventDate`:        true,
		`string(extra.visits) == "7"`:     true,
		`double("2.5") + 1 == 3.5`:        true,
		`orderValue > 20 ? true : false`:  true,
	} {
		t.Run(source, func(t *testing.T) {
			t.Parallel()
			got, err := compile(t, source, expression.Condition).EvalBool(candidate())
			if err != nil || got != want {
				t.Errorf("EvalBool = %v, %v; want %v", got, err, want)
			}
		})
	}
}

func TestProgram_EvalNumber(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]float64{
		`1`:                                    1,
		`orderValue`:                           29.99,
		`orderValue > 20 ? 0.8 : 0`:            0.8,
		`size(customerId)`:                     8,
		`eligible.email ? 1 : 0`:               1,
		`0.5 + 0.1 * (extra.visits - 5)`:       0.7,
		`clamp(ln(orderValue + 1) / 10, 0, 1)`: math.Log(30.99) / 10,
	} {
		t.Run(source, func(t *testing.T) {
			t.Parallel()
			got, err := compile(t, source, expression.Number).EvalNumber(candidate())
			if err != nil || math.Abs(got-want) > 1e-12 {
				t.Errorf("EvalNumber = %v, %v; want %v", got, err, want)
			}
		})
	}
}

func TestProgram_EvalLabel(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		`extra.category`: "Garden", `extra.visits`: "7", `extra.premium`: "true", `orderValue / 2`: "14.995",
		`marketplace + "/" + lower(extra.category)`: "US/garden",
	} {
		if got, err := compile(t, source, expression.Label).EvalLabel(candidate()); err != nil || got != want {
			t.Errorf("EvalLabel of %s = %q, %v; want %q", source, got, err, want)
		}
	}
}

func TestProgram_Eval_explainsErrors(t *testing.T) {
	t.Parallel()
	without := candidate()
	without.OrderValue, without.DeliveryDate, without.Scored = ceap.Null(), time.Time{}, false
	for source, want := range map[string][]string{
		`orderValue >= 20`:                   {`evaluating "orderValue >= 20"`, "orderValue is null", "coalesce(orderValue, ...)"},
		`orderValue * 2 > 1`:                 {"orderValue is null"},
		`score > 0.5`:                        {"score is null"},
		`scores["review-propensity"] > 0.5`:  {`scores["review-propensity"] is null`},
		`scores["churn"] > 0.5`:              {`no score of a model "churn"`, "scoringModels"},
		`daysSince(deliveryDate) > 2`:        {"deliveryDate is null"},
		`extra.nothing > 3`:                  {"extra.nothing is null"},
		`extra.vists > 3`:                    {`the row has no column "vists"`, "has(extra.vists)"},
		`extra.category > 3`:                 {"extra.category is text", "convert it"},
		`extra.visits % 2 == 1`:              {"extra.visits is number"},
		`mediaEligible`:                      {"it gives null, not true or false", "coalesce"},
		`extra.category`:                     {"it gives text, not true or false"},
		`ln(0) > 1`:                          {"ln(0): the logarithm needs a positive number"},
		`daysSince(extra.category) > 1`:      {`daysSince("Garden")`, "2026-01-26"},
		`orderValue > 20 && orderValue < 30`: {"orderValue is null"},
	} {
		t.Run(source, func(t *testing.T) {
			t.Parallel()
			got, err := compile(t, source, expression.Condition).EvalBool(without)
			if err == nil {
				t.Fatalf("EvalBool = %v without an error", got)
			}
			if ceap.ErrorCode(err) != ceap.CodeInvalid {
				t.Errorf("code %q of %v", ceap.ErrorCode(err), err)
			}
			for _, part := range want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error does not say %q: %v", part, err)
				}
			}
		})
	}
}

func TestProgram_EvalNumber_refusesWhatIsNotFinite(t *testing.T) {
	t.Parallel()
	c := candidate()
	c.OrderValue = ceap.Int(0)
	for _, source := range []string{`1 / orderValue`, `orderValue / orderValue`, `-1 / orderValue`} {
		if n, err := compile(t, source, expression.Number).EvalNumber(c); err == nil {
			t.Errorf("EvalNumber of %s = %v without an error", source, n)
		}
	}
}

func TestCompile_explainsFaults(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		source string
		kind   expression.Kind
		line   int
		column int
		want   []string
	}{
		{`orderVal >= 20`, expression.Condition, 1, 1, []string{`unknown name "orderVal"`, `did you mean "orderValue"?`, "column 1"}},
		{`order_value >= 20`, expression.Condition, 1, 1, []string{`did you mean "orderValue"?`}},
		{`lifetime > 3`, expression.Condition, 1, 1, []string{`unknown name "lifetime"`, "extra.lifetime"}},
		{"true &&\n  custmerId == ''", expression.Condition, 2, 3, []string{`did you mean "customerId"?`, "line 2, column 3"}},
		{`daysSinc(now) > 1`, expression.Condition, 1, 9, []string{`did you mean "daysSince"?`}},
		{`orderValue >=`, expression.Condition, 1, 14, []string{"syntax error", "the end of the text"}},
		{`customerId > 3`, expression.Condition, 1, 12, []string{"> cannot be applied to (text, number)"}},
		{`orderValue * 2`, expression.Number, 0, 0, nil},
		{`customerId`, expression.Condition, 0, 0, []string{"it gives text, not true or false", "compare it"}},
		{`orderValue > 1`, expression.Number, 0, 0, []string{"it gives true or false, not a number"}},
		{`eventDate`, expression.Label, 0, 0, []string{"not text, a number, true or false"}},
		{`  `, expression.Condition, 0, 0, []string{"it is empty"}},
		{"'\xff' == ''", expression.Condition, 0, 0, []string{"UTF-8"}},
		{`extra.id == 90071992547409930`, expression.Condition, 1, 13, []string{"too large", "compare an id as text"}},
		{`customerId.matches("(")`, expression.Condition, 0, 0, []string{"missing closing )"}},
	} {
		t.Run(tc.source, func(t *testing.T) {
			t.Parallel()
			_, err := expression.Compile(tc.source, tc.kind, asOf())
			if tc.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			e, ok := errors.AsType[*expression.Error](err)
			if !ok {
				t.Fatalf("Compile returned %v, want an *Error", err)
			}
			if tc.line > 0 && (e.Faults[0].Line != tc.line || e.Faults[0].Column != tc.column) {
				t.Errorf("place %d:%d, want %d:%d", e.Faults[0].Line, e.Faults[0].Column, tc.line, tc.column)
			}
			problem := e.Problems("rules[0].expression")[0]
			if problem.Path != "rules[0].expression" {
				t.Errorf("path %q", problem.Path)
			}
			for _, part := range tc.want {
				if !strings.Contains(problem.String(), part) {
					t.Errorf("the problem does not say %q: %s", part, problem)
				}
			}
		})
	}
}

func TestProgram_ReadsScores(t *testing.T) {
	t.Parallel()
	for source, want := range map[string][]string{
		`orderValue > 1`:                            nil,
		`score > 0.5`:                               {"*"},
		`scores["a-b"] > 0.5 && scores.c > 0`:       {"a-b", "c"},
		`has(scores.c) || "d" in scores`:            {"c", "d"},
		`scores[extra.model] > 0.5`:                 {"*"},
		`scores.all(m, scores[m] > 0) && score > 0`: {"*"},
		`size(scores) > 1`:                          {"*"},
		`extra.score > 1`:                           nil,
		`scores.x > score`:                          {"*", "x"},
	} {
		got := compile(t, source, expression.Condition).ReadsScores()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("ReadsScores of %s (-want +got):\n%s", source, diff)
		}
	}
}

func TestProgram_ReadsExtra(t *testing.T) {
	t.Parallel()
	p := compile(t, `extra.b > 1 && has(extra.a) && extra["c d"] == "" && extra[customerId] == 1`, expression.Condition)
	if diff := cmp.Diff([]string{"*", "a", "b", "c d"}, p.ReadsExtra()); diff != "" {
		t.Error(diff)
	}
}

// The four ways in which an expression could keep a machine busy are refused
// when compiled or cut off when evaluated, in a moment.
func TestCompile_abuse(t *testing.T) { //nolint:tparallel // the cases are timed, one after the other
	t.Parallel()
	thousand := "[" + strings.TrimSuffix(strings.Repeat("1,", 1000), ",") + "]"
	for name, source := range map[string]string{
		"nested loops over 30,000 items": "[" + thousand + "].map(l, l" + strings.Repeat("+l", 29) + ").all(l, l.all(a, l.all(b, l.all(c, a + b + c > 0))))",
		"nested loops over a literal":    "[" + thousand + "].all(l, l.all(a, l.all(b, l.all(c, a + b + c > 0))))",
		"10,000 parentheses":             strings.Repeat("(", 5000) + "true" + strings.Repeat(")", 5000),
		"4,000 parentheses":              strings.Repeat("(", 2000) + "true" + strings.Repeat(")", 2000),
		"4,000 brackets":                 strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + " == []",
		"1 MB of source":                 "true" + strings.Repeat(" && true", 1<<17),
		"a long chain":                   "0" + strings.Repeat("+1", 4000) + " > 1",
		"text that grows":                `["xxxxxxxxxxxxxxxx"]` + strings.Repeat(".map(s, s+s+s+s+s+s+s+s+s+s+s+s+s+s+s+s)", 12) + `.all(s, s == "")`,
		"a long regular expression":      `customerId.matches("` + strings.Repeat("(a{1,500}){1,2}", 100) + `")`,
		"a growing regular expression":   `customerId.matches("` + strings.Repeat("(a{1,500}){1,2}", 17) + `")`,
		"a row's regular expression":     `customerId.matches(extra.category)`,
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			elapsed := time.Hour
			for range 5 { // the quickest of them, since the machine may be busy with other things
				start := time.Now()
				var p *expression.Program
				if p, err = expression.Compile(source, expression.Condition, asOf()); err == nil {
					_, err = p.EvalBool(candidate())
				}
				elapsed = min(elapsed, time.Since(start))
			}
			if err == nil {
				t.Fatal("it was evaluated to its end")
			}
			if len(err.Error()) > 1000 {
				t.Errorf("the message has %d bytes", len(err.Error()))
			}
			t.Logf("%v: %.200v", elapsed, err)
			if elapsed > 100*time.Millisecond && !raceEnabled {
				t.Errorf("it took %v", elapsed)
			}
		})
	}
}

func TestProgram_isSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	p := compile(t, `orderValue >= 20 && extra.category == customerId && scores.all(m, scores[m] > 0)`, expression.Condition)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			c := candidate()
			want := i%2 == 0
			if want {
				c.Extra[0].Value = ceap.String(c.CustomerID)
			}
			for range 500 {
				if got, err := p.EvalBool(c); err != nil || got != want {
					t.Errorf("EvalBool = %v, %v; want %v", got, err, want)
					return
				}
			}
		})
	}
	group.Wait()
}

func TestProgram_doesNotChangeTheCandidate(t *testing.T) {
	t.Parallel()
	c := candidate()
	p := compile(t, `extra.map(k, extra[k]).size() > 0 && eligible.email && score > 0`, expression.Condition)
	if _, err := p.EvalBool(c); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(candidate(), c, cmp.Comparer(func(a, b ceap.Value) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}

func TestProgram_Values(t *testing.T) {
	t.Parallel()
	c := candidate()
	c.MediaEligible = ceap.Null()
	for source, want := range map[string]string{
		`true`:                           "",
		`orderValue > 1 && eligible.sms`: "orderValue is 29.99, eligible.sms is false",
		`extra.category == customerId`:   `customerId is "CUST-001", extra.category is "Garden"`,
		`mediaEligible == extra.nothing`: "mediaEligible is null, extra.nothing is null",
		`daysSince(eventDate) < 1`:       "eventDate is 2026-01-26T00:00:00Z",
		`scores.trust > score`:           `score is 0.75, scores["trust"] is 0.75`,
		`extra.visits > 1 && marketplace + currency + customerId + subjectId + subjectType + timingWindow == ""`: `customerId is "CUST-001", subjectType is "product", subjectId is "PROD-123", marketplace is "US", currency is "USD", timingWindow is "morning", ...`,
	} {
		if got := compile(t, source, expression.Condition).Values(c); got != want {
			t.Errorf("Values of %s = %s, want %s", source, got, want)
		}
	}
}
