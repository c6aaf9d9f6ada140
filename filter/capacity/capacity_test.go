package capacity_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/filter"
	"github.com/ceap-platform/ceap/filter/capacity"
	"github.com/ceap-platform/ceap/filter/filtertest"
	"github.com/ceap-platform/ceap/plugin/plugintest"
)

func TestFilter_Conformance(t *testing.T) {
	t.Parallel()
	filtertest.Run(t, capacity.Plugin(), filtertest.Env(),
		`{"maxPerRun": 20}`, `{"maxPerCustomer": 2, "maxPerSubject": 1, "maxPerGroup": 30, "groupBy": "extra.category", "maxPerRun": 50}`)
}

func TestFilter_Apply_explains(t *testing.T) {
	t.Parallel()
	best, next := filtertest.Candidate(), filtertest.Candidate()
	next.SubjectID, next.Score = "PROD-9", 0.5
	for config, want := range map[string]string{
		`{"maxPerRun": 1}`:                                "not among the best 1 of the run",
		`{"maxPerCustomer": 1}`:                           `not among the best 1 of the customer "CUST-001"`,
		`{"maxPerGroup": 1, "groupBy": "extra.category"}`: `not among the best 1 of the group "garden"`,
	} {
		v := filtertest.Apply(t, plugintest.Open(t, capacity.Plugin(), filtertest.Env(), config), next, best)
		if v[0].Code != filter.CodeCapacity || v[0].Reason != want || !v[1].Passed() {
			t.Errorf("%s: verdicts %+v, want the reason %q", config, v, want)
		}
	}
}

func TestFilter_Apply_failsClosed(t *testing.T) {
	t.Parallel()
	c := plugintest.With(filtertest.Candidate(), "category", ceap.Null())
	v := filtertest.Apply(t, plugintest.Open(t, capacity.Plugin(), filtertest.Env(), `{"maxPerGroup": 1, "groupBy": "extra.category"}`), c)[0]
	if v.Err == nil || !strings.Contains(v.Err.Error(), "it gives null") {
		t.Errorf("verdict %+v of a candidate without a group", v)
	}
}

func TestFilter_ReadsScores(t *testing.T) {
	t.Parallel()
	f := plugintest.Open(t, capacity.Plugin(), filtertest.Env(), `{"maxPerRun": 1}`)
	if got := f.(filter.ScoreReader).ReadsScores(); len(got) != 1 || got[0] != "*" {
		t.Errorf("ReadsScores = %v", got)
	}
}

func TestPlugin_explainsProblems(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		``:                                     "the filter has no limit",
		`{"maxPerRun": 0}`:                     "maxPerRun",
		`{"maxPerGroup": 1}`:                   "maxPerGroup: groupBy does not say what a group is",
		`{"maxPerRun": 1, "groupBy": "score"}`: "groupBy: maxPerGroup does not say",
		`{"maxPerGroup": 1, "groupBy": "extra.a +"}`: "groupBy: syntax error",
		`{"maxPerGroup": 1, "groupBy": "eventDate"}`: "groupBy: it gives",
	} {
		if got := plugintest.Problems(t, capacity.Plugin(), config); !strings.Contains(got, want) {
			t.Errorf("the problems of %s do not say %q: %s", config, want, got)
		}
	}
}

// oracle names the candidates that pass, found by taking the best that is left
// again and again.
func oracle(batch []*ceap.Candidate, limits []func(*ceap.Candidate) string, most []int) map[ceap.Key]bool {
	alive := map[ceap.Key]*ceap.Candidate{}
	for _, c := range batch {
		alive[c.Key] = c
	}
	for i, group := range limits {
		kept, count := map[ceap.Key]*ceap.Candidate{}, map[string]int{}
		for len(alive) > 0 {
			var best *ceap.Candidate
			for _, c := range alive {
				if best == nil || ceap.CompareRank(c, best) < 0 {
					best = c
				}
			}
			delete(alive, best.Key)
			if count[group(best)] < most[i] {
				count[group(best)]++
				kept[best.Key] = best
			}
		}
		alive = kept
	}
	passed := map[ceap.Key]bool{}
	for key := range alive {
		passed[key] = true
	}
	return passed
}

func TestFilter_Apply_agreesWithAnOracle(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 25).Draw(t, "n")
		var batch []*ceap.Candidate
		for i := range n {
			c := &ceap.Candidate{
				Key: ceap.Key{
					CustomerID:  fmt.Sprint("C", rapid.IntRange(0, 3).Draw(t, "customer")),
					SubjectType: "product", SubjectID: fmt.Sprint("P", i),
				},
				EventDate: time.Unix(int64(rapid.IntRange(0, 2).Draw(t, "event")), 0).UTC(),
				Scored:    rapid.Bool().Draw(t, "scored"),
				Score:     float64(rapid.IntRange(0, 3).Draw(t, "score")) / 3,
				Extra:     []ceap.Attribute{{Name: "g", Value: ceap.Int(int64(rapid.IntRange(0, 2).Draw(t, "group")))}},
			}
			batch = append(batch, c)
		}
		most := []int{
			rapid.IntRange(1, 4).Draw(t, "perCustomer"), rapid.IntRange(1, 4).Draw(t, "perSubject"),
			rapid.IntRange(1, 8).Draw(t, "perGroup"), rapid.IntRange(1, 12).Draw(t, "perRun"),
		}
		f, err := capacity.New(capacity.Config{
			MaxPerCustomer: &most[0], MaxPerSubject: &most[1], MaxPerGroup: &most[2], GroupBy: "extra.g", MaxPerRun: &most[3],
		}, plugintest.AsOf())
		if err != nil {
			t.Fatal(err)
		}
		verdicts := make([]filter.Verdict, len(batch))
		if err := f.Apply(t.Context(), batch, verdicts); err != nil {
			t.Fatal(err)
		}
		want := oracle(batch, []func(*ceap.Candidate) string{
			func(c *ceap.Candidate) string { return c.CustomerID },
			func(c *ceap.Candidate) string { return c.SubjectID },
			func(c *ceap.Candidate) string { v, _ := c.Attribute("g"); return v.String() },
			func(*ceap.Candidate) string { return "" },
		}, most)
		for i, c := range batch {
			if verdicts[i].Passed() != want[c.Key] {
				t.Fatalf("verdict %+v on %s with score %v, limits %v", verdicts[i], c.Key, c.Score, most)
			}
		}
	})
}
