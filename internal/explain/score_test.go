package explain_test

import (
	"testing"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/explain"
)

// A view tells who stands in for a model: the program's fallback, or an earlier
// answer of its own.
func TestViewOf_StandIns(t *testing.T) {
	t.Parallel()
	for state, want := range map[ceap.ScoreState]struct{ fallback, cached, value bool }{
		ceap.ScoreFallback: {fallback: true, value: true},
		ceap.ScoreCached:   {cached: true, value: true},
		ceap.ScoreUnscored: {},
	} {
		view := explain.ViewOf(ceap.Candidate{Scores: []ceap.Score{{ModelID: "m", Value: 0.5, State: state}}})
		got := view.Scores["m"]
		if got.Fallback != want.fallback || got.Cached != want.cached || (got.Value != nil) != want.value {
			t.Errorf("%s: %+v", state, got)
		}
	}
}
