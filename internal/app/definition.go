package app

import (
	"slices"
	"strings"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/pipeline"
	"github.com/ceap-platform/ceap/internal/program"
)

// definition opens a program for a run whose clock is asOf; the wall clock if it
// is zero. Returns invalid with all that is wrong.
func (a *App) definition(p *program.Program, asOf time.Time) (*pipeline.Definition, error) {
	if err := p.Err(); err != nil {
		return nil, err
	}
	if asOf.IsZero() {
		asOf = a.now()
	}
	asOf = asOf.UTC()
	o := a.options()
	o.Env.AsOf = asOf
	p = a.standIns(p)
	parts, err := p.Open(o)
	if err != nil {
		return nil, err
	}
	d := &pipeline.Definition{
		ProgramID: p.ProgramID, ProgramName: p.Name, Marketplace: p.Marketplace, Hash: p.Hash, Enabled: p.Enabled,
		TTL: p.TTL(), ReopenAfter: p.ReopenAfter(), Zone: p.Timezone, Rules: p.Rules(asOf), MaxErrorRate: p.MaxErrorRate,
		ExpectRows: p.ExpectRows, LeftOut: p.LeftOut(),
	}
	for _, problem := range p.Problems.Warnings() {
		d.Warnings = append(d.Warnings, problem.String())
	}
	for _, c := range parts.Connectors {
		d.Sources = append(d.Sources, pipeline.Source{ID: c.Entry.ID, Connector: c.Plugin})
	}
	for _, f := range parts.Filters {
		d.Filters = append(d.Filters, pipeline.Filter{ID: f.Entry.ID, Filter: f.Plugin})
	}
	for _, m := range parts.Models {
		e := m.Entry
		d.Models = append(d.Models, pipeline.Model{
			ID: e.ID, Scorer: m.Plugin, Weight: e.Weight, Fallback: e.FallbackScore, Min: e.Scale.Min, Max: e.Scale.Max,
		})
	}
	return d, nil
}

// standIns returns the program with the models that the deployment answers for
// in place of its own (D58), without the warnings about those.
func (a *App) standIns(p *program.Program) *program.Program {
	own := *p
	own.Models = slices.Clone(p.Models)
	for i, m := range own.Models {
		standIn, ok := a.config.Models[m.ID]
		if !ok {
			continue
		}
		own.Problems = slices.DeleteFunc(slices.Clone(own.Problems), func(problem ceap.Problem) bool {
			return problem.Warning && m.Node != nil && (problem.Path == m.Node.Path || strings.HasPrefix(problem.Path, m.Node.Path+"."))
		})
		own.Models[i].Type, own.Models[i].Config = standIn.ModelType, standIn.Config
		own.Models[i].Scale = program.Scale{Min: 0, Max: 1}
	}
	return &own
}
