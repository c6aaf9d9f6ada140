package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/internal/pipeline"
	"github.com/ceap-platform/ceap/internal/program"
	"github.com/ceap-platform/ceap/internal/stage"
	"github.com/ceap-platform/ceap/store"
)

// Cost is what a part of a smoke test may cost.
type Cost struct {
	What string  `json:"what"`
	USD  float64 `json:"usd"` // at most, by the list prices of us-east-1
}

// List prices of us-east-1, in USD. Check before relying.
const (
	priceQuery      = 5e-12 * 10e6 // Athena charges a query for at least 10 MB
	priceTransition = 25e-6        // of a state machine
	priceGBSecond   = 13.34e-6     // of a function
	priceWrite      = 0.625e-6     // of a table
	pricePut        = 5e-6         // of a bucket
)

// smokeRows is how many rows a smoke test stores.
const smokeRows = 3

// Smoke says how a stage is tried out.
type Smoke struct {
	Write bool // also run a program of its own
	// Pause waits between two looks at the run, and returns early when ctx ends.
	Pause func(ctx context.Context, d time.Duration)
}

// SmokeCosts returns what [App.SmokeStage] costs, at most. Programs that cannot be
// read cost nothing: their queries are not planned.
func (a *App) SmokeCosts(ctx context.Context, o Smoke) []Cost {
	programs, _ := a.programsOnStage(ctx) // the test says why
	queries := 0
	for _, p := range programs {
		queries += len(a.queryPlacesOf(p))
	}
	out := []Cost{{fmt.Sprintf("Athena, queries that return no rows: %d", queries), float64(queries) * priceQuery}}
	if o.Write {
		out = append(out,
			Cost{"Athena, the query of a run", priceQuery},
			Cost{"Step Functions, 40 transitions", 40 * priceTransition},
			Cost{"Lambda, 12 calls of 3 s with 1,769 MB", 12 * 3 * 1.728 * priceGBSecond},
			Cost{"DynamoDB, 100 writes", 100 * priceWrite},
			Cost{"S3, 100 writes", 100 * pricePut},
		)
	}
	return out
}

// SmokeStage is [App.DoctorStage], and asks the source of each stored program for
// its columns, which plans its query and reads no rows. With Write it also runs a
// program of its own with three rows through the state machine, looks at what it
// stored, and removes it; the record of the run, and the marks of what was removed,
// go by their age.
func (a *App) SmokeStage(ctx context.Context, s *stage.Stage, o Smoke) (StageDiagnosis, error) {
	d, err := a.DoctorStage(ctx, s)
	if err != nil {
		return d, err
	}
	// Programs that cannot be read are a check of the doctor's.
	if programs, err := a.programsOnStage(ctx); err == nil {
		for _, p := range programs {
			d.add(a.queryChecks(ctx, p)...)
		}
		if o.Write {
			d.add(a.smokeRun(ctx, s, programs, o.Pause)...)
		}
	}
	if ctx.Err() != nil {
		return StageDiagnosis{}, ceap.Errorf(ceap.CodeCancelled, "looking at the stage: %w", ctx.Err())
	}
	return d, nil
}

// queryChecks asks the sources of a program for their columns.
func (a *App) queryChecks(ctx context.Context, p *program.Program) []connector.Check {
	if p.Err() != nil {
		return nil // another check says so
	}
	d, err := a.definition(p, a.now(), checkpoints{a})
	if err != nil {
		return []connector.Check{checkOf("query of "+p.ProgramID+", "+p.Marketplace, err)}
	}
	var out []connector.Check
	for _, source := range d.Sources {
		name := fmt.Sprintf("query of %s, %s: %s", p.ProgramID, p.Marketplace, source.ID)
		notes, _, err := a.fields(ctx, p, source)
		if err != nil {
			out = append(out, checkOf(name, err))
			continue
		}
		out = append(out, requiredFields(name, notes))
	}
	return out
}

// smoke is a run of a program of its own.
type smoke struct {
	app     *App
	program *program.Program
	rows    []ceap.Key
	result  ceap.RunResult
}

// smokeRun runs the program, looks at what came of it, and removes it.
func (a *App) smokeRun(ctx context.Context, s *stage.Stage, programs []*program.Program, pause func(context.Context, time.Duration)) []connector.Check {
	t, err := a.newSmoke(ctx, programs)
	if err != nil {
		return []connector.Check{checkOf("write: program", err)}
	}
	// What was made is removed, also when the user has stopped the rest.
	checks := t.run(ctx, s, pause)
	return append(checks, t.remove(context.WithoutCancel(ctx)))
}

