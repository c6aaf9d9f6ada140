package expression

import (
	"fmt"
	"maps"
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/ceap-platform/ceap"
)

// reads is what an expression reads of a candidate. The name "*" stands for
// names that only the evaluation will tell.
type reads struct {
	variables []string
	extra     []string
	scores    []string
	channels  []string
}

// reading is a value of the candidate that an expression reads.
type reading struct {
	name    string                      // as reasons and errors show it
	dynamic bool                        // whether only the candidate tells what kind of value it is
	value   func(a *activation) ref.Val // nil where the candidate has no such thing
}

// readings returns the values that are read, as far as the expression itself
// tells, in the order of the documentation. The clock is none of the candidate.
func (r reads) readings() []reading {
	var list []reading
	for _, v := range variables() {
		if slices.Contains(r.variables, v.name) && v.kind.Kind() != types.MapKind && v.name != "now" {
			list = append(list, reading{v.name, v.kind.Kind() == types.DynKind, func(a *activation) ref.Val { return a.resolve(v.name) }})
		}
	}
	add := func(keys []string, name func(key string) string, find func(*ceap.Candidate, string) (ref.Val, bool), dynamic bool) {
		for _, key := range keys {
			if key != "*" {
				list = append(list, reading{name(key), dynamic, func(a *activation) ref.Val {
					value, _ := find(a.candidate, key)
					return value
				}})
			}
		}
	}
	add(r.channels, func(key string) string { return "eligible." + key }, findEligible, false)
	add(r.extra, func(key string) string { return "extra." + key }, findExtra, true)
	add(r.scores, func(key string) string { return fmt.Sprintf("scores[%q]", key) }, findScoreValue, true)
	return list
}

// findReads looks through a parsed expression.
func findReads(parsed *ast.AST) reads {
	found := map[string]map[string]bool{"extra": {}, "scores": {}, "eligible": {}}
	names := map[string]bool{}
	root := ast.NavigateAST(parsed)
	for _, ident := range ast.MatchDescendants(root, ast.KindMatcher(ast.IdentKind)) {
		name := ident.AsIdent()
		names[name] = true
		if keys, ok := found[name]; ok {
			keys[keyOf(ident)] = true
		}
	}
	var r reads
	for _, v := range variables() {
		if names[v.name] {
			r.variables = append(r.variables, v.name)
		}
	}
	r.extra = slices.Sorted(maps.Keys(found["extra"]))
	r.scores = slices.Sorted(maps.Keys(found["scores"]))
	r.channels = slices.Sorted(maps.Keys(found["eligible"]))
	return r
}

// keyOf returns the key by which the map that ident names is read, or "*".
func keyOf(ident ast.NavigableExpr) string {
	parent, ok := ident.Parent()
	if !ok {
		return "*"
	}
	switch parent.Kind() {
	case ast.SelectKind:
		return parent.AsSelect().FieldName()
	case ast.CallKind:
		call := parent.AsCall()
		args := call.Args()
		if call.IsMemberFunction() || len(args) != 2 {
			return "*"
		}
		var key ast.Expr
		switch {
		case call.FunctionName() == operators.Index && args[0].ID() == ident.ID():
			key = args[1]
		case call.FunctionName() == operators.In && args[1].ID() == ident.ID():
			key = args[0]
		default:
			return "*"
		}
		if key.Kind() == ast.LiteralKind {
			if text, ok := key.AsLiteral().(types.String); ok {
				return string(text)
			}
		}
	default:
	}
	return "*"
}
