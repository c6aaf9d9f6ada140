package plugintest_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/plugin/plugintest"
)

func TestCandidates_areDifferentAndRepeatable(t *testing.T) {
	t.Parallel()
	first := plugintest.Candidates(100)
	if diff := cmp.Diff(first, plugintest.Candidates(100), cmp.Comparer(func(a, b ceap.Value) bool { return a == b })); diff != "" {
		t.Errorf("the candidates are not the same ones each time (-first +second):\n%s", diff)
	}
	seen := map[ceap.Key]bool{}
	for _, c := range first {
		seen[c.Key] = true
	}
	if len(seen) != len(first) {
		t.Errorf("%d different candidates of %d", len(seen), len(first))
	}
}

func TestWith_leavesTheCandidateAlone(t *testing.T) {
	t.Parallel()
	c := plugintest.Candidate()
	for _, name := range []string{"a", "trust_score", "z"} {
		changed := plugintest.With(c, name, ceap.Int(7))
		if got, _ := changed.Attribute(name); got != ceap.Int(7) {
			t.Errorf("%s of the copy is %s", name, got)
		}
		if got, ok := c.Attribute(name); got == ceap.Int(7) || ok != (name == "trust_score") {
			t.Errorf("%s of the candidate itself became %s, %v", name, got, ok)
		}
	}
}
