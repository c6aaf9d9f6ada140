//go:build cgo

package duckdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/plugin"
)

// message is an error of DuckDB's with errors_as_json.
type message struct {
	Type     string `json:"exception_type"`    //nolint:tagliatelle // the engine's name
	Text     string `json:"exception_message"` //nolint:tagliatelle // the engine's name
	Subtype  string `json:"error_subtype"`     //nolint:tagliatelle // the engine's name
	Position string `json:"position"`
	Name     string `json:"name"`
}

// parseMessage reads an error's text, which is JSON, JSON after a prefix, or
// plain.
func parseMessage(text string) message {
	var m message
	if at := strings.IndexByte(text, '{'); at >= 0 && json.Unmarshal([]byte(text[at:]), &m) == nil && m.Text != "" {
		return m
	}
	kind, rest, ok := strings.Cut(text, " Error: ")
	if !ok || strings.Contains(kind, "\n") {
		return message{Type: "Unknown", Text: text}
	}
	return message{Type: kind, Text: rest}
}

// code says who has to act.
func (m message) code() ceap.Code {
	switch {
	case slices.Contains([]string{"INTERRUPT", "Interrupt"}, m.Type):
		return ceap.CodeCancelled
	case slices.Contains([]string{"Out of Memory", "IO", "HTTP", "Connection"}, m.Type):
		return ceap.CodeUnavailable
	case slices.Contains([]string{"INTERNAL", "FATAL", "Internal", "Fatal", "Unknown"}, m.Type):
		return ceap.CodeInternal
	default:
		return ceap.CodeInvalid
	}
}

// failed returns the error that users see.
func (s *session) failed(err error) error {
	if e, ok := errors.AsType[*engineError](err); ok {
		return s.engineFailed(parseMessage(e.text))
	}
	if e, ok := errors.AsType[*refusal](err); ok {
		return s.statement.Failed(ceap.CodeInvalid, e.offset, e.message)
	}
	if e, ok := errors.AsType[*parseError](err); ok {
		return s.statement.Failed(ceap.CodeInvalid, charOffset(s.statement.SQL, e.position), e.message)
	}
	if e, ok := errors.AsType[*tableError](err); ok {
		return s.tableFailed(e)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return s.statement.Failed(ceap.CodeCancelled, -1, err.Error())
	}
	failure := s.statement.Failed(ceap.ErrorCode(err), -1, err.Error())
	if e, ok := errors.AsType[*ceap.Error](err); ok && e.Hint != "" {
		failure.Message, failure.Hint = strings.TrimSuffix(failure.Message, "; "+e.Hint), e.Hint
	}
	failure.Err = nil
	return failure
}

// tableFailed is an error found while making a table known.
func (s *session) tableFailed(t *tableError) error {
	if e, ok := errors.AsType[*engineError](t.err); ok {
		return s.engineFailed(parseMessage(e.text))
	}
	failure := s.statement.Failed(ceap.ErrorCode(t.err), t.offset, t.err.Error())
	if e, ok := errors.AsType[*ceap.Error](t.err); ok && e.Hint != "" {
		failure = s.statement.Failed(e.Code, t.offset, strings.TrimSuffix(t.err.Error(), "; "+e.Hint))
		failure.Hint = e.Hint
	}
	return failure
}

func (s *session) engineFailed(m message) error {
	if text, hint := s.damage(m.Text); text != "" {
		failure := s.statement.Failed(ceap.CodeInvalid, -1, text)
		failure.Hint = hint
		return failure
	}
	failure := s.statement.Failed(m.code(), s.offset(m), s.relativeText(brief(m)))
	switch {
	case m.Subtype == "COLUMN_NOT_FOUND" || strings.Contains(m.Text, "does not have a column named"):
		failure.Hint = s.columnsHint(missingColumn(m))
	case strings.Contains(m.Text, "No space left on device"):
		failure.Hint = "free space there, or set another folder with connectors.data-warehouse.tempDir"
	case m.Type == "Out of Memory":
		failure.Hint = fmt.Sprintf("raise connectors.data-warehouse.memoryLimit (now %s) or maxTempSize (now %s), or let the query read less",
			s.engine.settings.MemoryLimit, s.engine.settings.MaxTempSize)
	case m.Type == "Binder" && strings.Contains(m.Text, "Cannot compare values of type VARCHAR"):
		failure.Hint = fmt.Sprintf("the column is text: write CAST(column AS DOUBLE), or declare its type in %s; %s", schemaFile, s.columnsHint(""))
	}
	return failure
}

// offset returns the byte of the statement that an error is about, or -1.
func (s *session) offset(m message) int {
	if m.Position == "" {
		return -1
	}
	if m.Type == "Parser" || m.Type == "Syntax" {
		return charOffset(s.statement.SQL, m.Position)
	}
	at, err := strconv.Atoi(m.Position)
	if at -= s.shift; err != nil || at < 0 || at >= len(s.statement.SQL) {
		return -1 // about a view of ours or the wrapping
	}
	return at
}

// brief returns an error's text on one line, without advice about settings that
// users do not have and lists of names that the hint gives in full.
func brief(m message) string {
	text := m.Text
	for _, cut := range []string{"\n\nPossible solutions", "\nPossible Solution", "\n\nLINE ", "\nCandidate bindings", "\n\tCandidate functions", "\nDatabase is launched"} {
		text, _, _ = strings.Cut(text, cut)
	}
	return strings.Join(strings.Fields(text), " ")
}

// relativeText shortens paths to what the user knows.
func (s *session) relativeText(text string) string {
	return strings.ReplaceAll(text, s.folder.real+"/", "")
}

// missingColumn returns the name of the column that a query names and no table
// has.
func missingColumn(m message) string {
	if m.Name != "" {
		return m.Name
	}
	_, after, _ := strings.Cut(m.Text, "does not have a column named ")
	return strings.Trim(after, `"`)
}

// columnsHint lists the columns of the tables that the query names, after the
// one that the missing name may stand for.
func (s *session) columnsHint(missing string) string {
	var parts, known []string
	for _, t := range s.tables {
		if columns, err := s.tableColumns(t); err == nil {
			names := make([]string, len(columns))
			for i := range columns {
				names[i] = columns[i].name
			}
			known = append(known, names...)
			parts = append(parts, t.name+" has "+strings.Join(names, ", "))
		}
	}
	if near := plugin.Nearest(missing, known); near != "" {
		parts = append([]string{fmt.Sprintf("did you mean %q?", near)}, parts...)
		return strings.Replace(strings.Join(parts, "; "), "?; ", "? ", 1)
	}
	return strings.Join(parts, "; ")
}

// tableColumns returns the columns of a table of the session.
func (s *session) tableColumns(t *table) ([]column, error) {
	st, err := s.prepare("SELECT * FROM " + quoteName(t.database) + "." + quoteName(t.name))
	if err != nil {
		return nil, err
	}
	defer st.close()
	columns, _ := st.columns()
	return columns, nil
}
