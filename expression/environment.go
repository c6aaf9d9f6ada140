package expression

import (
	"fmt"
	"math"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// variable is a name that every expression may use.
type variable struct {
	name string
	kind *cel.Type
}

// variables lists the names that every expression may use.
func variables() []variable {
	return []variable{
		{"customerId", cel.StringType},
		{"subjectType", cel.StringType},
		{"subjectId", cel.StringType},
		{"programId", cel.StringType},
		{"marketplace", cel.StringType},
		{"currency", cel.StringType},
		{"timingWindow", cel.StringType},
		{"eventDate", cel.TimestampType},
		{"now", cel.TimestampType},
		{"deliveryDate", cel.DynType},
		{"orderValue", cel.DynType},
		{"mediaEligible", cel.DynType},
		{"eligible", cel.MapType(cel.StringType, cel.BoolType)},
		{"extra", cel.MapType(cel.StringType, cel.DynType)},
		{"score", cel.DynType},
		{"scores", cel.MapType(cel.StringType, cel.DynType)},
	}
}

// newEnvironment returns the environment of expressions whose clock shows now.
func newEnvironment(now time.Time) (*cel.Env, error) {
	options := []cel.EnvOption{
		cel.CrossTypeNumericComparisons(true),
		cel.ParserRecursionLimit(maxNesting),
		cel.ParserExpressionSizeLimit(maxSource),
		cel.ParserErrorRecoveryLimit(4),
		cel.RegexProgramSizeLimit(maxRegex),
		cel.CostModel(costModels()...),
	}
	for _, v := range variables() {
		options = append(options, cel.Variable(v.name, v.kind))
	}
	return cel.NewEnv(append(options, functions(now)...)...)
}

// functions declares what expressions may call beside CEL's own.
func functions(now time.Time) []cel.EnvOption {
	dyn, number, text := cel.DynType, cel.DoubleType, cel.StringType
	textFunction := func(name string, apply func(string) string) cel.EnvOption {
		return cel.Function(name, cel.Overload(name+"_text", []*cel.Type{text}, text,
			cel.UnaryBinding(func(v ref.Val) ref.Val {
				s, ok := v.(types.String)
				if !ok {
					return types.MaybeNoSuchOverloadErr(v)
				}
				return types.String(apply(string(s)))
			})))
	}
	pair := func(name string, apply func(x, y float64) float64) cel.EnvOption {
		return cel.Function(name, cel.Overload(name+"_number", []*cel.Type{number, number}, number,
			cel.BinaryBinding(func(x, y ref.Val) ref.Val {
				return onNumbers(func(n []float64) float64 { return apply(n[0], n[1]) }, x, y)
			})))
	}
	return []cel.EnvOption{
		textFunction("lower", strings.ToLower),
		textFunction("upper", strings.ToUpper),
		textFunction("trim", strings.TrimSpace),
		pair("min", math.Min),
		pair("max", math.Max),
		cel.Function("clamp", cel.Overload("clamp_number", []*cel.Type{number, number, number}, number,
			cel.FunctionBinding(func(args ...ref.Val) ref.Val {
				return onNumbers(func(n []float64) float64 { return math.Max(n[1], math.Min(n[2], n[0])) }, args...)
			}))),
		cel.Function("ln", cel.Overload("ln_number", []*cel.Type{number}, number, cel.UnaryBinding(naturalLog))),
		cel.Function("coalesce", cel.Overload("coalesce_any", []*cel.Type{dyn, dyn}, dyn,
			cel.BinaryBinding(func(x, y ref.Val) ref.Val {
				if x == types.NullValue {
					return y
				}
				return x
			}))),
		cel.Function("daysSince",
			cel.Overload("days_since_timestamp", []*cel.Type{cel.TimestampType}, number,
				cel.UnaryBinding(func(v ref.Val) ref.Val { return daysSince(now, v) })),
			cel.Overload("days_since_text", []*cel.Type{text}, number,
				cel.UnaryBinding(func(v ref.Val) ref.Val { return daysSince(now, v) }))),
	}
}

// costModels prices the functions whose work grows with their text. Changing the
// case may lengthen text: at most threefold, counted in characters.
func costModels() []cost.OverloadModel {
	scan := cost.EvalCost(cost.Scale(cost.Arg(0), textFactor))
	return []cost.OverloadModel{
		cost.Overload("lower_text", scan, cost.ResultSize(cost.AtMost(cost.Mul(cost.Arg(0), cost.Const(3))))),
		cost.Overload("upper_text", scan, cost.ResultSize(cost.AtMost(cost.Mul(cost.Arg(0), cost.Const(3))))),
		cost.Overload("trim_text", scan, cost.ResultSize(cost.AtMost(cost.Arg(0)))),
	}
}

// textFactor is what CEL charges for reading one character.
const textFactor = 0.1

// onNumbers applies a function to numbers, and is an error for anything else.
func onNumbers(apply func([]float64) float64, args ...ref.Val) ref.Val {
	var numbers [3]float64
	for i, arg := range args {
		n, ok := toNumber(arg)
		if !ok {
			return types.MaybeNoSuchOverloadErr(arg)
		}
		numbers[i] = n
	}
	return types.Double(apply(numbers[:]))
}

// toNumber returns the number that v is, if it is one.
func toNumber(v ref.Val) (float64, bool) {
	switch n := v.(type) {
	case types.Double:
		return float64(n), true
	case types.Int:
		return float64(n), true
	case types.Uint:
		return float64(n), true
	default:
		return 0, false
	}
}

func naturalLog(v ref.Val) ref.Val {
	n, ok := toNumber(v)
	switch {
	case !ok:
		return types.MaybeNoSuchOverloadErr(v)
	case !(n > 0): // NaN too
		return types.NewErr("ln(%v): the logarithm needs a positive number", n)
	}
	return types.Double(math.Log(n))
}

// daysSince returns the days from v, a timestamp or its text, to now.
func daysSince(now time.Time, v ref.Val) ref.Val {
	var then time.Time
	switch t := v.(type) {
	case types.Timestamp:
		then = t.Time
	case types.String:
		var err error
		if then, err = parseTime(string(t)); err != nil {
			return types.WrapErr(err)
		}
	default:
		return types.MaybeNoSuchOverloadErr(v)
	}
	// Through seconds, since a Duration ends at 292 years.
	seconds := float64(now.Unix()-then.Unix()) + float64(now.Nanosecond()-then.Nanosecond())/1e9
	return types.Double(seconds / (24 * 60 * 60))
}

// parseTime reads the forms in which a row's dates stand in its extra columns.
func parseTime(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", time.DateTime, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("daysSince(%q): the text is not a date of the form 2026-01-26, 2026-01-26T12:34:56 or 2026-01-26T12:34:56Z", shorten(text))
}

// shorten cuts text that is quoted in a message.
func shorten(text string) string {
	const most = 60
	for i := range text {
		if i >= most {
			return text[:i] + "..."
		}
	}
	return text
}
