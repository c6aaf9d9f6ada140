package ceap

import (
	"fmt"
	"strings"
)

// Position is a place in a file that a person wrote. Line and Column count from
// 1, columns in characters; 0 means unknown.
type Position struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

// String returns file:line:column, as far as it is known.
func (p Position) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.File == "":
		return fmt.Sprintf("%d:%d", p.Line, p.Column)
	default:
		return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	}
}

// Problem is one thing that is wrong, or looks wrong, with something a person
// wrote.
type Problem struct {
	Position
	Path    string `json:"path,omitempty"` // such as dataConnectors[0].sourceConfig.query
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`    // what to do
	Warning bool   `json:"warning,omitempty"` // it works, but hardly as meant
}

// String returns the problem on one line: place, path, message and remedy.
func (p Problem) String() string {
	var b strings.Builder
	if at := p.Position.String(); at != "" {
		b.WriteString(at + ": ")
	}
	if p.Warning {
		b.WriteString("warning: ")
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message)
	if p.Hint != "" {
		b.WriteString("; " + p.Hint)
	}
	return b.String()
}

// Problems is a list of problems in the order of their places. As an error it
// has [CodeInvalid].
type Problems []Problem

// Errors returns the problems that are not warnings.
func (ps Problems) Errors() Problems {
	return ps.filter(func(p Problem) bool { return !p.Warning })
}

// Warnings returns the problems that are warnings.
func (ps Problems) Warnings() Problems {
	return ps.filter(func(p Problem) bool { return p.Warning })
}

func (ps Problems) filter(keep func(Problem) bool) Problems {
	var out Problems
	for _, p := range ps {
		if keep(p) {
			out = append(out, p)
		}
	}
	return out
}

// Err returns nil if no problem is an error, else an [Error] that lists those
// that are.
func (ps Problems) Err() error {
	errs := ps.Errors()
	if len(errs) == 0 {
		return nil
	}
	return &Error{Code: CodeInvalid, Err: errs}
}

// Error returns the problems, a line each.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}
