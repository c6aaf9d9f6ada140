package app

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/internal/program"
	"github.com/ceap-platform/ceap/internal/stage"
	"github.com/ceap-platform/ceap/plugin"
)

// StageDiagnosis is what a look at a stage on AWS found.
type StageDiagnosis struct {
	Stage  string            `json:"stage"`
	Costs  []Cost            `json:"costs,omitempty"` // what the look may cost, at most
	Checks []connector.Check `json:"checks"`          // in the order in which they should be read
}

// Failed reports whether a check failed.
func (d *StageDiagnosis) Failed() bool {
	return slices.ContainsFunc(d.Checks, func(c connector.Check) bool { return c.Status == connector.CheckFailed })
}

func (d *StageDiagnosis) add(checks ...connector.Check) { d.Checks = append(d.Checks, checks...) }

// DoctorStage looks at a stage: everything that its template makes, and for each
// stored program its document, its workgroup and results bucket, and its schedule.
// It changes nothing and runs no query. The App's store must be the stage's. An error
// means that ctx has ended; all else is a check.
func (a *App) DoctorStage(ctx context.Context, s *stage.Stage) (StageDiagnosis, error) {
	d := StageDiagnosis{Stage: s.Name, Checks: []connector.Check{}}
	d.add(s.Check(ctx, a.config.AWS.ArtifactsBucket, a.config.AWS.Concurrency)...)
	programs, err := a.programsOnStage(ctx)
	if err != nil {
		d.add(checkOf("programs", err))
	} else {
		d.add(programChecks(programs)...)
		d.add(a.queryPlaces(ctx, s, programs)...)
		d.add(a.scheduleChecks(ctx, s, programs)...)
	}
	if ctx.Err() != nil { // checks that were stopped say nothing of what they check
		return StageDiagnosis{}, ceap.Errorf(ceap.CodeCancelled, "looking at the stage: %w", ctx.Err())
	}
	return d, nil
}

// programsOnStage returns all stored programs, those with errors too.
func (a *App) programsOnStage(ctx context.Context) ([]*program.Program, error) {
	items, err := a.items(ctx, "")
	if err != nil {
		return nil, err
	}
	var out []*program.Program
	for _, group := range byProgram(items) {
		for _, p := range program.LoadItems(group, a.options()).Programs {
			out = append(out, switchedBy(group, p))
		}
	}
	return out, nil
}

func programLabel(p *program.Program) string { return "program " + p.ProgramID + ", " + p.Marketplace }

// programChecks says which programs can run.
func programChecks(programs []*program.Program) []connector.Check {
	if len(programs) == 0 {
		return []connector.Check{{
			Name: "programs", Status: connector.CheckWarning, Detail: "the stage has none", Remedy: "store one with `ceap program push FILE`",
		}}
	}
	var out []connector.Check
	for _, p := range programs {
		check := connector.Check{Name: programLabel(p), Status: connector.CheckOK, Detail: "the document is valid"}
		switch wrong := p.Problems.Errors(); {
		case len(wrong) > 0:
			check.Status, check.Detail = connector.CheckFailed, wrong[0].Path+": "+wrong[0].Message
			check.Remedy = wrong[0].Hint
			if len(wrong) > 1 {
				check.Detail += fmt.Sprintf(", and %d more problems", len(wrong)-1)
			}
		case p.Err() != nil:
			check = checkOf(check.Name, p.Err())
		case !p.Enabled:
			check.Detail += "; runs are skipped: " + p.Disabled
		}
		out = append(out, check)
	}
	return out
}

// queryPlace is where the queries of a connector run and leave their results.
type queryPlace struct{ workGroup, resultsBucket string }

// warehouseType is the type of the connectors that Athena answers on a stage.
const warehouseType = "data-warehouse"

