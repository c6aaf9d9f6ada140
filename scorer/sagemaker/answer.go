package sagemaker

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/scorer"
)

// read returns what the endpoint's answer says of each of n candidates, in the
// order of the request. A row that cannot be read is the error of its result. An
// answer that has not n rows is an error: nobody can tell whose they are.
func (c *Config) read(r reply, n int) ([]scorer.Result, error) {
	var results []scorer.Result
	var err error
	switch r.media {
	case mediaCSV:
		results, err = c.readCSV(r.body, n)
	case mediaLines:
		results, err = c.readLines(r.body)
	default:
		results, err = c.readJSON(r.body)
	}
	switch {
	case err != nil:
		return nil, ceap.Errorf(ceap.CodeInvalid, "the endpoint's answer is no %s: %w", r.media, err).
			WithHint("set acceptType to what the endpoint answers with; the answer begins with %q", beginning(r.body))
	case len(results) != n:
		return nil, ceap.Errorf(ceap.CodeInvalid, "the endpoint answered %d rows for %d candidates, so that none can be used", len(results), n).
			WithHint("%s", c.rowsHint(r, n))
	}
	return results, nil
}

// rowsHint says why the number of rows may be wrong.
func (c *Config) rowsHint(r reply, n int) string {
	if r.media == mediaCSV && c.CSVAnswer == "rows" && bytes.Count(r.body, []byte(",")) == n-1 {
		return "if it separates candidates by commas, as SageMaker's XGBoost does, set csvAnswer to line"
	}
	return fmt.Sprintf("if it answers for fewer at a time, lower batchRows; the answer begins with %q", beginning(r.body))
}

func beginning(body []byte) string { return shortened(string(body[:min(len(body), 80)])) }

// readCSV reads a line for each candidate, or one line with a value for each. An
// empty line is a row without a score: skipping it would shift the others.
func (c *Config) readCSV(body []byte, n int) ([]scorer.Result, error) {
	lines := strings.Split(strings.TrimSuffix(string(body), "\n"), "\n")
	if last := len(lines) - 1; last > 0 && last != n-1 && strings.TrimSpace(lines[last]) == "" {
		lines = lines[:last]
	}
	if c.CSVAnswer == "line" {
		if len(lines) != 1 {
			return nil, fmt.Errorf("csvAnswer is line, and it has %d lines", len(lines))
		}
		fields := strings.Split(lines[0], ",")
		results := make([]scorer.Result, len(fields))
		for i, field := range fields {
			results[i] = number(field)
		}
		return results, nil
	}
	results := make([]scorer.Result, len(lines))
	for i, line := range lines {
		results[i] = c.line(line)
	}
	return results, nil
}

func (c *Config) line(text string) scorer.Result {
	reader := csv.NewReader(strings.NewReader(text))
	reader.TrimLeadingSpace = true
	row, err := reader.Read()
	switch {
	case errors.Is(err, io.EOF):
		return unread("the endpoint gave an empty score")
	case err != nil:
		return unread("the endpoint's row %q cannot be read", shortened(text))
	}
	return c.pick(len(row), func(i int) scorer.Result { return number(row[i]) })
}

// pick returns the score of a row that is a list.
func (c *Config) pick(length int, at func(int) scorer.Result) scorer.Result {
	if length < c.ScoreColumn {
		return unread("the endpoint's row has %d values, and scoreColumn is %d", length, c.ScoreColumn)
	}
	return at(c.ScoreColumn - 1)
}

// number reads a score. Only finite numbers are scores: nothing else may become
// one, least of all 0.
func number(text string) scorer.Result {
	text = strings.TrimSpace(text)
	value, err := strconv.ParseFloat(text, 64)
	switch {
	case text == "":
		return unread("the endpoint gave an empty score")
	case strings.ContainsAny(text, "xX_"), err != nil && !errors.Is(err, strconv.ErrRange):
		return unread("the endpoint gave %q as the score, which is no number", shortened(text))
	case math.IsNaN(value) || math.IsInf(value, 0):
		return unread("the endpoint gave %s as the score", text)
	}
	return scorer.Result{Value: value}
}

func unread(format string, args ...any) scorer.Result {
	return scorer.Result{Err: ceap.Errorf(ceap.CodeInvalid, format, args...)}
}

