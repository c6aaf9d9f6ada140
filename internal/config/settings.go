package config

import (
	"slices"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/plugin"
)

// Settings are the settings of the deployment's plug-ins, with defaults filled
// in. They are not changed, and so are safe for concurrent use.
type Settings map[string]map[string]any

// The kinds of plug-ins that have settings, which are their keys in the file.
const (
	KindConnectors = "connectors"
	KindFilters    = "filters"
	KindScorers    = "scorers"
)

// Of returns the settings of a plug-in by its kind and name, of the type given
// to plugin.Of.WithSettings; nil if it has none.
func (s Settings) Of(kind, name string) any { return s[kind][name] }

// Settings reads the settings of all plug-ins of the set, and says what is wrong
// with what the configuration says of plug-ins: names that are no plug-in's, and
// settings that a plug-in lacks.
func (c *Config) Settings(plugins plugin.Set) (Settings, ceap.Problems) {
	connectors, p1 := settingsOf("connector type", c.Connectors, plugins.Connectors)
	filters, p2 := settingsOf("filter type", c.Filters, plugins.Filters)
	scorers, p3 := settingsOf("model type", c.Scorers, plugins.Scorers)
	problems := slices.Concat(p1, p2, p3)
	problem := func(path string, err error) {
		p := problemOf(err, nil)
		p.File, p.Path = c.File, path
		problems = append(problems, p)
	}
	for _, id := range sortedKeys(c.Models) {
		if _, err := plugin.Lookup(plugins.Scorers, "model type", c.Models[id].ModelType); err != nil {
			problem(plugin.PathKey(plugin.PathKey("models", id), "modelType"), err)
		}
	}
	if _, err := plugin.Lookup(plugins.Stores, "store type", c.Store.Type); err != nil {
		problem("store.type", err)
	}
	return Settings{KindConnectors: connectors, KindFilters: filters, KindScorers: scorers}, problems
}

func settingsOf[T any](what string, given map[string]*plugin.Node, plugins []plugin.Of[T]) (map[string]any, ceap.Problems) {
	out := map[string]any{}
	var problems ceap.Problems
	for _, p := range plugins {
		if p.Settings() != nil {
			out[p.Name()] = p.Settings()
		}
	}
	for _, name := range sortedKeys(given) {
		node := given[name]
		p, err := plugin.Lookup(plugins, what, name)
		if err != nil {
			problems = append(problems, problemOf(err, node))
			continue
		}
		if p.Settings() == nil {
			problems = append(problems, node.Problem("%s %q has no settings", what, p.Name()))
			continue
		}
		settings, wrong := p.DecodeSettings(node)
		problems = append(problems, wrong...)
		out[p.Name()] = settings
	}
	return out, problems
}

// problemOf places an error of a look-up at a node.
func problemOf(err error, node *plugin.Node) ceap.Problem {
	p := node.Problem("%s", err.Error())
	if e, ok := asError(err); ok {
		p.Message, p.Hint = e.Message, e.Hint
		if e.Err != nil {
			p.Message += e.Err.Error()
		}
	}
	return p
}
