// Package filtertest is the conformance suite of filters: every plug-in of kind
// filter runs it, with a few configurations of its own. It also has what tests
// of filters need: candidates, an environment and a fake of customers' wishes.
package filtertest

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/filter"
	"github.com/ceap-platform/ceap/plugin"
)

// AsOf returns the run's clock in the suite.
func AsOf() time.Time { return time.Date(2026, 1, 28, 12, 0, 0, 0, time.UTC) }

// Env returns what a filter of the suite is given. It has no opt-outs; tests
// that need some set OptOuts.
func Env() plugin.Env {
	return plugin.Env{
		Logger:      slog.New(slog.DiscardHandler),
		Now:         AsOf,
		NewID:       func() string { return "id-1" },
		ProgramID:   ProgramID,
		Marketplace: "US",
		ID:          "filter-1",
		AsOf:        AsOf(),
		OptOuts:     OptOuts{},
	}
}

// Open opens the plug-in with a configuration in JSON, "" for the defaults, and
// fails the test if that is not possible.
func Open(tb testing.TB, p plugin.Of[filter.Filter], env plugin.Env, config string) filter.Filter {
	tb.Helper()
	f, err := open(p, env, config)
	if err != nil {
		tb.Fatalf("opening %s with %s: %v", p.Name(), config, err)
	}
	return f
}

func open(p plugin.Of[filter.Filter], env plugin.Env, config string) (filter.Filter, error) {
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
func Problems(tb testing.TB, p plugin.Of[filter.Filter], config string) string {
	tb.Helper()
	_, err := open(p, Env(), config)
	if err == nil {
		tb.Fatalf("%s accepts %s", p.Name(), config)
	}
	return err.Error()
}

// Apply returns the verdicts of the filter on the candidates, and fails the test
// if it breaks.
func Apply(tb testing.TB, f filter.Filter, batch ...*ceap.Candidate) []filter.Verdict {
	tb.Helper()
	verdicts := make([]filter.Verdict, len(batch))
	if err := f.Apply(tb.Context(), batch, verdicts); err != nil {
		tb.Fatalf("Apply: %v", err)
	}
	return verdicts
}

// Run checks that the plug-in keeps the contract of filters, with each of the
// configurations, which are JSON; "" means the defaults.
func Run(t *testing.T, p plugin.Of[filter.Filter], env plugin.Env, configs ...string) {
	t.Helper()
	t.Run("description", func(t *testing.T) {
		if err := (plugin.Set{Filters: []plugin.Of[filter.Filter]{p}}).Check(); err != nil {
			t.Error(err)
		}
		if _, err := open(p, env, `{"noSuchParameter": 1}`); err == nil {
			t.Error("an unknown parameter is accepted")
		}
	})
	if len(configs) == 0 {
		t.Error("no configuration to check the filter with")
	}
	for _, config := range configs {
		t.Run(fmt.Sprintf("with %q", config), func(t *testing.T) {
			f := Open(t, p, env, config)
			batch := Candidates(200)
			for _, c := range checks() {
				t.Run(c.name, func(t *testing.T) {
					if err := c.run(t.Context(), f, batch); err != nil {
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
	run  func(ctx context.Context, f filter.Filter, batch []*ceap.Candidate) error
}