func (c *Config) readLines(body []byte) ([]scorer.Result, error) {
	var results []scorer.Result
	decoder := json.NewDecoder(bytes.NewReader(withoutNaN(body)))
	for {
		var row json.RawMessage
		err := decoder.Decode(&row)
		if errors.Is(err, io.EOF) {
			return results, nil
		}
		if err != nil {
			return nil, err
		}
		results = append(results, c.row(row))
	}
}

// readJSON reads {"predictions": [...]}, or the list alone.
func (c *Config) readJSON(body []byte) ([]scorer.Result, error) {
	body = bytes.TrimSpace(withoutNaN(body))
	var rows []json.RawMessage
	if len(body) > 0 && body[0] == '{' {
		var object struct {
			Predictions *[]json.RawMessage `json:"predictions"`
		}
		if err := json.Unmarshal(body, &object); err != nil {
			return nil, err
		}
		if object.Predictions == nil {
			return nil, errors.New(`it has no "predictions"`)
		}
		rows = *object.Predictions
	} else if err := json.Unmarshal(body, &rows); err != nil {
		return nil, err
	}
	results := make([]scorer.Result, len(rows))
	for i, row := range rows {
		results[i] = c.row(row)
	}
	return results, nil
}

// row reads what stands for one candidate: a number, a list of values, or an
// object.
func (c *Config) row(row json.RawMessage) scorer.Result {
	switch row = bytes.TrimSpace(row); {
	case len(row) == 0, string(row) == "null":
		return unread("the endpoint gave no score")
	case row[0] == '[':
		var list []json.RawMessage
		if json.Unmarshal(row, &list) != nil {
			return unread("the endpoint's row %q cannot be read", shortened(string(row)))
		}
		return c.pick(len(list), func(i int) scorer.Result { return jsonNumber(list[i], "score") })
	case row[0] == '{':
		return c.object(row)
	default:
		return jsonNumber(row, "score")
	}
}

func (c *Config) object(row json.RawMessage) scorer.Result {
	var object map[string]json.RawMessage
	if json.Unmarshal(row, &object) != nil {
		return unread("the endpoint's row %q cannot be read", shortened(string(row)))
	}
	score, ok := object[c.ScoreField]
	if !ok {
		return unread("the endpoint's row has no %q; set scoreField to the key of the score", c.ScoreField)
	}
	result := jsonNumber(score, c.ScoreField)
	if confidence, ok := object[c.ConfidenceField]; ok && result.Err == nil {
		read := jsonNumber(confidence, c.ConfidenceField)
		if read.Err != nil {
			return read
		}
		if !(read.Value >= 0 && read.Value <= 1) {
			return unread("the endpoint gave %v as the confidence, which is outside 0 to 1", read.Value)
		}
		result.Confidence, result.HasConfidence = read.Value, true
	}
	return result
}

func jsonNumber(data json.RawMessage, what string) scorer.Result {
	switch data = bytes.TrimSpace(data); {
	case len(data) == 0, string(data) == "null":
		return unread("the endpoint gave no %s", what)
	case data[0] != '-' && (data[0] < '0' || data[0] > '9'):
		return unread("the endpoint gave %s as the %s, which is no number", shortened(string(data)), what)
	}
	return number(string(data))
}

// withoutNaN returns JSON in which NaN and the infinities, which Python writes
// and JSON does not have, are null: one such score must not cost the others.
func withoutNaN(body []byte) []byte {
	if !bytes.Contains(body, []byte("NaN")) && !bytes.Contains(body, []byte("Infinity")) {
		return body
	}
	out := make([]byte, 0, len(body)+8)
	quoted := false
	for i := 0; i < len(body); {
		if word := notANumber(body[i:]); word > 0 && !quoted {
			out = append(out, "null"...)
			i += word
			continue
		}
		if quoted && body[i] == '\\' && i+1 < len(body) {
			out = append(out, body[i])
			i++
		} else if body[i] == '"' {
			quoted = !quoted
		}
		out = append(out, body[i])
		i++
	}
	return out
}

// notANumber returns the length of the word for such a number that b begins
// with; 0 if it begins with none.
func notANumber(b []byte) int {
	for _, word := range []string{"NaN", "Infinity", "-Infinity"} {
		if bytes.HasPrefix(b, []byte(word)) {
			return len(word)
		}
	}
	return 0
}
