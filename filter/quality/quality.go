// Package quality rejects candidates whose subject is of too low or too
// uncertain a quality, or whose media may not be used. The quality score comes
// from a model or from a column; the package scores nothing itself.
//
// The filter is safe for concurrent use.
package quality

import (
	"context"
	"fmt"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/filter"
	"github.com/ceap-platform/ceap/plugin"
)

// The reason codes.
const (
	CodeMissing    = "QUALITY_SCORE_MISSING"
	CodeLow        = "QUALITY_SCORE_LOW"
	CodeConfidence = "CONFIDENCE_LOW"
	CodeMedia      = "MEDIA_INELIGIBLE"
)

// Config holds the filter's parameters.
type Config struct {
	MinQualityScore         float64 `json:"minQualityScore" ceap:"min=0,max=1" doc:"The lowest quality score that passes, 0 to 1. Default 0.6."`
	MinConfidence           float64 `json:"minConfidence" ceap:"min=0,max=1" doc:"The lowest confidence in that score that passes, 0 to 1; an unknown confidence does not pass. 0 asks for none. Default 0.7."`
	RequireMediaEligibility bool    `json:"requireMediaEligibility" doc:"Whether mediaEligible must be true. Default false."`
	ScoreModel              string  `json:"scoreModel" doc:"The modelId whose score is the quality score, with its confidence; scoring then happens before this filter. Empty: both are read from columns."`
	ScoreColumn             string  `json:"scoreColumn" doc:"The column with the quality score, 0 to 1, where no scoreModel is set. Empty: quality_score or qualityScore."`
	ConfidenceColumn        string  `json:"confidenceColumn" doc:"The column with the confidence, 0 to 1, where no scoreModel is set. Empty: confidence."`
}

// Validate returns what is wrong with the parameters together.
func (c Config) Validate() ceap.Problems {
	var problems ceap.Problems
	if c.ScoreModel != "" && c.ScoreColumn != "" {
		problems = append(problems, ceap.Problem{Path: "scoreColumn", Message: "scoreModel and scoreColumn both say where the quality score is", Hint: "remove one of them"})
	}
	if c.ScoreModel != "" && c.ConfidenceColumn != "" {
		problems = append(problems, ceap.Problem{Path: "confidenceColumn", Message: "the confidence comes with the score of scoreModel", Hint: "remove confidenceColumn, or scoreModel"})
	}
	return problems
}

// Plugin describes the filter.
func Plugin() plugin.Of[filter.Filter] {
	return plugin.Define("quality", "keeps subjects of good and certain quality",
		Config{MinQualityScore: 0.6, MinConfidence: 0.7},
		func(_ plugin.Env, c Config) (filter.Filter, error) { return New(c), nil })
}

// Filter rejects candidates of too low a quality.
type Filter struct {
	config       Config
	source       filter.ScoreSource
	confidence   string // the column of the confidence
	noConfidence string // the words for a score without a confidence
}

var (
	_ filter.Filter      = (*Filter)(nil)
	_ filter.ScoreReader = (*Filter)(nil)
)

// New returns the filter.
func New(config Config) *Filter {
	f := &Filter{
		config: config, confidence: config.ConfidenceColumn,
		source: filter.NewScoreSource("quality", config.ScoreModel, config.ScoreColumn),
	}
	if f.confidence == "" {
		f.confidence = "confidence"
	}
	if config.ScoreModel != "" {
		f.noConfidence = fmt.Sprintf("model %s gave no confidence; set minConfidence to 0 to ask for none", config.ScoreModel)
		return f
	}
	f.noConfidence = fmt.Sprintf("extra.%s has no value; select it in the query, or set minConfidence to 0 to ask for none", f.confidence)
	return f
}

// ReadsScores returns the model whose score is the quality score, if one is set.
func (f *Filter) ReadsScores() []string { return f.source.ReadsScores() }

// Apply judges the candidates.
func (f *Filter) Apply(ctx context.Context, batch []*ceap.Candidate, verdicts []filter.Verdict) error {
	return filter.ApplyEach(ctx, batch, verdicts, f.judge)
}

func (f *Filter) judge(c *ceap.Candidate) filter.Verdict {
	quality, err := f.source.Read(c)
	switch {
	case err != nil:
		return filter.Verdict{Err: fmt.Errorf("reading the quality score: %w", err)}
	case !quality.Found:
		return filter.Verdict{Code: CodeMissing, Reason: f.source.Missing()}
	case quality.Value < f.config.MinQualityScore:
		return filter.Verdict{Code: CodeLow, Reason: fmt.Sprintf("%s is %s, below minQualityScore %s",
			quality.Name, filter.FormatScore(quality.Value), filter.FormatScore(f.config.MinQualityScore))}
	}
	if v := f.judgeConfidence(c, quality); !v.Passed() {
		return v
	}
	if f.config.RequireMediaEligibility && !c.MediaEligible.Bool() {
		reason := "mediaEligible is false"
		if c.MediaEligible.IsNull() {
			reason = "the row said nothing about mediaEligible, and requireMediaEligibility demands it"
		}
		return filter.Verdict{Code: CodeMedia, Reason: reason}
	}
	return filter.Verdict{}
}

func (f *Filter) judgeConfidence(c *ceap.Candidate, quality filter.ScoreReading) filter.Verdict {
	if f.config.MinConfidence == 0 {
		return filter.Verdict{}
	}
	confidence, known, name := quality.Confidence, quality.HasConfidence, "the confidence of model "+f.config.ScoreModel
	if f.config.ScoreModel == "" {
		column, err := filter.ReadColumn(c, f.confidence)
		if err != nil {
			return filter.Verdict{Err: fmt.Errorf("reading the confidence: %w", err)}
		}
		confidence, known, name = column.Value, column.Found, column.Name
	}
	switch {
	case !known:
		return filter.Verdict{Code: CodeConfidence, Reason: f.noConfidence}
	case confidence < f.config.MinConfidence:
		return filter.Verdict{Code: CodeConfidence, Reason: fmt.Sprintf("%s is %s, below minConfidence %s",
			name, filter.FormatScore(confidence), filter.FormatScore(f.config.MinConfidence))}
	}
	return filter.Verdict{}
}
