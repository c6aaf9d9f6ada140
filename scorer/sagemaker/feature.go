package sagemaker

import (
	"encoding/csv"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/expression"
	"github.com/ceap-platform/ceap/plugin"
)

// item holds the features of a candidate that a table has, by attribute.
type item map[string]ceap.Value

// column gives one feature of a candidate; NULL if there is no value.
type column struct {
	feature Feature
	value   func(*ceap.Candidate, item) (ceap.Value, error)
}

// columnsOf compiles the features, in their order.
func columnsOf(features []Feature, c *expression.Compiler) []column {
	columns := make([]column, len(features))
	for i, f := range features {
		columns[i] = column{f, f.fromTable}
		if f.Attribute == "" {
			columns[i].value = f.fromCandidate(c.CompileForModel(plugin.PathIndex("features", i)+".expression", f.Expression, f.kind()))
		}
	}
	return columns
}

func (f Feature) kind() expression.Kind {
	if f.Type == "text" {
		return expression.Label
	}
	return expression.Number
}

func (f Feature) fromCandidate(program *expression.Program) func(*ceap.Candidate, item) (ceap.Value, error) {
	if f.Type == "text" {
		return func(c *ceap.Candidate, _ item) (ceap.Value, error) {
			label, null, err := program.EvalNullableLabel(c)
			if err != nil || null {
				return ceap.Null(), err
			}
			return ceap.String(label), nil
		}
	}
	return func(c *ceap.Candidate, _ item) (ceap.Value, error) {
		n, null, err := program.EvalNullableNumber(c)
		if err != nil || null {
			return ceap.Null(), err
		}
		return ceap.Float(n), nil
	}
}

func (f Feature) fromTable(_ *ceap.Candidate, of item) (ceap.Value, error) {
	v := of[f.Attribute]
	_, number := v.Number()
	switch {
	case v.IsNull(), f.Type == "number" && number:
		return v, nil
	case f.Type == "text":
		return ceap.String(v.String()), nil
	case v.Kind() == ceap.KindBool && v.Bool():
		return ceap.Int(1), nil
	case v.Kind() == ceap.KindBool:
		return ceap.Int(0), nil
	default:
		return ceap.Null(), ceap.Errorf(ceap.CodeInvalid, "the attribute %q of the table is no number, but text", f.Attribute).
			WithHint("set type to text for this feature, or mend the table")
	}
}

// Advise warns of features that make keeping answers useless: those that change
// with the run's clock, so that no question is ever asked twice.
func (s *Scorer) Advise() []string {
	if s.config.Cache == nil {
		return nil
	}
	var warnings []string
	ticks := regexp.MustCompile(`(^|[^.\w"'])(now\b|daysSince\()`)
	for _, f := range s.config.Features {
		if ticks.MatchString(f.Expression) && !strings.Contains(f.Expression, "int(") {
			warnings = append(warnings, fmt.Sprintf("the feature %s changes with the run's clock, so that the answers that cache keeps are of no use to later runs; round it, as int(daysSince(eventDate)) does", f.name()))
		}
	}
	return warnings
}

// features returns the values of all columns for the candidate. Without one of
// them the model is not asked (I29).
func (s *Scorer) features(c *ceap.Candidate, of item) ([]ceap.Value, error) {
	values := make([]ceap.Value, len(s.columns))
	for i := range s.columns {
		f := &s.columns[i].feature
		v, err := s.columns[i].value(c, of)
		if err != nil {
			return nil, fmt.Errorf("preparing the feature %s: %w", f.name(), err)
		}
		if v.IsNull() {
			v = f.Missing
		}
		if v.IsNull() {
			return nil, ceap.Errorf(ceap.CodeInvalid, "the feature %s has no value", f.name()).WithHint("set missing for this feature")
		}
		values[i] = v
	}
	return values, nil
}

// row returns what a request says of a candidate: a line of CSV, or an instance
// in JSON.
func (s *Scorer) row(c *ceap.Candidate, values []ceap.Value) []byte {
	var b []byte
	switch {
	case s.config.ContentType == mediaCSV:
		for i, v := range values {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendField(b, v)
		}
		return b
	case s.config.InstanceForm == "list":
		b = append(b, `{"features":`...)
		for i, v := range values {
			b = v.AppendJSON(append(b, separator('[', i)))
		}
		return append(b, "]}"...)
	default:
		b = ceap.AppendJSONString(append(b, `{"customer_id":`...), c.CustomerID)
		b = ceap.AppendJSONString(append(b, `,"subject_id":`...), c.SubjectID)
		b = append(b, `,"features":`...)
		for i, v := range values {
			b = ceap.AppendJSONString(append(b, separator('{', i)), s.columns[i].feature.name())
			b = v.AppendJSON(append(b, ':'))
		}
		return append(b, "}}"...)
	}
}

// appendField appends a value to a line of CSV. Empty text is quoted: alone it
// would make an empty line, which many readers skip.
func appendField(b []byte, v ceap.Value) []byte {
	if v.Kind() != ceap.KindString {
		return v.AppendText(b)
	}
	text := v.Text()
	if text == "" {
		return append(b, `""`...)
	}
	var line strings.Builder
	w := csv.NewWriter(&line)
	_ = w.Write([]string{strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ").Replace(text)}) // a Builder takes everything
	w.Flush()
	return append(b, strings.TrimSuffix(line.String(), "\n")...)
}

func separator(first byte, i int) byte {
	if i == 0 {
		return first
	}
	return ','
}

// compile compiles what the configuration says of features, for a run whose
// clock shows now.
func (s *Scorer) compile(now time.Time) error {
	c := expression.Compiler{Now: now}
	s.columns = columnsOf(s.config.Features, &c)
	if source := s.config.FeatureSource; source != nil {
		s.table.key = c.CompileForModel("featureSource.key", source.Key, expression.Label)
	}
	return c.Err()
}
