// Package telemetry sets up logging. No personal data reaches a log: the values
// of known keys are masked field by field, and e-mail addresses and telephone
// numbers wherever they stand (I67).
//
// Everything here is safe for concurrent use.
package telemetry

import (
	"fmt"
	"io"
	"log/slog"
)

// The forms of log lines.
const (
	FormatText = "text"
	FormatJSON = "json"
)

// NewLogger returns a logger that writes lines of at least that level to w, a
// line in one call, in the form [FormatText] or [FormatJSON], with personal data
// masked.
func NewLogger(w io.Writer, level slog.Level, format string) (*slog.Logger, error) {
	opts := &slog.HandlerOptions{Level: level, ReplaceAttr: redact}
	switch format {
	case FormatText:
		return slog.New(slog.NewTextHandler(w, opts)), nil
	case FormatJSON:
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	default:
		return nil, fmt.Errorf("log format %q is neither %q nor %q", format, FormatText, FormatJSON)
	}
}
