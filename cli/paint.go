package cli

import (
	"io"
	"os"

	"github.com/mattn/go-isatty"

	"github.com/ceap-platform/ceap/internal/config"
)

// paint colours text, or leaves it as it is.
type paint struct{ on bool }

func (p paint) red(s string) string    { return p.code("31", s) }
func (p paint) green(s string) string  { return p.code("32", s) }
func (p paint) yellow(s string) string { return p.code("33", s) }
func (p paint) bold(s string) string   { return p.code("1", s) }
func (p paint) dim(s string) string    { return p.code("2", s) }

func (p paint) code(code, s string) string {
	if !p.on || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// paint returns how text for w is coloured: only on a terminal, and only if
// nobody has asked for plain text.
func (s *shell) paint(w io.Writer) paint {
	return paint{on: !s.noColor && !s.asJSON && isTerminal(w) && !config.NoColor(s.environ)}
}

// isTerminal reports whether a person is likely to watch w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && (isatty.IsTerminal(f.Fd()) || isatty.IsCygwinTerminal(f.Fd()))
}
