//go:build cgo

package pipeline_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/pipeline"
	"github.com/ceap-platform/ceap/scorer"
)

// results is a model that says the same of everybody.
type results scorer.Result

func (r results) Score(_ context.Context, batch []*ceap.Candidate, out []scorer.Result) error {
	for i := range batch {
		out[i] = scorer.Result(r)
	}
	return nil
}

// When a model fails, an answer that it kept goes before the fallback, in the
// model's scale and marked (I28).
func TestI28_KeptAnswersGoBeforeTheFallback(t *testing.T) {
	t.Parallel()
	fallback, down := 80.0, errors.New("down")
	for _, c := range []struct {
		name   string
		result results
		want   ceap.Score
		count  ceap.ScoreCount
		warns  string
	}{
		{
			"kept",
			results{Value: 25, Confidence: 0.5, HasConfidence: true, Err: down, Cached: true},
			ceap.Score{ModelID: "m", Value: 0.25, Confidence: 0.5, HasConfidence: true, State: ceap.ScoreCached, Reason: ceap.ReasonModelError},
			ceap.ScoreCount{ModelID: "m", Fallback: 1, Cached: 1, Reason: "MODEL_ERROR: down"},
			"1 candidates got an earlier answer of it; 0 candidates got its fallbackScore and 0 no score from it: down",
		},
		{
			"kept when there was another scale",
			results{Value: 101, Err: down, Cached: true},
			ceap.Score{ModelID: "m", Value: 0.8, State: ceap.ScoreFallback, Reason: ceap.ReasonModelError},
			ceap.ScoreCount{ModelID: "m", Fallback: 1, Reason: "MODEL_ERROR: down"},
			"MODEL_ERROR: 1 candidates got its fallbackScore and 0 no score from it: down",
		},
		{
			"nothing kept",
			results{Err: &scorer.NotConfigured{Need: "an endpoint"}},
			ceap.Score{ModelID: "m", Value: 0.8, State: ceap.ScoreFallback, Reason: ceap.ReasonModelNotConfigured},
			ceap.ScoreCount{ModelID: "m", Fallback: 1, Reason: "MODEL_NOT_CONFIGURED: an endpoint"},
			"MODEL_NOT_CONFIGURED: 1 candidates got its fallbackScore and 0 no score from it: an endpoint",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := open(t)
			d := program(source(row("c1", "p", "2026-01-26", 1, 0)))
			d.Models = []pipeline.Model{{ID: "m", Scorer: c.result, Weight: 1, Max: 100, Fallback: &fallback}}
			res := h.run(t, d, batch("b"))
			got, err := h.roles.Candidates.Get(t.Context(), ceap.Key{CustomerID: "c1", ProgramID: d.ProgramID, Marketplace: "US", SubjectType: "product", SubjectID: "p"})
			if err != nil {
				t.Fatal(err)
			}
			same(t, "scores", []ceap.Score{c.want}, got.Scores)
			same(t, "score", c.want.Value, got.Score)
			same(t, "counts", []ceap.ScoreCount{c.count}, res.Scores)
			if len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], c.warns) {
				t.Errorf("warnings: %q", res.Warnings)
			}
		})
	}
}
