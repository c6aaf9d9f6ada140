// Package plugin describes plug-ins: what a connector, filter, model or store is
// called, which settings it has, and how it is opened. It also decodes those
// settings, strictly. Nothing registers itself: a [Set] lists what a binary
// contains, and package builtin makes the set that ships.
//
// Everything here is immutable once made, and safe for concurrent use.
package plugin

import (
	"log/slog"
	"reflect"
	"slices"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/filter"
	"github.com/ceap-platform/ceap/scorer"
	"github.com/ceap-platform/ceap/store"
)

// Env is what a plug-in is given when it is opened. Plug-ins fetch none of this
// themselves.
type Env struct {
	Logger *slog.Logger
	Now    func() time.Time // the wall clock
	NewID  func() string
	Dir    string // the deployment's folder, absolute; relative paths are resolved against it

	// Settings holds the deployment's settings of this plug-in, of the type given
	// to [Of.WithSettings], with defaults filled in.
	Settings any

	// For plug-ins of a program; zero for stores.
	ProgramID   string
	Marketplace string
	ID          string    // connectorId, filterId or modelId
	AsOf        time.Time // the run's clock: what rules take for now
	OptOuts     filter.OptOuts
	Scores      scorer.Cache          // nil where nothing is kept
	Checkpoints connector.Checkpoints // nil where nothing is kept
}

// Of describes a plug-in that opens a T.
type Of[T any] struct {
	name     string
	aliases  []string
	summary  string
	config   any // the default configuration, a struct
	settings any // the default deployment settings, a struct, or nil
	wrong    func(settings any) ceap.Problems
	open     func(Env, *Node) (T, error)
}

// Define describes a plug-in. The name is what users write, such as
// "data-warehouse". The default configuration def is a struct whose fields have
// json tags; the user's values are decoded over a copy of it, strictly. If C or
// *C has a method Validate() ceap.Problems, it is called after decoding; its
// paths are relative to the configuration.
//
// open checks whatever else can be wrong (expressions, patterns) and returns
// [ceap.Problems] for it. It has no effects: no file, network or goroutine
// before the first use of what it returns. Stores are the exception.
func Define[T, C any](name, summary string, def C, open func(Env, C) (T, error)) Of[T] {
	return Of[T]{
		name: name, summary: summary, config: def,
		open: func(env Env, node *Node) (T, error) {
			config, problems := decodeConfig(node, def)
			if len(problems) > 0 {
				var none T
				return none, problems
			}
			t, err := open(env, config)
			return t, located(err, node)
		},
	}
}

// WithAliases returns the description with further names for the plug-in.
func (p Of[T]) WithAliases(names ...string) Of[T] {
	p.aliases = append(slices.Clone(p.aliases), names...)
	return p
}

// WithSettings returns the description with deployment settings, whose default
// def is a struct with json tags. They stand in ceap.yaml under the plug-in's
// kind and name, such as connectors.data-warehouse.
func (p Of[T]) WithSettings(def any) Of[T] {
	p.settings = def
	return p
}

// WithSettingsCheck returns the description with a check of the deployment's
// settings, which have the type given to WithSettings. The paths of its problems
// are relative to the settings.
func (p Of[T]) WithSettingsCheck(check func(settings any) ceap.Problems) Of[T] {
	p.wrong = check
	return p
}

// Name returns what users write.
func (p Of[T]) Name() string { return p.name }

// Names returns the name and the aliases.
func (p Of[T]) Names() []string { return append([]string{p.name}, p.aliases...) }

// Summary says in a few words what the plug-in does.
func (p Of[T]) Summary() string { return p.summary }

// Config returns the default configuration.
func (p Of[T]) Config() any { return p.config }

// Settings returns the default deployment settings, or nil if it has none.
func (p Of[T]) Settings() any { return p.settings }

// DecodeSettings reads the deployment's settings over a copy of the defaults,
// strictly, and then checks them. All problems come at once, with their places.
func (p Of[T]) DecodeSettings(node *Node) (any, ceap.Problems) {
	v := reflect.New(reflect.TypeOf(p.settings))
	v.Elem().Set(reflect.ValueOf(p.settings))
	problems := Decode(node, v.Interface())
	settings := v.Elem().Interface()
	if p.wrong != nil && len(problems.Errors()) == 0 {
		problems = append(problems, locateAll(p.wrong(settings), node)...)
	}
	return settings, problems
}

// Open decodes the configuration, which may be nil for the defaults, and opens
// the plug-in. Problems of the configuration are returned as [ceap.Problems],
// all at once, with their places in the file.
func (p Of[T]) Open(env Env, config *Node) (T, error) {
	if env.Settings == nil {
		env.Settings = p.settings
	}
	return p.open(env, config)
}

// Set lists the plug-ins of a binary.
type Set struct {
	Connectors []Of[connector.Connector]
	Filters    []Of[filter.Filter]
	Scorers    []Of[scorer.Scorer]
	Stores     []Of[store.Roles]
}

// With returns the set with further connectors. Add other kinds by appending to
// the fields.
func (s Set) With(connectors ...Of[connector.Connector]) Set {
	s.Connectors = append(slices.Clone(s.Connectors), connectors...)
	return s
}

// Lookup returns the plug-in of that name or alias. Without one it returns an
// error of [ceap.CodeInvalid] that names the nearest and all known names.
func Lookup[T any](plugins []Of[T], kind, name string) (Of[T], error) {
	var known []string
	for _, p := range plugins {
		if slices.Contains(p.Names(), name) {
			return p, nil
		}
		known = append(known, p.name)
	}
	return Of[T]{}, UnknownName(kind, name, known)
}
