// Package trust rejects candidates that are trusted too little or show signs of
// fraud. The trust score comes from a model or from a column; the package scores
// nothing itself.
//
// The filter is safe for concurrent use.
package trust

import (
	"context"
	"fmt"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/filter"
	"github.com/ceap-platform/ceap/plugin"
)

// The reason codes.
const (
	CodeMissing = "TRUST_SCORE_MISSING"
	CodeLow     = "TRUST_SCORE_LOW"
	CodeFraud   = "FRAUD_DETECTED"
)

// maxFraud is the highest fraud score that still passes.
const maxFraud = 0.5

// Config holds the filter's parameters.
type Config struct {
	MinTrustScore        float64 `json:"minTrustScore" ceap:"min=0,max=1" doc:"The lowest trust score that passes, 0 to 1. Default 0.5."`
	CheckFraudIndicators bool    `json:"checkFraudIndicators" doc:"Whether a column fraud_score or fraudScore above 0.5 rejects; rows without one pass. Default true."`
	ScoreModel           string  `json:"scoreModel" doc:"The modelId whose score is the trust score; scoring then happens before this filter. Empty: the score is read from a column."`
	ScoreColumn          string  `json:"scoreColumn" doc:"The column with the trust score, 0 to 1, where no scoreModel is set. Empty: trust_score or trustScore."`
}

// Validate returns what is wrong with the parameters together.
func (c Config) Validate() ceap.Problems {
	if c.ScoreModel != "" && c.ScoreColumn != "" {
		return ceap.Problems{{Path: "scoreColumn", Message: "scoreModel and scoreColumn both say where the trust score is", Hint: "remove one of them"}}
	}
	return nil
}

// Plugin describes the filter.
func Plugin() plugin.Of[filter.Filter] {
	return plugin.Define("trust", "keeps customers who are trusted and show no signs of fraud",
		Config{MinTrustScore: 0.5, CheckFraudIndicators: true},
		func(_ plugin.Env, c Config) (filter.Filter, error) { return New(c), nil })
}

// Filter rejects candidates that are trusted too little.
type Filter struct {
	config Config
	source filter.ScoreSource
}

var (
	_ filter.Filter      = (*Filter)(nil)
	_ filter.ScoreReader = (*Filter)(nil)
)

// New returns the filter.
func New(config Config) *Filter {
	return &Filter{config: config, source: filter.NewScoreSource("trust", config.ScoreModel, config.ScoreColumn)}
}

// ReadsScores returns the model whose score is the trust score, if one is set.
func (f *Filter) ReadsScores() []string { return f.source.ReadsScores() }

// Apply judges the candidates.
func (f *Filter) Apply(ctx context.Context, batch []*ceap.Candidate, verdicts []filter.Verdict) error {
	return filter.ApplyEach(ctx, batch, verdicts, f.judge)
}

func (f *Filter) judge(c *ceap.Candidate) filter.Verdict {
	trust, err := f.source.Read(c)
	switch {
	case err != nil:
		return filter.Verdict{Err: fmt.Errorf("reading the trust score: %w", err)}
	case !trust.Found:
		return filter.Verdict{Code: CodeMissing, Reason: f.source.Missing()}
	case trust.Value < f.config.MinTrustScore:
		return filter.Verdict{Code: CodeLow, Reason: fmt.Sprintf("%s is %s, below minTrustScore %s",
			trust.Name, filter.FormatScore(trust.Value), filter.FormatScore(f.config.MinTrustScore))}
	case !f.config.CheckFraudIndicators:
		return filter.Verdict{}
	}
	fraud, err := filter.ReadColumn(c, "fraud_score", "fraudScore")
	switch {
	case err != nil:
		return filter.Verdict{Err: fmt.Errorf("reading the fraud score: %w", err)}
	case fraud.Found && fraud.Value > maxFraud:
		return filter.Verdict{Code: CodeFraud, Reason: fmt.Sprintf("%s is %s, above %s",
			fraud.Name, filter.FormatScore(fraud.Value), filter.FormatScore(maxFraud))}
	}
	return filter.Verdict{}
}
