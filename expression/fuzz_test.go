package expression_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/expression"
)

func FuzzCompile(f *testing.F) {
	for _, source := range []string{
		`orderValue >= 20 && eligible["email"]`, `scores.all(m, scores[m] > 0.5)`, `coalesce(extra.x, 1) % 2`,
		`[1, 2].exists_one(x, x == 1)`, `{1: 2, "a": 3u}`, `has(extra.a) ? 1 : size("b")`, `b"x" + b'y'`, `-9223372036854775808`,
		`google.protobuf.Duration{seconds: 1}`, `"a".matches("a{1,9}")`, `matches("a", extra.b)`, `type(1) == int`, `x.y.z(`,
		`timestamp(1.5)`, `daysSince("2026-01-01T00:00:00")`, `extra == {}`, `[0].map(extra, extra)[0]`, "true &&\n\tfalse",
	} {
		f.Add(source)
	}
	f.Fuzz(func(t *testing.T, source string) {
		for _, kind := range []expression.Kind{expression.Condition, expression.Number, expression.Label} {
			p, err := expression.Compile(source, kind, asOf())
			if err != nil {
				mustNotPanic(t, source, err)
				continue
			}
			first, err1 := evaluate(p, kind)
			second, err2 := evaluate(p, kind)
			if first != second || (err1 == nil) != (err2 == nil) {
				t.Errorf("%q gives %v, %v and then %v, %v", source, first, err1, second, err2)
			}
			mustNotPanic(t, source, err1)
			p.ReadsScores()
			p.ReadsExtra()
		}
	})
}

// mustNotPanic fails for a panic that CEL has turned into an error.
func mustNotPanic(t *testing.T, source string, err error) {
	t.Helper()
	if err != nil && strings.Contains(err.Error(), "internal error") {
		t.Errorf("%q: %v", source, err)
	}
}

func evaluate(p *expression.Program, kind expression.Kind) (any, error) {
	switch kind {
	case expression.Condition:
		return p.EvalBool(candidate())
	case expression.Number:
		return p.EvalNumber(candidate())
	default:
		return p.EvalLabel(candidate())
	}
}

// FuzzEval gives a program values of every kind, as a source may.
func FuzzEval(f *testing.F) {
	f.Add("text", int64(3), 2.5, "12345678901234567890.5", true, uint8(0))
	f.Add("", int64(-1<<63), math.Copysign(0, -1), "0", false, uint8(3))
	f.Fuzz(func(t *testing.T, text string, whole int64, fraction float64, decimal string, flag bool, choice uint8) {
		values := []ceap.Value{ceap.Null(), ceap.String(text), ceap.Int(whole), ceap.Float(fraction), ceap.Decimal(decimal), ceap.Bool(flag)}
		c := candidate()
		c.CustomerID, c.OrderValue = text, values[int(choice)%len(values)]
		c.Extra = []ceap.Attribute{{Name: "x", Value: values[int(choice/8)%len(values)]}}
		before := *c
		for _, source := range []string{
			`orderValue * 2 >= extra.x`, `extra.x == orderValue`, `coalesce(extra.x, 1) in [1, "a", true]`,
			`lower(customerId) + upper(customerId) != trim(customerId)`, `daysSince(extra.x) > 1`, `customerId.matches("^a+$")`,
			`extra.all(k, has(extra.x))`, `double(extra.x) < clamp(orderValue, 0, 1)`,
		} {
			_, err := compile(t, source, expression.Condition).EvalBool(c)
			mustNotPanic(t, source, err)
		}
		if diff := cmp.Diff(before, *c, cmp.Comparer(func(a, b ceap.Value) bool { return a == b })); diff != "" {
			t.Error(diff)
		}
	})
}

// Arithmetic and comparison mean the same for whole numbers and fractions,
// wherever the number comes from.
func TestProgram_numbersAreOneKind(t *testing.T) {
	t.Parallel()
	type sample struct {
		a, b ceap.Value
		c    *ceap.Candidate
	}
	programs := map[string]func(a, b float64) bool{
		`orderValue * 2 - 1 >= extra.b`: func(a, b float64) bool { return a*2-1 >= b },
		`orderValue + extra.b == 7`:     func(a, b float64) bool { return a+b == 7 },
		`(orderValue > 3 ? 1 : 0) < extra.b`: func(a, b float64) bool {
			if a > 3 {
				return b > 1
			}
			return b > 0
		},
		`orderValue in [1, 2.5, extra.b]`: func(a, b float64) bool { return a == 1 || a == 2.5 || a == b },
	}
	for source, want := range programs {
		p := compile(t, source, expression.Condition)
		rapid.Check(t, func(t *rapid.T) {
			number := rapid.OneOf(
				rapid.Map(rapid.Int64Range(-9, 9), ceap.Int),
				rapid.Map(rapid.Float64Range(-9, 9), ceap.Float),
				rapid.Just(ceap.Decimal("2.5")),
			)
			s := sample{a: number.Draw(t, "a"), b: number.Draw(t, "b"), c: candidate()}
			s.c.OrderValue, s.c.Extra = s.a, []ceap.Attribute{{Name: "b", Value: s.b}}
			a, _ := s.a.Number()
			b, _ := s.b.Number()
			got, err := p.EvalBool(s.c)
			if err != nil || got != want(a, b) {
				t.Fatalf("%s with %v and %v = %v, %v", source, a, b, got, err)
			}
		})
	}
}

func TestProgram_nowIsTheRunsClock(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		days := rapid.IntRange(-4000, 4000).Draw(t, "days")
		c := candidate()
		p, err := expression.Compile(`daysSince(eventDate)`, expression.Number, c.EventDate.Add(time.Duration(days)*24*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.EvalNumber(c); err != nil || got != float64(days) {
			t.Fatalf("daysSince = %v, %v; want %d", got, err, days)
		}
	})
}
