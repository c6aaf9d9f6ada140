package pipeline

import (
	"fmt"
	"slices"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/filter"
	"github.com/ceap-platform/ceap/internal/program"
	"github.com/ceap-platform/ceap/plugin"
)

// optOutType is the filter that is always on, whether or not the program names
// it.
const optOutType = "opt_out"

// StandIn is a local model that the deployment names for a modelId, to answer in
// place of the program's own (D58).
type StandIn struct {
	ModelType string
	Config    *plugin.Node
}

// Open opens a program for runs whose clock is asOf. StandIns are by modelId. It
// returns all problems at once, as an error of invalid.
func Open(p *program.Program, o program.Options, standIns map[string]StandIn, asOf time.Time) (*Definition, error) {
	o.Env.AsOf = asOf
	parts, err := p.Open(o)
	if err != nil {
		return nil, err
	}
	d := &Definition{
		ProgramID: p.ProgramID, ProgramName: p.Name, Marketplace: p.Marketplace, Hash: p.Hash, Enabled: p.Enabled, Disabled: p.Disabled,
		TTL: p.TTL(), ReopenAfter: p.ReopenAfter(), Zone: p.Timezone, Rules: p.Rules(asOf), MaxErrorRate: p.MaxErrorRate, ExpectRows: p.ExpectRows,
		LeftOut: p.LeftOut(),
	}
	for _, w := range p.Problems.Warnings() {
		w.Warning = false // where they are listed says that they are warnings
		d.Warnings = append(d.Warnings, w.String())
	}
	for _, c := range parts.Connectors {
		d.Sources = append(d.Sources, Source{ID: c.Entry.ID, Connector: c.Plugin})
	}
	hasOptOut := slices.ContainsFunc(parts.Filters, func(f program.Opened[program.Filter, filter.Filter]) bool { return f.Entry.Type == optOutType })
	if !hasOptOut {
		always, err := openOptOut(p, o)
		if err != nil {
			return nil, err
		}
		d.Filters = append(d.Filters, Filter{ID: optOutType, Filter: always})
	}
	for _, f := range parts.Filters {
		d.Filters = append(d.Filters, Filter{ID: f.Entry.ID, Filter: f.Plugin})
	}
	for _, m := range parts.Models {
		model := Model{
			ID: m.Entry.ID, Scorer: m.Plugin, Weight: m.Entry.Weight, Fallback: m.Entry.FallbackScore, Min: m.Entry.Scale.Min, Max: m.Entry.Scale.Max,
		}
		if standIn, ok := standIns[m.Entry.ID]; ok {
			if err := model.standIn(standIn, p, o); err != nil {
				return nil, err
			}
		}
		d.Models = append(d.Models, model)
	}
	return d, nil
}

func openOptOut(p *program.Program, o program.Options) (filter.Filter, error) {
	optOut, err := plugin.Lookup(o.Plugins.Filters, "filter", optOutType)
	if err != nil {
		return nil, fmt.Errorf("opening the filter that is always on: %w", err)
	}
	env := o.Env
	env.ProgramID, env.Marketplace, env.ID = p.ProgramID, p.Marketplace, optOutType
	return optOut.Open(env, nil)
}

// standIn puts the deployment's model in place of the program's. Stand-ins
// answer on the scale 0..1.
func (m *Model) standIn(s StandIn, p *program.Program, o program.Options) error {
	described, err := plugin.Lookup(o.Plugins.Scorers, "model type", s.ModelType)
	if err != nil {
		return fmt.Errorf("opening the stand-in for model %q: %w", m.ID, err)
	}
	env := o.Env
	env.ProgramID, env.Marketplace, env.ID, env.Settings = p.ProgramID, p.Marketplace, m.ID, nil
	if o.Settings != nil {
		env.Settings = o.Settings("scorers", described.Name())
	}
	scorer, err := described.Open(env, s.Config)
	if err != nil {
		return &ceap.Error{Code: ceap.CodeInvalid, Err: fmt.Errorf("opening the stand-in for model %q: %w", m.ID, err), Hint: "mend `models` in ceap.yaml"}
	}
	if m.Fallback != nil {
		fallback, _ := m.normal(*m.Fallback) // loading the program has checked the bounds
		m.Fallback = &fallback
	}
	m.Scorer, m.Min, m.Max = scorer, 0, 1
	m.Note = fmt.Sprintf("answered by the %s model that the deployment names for it", described.Name())
	return nil
}
