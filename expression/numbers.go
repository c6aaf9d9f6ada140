package expression

import (
	"fmt"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// numberRewriter turns the integers of a parsed expression into floating-point
// numbers: literals are replaced, and calls that give an integer are wrapped in
// double(). CEL has no arithmetic between the two, so that without it
// orderValue * 2 would fail on every row.
type numberRewriter struct {
	factory ast.ExprFactory
	info    *ast.SourceInfo
	nextID  int64
	faults  []Fault
}

// rewriteNumbers changes the expression in place and returns what is wrong with
// its numbers.
func rewriteNumbers(parsed *ast.AST) []Fault {
	r := &numberRewriter{factory: ast.NewExprFactory(), info: parsed.SourceInfo(), nextID: ast.MaxID(parsed) + 1}
	r.rewrite(parsed.Expr(), false)
	return r.faults
}

// rewrite changes e and what is below it. Where integers are wanted, as in the
// index of a list, e stays as it is.
func (r *numberRewriter) rewrite(e ast.Expr, integers bool) {
	switch e.Kind() {
	case ast.LiteralKind:
		r.rewriteLiteral(e, integers)
	case ast.CallKind:
		r.rewriteCall(e, integers)
	case ast.SelectKind:
		r.rewrite(e.AsSelect().Operand(), false)
	case ast.ListKind:
		for _, element := range e.AsList().Elements() {
			r.rewrite(element, integers)
		}
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			r.rewrite(entry.AsMapEntry().Key(), true) // no number but an integer can be a key
			r.rewrite(entry.AsMapEntry().Value(), integers)
		}
	case ast.StructKind:
		for _, field := range e.AsStruct().Fields() {
			r.rewrite(field.AsStructField().Value(), true)
		}
	case ast.ComprehensionKind:
		c := e.AsComprehension()
		for _, part := range []ast.Expr{c.IterRange(), c.AccuInit(), c.LoopCondition(), c.LoopStep(), c.Result()} {
			r.rewrite(part, integers)
		}
	default:
	}
}

func (r *numberRewriter) rewriteLiteral(e ast.Expr, integers bool) { //nolint:revive // what the place of e wants
	const exact = 1 << 53
	var n float64
	switch v := e.AsLiteral().(type) {
	case types.Int:
		n = float64(v)
		if v > exact || v < -exact {
			r.fault(e, "%d is too large for a number", int64(v))
		}
	case types.Uint:
		n = float64(v)
		if v > exact {
			r.fault(e, "%d is too large for a number", uint64(v))
		}
	default:
		return
	}
	if !integers {
		e.SetKindCase(r.factory.NewLiteral(e.ID(), types.Double(n)))
	}
}

func (r *numberRewriter) rewriteCall(e ast.Expr, integers bool) { //nolint:revive // what the place of e wants
	call := e.AsCall()
	if call.IsMemberFunction() {
		r.rewrite(call.Target(), false)
	}
	name := call.FunctionName()
	for i, arg := range call.Args() {
		r.rewrite(arg, wantsInteger(name, i, integers))
	}
	if givesInteger(name) && !integers {
		inner := r.copyWithNewID(e)
		e.SetKindCase(r.factory.NewCall(e.ID(), "double", inner))
	}
}

// copyWithNewID returns the call e under an id of its own, at e's place.
func (r *numberRewriter) copyWithNewID(e ast.Expr) ast.Expr {
	id := r.nextID
	r.nextID++
	if place, ok := r.info.GetOffsetRange(e.ID()); ok {
		r.info.SetOffsetRange(id, place)
	}
	call := e.AsCall()
	if call.IsMemberFunction() {
		return r.factory.NewMemberCall(id, call.FunctionName(), call.Target(), call.Args()...)
	}
	return r.factory.NewCall(id, call.FunctionName(), call.Args()...)
}

// wantsInteger reports whether a function's argument is to stay an integer,
// where integers says so of the function's own place.
func wantsInteger(function string, argument int, integers bool) bool {
	switch function {
	case operators.Index:
		return argument == 1
	case operators.Modulo, "timestamp":
		return true
	case operators.Add, operators.Subtract, operators.Multiply, operators.Divide, operators.Negate:
		return integers
	case operators.Conditional:
		return integers && argument > 0
	default:
		return false
	}
}

// givesInteger reports whether a function of CEL's own returns an integer
// whatever it is called with.
func givesInteger(function string) bool {
	switch function {
	case "size", "int", "uint", operators.Modulo,
		"getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear",
		"getHours", "getMinutes", "getSeconds", "getMilliseconds":
		return true
	default:
		return false
	}
}

func (r *numberRewriter) fault(e ast.Expr, format string, args ...any) {
	at := r.info.GetStartLocation(e.ID())
	r.faults = append(r.faults, Fault{
		Line: at.Line(), Column: at.Column() + 1, Message: fmt.Sprintf(format, args...),
		Hint: "numbers are exact to 9007199254740992; compare an id as text",
	})
}
