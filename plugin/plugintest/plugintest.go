// Package plugintest is what the conformance suites of plug-ins have in common:
// an environment, candidates, opening a plug-in with settings in JSON, and the
// promises of every plug-in that gives each candidate of a batch an answer of
// its own. The suites of filters and of models are built on it.
package plugintest

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/plugin"
)

// AsOf returns the run's clock in the suites.
func AsOf() time.Time { return time.Date(2026, 1, 28, 12, 0, 0, 0, time.UTC) }

// Env returns what a plug-in of a program is given in the suites. It has no
// opt-outs.
func Env() plugin.Env {
	return plugin.Env{
		Logger:      slog.New(slog.DiscardHandler),
		Now:         AsOf,
		NewID:       func() string { return "id-1" },
		ProgramID:   ProgramID,
		Marketplace: "US",
		ID:          "plugin-1",
		AsOf:        AsOf(),
	}
}

// Open opens the plug-in with a configuration in JSON, "" for the defaults, and
// fails the test if that is not possible.
func Open[T any](tb testing.TB, p plugin.Of[T], env plugin.Env, config string) T {
	tb.Helper()
	opened, err := open(p, env, config)
	if err != nil {
		tb.Fatalf("opening %s with %s: %v", p.Name(), config, err)
	}
	return opened
}

func open[T any](p plugin.Of[T], env plugin.Env, config string) (T, error) {
	if config == "" {
		return p.Open(env, nil)
	}
	node, err := plugin.FromJSON("config.json", []byte(config))
	if err != nil {
		var none T
		return none, err
	}
	return p.Open(env, node)
}

// Problems opens the plug-in with a configuration that it refuses, and returns
// its words. It fails the test if the configuration is accepted.
func Problems[T any](tb testing.TB, p plugin.Of[T], config string) string {
	tb.Helper()
	_, err := open(p, Env(), config)
	if err == nil {
		tb.Fatalf("%s accepts %s", p.Name(), config)
	}
	return err.Error()
}

// Check is one promise of a contract, made by one opened plug-in.
type Check struct {
	Name string
	Run  func(ctx context.Context, batch []*ceap.Candidate) error
}

// Suite says how the plug-ins of a kind are checked.
type Suite[T any] struct {
	// Set lists a plug-in as the only one of its kind.
	Set func(plugin.Of[T]) plugin.Set
	// Checks lists the promises of the contract.
	Checks func(opened T) []Check
}

// Run checks the description of the plug-in and, with each of the
// configurations, that it keeps the promises of its contract. Configurations
// are JSON; "" means the defaults.
func (s Suite[T]) Run(t *testing.T, p plugin.Of[T], env plugin.Env, configs ...string) {
	t.Helper()
	t.Run("description", func(t *testing.T) {
		if err := s.Set(p).Check(); err != nil {
			t.Error(err)
		}
		if _, err := open(p, env, `{"noSuchKey": 1}`); err == nil {
			t.Error("an unknown key is accepted")
		}
	})
	if len(configs) == 0 {
		t.Error("no configuration to check the plug-in with")
	}
	for _, config := range configs {
		t.Run(fmt.Sprintf("with %q", config), func(t *testing.T) {
			batch := Candidates(200)
			for _, c := range s.Checks(Open(t, p, env, config)) {
				t.Run(c.Name, func(t *testing.T) {
					if err := c.Run(t.Context(), batch); err != nil {
						t.Error(err)
					}
				})
			}
		})
	}
}

// CheckItself tests the suite: each check refuses the plug-in that breaks its
// promise, given by the name of the check, and none refuses a sound one.
func (s Suite[T]) CheckItself(t *testing.T, sound T, broken map[string]T) {
	t.Helper()
	for _, c := range s.Checks(sound) {
		if err := c.Run(t.Context(), Candidates(50)); err != nil {
			t.Errorf("the check %q refuses a sound plug-in: %v", c.Name, err)
		}
		if _, ok := broken[c.Name]; !ok {
			t.Errorf("no plug-in breaks %q", c.Name)
		}
	}
	for name, opened := range broken {
		found := false
		for _, c := range s.Checks(opened) {
			if c.Name != name {
				continue
			}
			found = true
			if err := c.Run(t.Context(), Candidates(200)); err == nil {
				t.Errorf("the check %q does not notice a plug-in that breaks it", name)
			}
		}
		if !found {
			t.Errorf("there is no check %q", name)
		}
	}
}
