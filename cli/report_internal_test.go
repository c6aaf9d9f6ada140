package cli

import (
	"strings"
	"testing"

	"github.com/ceap-platform/ceap"
)

// The column of answers that were kept is there only when there are some.
func TestReport_CachedScores(t *testing.T) {
	t.Parallel()
	for cached, want := range map[int64]string{
		0: "  MODEL       SCORED  FALLBACK  UNSCORED\n  propensity       7         3         1  slow\n",
		2: "  MODEL       SCORED  FALLBACK  OF WHICH CACHED  UNSCORED\n  propensity       7         3                2         1  slow\n",
	} {
		result := ceap.RunResult{Scores: []ceap.ScoreCount{{ModelID: "propensity", Scored: 7, Fallback: 3, Cached: cached, Unscored: 1, Reason: "slow"}}}
		var b strings.Builder
		if err := newReport(&result, paint{}).write(&b); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), want) {
			t.Errorf("with %d kept answers:\n%s\nwant\n%s", cached, b.String(), want)
		}
	}
}
