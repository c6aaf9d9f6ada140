package expression

import (
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
)

// The limits of an expression. A unit of cost is about one step of the
// evaluation; 100,000 of them take some ten milliseconds.
const (
	maxSource  = 8 << 10 // bytes
	maxNesting = 100
	maxCost    = 100_000 // per evaluation
	maxRegex   = 2_000   // instructions of a compiled regular expression
)

// Kind says what an expression is to give.
type Kind uint8

// The kinds of expressions.
const (
	Condition Kind = iota // true or false
	Number                // a finite number
	Label                 // text, a number, true or false: what groups candidates
)

// String returns what an expression of the kind gives, in words.
func (k Kind) String() string {
	return [...]string{"true or false", "a number", "text, a number, true or false"}[k]
}

// Compile checks source text and makes a program of it. For the program, now is
// the run's clock. The error is an *[Error] that names every fault with its
// place, and the nearest known name for an unknown one.
func Compile(source string, kind Kind, now time.Time) (*Program, error) {
	if err := checkSource(source); err != nil {
		return nil, err
	}
	env, err := newEnvironment(now)
	if err != nil {
		return nil, fmt.Errorf("preparing the expression language: %w", err)
	}
	parsed, issues := env.Parse(source)
	if issues.Err() != nil {
		return nil, fromIssues(source, issues)
	}
	if faults := append(checkPatterns(parsed.NativeRep()), rewriteNumbers(parsed.NativeRep())...); len(faults) > 0 {
		return nil, &Error{Source: source, Faults: faults}
	}
	found := findReads(parsed.NativeRep())
	checked, issues := env.Check(parsed)
	if issues.Err() != nil {
		return nil, fromIssues(source, issues)
	}
	if !gives(kind, checked.OutputType()) {
		return nil, newError(source, fmt.Sprintf("it gives %s, not %s", aResult(checked.OutputType().String()), kind), remedy(kind))
	}
	program, err := plan(env, checked, source)
	if err != nil {
		return nil, err
	}
	clock := types.Timestamp{Time: now}
	return &Program{
		source: source, kind: kind, reads: found, readings: found.readings(), program: program,
		activations: sync.Pool{New: func() any { return newActivation(clock) }},
	}, nil
}

// checkSource refuses text that is not worth parsing.
func checkSource(source string) error {
	switch {
	case len(source) > maxSource:
		return newError(shorten(source), fmt.Sprintf("it has %d bytes; at most %d are allowed", len(source), maxSource), "split it into several rules")
	case strings.TrimSpace(source) == "":
		return newError(source, "it is empty", "write an expression such as orderValue >= 20")
	case !utf8.ValidString(source):
		return newError(source, "it is not valid UTF-8", "save the file as UTF-8")
	}
	return nil
}

// plan makes a checked expression ready for evaluation. Counting the cost of an
// evaluation doubles its time, so it is done only where the cost could exceed
// the limit.
func plan(env *cel.Env, checked *cel.Ast, source string) (cel.Program, error) {
	estimate, err := env.EstimateCost(checked, unknownSizes{})
	if err != nil {
		return nil, fmt.Errorf("estimating the cost of an expression: %w", err)
	}
	if estimate.Min > maxCost {
		return nil, newError(source, "it does more work than an expression may", "loop over shorter lists")
	}
	options := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize)}
	if estimate.Max > maxCost {
		options = append(options, cel.CostLimit(maxCost))
	}
	program, err := env.Program(checked, options...)
	if err != nil {
		return nil, newError(source, err.Error(), "")
	}
	return program, nil
}

// gives reports whether an expression of that type can give what the kind asks
// for. A dynamic one may; its value tells.
func gives(kind Kind, t *cel.Type) bool {
	switch t.Kind() {
	case types.DynKind:
		return true
	case types.BoolKind:
		return kind == Condition || kind == Label
	case types.DoubleKind:
		return kind == Number || kind == Label
	case types.StringKind:
		return kind == Label
	default:
		return false
	}
}

func remedy(kind Kind) string {
	switch kind {
	case Condition:
		return "compare it, as in orderValue >= 20"
	case Number:
		return "choose numbers by condition, as in eligible.email ? 1 : 0"
	default:
		return "name a field, such as extra.category"
	}
}

// unknownSizes tells the estimator nothing of a candidate's values: its texts
// and maps may be of any size.
type unknownSizes struct{}

// EstimateSize returns nil: any size.
func (unknownSizes) EstimateSize(cost.AstNode) *cost.SizeEstimate { return nil }

// EstimateCallCost returns nil: a call costs what the estimator thinks.
func (unknownSizes) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}
