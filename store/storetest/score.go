package storetest

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
)

func scoreTests() tests {
	return tests{
		"what is kept is returned equal (I27)": func(t *testing.T, roles store.Roles) {
			saved := []ceap.CachedScore{
				cached("plain", 0.25),
				{Key: "sure", Value: 1.0 / 3, Confidence: 2.0 / 3, HasConfidence: true, At: noon(), ExpiresAt: noon().Add(time.Hour)},
				{Key: "unsure", Value: 0, Confidence: 0, HasConfidence: true, At: noon().Add(123456 * time.Microsecond), ExpiresAt: noon().Add(time.Hour + 654321*time.Microsecond)},
				cached("tiny", math.SmallestNonzeroFloat64),
				cached("sure of nothing", math.Nextafter(1, 0)),
				cached("é#%\"'\n-😀", 1),
			}
			saveScores(t, roles, "m#1", saved...)
			wantScores(t, roles, "m#1", noon(), saved...)
		},
		"models do not see each other's": func(t *testing.T, roles store.Roles) {
			saveScores(t, roles, "a", cached("k", 0.1))
			saveScores(t, roles, "b", cached("k", 0.2))
			wantScores(t, roles, "a", noon(), cached("k", 0.1))
			wantScores(t, roles, "b", noon(), cached("k", 0.2))
			wantScores(t, roles, "c", noon())
			saveScores(t, roles, "a#k", cached("x", 0.3))
			saveScores(t, roles, "a", cached("k#x", 0.4))
			wantScores(t, roles, "a#k", noon(), cached("x", 0.3))
		},
		"a later answer takes the place of an earlier one": func(t *testing.T, roles store.Roles) {
			sure := cached("k", 0.1)
			sure.Confidence, sure.HasConfidence = 0.5, true
			saveScores(t, roles, "a", sure)
			later := cached("k", 0.9)
			later.At, later.ExpiresAt = noon().Add(time.Minute), noon().Add(2*time.Hour)
			saveScores(t, roles, "a", cached("other", 0.5), cached("k", 0.2), later)
			wantScores(t, roles, "a", noon(), cached("other", 0.5), later)
		},
		"what has expired is missing": func(t *testing.T, roles store.Roles) {
			saveScores(t, roles, "a", cached("k", 0.1))
			expires := cached("k", 0.1).ExpiresAt
			wantScores(t, roles, "a", expires.Add(-time.Microsecond), cached("k", 0.1))
			wantScores(t, roles, "a", expires)
			wantScores(t, roles, "a", expires.Add(time.Hour))
		},
		"many at once, asked for twice": func(t *testing.T, roles store.Roles) {
			var saved []ceap.CachedScore
			var keys []string
			for i := range 2345 {
				score := cached(fmt.Sprintf("key-%d", i), float64(i)/2345)
				saved = append(saved, score)
				keys = append(keys, score.Key, "missing-"+score.Key, score.Key)
			}
			saveScores(t, roles, "a", saved...)
			got, err := roles.Scores.LoadScores(t.Context(), "a", keys, noon())
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "scores", byKey(saved), got)
		},
		"nothing to keep, nothing to load": func(t *testing.T, roles store.Roles) {
			saveScores(t, roles, "a")
			got, err := roles.Scores.LoadScores(t.Context(), "a", nil, noon())
			if err != nil || len(got) != 0 {
				t.Errorf("%v, %v", got, err)
			}
		},
	}
}

// cached is an answer that lives for an hour.
func cached(key string, value float64) ceap.CachedScore {
	return ceap.CachedScore{Key: key, Value: value, At: noon(), ExpiresAt: noon().Add(time.Hour)}
}

func saveScores(t *testing.T, roles store.Roles, modelID string, saved ...ceap.CachedScore) {
	t.Helper()
	if err := roles.Scores.SaveScores(t.Context(), modelID, saved); err != nil {
		t.Fatalf("keeping scores: %v", err)
	}
}

// wantScores asks for the keys that the tests use, and expects no others than want.
func wantScores(t *testing.T, roles store.Roles, modelID string, now time.Time, want ...ceap.CachedScore) {
	t.Helper()
	keys := []string{"k", "x", "other", "plain"}
	for _, score := range want {
		keys = append(keys, score.Key)
	}
	got, err := roles.Scores.LoadScores(t.Context(), modelID, keys, now)
	if err != nil {
		t.Fatalf("loading scores: %v", err)
	}
	equal(t, "scores of "+modelID+" at "+now.Format(time.RFC3339Nano), byKey(want), got)
}

func byKey(scores []ceap.CachedScore) map[string]ceap.CachedScore {
	out := map[string]ceap.CachedScore{}
	for _, score := range scores {
		out[score.Key] = score
	}
	return out
}
