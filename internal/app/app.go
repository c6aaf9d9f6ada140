// Package app is the composition root: it opens the store, hands clock, ids and
// logger to every room, and offers what people and programs may ask of CEAP as
// methods of [App]. Front doors turn requests into calls of them, and answers
// into text; they decide nothing.
package app

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/config"
	"github.com/ceap-platform/ceap/plugin"
	"github.com/ceap-platform/ceap/store"
)

// Deps are what an App is given from outside. Fields that are nil get the
// machine's own.
type Deps struct {
	Logger *slog.Logger     // Default: discards everything.
	Now    func() time.Time // Default: the wall clock.
	NewID  func() string    // unique ids that grow with time. Default: UUIDs of version 7.

	SortMemory int // see pipeline.Runner
}

// App is a deployment of CEAP. It is safe for concurrent use.
type App struct {
	config   *config.Config
	settings config.Settings
	plugins  plugin.Set
	log      *slog.Logger
	now      func() time.Time
	newID    func() string
	sortMem  int

	mu    sync.Mutex
	roles *store.Roles // opened on first use; nil before
}

// New returns the App of a configuration and the plug-ins of the binary. It
// touches neither files nor network; the store is opened when it is first
// needed. Returns invalid if the configuration names plug-ins or settings that
// do not exist, all at once.
func New(_ context.Context, c *config.Config, plugins plugin.Set, deps Deps) (*App, error) {
	settings, problems := c.Settings(plugins)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	a := &App{config: c, settings: settings, plugins: plugins, log: deps.Logger, now: deps.Now, newID: deps.NewID, sortMem: deps.SortMemory}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.now == nil {
		a.now = time.Now
	}
	if a.newID == nil {
		a.newID = func() string { return uuid.Must(uuid.NewV7()).String() }
	}
	return a, nil
}

// Close releases what the App holds. It may be called more than once; no method
// may be called after it.
func (a *App) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.roles == nil {
		return nil
	}
	closing := a.roles.Close
	a.roles = nil
	return closing()
}

// Now returns the time by the App's clock.
func (a *App) Now() time.Time { return a.now() }

// Settings returns the effective settings of the plug-ins.
func (a *App) Settings() config.Settings { return a.settings }

// store returns the roles of the deployment's store, which it opens if nobody
// has.
func (a *App) store() (*store.Roles, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.roles != nil {
		return a.roles, nil
	}
	p, err := plugin.Lookup(a.plugins.Stores, "store type", a.config.Store.Type)
	if err != nil {
		return nil, err
	}
	roles, err := p.Open(a.env(), a.config.Store.Settings)
	if err != nil {
		return nil, fmt.Errorf("opening the store: %w", err)
	}
	a.roles = &roles
	return a.roles, nil
}

// env is what plug-ins are given.
func (a *App) env() plugin.Env {
	return plugin.Env{Logger: a.log, Now: a.now, NewID: a.newID, Dir: a.config.Dir, OptOuts: lazyOptOuts{a}, Scores: lazyScores{a}}
}

// lazyScores opens the store when a model first asks.
type lazyScores struct{ app *App }

// LoadScores returns what the store has kept.
func (l lazyScores) LoadScores(ctx context.Context, modelID string, keys []string, now time.Time) (map[string]ceap.CachedScore, error) {
	roles, err := l.app.store()
	if err != nil {
		return nil, err
	}
	return roles.Scores.LoadScores(ctx, modelID, keys, now)
}

// SaveScores keeps scores in the store.
func (l lazyScores) SaveScores(ctx context.Context, modelID string, scores []ceap.CachedScore) error {
	roles, err := l.app.store()
	if err != nil {
		return err
	}
	return roles.Scores.SaveScores(ctx, modelID, scores)
}

// lazyOptOuts opens the store when a filter first asks, so that looking at a
// program leaves no store behind.
type lazyOptOuts struct{ app *App }

// OptOutsOf returns what the store's opt-outs say.
func (l lazyOptOuts) OptOutsOf(ctx context.Context, customerIDs []string) (map[string][]ceap.OptOut, error) {
	roles, err := l.app.store()
	if err != nil {
		return nil, err
	}
	return roles.OptOuts.OptOutsOf(ctx, customerIDs)
}
