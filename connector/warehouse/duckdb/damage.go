//go:build cgo

package duckdb

import (
	"fmt"
	"regexp"
	"strings"
)

// damage says which file cannot be read, where, and what to do, if the engine's
// text is about a file that is not what its name says; else it returns "".
func (s *session) damage(text string) (what, remedy string) {
	for _, read := range []func(string) (string, string){s.csvDamage, s.jsonDamage, s.parquetDamage} {
		if what, remedy = read(text); what != "" {
			return what, remedy
		}
	}
	return "", ""
}

// csvDamage is about a CSV file. The engine's text has the line with the data in
// it, then the reason, then advice about options that users do not have.
func (s *session) csvDamage(text string) (what, remedy string) {
	file := regexp.MustCompile(`(?m)^\s*file = (.*)$`).FindStringSubmatch(text)
	if file == nil {
		return "", ""
	}
	name := s.relativeText(strings.TrimSpace(file[1]))
	line := regexp.MustCompile(`CSV Error on Line: (\d+)`).FindStringSubmatch(text)
	if line == nil {
		return name + ": not readable as CSV: a quote or a line end stands where none may be",
			"enclose values that hold commas, quotes or line ends in double quotes, and end all lines alike"
	}
	for _, advice := range []string{"\nPossible", "\n\nColumn "} {
		text, _, _ = strings.Cut(text, advice)
	}
	reason := strings.TrimSpace(text)
	reason = strings.Join(strings.Fields(reason[strings.LastIndexByte(reason, '\n')+1:]), " ")
	return fmt.Sprintf("%s:%s: %s", name, line[1], reason), csvRemedy(reason)
}

// csvRemedy says what to do about a line of CSV.
func csvRemedy(reason string) string {
	switch {
	case strings.Contains(reason, "unterminated quote"):
		return "close the quote; a quote inside a quoted value is written twice"
	case strings.Contains(reason, "Number of Columns"):
		return "give every line one value for each column; a value with a comma stands in double quotes"
	case strings.Contains(reason, "unicode"):
		return "save the file as UTF-8, as with: iconv -f LATIN1 -t UTF-8"
	case strings.Contains(reason, "Maximum line size"):
		return fmt.Sprintf("shorten the line; one may have %d MB", maxLine>>20)
	default:
		return ""
	}
}

// jsonDamage is about a JSON file.
func (s *session) jsonDamage(text string) (what, remedy string) {
	file := regexp.MustCompile(`Malformed JSON in file "(.*)", at byte .*: (.*)`).FindStringSubmatch(text)
	if file == nil {
		return "", ""
	}
	if line := badLine(file[1]); line > 0 {
		return fmt.Sprintf("%s:%d: malformed JSON: %s", s.relativeText(file[1]), line, strings.TrimRight(file[2], ". ")), "write one object a line"
	}
	return "", ""
}

// parquetRemedy is all that can be done about a damaged Parquet file.
const parquetRemedy = "write the file again; it is damaged, cut short or of another kind"

// parquetDamage is about a Parquet file, or names the tables whose files may be
// meant: their inside is decoded without a word about the file.
func (s *session) parquetDamage(text string) (what, remedy string) {
	if strings.Contains(text, "too small to be a Parquet file") || strings.Contains(text, "No magic bytes found") {
		return s.relativeText(text), parquetRemedy
	}
	if !strings.HasPrefix(text, "TProtocolException") {
		return "", ""
	}
	var suspects []string
	for _, t := range s.tables {
		if t.kind == parquet {
			suspects = append(suspects, s.folder.rel(t.path))
		}
	}
	return "a damaged Parquet file in " + strings.Join(suspects, " or ") + ": " + text, parquetRemedy
}
