// Package scorertest is the conformance suite of models: every plug-in of kind
// scorer runs it, with a few configurations of its own. It also has what tests
// of models need: candidates and an environment.
package scorertest

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/plugin"
	"github.com/ceap-platform/ceap/scorer"
)

// AsOf returns the run's clock in the suite.
func AsOf() time.Time { return time.Date(2026, 1, 28, 12, 0, 0, 0, time.UTC) }

// Env returns what a model of the suite is given.
func Env() plugin.Env {
	return plugin.Env{
		Logger:      slog.New(slog.DiscardHandler),
		Now:         AsOf,
		NewID:       func() string { return "id-1" },
		ProgramID:   ProgramID,
		Marketplace: "US",
		ID:          "model-1",
		AsOf:        AsOf(),
	}
}

// Open opens the plug-in with a configuration in JSON, "" for the defaults, and
// fails the test if that is not possible.
func Open(tb testing.TB, p plugin.Of[scorer.Scorer], env plugin.Env, config string) scorer.Scorer {
	tb.Helper()
	s, err := open(p, env, config)
	if err != nil {
		tb.Fatalf("opening %s with %s: %v", p.Name(), config, err)
	}
	return s
}

func open(p plugin.Of[scorer.Scorer], env plugin.Env, config string) (scorer.Scorer, error) {
	if config == "" {
		return p.Open(env, nil)
	}
	node, err := plugin.FromJSON("config.json", []byte(config))
	if err != nil {
		return nil, err
	}
	return p.Open(env, node)
}

// Problems opens the plug-in with a configuration that it refuses, and returns
// its words. It fails the test if the configuration is accepted.
func Problems(tb testing.TB, p plugin.Of[scorer.Scorer], config string) string {
	tb.Helper()
	_, err := open(p, Env(), config)
	if err == nil {
		tb.Fatalf("%s accepts %s", p.Name(), config)
	}
	return err.Error()
}

// Score returns the results of the model for the candidates, and fails the test
// if it does not answer.
func Score(tb testing.TB, s scorer.Scorer, batch ...*ceap.Candidate) []scorer.Result {
	tb.Helper()
	results := make([]scorer.Result, len(batch))
	if err := s.Score(tb.Context(), batch, results); err != nil {
		tb.Fatalf("Score: %v", err)
	}
	return results
}

// Run checks that the plug-in keeps the contract of models, with each of the
// configurations, which are JSON; "" means the defaults. A model may answer
// [scorer.NotConfigured], but then always and in the same words.
func Run(t *testing.T, p plugin.Of[scorer.Scorer], env plugin.Env, configs ...string) {
	t.Helper()
	t.Run("description", func(t *testing.T) {
		if err := (plugin.Set{Scorers: []plugin.Of[scorer.Scorer]{p}}).Check(); err != nil {
			t.Error(err)
		}
		if _, err := open(p, env, `{"noSuchSetting": 1}`); err == nil {
			t.Error("an unknown setting is accepted")
		}
	})
	if len(configs) == 0 {
		t.Error("no configuration to check the model with")
	}
	for _, config := range configs {
		t.Run(fmt.Sprintf("with %q", config), func(t *testing.T) {
			s := Open(t, p, env, config)
			batch := Candidates(200)
			for _, c := range checks() {
				t.Run(c.name, func(t *testing.T) {
					if err := c.run(t.Context(), s, batch); err != nil {
						t.Error(err)
					}
				})
			}
		})
	}
}

// check is one promise of the contract.
type check struct {
	name string
	run  func(ctx context.Context, s scorer.Scorer, batch []*ceap.Candidate) error
}
