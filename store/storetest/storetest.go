// Package storetest is the conformance suite of stores: what package store
// promises, role by role. A store's test calls [Run].
package storetest

import (
	"testing"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
)

// Open opens an empty store for one test and closes it when the test ends.
type Open func(t *testing.T) store.Roles

// Run runs the suite.
func Run(t *testing.T, open Open) {
	t.Helper()
	groups := []struct {
		name  string
		tests map[string]func(*testing.T, store.Roles)
	}{
		{"Upsert", upsertTests()},
		{"Reopen", reopenTests()},
		{"Find", findTests()},
		{"Close", closeTests()},
		{"OptOuts", optOutTests()},
		{"Programs", programTests()},
		{"Runs", runTests()},
		{"Leases", leaseTests()},
		{"Scores", scoreTests()},
		{"Artifacts", artifactTests()},
	}
	for _, group := range groups {
		t.Run(group.name, func(t *testing.T) {
			t.Parallel()
			for name, test := range group.tests {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					test(t, open(t))
				})
			}
		})
	}
}

// noon is the clock of the suite.
func noon() time.Time { return time.Date(2026, 1, 27, 12, 0, 0, 0, time.UTC) }

// life is the life of the suite's candidates.
const life = 30 * 24 * time.Hour

func candidate(customer, subject string) *ceap.Candidate {
	return &ceap.Candidate{
		Key: ceap.Key{
			CustomerID: customer, ProgramID: "product-reviews", Marketplace: "US", SubjectType: "product", SubjectID: subject,
		},
		EventDate: time.Date(2026, 1, 26, 0, 0, 0, 0, time.UTC),
		Currency:  "USD",
		Channels:  []ceap.ChannelFlag{{Channel: "email", Eligible: true}},
		Meta:      ceap.Meta{ConnectorID: "deliveries", CorrelationID: "corr-1"},
	}
}

// full is a candidate with every field set.
func full() *ceap.Candidate {
	c := candidate("CUST-é#%\"'\n-😀", "PROD-#1%23")
	c.DeliveryDate = time.Date(2026, 1, 25, 10, 30, 0, 123456000, time.UTC)
	c.TimingWindow = "evening"
	c.OrderValue = ceap.Float(49.99)
	c.Currency = "EUR"
	c.MediaEligible = ceap.Bool(false)
	c.Channels = []ceap.ChannelFlag{{Channel: "email", Eligible: true}, {Channel: "push", Eligible: false}, {Channel: "sms", Eligible: true}}
	c.Extra = []ceap.Attribute{
		{Name: "empty", Value: ceap.String("")},
		{Name: "exact", Value: ceap.Decimal("12345678901234567890.10")},
		{Name: "flag", Value: ceap.Bool(true)},
		{Name: "large", Value: ceap.Int(1<<62 + 1)},
		{Name: "none", Value: ceap.Null()},
		{Name: "text", Value: ceap.String("a \"quoted\" \u2028 line\nand 😀")},
		{Name: "zero", Value: ceap.Int(0)},
	}
	c.Scores = []ceap.Score{
		{ModelID: "a", Value: 0.25, Confidence: 0.5, HasConfidence: true, State: ceap.ScoreModel},
		{ModelID: "b", Value: 0.75, State: ceap.ScoreFallback, Reason: ceap.ReasonModelError},
		{ModelID: "c", State: ceap.ScoreUnscored, Reason: ceap.ReasonModelNotConfigured},
	}
	c.Score, c.Scored = 1.0/3, true
	return c
}

func options(runID string) store.UpsertOptions {
	return store.UpsertOptions{RunID: runID, Now: noon(), TTL: life}
}

// upsert writes candidates and returns the outcome of each, with its code.
func upsert(t *testing.T, roles store.Roles, opts store.UpsertOptions, batch ...*ceap.Candidate) []string {
	t.Helper()
	for _, c := range batch {
		c.Meta.RunID = opts.RunID
	}
	results, err := roles.Candidates.Upsert(t.Context(), batch, opts)
	if err != nil {
		t.Fatalf("upserting: %v", err)
	}
	if len(results) != len(batch) {
		t.Fatalf("%d results for %d candidates", len(results), len(batch))
	}
	var out []string
	for _, r := range results {
		s := string(r.Kind)
		if r.Code != "" {
			s += " " + r.Code
		}
		if (r.Code == "") != (r.Reason == "") {
			t.Errorf("a result has a code or a reason but not both: %+v", r)
		}
		out = append(out, s)
	}
	return out
}

func get(t *testing.T, roles store.Roles, key ceap.Key) ceap.Candidate {
	t.Helper()
	c, err := roles.Candidates.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("getting %s: %v", key, err)
	}
	return c
}

func wantCode(t *testing.T, err error, want ceap.Code) {
	t.Helper()
	if got := ceap.ErrorCode(err); got != want {
		t.Errorf("error %v has code %q, want %q", err, got, want)
	}
}
