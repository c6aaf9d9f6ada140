package app

import (
	"context"
	"errors"
	"time"

	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/internal/pipeline"
	"github.com/ceap-platform/ceap/internal/program"
	"github.com/ceap-platform/ceap/scorer"
)

// definition opens a program for a run whose clock is asOf; the wall clock if it
// is zero. Its sources keep their checkpoints there. Returns invalid with all that
// is wrong.
func (a *App) definition(p *program.Program, asOf time.Time, marks connector.Checkpoints) (*pipeline.Definition, error) {
	if err := p.Err(); err != nil {
		return nil, err
	}
	if asOf.IsZero() {
		asOf = a.now()
	}
	standIns := map[string]pipeline.StandIn{}
	for id, m := range a.config.Models {
		standIns[id] = pipeline.StandIn{ModelType: m.ModelType, Config: m.Config}
	}
	o := a.options()
	o.Env.Checkpoints = marks
	return pipeline.Open(p, o, standIns, asOf.UTC())
}

// lacks returns what a model needs and does not have (D58); "" if it has all. It
// asks the model about nobody.
func lacks(ctx context.Context, m pipeline.Model) (need string, err error) {
	err = m.Scorer.Score(ctx, nil, nil)
	if missing, ok := errors.AsType[*scorer.NotConfigured](err); ok {
		return missing.Need, nil
	}
	return "", err
}
