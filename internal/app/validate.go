package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/filter"
	"github.com/ceap-platform/ceap/internal/pipeline"
	"github.com/ceap-platform/ceap/internal/program"
)

// Validation says how well one program is fit to run for one marketplace.
type Validation struct {
	File        string             `json:"file,omitempty"`
	ProgramID   string             `json:"programId,omitempty"`
	Marketplace string             `json:"marketplace,omitempty"` // "" if the document gives no program, or is a base item
	Problems    ceap.Problems      `json:"problems"`
	Plan        []PlanStep         `json:"plan"`
	Fields      []ceap.MappingNote `json:"fields"`
	// Unchecked says, per connector, why its fields cannot be told yet.
	Unchecked []string `json:"unchecked"`
	// Effective is the document as it is for the marketplace; nil if it is broken.
	Effective []byte `json:"-"`
}

// PlanStep is one step of a run.
type PlanStep struct {
	Step string `json:"step"` // such as "filter trust", "score review-propensity"
	Note string `json:"note,omitempty"`
}

// Valid reports whether the program can run.
func (v *Validation) Valid() bool { return len(v.Problems.Errors()) == 0 }

// Validate looks at programs, each named by its file or id, or at all files of
// the programs folder without names. It stores nothing and reads no rows, but
// asks sources for their columns. An error means that something could not be
// looked at; what is wrong with programs stands in the validations.
func (a *App) Validate(ctx context.Context, names []string) ([]Validation, error) {
	loaded, err := a.toValidate(ctx, names)
	if err != nil {
		return nil, err
	}
	out := []Validation{}
	owner := map[string]string{}
	for _, l := range loaded {
		if len(l.Programs) == 0 {
			out = append(out, Validation{File: l.file, ProgramID: l.ProgramID, Problems: nonNil(l.Problems), Plan: []PlanStep{}, Fields: []ceap.MappingNote{}, Unchecked: []string{}})
			continue
		}
		for _, p := range l.Programs {
			v := a.validate(ctx, p)
			v.File = l.file
			key := p.ProgramID + "\x00" + p.Marketplace
			if first, twice := owner[key]; twice && first != l.file {
				v.Problems = append(v.Problems, ceap.Problem{
					Position: p.Source, Path: "programId", Message: fmt.Sprintf("program %q for %s stands in %s too", p.ProgramID, p.Marketplace, first),
					Hint: "remove one of the two",
				})
			}
			owner[key] = l.file
			out = append(out, v)
		}
	}
	return out, nil
}

// namedProgram is a program with where it was found.
type namedProgram struct {
	file string
	program.Loaded
}

func (a *App) toValidate(ctx context.Context, names []string) ([]namedProgram, error) {
	var out []namedProgram
	for _, name := range names {
		found, err := a.findProgram(ctx, name)
		if err != nil {
			return nil, err
		}
		out = append(out, namedProgram{a.originOf(name, found), found})
	}
	if len(names) > 0 {
		return out, nil
	}
	files, err := a.programFiles()
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		out = append(out, namedProgram{a.config.Shown(file.name), file.Loaded})
	}
	if len(out) == 0 {
		return nil, ceap.Errorf(ceap.CodeNotFound, "there are no programs in %s", a.config.Shown(a.config.Programs)).
			WithHint("put a program file there, name one, or create a project with `ceap init`")
	}
	return out, nil
}

// originOf returns the file in which the program was found, or its name.
func (a *App) originOf(name string, found program.Loaded) string {
	for _, p := range found.Programs {
		if p.Source.File != "" {
			return p.Source.File
		}
	}
	for _, problem := range found.Problems {
		if problem.File != "" {
			return problem.File
		}
	}
	if filepath.Ext(name) != "" {
		return a.config.Shown(name)
	}
	return name
}