// newSmoke stores a program whose query is of values only. Its place of results is
// that of a program of the stage, which is known to be one.
func (a *App) newSmoke(ctx context.Context, programs []*program.Program) (*smoke, error) {
	place, database := queryPlace{}, "default"
	for _, p := range programs {
		if places := a.queryPlacesOf(p); len(places) > 0 {
			place = places[0]
			for _, c := range p.Connectors {
				if v := c.Config.Get("database"); v != nil {
					database = v.Text
				}
			}
			break
		}
	}
	id := "ceap-smoke-" + a.newID()
	day := ceap.DateOf(a.now().UTC())
	source := map[string]any{
		"database": database,
		"query": fmt.Sprintf(`SELECT customer_id, subject_type, subject_id, event_date
FROM (VALUES ('%[1]s-1', 'product', 'P-1', '%[2]s'), ('%[1]s-2', 'product', 'P-2', '%[2]s'), ('%[1]s-3', 'product', 'P-3', '%[2]s'))
  AS t (customer_id, subject_type, subject_id, event_date)
WHERE event_date BETWEEN '{startDate}' AND '{endDate}'`, id, day),
	}
	if place.workGroup != "" {
		source["workGroup"] = place.workGroup
	}
	if place.resultsBucket != "" {
		source["resultsBucket"] = place.resultsBucket
	}
	document, err := json.Marshal(map[string]any{
		"programId": id, "programName": "CEAP smoke test", "marketplace": "US", "candidateTTLDays": 1,
		"dataConnectors": []any{map[string]any{"connectorId": "values", "connectorType": warehouseType, "sourceConfig": source}},
		"filterChain":    map[string]any{"filters": []any{}}, "scoringModels": []any{}, "channels": []any{},
	})
	if err != nil {
		return nil, fmt.Errorf("encoding a program: %w", err)
	}
	p, err := program.Load(id, document, a.options()).Program("US")
	if err != nil {
		return nil, err
	}
	t := &smoke{app: a, program: p}
	for i := range smokeRows {
		t.rows = append(t.rows, ceap.Key{
			CustomerID: fmt.Sprintf("%s-%d", id, i+1), ProgramID: id, Marketplace: "US", SubjectType: "product", SubjectID: fmt.Sprintf("P-%d", i+1),
		})
	}
	roles, err := a.store()
	if err != nil {
		return nil, err
	}
	return t, roles.Programs.Put(ctx, p.Item(a.now().UTC()))
}

// run runs the program, and says whether its rows were stored.
func (t *smoke) run(ctx context.Context, s *stage.Stage, pause func(context.Context, time.Duration)) []connector.Check {
	day := ceap.DateOf(t.app.now().UTC())
	in := ceap.RunInput{ProgramID: t.program.ProgramID, Marketplace: "US", BatchID: "smoke", DateRange: &ceap.DateRange{Start: day.AddDays(-1), End: day}}
	var err error
	t.result, err = t.app.RunOnStage(ctx, s, RunRequest{Input: pipeline.Input{RunInput: in}}, &pipeline.Meter{}, pause)
	if err != nil {
		return []connector.Check{checkOf("write: run", err)}
	}
	check := connector.Check{Name: "write: run", Status: connector.CheckOK, Detail: fmt.Sprintf("%s, %d rows stored in %d ms", t.result.Status, t.result.Counts.Stored, t.result.DurationMs)}
	if c := t.result.Counts; t.result.Status != ceap.RunSucceeded || c.Extracted != smokeRows || c.Created != smokeRows {
		check.Status, check.Detail = connector.CheckFailed, fmt.Sprintf("%s, %d of %d rows stored; %s", t.result.Status, c.Created, smokeRows, cmp.Or(t.result.Message, "no reason is given"))
	}
	return []connector.Check{check, t.candidates(ctx)}
}

// candidates looks for what the run has stored.
func (t *smoke) candidates(ctx context.Context) connector.Check {
	const name = "write: candidates"
	roles, err := t.app.store()
	if err != nil {
		return checkOf(name, err)
	}
	for _, key := range t.rows {
		if _, err := roles.Candidates.Get(ctx, key); err != nil {
			return checkOf(name, err)
		}
	}
	return connector.Check{Name: name, Status: connector.CheckOK, Detail: fmt.Sprintf("all %d are there", smokeRows)}
}

// remove removes what the test made.
func (t *smoke) remove(ctx context.Context) connector.Check {
	const name = "write: cleaned up"
	roles, err := t.app.store()
	if err != nil {
		return checkOf(name, err)
	}
	errs := []error{roles.Programs.Delete(ctx, t.program.ProgramID, t.program.Marketplace)}
	for _, key := range t.rows {
		err := roles.Candidates.Close(ctx, key, store.Closing{Status: ceap.StatusDeleted, At: t.app.now().UTC()})
		if ceap.ErrorCode(err) != ceap.CodeNotFound {
			errs = append(errs, err)
		}
	}
	if t.result.RunID != "" {
		errs = append(errs, roles.Artifacts.Remove(ctx, "runs/"+t.result.RunID+"/"))
	}
	if err := errors.Join(errs...); err != nil {
		check := checkOf(name, err)
		check.Remedy = fmt.Sprintf("`ceap program delete %s --on aws`; the rest goes by its age", t.program.ProgramID)
		return check
	}
	return connector.Check{Name: name, Status: connector.CheckOK, Detail: "program, candidates and files are removed; the record of run " + t.result.RunID + " goes by its age"}
}
