package expression

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"

	"github.com/ceap-platform/ceap"
)

// Program is a compiled expression. It is safe for concurrent use.
type Program struct {
	source      string
	kind        Kind
	reads       reads
	readings    []reading // the same, as values of a candidate
	program     cel.Program
	activations sync.Pool // of *activation, so that a candidate costs no new one
}

// Source returns the text that the program was compiled from.
func (p *Program) Source() string { return p.source }

// ReadsScores returns the ids of the models whose scores the expression reads,
// sorted, with "*" if it reads the candidate's own score or if only the
// evaluation tells which (D55). An empty result means none.
func (p *Program) ReadsScores() []string {
	ids := slices.Clone(p.reads.scores)
	if slices.Contains(p.reads.variables, "score") && !slices.Contains(ids, "*") {
		ids = append([]string{"*"}, ids...)
	}
	return ids
}

// ReadsExtra returns the names of the extra columns that the expression reads,
// sorted, with "*" if only the evaluation tells which.
func (p *Program) ReadsExtra() []string { return slices.Clone(p.reads.extra) }

// EvalBool evaluates a [Condition] for the candidate, which it does not change.
// The error, of [ceap.CodeInvalid], says which value the expression could not
// deal with.
func (p *Program) EvalBool(c *ceap.Candidate) (bool, error) {
	v, err := p.eval(c)
	if err != nil {
		return false, err
	}
	if b, ok := v.(types.Bool); ok {
		return bool(b), nil
	}
	return false, p.unexpected(v)
}

// EvalNumber evaluates a [Number] for the candidate, which it does not change.
// It returns an error of [ceap.CodeInvalid] as EvalBool does, and for a result
// that is not finite.
func (p *Program) EvalNumber(c *ceap.Candidate) (float64, error) {
	n, null, err := p.EvalNullableNumber(c)
	if null {
		return 0, p.unexpected(types.NullValue)
	}
	return n, err
}

// EvalNullableNumber is [Program.EvalNumber] for callers to whom null means
// something: it reports null instead of returning an error.
func (p *Program) EvalNullableNumber(c *ceap.Candidate) (n float64, null bool, err error) {
	v, err := p.eval(c)
	if err != nil {
		return 0, false, err
	}
	if v == types.NullValue {
		return 0, true, nil
	}
	n, ok := toNumber(v)
	switch {
	case !ok:
		return 0, false, p.unexpected(v)
	case math.IsNaN(n) || math.IsInf(n, 0):
		return 0, false, p.failure("it gives no finite number", "guard the division or the logarithm")
	}
	return n, false, nil
}

// EvalLabel evaluates a [Label] for the candidate, which it does not change, and
// returns it as text. It returns an error of [ceap.CodeInvalid] as EvalBool
// does, also for null.
func (p *Program) EvalLabel(c *ceap.Candidate) (string, error) {
	label, null, err := p.EvalNullableLabel(c)
	if null {
		return "", p.unexpected(types.NullValue)
	}
	return label, err
}

// EvalNullableLabel is [Program.EvalLabel] for callers to whom null means
// something: it reports null instead of returning an error.
func (p *Program) EvalNullableLabel(c *ceap.Candidate) (label string, null bool, err error) {
	v, err := p.eval(c)
	if err != nil {
		return "", false, err
	}
	switch v := v.(type) {
	case types.Null:
		return "", true, nil
	case types.String:
		return string(v), false, nil
	case types.Bool:
		return strconv.FormatBool(bool(v)), false, nil
	}
	if n, ok := toNumber(v); ok {
		return ceap.Float(n).String(), false, nil
	}
	return "", false, p.unexpected(v)
}

// eval evaluates the expression. The value may refer to the candidate and must
// be read before the next call.
func (p *Program) eval(c *ceap.Candidate) (ref.Val, error) {
	a := p.take(c)
	v, _, err := p.program.Eval(a)
	p.giveBack(a)
	if err != nil {
		return nil, p.explain(c, err)
	}
	return v, nil
}

