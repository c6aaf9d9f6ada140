package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/google/uuid"

	"github.com/ceap-platform/ceap"
)

// failure is an error as users see it, and as --json writes it.
type failure struct {
	Code      ceap.Code     `json:"code"`
	Message   string        `json:"message"`
	Hint      string        `json:"hint,omitempty"`
	Field     string        `json:"field,omitempty"`
	Reference string        `json:"reference,omitempty"` // of an internal error, to find it in the log
	Problems  ceap.Problems `json:"problems,omitempty"`
}

// describe returns the error in the form in which it is shown. The inside of an
// internal error is not.
func describe(err error) failure {
	f := failure{Code: codeOf(err)}
	if errors.Is(err, context.Canceled) {
		f.Message = "stopped before its end"
		return f
	}
	if f.Code == ceap.CodeInternal {
		id := uuid.NewString()
		f.Reference = id[:8]
		f.Message = "internal error, reference " + f.Reference
		f.Hint = "report it with the line of the log that has this reference"
		return f
	}
	f.Message = err.Error()
	var problems ceap.Problems
	if errors.As(err, &problems) {
		where, known := strings.CutSuffix(f.Message, problems.Error()) // such as: connector "orders":
		f.Problems = problems.Errors()
		f.Message = counted(f.Problems)
		if known && f.Problems[0].File == "" {
			f.Message = where + f.Message
		}
	}
	if e, ok := errors.AsType[*ceap.Error](err); ok {
		f.Field = e.Field
	}
	for link := err; link != nil; link = errors.Unwrap(link) {
		if e, ok := link.(*ceap.Error); ok && e.Hint != "" { //nolint:errorlint // goes through the chain itself
			f.Hint = e.Hint
			f.Message = strings.Replace(f.Message, "; "+e.Hint, "", 1)
			break
		}
	}
	return f
}

// codeOf returns the error's code. Whatever a command was doing when its user
// stopped it, that is why it failed.
func codeOf(err error) ceap.Code {
	if errors.Is(err, context.Canceled) {
		return ceap.CodeCancelled
	}
	return ceap.ErrorCode(err)
}

func counted(problems ceap.Problems) string {
	if len(problems) == 1 {
		return problems[0].String()
	}
	return fmt.Sprintf("%d problems", len(problems))
}

// printError writes the error to standard error, once.
func (s *shell) printError(ctx context.Context, err error) {
	f := describe(err)
	if f.Reference != "" && s.log != nil {
		s.log.ErrorContext(ctx, "internal error", "reference", f.Reference, "error", err)
	} else if f.Reference != "" {
		_, _ = fmt.Fprintf(s.errOut, "internal error, reference %s: %v\n", f.Reference, err)
	}
	if s.asJSON {
		_ = writeJSON(s.errOut, struct { // nothing can be said of an error in saying so
			Error failure `json:"error"`
		}{f})
		return
	}
	f.write(s.errOut, s.paint(s.errOut))
}

// write writes the failure for people: what is wrong, and what to do.
func (f failure) write(w io.Writer, p paint) {
	var b strings.Builder
	if len(f.Problems) == 1 {
		hint := f.Problems[0].Hint
		writeProblem(&b, ceap.Problem{Message: strings.TrimSuffix(f.Message, "; "+hint), Hint: hint}, "", p)
		_, _ = io.WriteString(w, b.String())
		return
	}
	b.WriteString(p.red("error: ") + f.Message + "\n")
	for _, problem := range f.Problems {
		writeProblem(&b, problem, "  ", p)
	}
	if f.Hint != "" {
		b.WriteString("  do: " + f.Hint + "\n")
	}
	_, _ = io.WriteString(w, b.String())
}

// writeProblem writes a problem, and its remedy on a line of its own.
func writeProblem(b *strings.Builder, problem ceap.Problem, indent string, p paint) {
	label := p.red("error: ")
	if problem.Warning {
		label = p.yellow("warning: ")
	}
	hint := problem.Hint
	problem.Hint, problem.Warning = "", false
	b.WriteString(indent + label + problem.String() + "\n")
	if hint != "" {
		b.WriteString(indent + "  do: " + hint + "\n")
	}
}

// writeJSON writes v as indented JSON.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	return nil
}
