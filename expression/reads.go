package expression

import (
	"maps"
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// reads is what an expression reads of a candidate. The name "*" stands for
// names that only the evaluation will tell.
type reads struct {
	variables []string
	extra     []string
	scores    []string
	channels  []string
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