// take returns an activation for the candidate, to be given back.
func (p *Program) take(c *ceap.Candidate) *activation {
	a, _ := p.activations.Get().(*activation)
	a.candidate = c
	return a
}

func (p *Program) giveBack(a *activation) {
	a.candidate = nil
	p.activations.Put(a)
}

// explain says why an evaluation ended in an error, in terms of the candidate.
// It names fields and what they are, but not their values.
func (p *Program) explain(c *ceap.Candidate, err error) error {
	if cancelled, ok := errors.AsType[interpreter.EvalCancelledError](err); ok && cancelled.Cause == interpreter.CostLimitExceeded {
		return p.failure("it does more work than an expression may", "loop over shorter lists")
	}
	for _, name := range p.reads.extra {
		if _, ok := c.Attribute(name); !ok && name != "*" && strings.Contains(err.Error(), "no such key: "+name) {
			return p.failure(fmt.Sprintf("the row has no column %q", name), "select it in the query, or test has(extra."+name+") first")
		}
	}
	for _, id := range p.reads.scores {
		if id != "*" && findScore(c, id) == nil && strings.Contains(err.Error(), "no such key: "+id) {
			return p.failure(fmt.Sprintf("the candidate has no score of a model %q", id), "add the model to scoringModels")
		}
	}
	if !strings.Contains(err.Error(), "no such overload") {
		return p.failure(strings.TrimPrefix(err.Error(), "evaluation error: "), "")
	}
	var nulls, others []string
	a := p.take(c)
	for _, r := range p.readings {
		value := r.value(a)
		switch {
		case !r.dynamic || value == nil:
		case value == types.NullValue:
			nulls = append(nulls, r.name)
		default:
			others = append(others, r.name+" is "+inWords(value.Type().TypeName()))
		}
	}
	p.giveBack(a)
	switch {
	case len(nulls) == 1:
		return p.failure(nulls[0]+" is null", fmt.Sprintf("write coalesce(%[1]s, ...), or test %[1]s != null first", nulls[0]))
	case len(nulls) > 1:
		return p.failure(strings.Join(nulls, " and ")+" are null", "write coalesce(x, ...), or test x != null first")
	}
	return p.failure("a value is of another kind than the expression expects: "+strings.Join(others, ", "), "convert it with double(x) or string(x)")
}

// Values says in words what the expression reads of the candidate, such as
// "orderValue is 12.5, eligible.email is false", for the reason of a rejection.
// Long texts are cut, and so is a long list. It is "" for an expression that
// reads nothing.
func (p *Program) Values(c *ceap.Candidate) string {
	const most = 6
	a := p.take(c)
	defer p.giveBack(a)
	var words []byte
	count := 0
	for _, r := range p.readings {
		value := r.value(a)
		if value == nil {
			continue
		}
		if count > 0 {
			words = append(words, ", "...)
		}
		if count == most {
			return string(append(words, "..."...))
		}
		count++
		words = append(words, r.name...)
		words = append(words, " is "...)
		words = appendInWords(words, value)
	}
	return string(words)
}

func appendInWords(b []byte, v ref.Val) []byte {
	switch v := v.(type) {
	case types.String:
		return strconv.AppendQuote(b, shorten(string(v)))
	case types.Double:
		return ceap.Float(float64(v)).AppendText(b)
	case types.Bool:
		return strconv.AppendBool(b, bool(v))
	case types.Timestamp:
		return v.Time.UTC().AppendFormat(b, time.RFC3339)
	default:
		return append(b, "null"...)
	}
}

func (p *Program) unexpected(v ref.Val) error {
	if v == types.NullValue {
		return p.failure(fmt.Sprintf("it gives null, not %s", p.kind), "write coalesce(x, ...)")
	}
	return p.failure(fmt.Sprintf("it gives %s, not %s", aResult(v.Type().TypeName()), p.kind), "")
}

func (p *Program) failure(message, hint string) error {
	return &ceap.Error{Code: ceap.CodeInvalid, Message: fmt.Sprintf("evaluating %q: %s", shorten(p.source), message), Hint: hint}
}
