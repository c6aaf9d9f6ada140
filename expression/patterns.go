package expression

import (
	"fmt"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
)

// maxPattern bounds regular expressions, in bytes: compiling one with nested
// repetitions takes time before its size is known.
const maxPattern = 256

// checkPatterns refuses regular expressions that are too long, and those that
// only the evaluation would know: they would be compiled again for each row.
func checkPatterns(parsed *ast.AST) []Fault {
	var faults []Fault
	for _, e := range ast.MatchDescendants(ast.NavigateAST(parsed), ast.FunctionMatcher("matches")) {
		args := e.AsCall().Args()
		if len(args) == 0 {
			continue // the check of types says what is missing
		}
		pattern := args[len(args)-1]
		at := parsed.SourceInfo().GetStartLocation(pattern.ID())
		fault := Fault{Line: at.Line(), Column: at.Column() + 1}
		var text types.String
		literal := pattern.Kind() == ast.LiteralKind
		if literal {
			text, literal = pattern.AsLiteral().(types.String)
		}
		switch {
		case !literal:
			fault.Message = "the regular expression of matches must be written out"
			fault.Hint = "compare with ==, contains, startsWith or endsWith"
		case len(text) > maxPattern:
			fault.Message = fmt.Sprintf("the regular expression has %d bytes; at most %d are allowed", len(text), maxPattern)
			fault.Hint = "split it into several"
		default:
			continue
		}
		faults = append(faults, fault)
	}
	return faults
}
