package expression

import (
	"fmt"
	"regexp"
	"strings"

	"cel.dev/cel-go/cel"

	"github.com/ceap-platform/ceap"
)

// Error says why source text is not an expression that can be used.
type Error struct {
	Source string
	Faults []Fault // at least one, in the order of their places
}

// Fault is one thing that is wrong with source text. Line and Column count from
// 1, columns in characters; 0 means the expression as a whole.
type Fault struct {
	Line, Column int
	Message      string
	Hint         string
}

// Error returns the faults, separated by semicolons.
func (e *Error) Error() string {
	texts := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		texts[i] = f.text(e.Source)
		if f.Hint != "" {
			texts[i] += " (" + f.Hint + ")"
		}
	}
	return strings.Join(texts, "; ")
}

// text returns the message with its place in the source.
func (f Fault) text(source string) string {
	switch {
	case f.Line == 0:
		return f.Message
	case strings.Contains(strings.TrimSpace(source), "\n"):
		return fmt.Sprintf("%s, at line %d, column %d of the expression", f.Message, f.Line, f.Column)
	default:
		return fmt.Sprintf("%s, at column %d of the expression", f.Message, f.Column)
	}
}

// Problems returns the faults as problems of the setting at path.
func (e *Error) Problems(path string) ceap.Problems {
	problems := make(ceap.Problems, len(e.Faults))
	for i, f := range e.Faults {
		problems[i] = ceap.Problem{Path: path, Message: f.text(e.Source), Hint: f.Hint}
	}
	return problems
}

// newError returns an Error with one fault of the whole source.
func newError(source, message, hint string) *Error {
	return &Error{Source: source, Faults: []Fault{{Message: message, Hint: hint}}}
}

// fromIssues translates what CEL found wrong. Only the first faults are kept:
// after one syntax error the others are mostly its echo.
func fromIssues(source string, issues *cel.Issues) *Error {
	const most = 3
	result := &Error{Source: source}
	for _, issue := range issues.Errors() {
		if len(result.Faults) == most {
			break
		}
		fault := Fault{Message: issue.Message}
		if issue.Location.Line() > 0 {
			fault.Line, fault.Column = issue.Location.Line(), issue.Location.Column()+1
		}
		explain(&fault)
		result.Faults = append(result.Faults, fault)
	}
	return result
}

// explain puts CEL's words into the program's.
func explain(f *Fault) {
	switch {
	case strings.HasPrefix(f.Message, "undeclared reference to '"):
		name, _, _ := strings.Cut(strings.TrimPrefix(f.Message, "undeclared reference to '"), "'")
		f.Message = fmt.Sprintf("unknown name %q", name)
		f.Hint = "known names are " + strings.Join(knownNames(), ", ")
		if near := nearest(name, knownNames()); near != "" {
			f.Hint = fmt.Sprintf("did you mean %q?", near)
		} else if !strings.Contains(name, ".") {
			f.Hint += fmt.Sprintf("; a column that is not mapped is extra.%s", name)
		}
	case strings.Contains(f.Message, "recursion limit") || strings.Contains(f.Message, "recursion depth"):
		f.Message = fmt.Sprintf("it is nested more than %d deep", maxNesting)
		f.Hint = "write it in a flatter way, or as several rules"
	case strings.HasPrefix(f.Message, "Syntax error: "):
		f.Message = "syntax error: " + strings.TrimPrefix(f.Message, "Syntax error: ")
		if before, _, ok := strings.Cut(f.Message, " expecting {"); ok {
			f.Message = strings.ReplaceAll(before, "'<EOF>'", "the end of the text")
		}
	case strings.HasPrefix(f.Message, "found no matching overload for '"):
		parts := regexp.MustCompile(`^found no matching overload for '(.*)' applied to '(.*)'$`).FindStringSubmatch(f.Message)
		if parts != nil {
			f.Message = fmt.Sprintf("%s cannot be applied to %s", operatorName(parts[1]), inWords(parts[2]))
		}
	}
}

// operatorName returns the function as it is written: _&&_ as &&.
func operatorName(function string) string {
	return strings.NewReplacer("_", "", "@", "").Replace(function)
}

// inWords names the types of a signature as the documentation does.
func inWords(signature string) string {
	return strings.NewReplacer("google.protobuf.Timestamp", "timestamp", "google.protobuf.Duration", "duration",
		"string", "text", "double", "number", "bool", "true or false").Replace(signature)
}

// aResult names the type of a whole expression.
func aResult(celType string) string {
	switch words := inWords(celType); words {
	case "number", "timestamp", "duration", "list", "map":
		return "a " + words
	default:
		return words
	}
}

// knownNames lists what an expression may name, in the order of the
// documentation.
func knownNames() []string {
	var names []string
	for _, v := range variables() {
		names = append(names, v.name)
	}
	return append(names, "daysSince", "coalesce", "min", "max", "clamp", "ln", "lower", "upper", "trim")
}

// nearest returns the name that was probably meant, or "".
func nearest(name string, names []string) string {
	plain := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "")) }
	best, bestDistance := "", 1+len(name)/3
	for _, candidate := range names {
		if d := distance(plain(name), plain(candidate)); d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	return best
}

// distance counts the insertions, deletions and replacements between two texts.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			above := row[j+1]
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			row[j+1] = min(above+1, row[j]+1, replaced)
			diagonal = above
		}
	}
	return row[len(b)]
}