// queryPlacesOf returns the places of a program's queries, with the settings of the
// deployment filled in.
func (a *App) queryPlacesOf(p *program.Program) []queryPlace {
	defaults := queryPlace{workGroup: "primary"}
	if node, err := plugin.Encode(a.settings.Of("connectors", warehouseType)); err == nil {
		defaults = placeIn(node, defaults)
	}
	var out []queryPlace
	for _, c := range p.Connectors {
		if named, err := plugin.Lookup(a.plugins.Connectors, "connector type", c.Type); c.Enabled && err == nil && named.Name() == warehouseType {
			out = append(out, placeIn(c.Config, defaults))
		}
	}
	return out
}

// placeIn returns the place that an object names, else that of the defaults.
func placeIn(n *plugin.Node, defaults queryPlace) queryPlace {
	if v := n.Get("workGroup"); v != nil && v.Text != "" {
		defaults.workGroup = v.Text
	}
	if v := n.Get("resultsBucket"); v != nil && v.Text != "" {
		defaults.resultsBucket = v.Text
	}
	return defaults
}

// queryPlaces looks at the workgroup and the results bucket of each program, each
// once.
func (a *App) queryPlaces(ctx context.Context, s *stage.Stage, programs []*program.Program) []connector.Check {
	var out []connector.Check
	enforced := map[string]string{}
	looked := map[string]bool{}
	for _, p := range programs {
		for _, at := range a.queryPlacesOf(p) {
			if _, known := enforced[at.workGroup]; !known {
				check, place := s.CheckWorkGroup(ctx, at.workGroup)
				enforced[at.workGroup] = place
				out = append(out, check)
			}
			bucket := strings.TrimSuffix(strings.TrimPrefix(at.resultsBucket, "s3://"), "/")
			if forced := enforced[at.workGroup]; forced != "" {
				bucket = forced
			}
			if bucket != "" && !looked[bucket] {
				looked[bucket] = true
				out = append(out, s.CheckBucket(ctx, "results bucket", bucket))
			}
		}
	}
	return out
}

// scheduleChecks compares the schedules of the stage with those of the programs.
func (a *App) scheduleChecks(ctx context.Context, s *stage.Stage, programs []*program.Program) []connector.Check {
	names, err := s.ScheduleNames(ctx)
	if err != nil {
		check := checkOf("schedules", err)
		if ceap.ErrorCode(err) == ceap.CodeForbidden {
			check.Remedy = "allow the action scheduler:ListSchedules for the user or role that calls ceap"
		}
		return []connector.Check{check}
	}
	var out []connector.Check
	wanted := map[string]bool{}
	for _, p := range programs {
		sc, has := scheduleOf(p)
		if !has {
			continue
		}
		wanted[s.ScheduleName(p.ProgramID, p.Marketplace)] = true
		check := connector.Check{Name: "schedule of " + p.ProgramID + ", " + p.Marketplace, Status: connector.CheckOK, Detail: sc.Expression + ", " + sc.Timezone}
		if !sc.Enabled {
			check.Detail += ", off as the program is"
		}
		switch differs, err := s.ScheduleDiffers(ctx, sc); {
		case err != nil:
			check = checkOf(check.Name, err)
			if ceap.ErrorCode(err) == ceap.CodeForbidden {
				check.Remedy = "allow the action scheduler:GetSchedule for the user or role that calls ceap"
			}
		case differs != "":
			check.Status, check.Detail = connector.CheckFailed, "it should be "+check.Detail+", but "+differs
			check.Remedy = fmt.Sprintf("`ceap program push %s`", p.ProgramID)
		}
		out = append(out, check)
	}
	for _, name := range names {
		if !wanted[name] {
			out = append(out, connector.Check{
				Name: "schedule " + name, Status: connector.CheckWarning, Detail: "no stored program asks for it",
				Remedy: fmt.Sprintf("if it is not yours: aws scheduler delete-schedule --group-name %s --name %s", s.ScheduleGroup(), name),
			})
		}
	}
	return out
}