// validate looks at one program.
func (a *App) validate(ctx context.Context, p *program.Program) Validation {
	v := Validation{
		ProgramID: p.ProgramID, Marketplace: p.Marketplace, Problems: nonNil(p.Problems), Plan: []PlanStep{},
		Fields: []ceap.MappingNote{}, Unchecked: []string{}, Effective: p.Document,
	}
	if !v.Valid() {
		v.Unchecked = append(v.Unchecked, "the program has errors")
		return v
	}
	if p.Schedule != "" && !a.onStage() {
		v.Problems = append(v.Problems, ceap.Problem{
			Position: p.Source, Path: "batchSchedule", Warning: true, Message: "schedules run on AWS only",
			Hint: fmt.Sprintf("push the program to a stage with `ceap program push %s`, or let your own scheduler call `ceap run`", p.ProgramID),
		})
	}
	d, err := a.definition(p, a.now(), checkpoints{a})
	if err == nil {
		v.Plan, err = planOf(d)
	}
	if err != nil {
		v.Problems = append(v.Problems, problemsOf(err, p.Source)...)
		return v
	}
	for _, m := range d.Models {
		if need, err := lacks(ctx, m); err == nil && need != "" {
			v.Problems = append(v.Problems, ceap.Problem{
				Position: modelPlace(p, m.ID), Path: fmt.Sprintf("model %q", m.ID), Warning: true,
				Message: ceap.ReasonModelNotConfigured + ": candidates stay without its score", Hint: need,
			})
		}
	}
	for _, source := range d.Sources {
		notes, warnings, err := a.fields(ctx, p, source)
		v.Fields = append(v.Fields, notes...)
		for _, w := range warnings {
			v.Problems = append(v.Problems, ceap.Problem{Position: p.Source, Path: "connector " + source.ID, Message: w, Warning: true})
		}
		var unchecked *uncheckedError
		switch {
		case errors.As(err, &unchecked):
			v.Unchecked = append(v.Unchecked, fmt.Sprintf("connector %q: %s", source.ID, unchecked.reason))
		case err != nil:
			v.Problems = append(v.Problems, problemsOf(fmt.Errorf("connector %q: %w", source.ID, err), p.Source)...)
		}
	}
	return v
}

// onStage reports whether the App works on a stage on AWS rather than here.
func (a *App) onStage() bool { return a.config.Store.Type == "dynamodb" }

// modelPlace returns where the program names the model.
func modelPlace(p *program.Program, id string) ceap.Position {
	for _, m := range p.Models {
		if m.ID == id && m.Node != nil {
			return m.Node.Pos
		}
	}
	return p.Source
}

// uncheckedError says why fields cannot be told without being wrong.
type uncheckedError struct{ reason string }

// Error returns the reason.
func (e *uncheckedError) Error() string { return e.reason }

// fields says where a connector's fields come from, without reading rows.
func (a *App) fields(ctx context.Context, p *program.Program, source pipeline.Source) ([]ceap.MappingNote, []string, error) {
	describer, ok := source.Connector.(connector.Describer)
	if !ok {
		return nil, nil, &uncheckedError{"its columns are known only once it is read"}
	}
	req := a.request(p, source.ID)
	columns, err := describer.Describe(ctx, req)
	if err != nil {
		return nil, nil, &uncheckedError{err.Error()}
	}
	transform, err := source.Connector.Transform(columns, req)
	if err != nil {
		return nil, nil, err
	}
	resolution := transform.Resolution()
	return resolution.Notes, resolution.Warnings, nil
}

// request is what a connector is asked outside of a run: for today's rows.
func (a *App) request(p *program.Program, connectorID string) connector.Request {
	now := a.now().UTC()
	today := ceap.DateOf(now)
	return connector.Request{
		ProgramID: p.ProgramID, Marketplace: p.Marketplace, ConnectorID: connectorID, AsOf: now, Zone: p.Timezone,
		Rules: p.Rules(now), Range: ceap.DateRange{Start: today.AddDays(-1), End: today},
	}
}

// planOf returns the steps of a run in words.
func planOf(d *pipeline.Definition) ([]PlanStep, error) {
	stages, err := pipeline.NewStages(d)
	if err != nil {
		return []PlanStep{}, err
	}
	var out []PlanStep
	for _, source := range d.Sources {
		out = append(out, PlanStep{Step: "extract " + source.ID})
	}
	scored := false
	for _, step := range stages.Plan() {
		planned := PlanStep{Step: string(step.Kind) + " " + step.Name}
		switch {
		case step.Kind == pipeline.StepScore:
			scored = true
			planned.Step = "score"
			for _, m := range d.Models {
				planned.Step += " " + m.ID
			}
		case step.Kind == pipeline.StepRank:
			planned.Note = "compares all candidates of the run"
		case scored && !readsScores(step.Filter):
			planned.Note = "could stand before the filters that read scores: then fewer candidates are scored"
		}
		out = append(out, planned)
	}
	return append(out, PlanStep{Step: "store"}), nil
}

func readsScores(f filter.Filter) bool {
	r, ok := f.(filter.ScoreReader)
	return ok && len(r.ReadsScores()) > 0
}

// problemsOf returns an error as problems; one that knows no place gets at.
func problemsOf(err error, at ceap.Position) ceap.Problems {
	var problems ceap.Problems
	if errors.As(err, &problems) {
		return problems
	}
	p := ceap.Problem{Position: at, Message: err.Error()}
	if e, ok := errors.AsType[*ceap.Error](err); ok {
		p.Path = e.Field
	}
	return ceap.Problems{p}
}

func nonNil(problems ceap.Problems) ceap.Problems { return append(ceap.Problems{}, problems...) }
