package filter

import (
	"fmt"

	"github.com/ceap-platform/ceap"
)

// ScoreSource says where a filter finds a score of a candidate: in what a model
// said of it, or in an extra column.
type ScoreSource struct {
	model   string   // the id of the model; "" means a column
	columns []string // the names the column may have; the first that the row has counts
	missing string   // the words for a candidate without a score
}

// NewScoreSource returns the source of a score, such as the "trust" score, for a
// filter with the parameters scoreModel and scoreColumn, given here; only one of
// them is set. Without either the score is in the column trust_score or
// trustScore.
func NewScoreSource(score, model, column string) ScoreSource {
	switch {
	case model != "":
		return ScoreSource{model: model, missing: fmt.Sprintf("model %s gave no score, and a %s score is required", model, score)}
	case column != "":
		return ScoreSource{
			columns: []string{column},
			missing: fmt.Sprintf("extra.%s has no value; select it in the query, or set scoreModel", column),
		}
	default:
		return ScoreSource{
			columns: []string{score + "_score", score + "Score"},
			missing: fmt.Sprintf("extra.%s_score has no value; select it in the query, or set scoreModel or scoreColumn", score),
		}
	}
}

// Missing returns the words for a candidate without a score, with what to do.
func (s ScoreSource) Missing() string { return s.missing }

// ScoreReading is a score as a filter found it.
type ScoreReading struct {
	Value         float64 // 0..1
	Confidence    float64 // 0..1; meaningful only if HasConfidence, and never for a column
	HasConfidence bool
	Found         bool   // whether there is a value
	Name          string // what was read, in words, such as extra.trust_score
}

// ReadsScores returns the model's id, if there is one (D55).
func (s ScoreSource) ReadsScores() []string {
	if s.model == "" {
		return nil
	}
	return []string{s.model}
}

// Read returns the candidate's score. It returns an error for a value that is no
// number from 0 to 1: it cannot be compared with a bound.
func (s ScoreSource) Read(c *ceap.Candidate) (ScoreReading, error) {
	if s.model != "" {
		return s.readModel(c), nil
	}
	return ReadColumn(c, s.columns...)
}

func (s ScoreSource) readModel(c *ceap.Candidate) ScoreReading {
	reading := ScoreReading{Name: "the score of model " + s.model}
	for i := range c.Scores {
		score := &c.Scores[i]
		if score.ModelID == s.model && score.State != ceap.ScoreUnscored {
			reading.Found, reading.Value = true, score.Value
			reading.Confidence, reading.HasConfidence = score.Confidence, score.HasConfidence
			break
		}
	}
	return reading
}

// ReadColumn returns the number from 0 to 1 in the first of the extra columns
// that the candidate has. Text that shows a decimal is one, since a source may
// deliver all its values as text (D23).
func ReadColumn(c *ceap.Candidate, columns ...string) (ScoreReading, error) {
	for _, column := range columns {
		value, ok := c.Attribute(column)
		if !ok {
			continue
		}
		reading := ScoreReading{Name: "extra." + column}
		if value.IsNull() || (value.Kind() == ceap.KindString && value.Text() == "") {
			return reading, nil
		}
		if value.Kind() == ceap.KindString {
			value = ceap.Decimal(value.Text())
		}
		n, ok := value.Number()
		switch {
		case !ok:
			return reading, ceap.Errorf(ceap.CodeInvalid, "%s is %s, not a number", reading.Name, value.Kind())
		case n < 0 || n > 1:
			return reading, ceap.Errorf(ceap.CodeInvalid, "%s is %s, outside 0..1", reading.Name, value).
				WithHint("scale it in the query, as in score / 100.0")
		}
		reading.Value, reading.Found = n, true
		return reading, nil
	}
	reading := ScoreReading{Name: "the score"}
	if len(columns) > 0 {
		reading.Name = "extra." + columns[0]
	}
	return reading, nil
}

// FormatScore returns a score as reasons show it, such as 0.35.
func FormatScore(f float64) string { return fmt.Sprintf("%.4g", f) }
