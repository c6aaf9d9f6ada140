package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/internal/pipeline"
	"github.com/ceap-platform/ceap/internal/program"
	"github.com/ceap-platform/ceap/store"
)

// Diagnosis is what a look at a program and its surroundings found.
type Diagnosis struct {
	ProgramID   string           `json:"programId"`
	Marketplace string           `json:"marketplace"`
	DateRange   ceap.DateRange   `json:"dateRange"`
	Checks      []DiagnosisCheck `json:"checks"` // in the order in which they should be read
}

// DiagnosisCheck is one thing that was looked at.
type DiagnosisCheck struct {
	connector.Check
	// Surroundings says that the operator can mend it rather than the program's
	// author.
	Surroundings bool `json:"surroundings,omitempty"`
}

// Failed reports whether a check failed, and whether all that failed are about
// the surroundings.
func (d *Diagnosis) Failed() (failed, onlySurroundings bool) {
	onlySurroundings = true
	for _, c := range d.Checks {
		if c.Status == connector.CheckFailed {
			failed = true
			onlySurroundings = onlySurroundings && c.Surroundings
		}
	}
	return failed, failed && onlySurroundings
}

func (d *Diagnosis) add(c connector.Check) { d.Checks = append(d.Checks, DiagnosisCheck{Check: c}) }

// has reports whether an earlier check says the same warning: a connector gives
// its advice both to the document's check and to its own.
func (d *Diagnosis) has(c connector.Check) bool {
	return c.Status == connector.CheckWarning && slices.ContainsFunc(d.Checks, func(earlier DiagnosisCheck) bool {
		return strings.HasSuffix(earlier.Detail, c.Detail)
	})
}

func (d *Diagnosis) surroundings(c connector.Check) {
	d.Checks = append(d.Checks, DiagnosisCheck{Check: c, Surroundings: true})
}

// Doctor looks at a program and what it needs: its document, its sources for the
// range, where its fields come from, its models, its templates, the store and
// the disk. It stores nothing. An error means that there is no such program, or
// that ctx has ended; all else is a check.
func (a *App) Doctor(ctx context.Context, name, marketplace string, rng *ceap.DateRange) (Diagnosis, error) {
	d, err := a.diagnose(ctx, name, marketplace, rng)
	if ctx.Err() != nil { // checks that were stopped say nothing of what they check
		return Diagnosis{}, ceap.Errorf(ceap.CodeCancelled, "looking at the program: %w", ctx.Err())
	}
	return d, err
}

func (a *App) diagnose(ctx context.Context, name, marketplace string, rng *ceap.DateRange) (Diagnosis, error) {
	found, err := a.findProgram(ctx, name)
	if err != nil {
		return Diagnosis{}, err
	}
	d := Diagnosis{ProgramID: found.ProgramID, Marketplace: marketplace, Checks: []DiagnosisCheck{}}
	p, err := found.Program(marketplace)
	if p == nil && len(found.Problems.Errors()) == 0 {
		return Diagnosis{}, err
	}
	a.checkSurroundings(ctx, &d)
	d.checkProgram(found, p)
	if p == nil || p.Err() != nil {
		return d, nil
	}
	d.Marketplace = p.Marketplace
	d.DateRange = a.diagnosisRange(ctx, p, rng)
	a.checkSwitch(ctx, &d, p)
	definition, err := a.definition(p, a.now(), checkpoints{a})
	if err == nil {
		_, err = pipeline.NewStages(definition)
	}
	if err != nil {
		d.add(checkOf("plan", err))
		return d, nil
	}
	for _, source := range definition.Sources {
		a.checkSource(ctx, &d, p, source)
	}
	for _, m := range definition.Models {
		d.checkModel(ctx, m)
	}
	a.checkTemplates(&d, p)
	return d, nil
}

// diagnosisRange returns the range to look at: the one asked for, else that of
// the latest run, about which people ask most, else yesterday and today.
func (a *App) diagnosisRange(ctx context.Context, p *program.Program, rng *ceap.DateRange) ceap.DateRange {
	if rng != nil {
		return *rng
	}
	// Without a store there is no latest run; another check says so.
	if runs, err := a.Runs(ctx, store.RunQuery{ProgramID: p.ProgramID, Marketplace: p.Marketplace, Limit: 1}); err == nil && len(runs) > 0 {
		return runs[0].DateRange
	}
	return a.request(p, "").Range
}

// checkSurroundings looks at the store and at the folder for temporary files.
func (a *App) checkSurroundings(ctx context.Context, d *Diagnosis) {
	roles, err := a.store()
	if err == nil {
		err = roles.Maintainer.Check(ctx)
	}
	if err != nil {
		d.surroundings(checkOf("store", err))
	} else {
		d.surroundings(connector.Check{Name: "store", Status: connector.CheckOK, Detail: roles.Maintainer.Location() + " can be written to"})
	}
	dir := a.config.Path(a.config.TempDir)
	made, err := os.MkdirTemp(dir, "ceap-doctor-*")
	if err != nil {
		d.surroundings(connector.Check{
			Name: "temporary files", Status: connector.CheckFailed, Detail: err.Error(),
			Remedy: "make the folder writable, or set another with tempDir in ceap.yaml",
		})
		return
	}
	free := a.freeSpace(made)
	_ = os.Remove(made) // it is empty and ours
	d.surroundings(free)
}

// lowSpace is the free disk space below which a run of some million rows may
// not find room for what it sorts.
const lowSpace = 1 << 30

func (a *App) freeSpace(dir string) connector.Check {
	check := connector.Check{Name: "temporary files", Status: connector.CheckOK, Detail: filepath.Dir(dir) + " can be written to"}
	bytes, known := freeBytes(dir)
	if !known {
		return check
	}
	check.Detail += fmt.Sprintf(", %.1f GB free", float64(bytes)/1e9)
	if bytes < lowSpace {
		check.Status, check.Remedy = connector.CheckWarning, "free space, or set another folder with tempDir in ceap.yaml; large runs sort on disk"
	}
	return check
}

// checkProgram says what is wrong with the document.
func (d *Diagnosis) checkProgram(found program.Loaded, p *program.Program) {
	problems := found.Problems
	if p != nil {
		problems = p.Problems
	}
	for _, problem := range problems {
		check := connector.Check{Name: "program", Status: connector.CheckFailed, Remedy: problem.Hint}
		if problem.Warning {
			check.Status = connector.CheckWarning
		}
		problem.Hint, problem.Warning = "", false
		check.Detail = problem.String()
		d.add(check)
	}
	if len(problems.Errors()) == 0 {
		d.add(connector.Check{Name: "program", Status: connector.CheckOK, Detail: "the document is valid"})
	}
}

func (a *App) checkSwitch(ctx context.Context, d *Diagnosis, p *program.Program) {
	p, err := a.switched(ctx, p)
	switch {
	case err != nil:
		d.surroundings(checkOf("enabled", err))
	case p.Enabled:
		d.add(connector.Check{Name: "enabled", Status: connector.CheckOK, Detail: "a run does its work"})
	default:
		d.add(connector.Check{Name: "enabled", Status: connector.CheckWarning, Detail: "runs are skipped: " + p.Disabled})
	}
}

// checkSource lets the connector look at its source, and then says whether the
// fields that every candidate needs are there.
func (a *App) checkSource(ctx context.Context, d *Diagnosis, p *program.Program, source pipeline.Source) {
	req := a.request(p, source.ID)
	req.Range = d.DateRange
	if checker, ok := source.Connector.(connector.Checker); ok {
		for _, check := range checker.Check(ctx, req) {
			if d.has(check) {
				continue
			}
			check.Name = source.ID + ": " + check.Name
			d.add(check)
		}
	}
	name := source.ID + ": fields"
	notes, warnings, err := a.fields(ctx, p, source)
	for _, w := range warnings {
		d.add(connector.Check{Name: name, Status: connector.CheckWarning, Detail: w})
	}
	var unchecked *uncheckedError
	switch {
	case errors.As(err, &unchecked):
		d.add(connector.Check{Name: name, Status: connector.CheckWarning, Detail: "not checked: " + unchecked.reason})
	case err != nil:
		d.add(checkOf(name, err))
	default:
		d.add(requiredFields(name, notes))
	}
}

// requiredFields says where the fields that every candidate needs come from
// (D24).
func requiredFields(name string, notes []ceap.MappingNote) connector.Check {
	var from, missing []string
	for _, target := range []string{"customerId", "subjectType", "subjectId", "eventDate"} {
		i := slices.IndexFunc(notes, func(n ceap.MappingNote) bool { return n.Target == target })
		if i < 0 || notes[i].How == "absent" {
			missing = append(missing, target)
			continue
		}
		from = append(from, fmt.Sprintf("%s from %s %q", target, notes[i].How, notes[i].Source))
	}
	if len(missing) > 0 {
		return connector.Check{
			Name: name, Status: connector.CheckFailed, Detail: "Missing required fields: " + strings.Join(missing, ", "),
			Remedy: "select them in the query, or add them to fieldMappings",
		}
	}
	return connector.Check{Name: name, Status: connector.CheckOK, Detail: strings.Join(from, ", ")}
}

// checkModel says whether a model has what it needs.
func (d *Diagnosis) checkModel(ctx context.Context, m pipeline.Model) {
	name := "model " + m.ID
	need, err := lacks(ctx, m)
	switch {
	case err != nil:
		d.add(checkOf(name, err))
	case need != "":
		d.add(connector.Check{Name: name, Status: connector.CheckWarning, Detail: ceap.ReasonModelNotConfigured + ": candidates stay without its score", Remedy: need})
	default:
		d.add(connector.Check{Name: name, Status: connector.CheckOK, Detail: cmp.Or(m.Note, "it has what it needs")})
	}
}

// checkTemplates looks for the templates that channels name (D61).
func (a *App) checkTemplates(d *Diagnosis, p *program.Program) {
	for _, c := range p.Channels {
		if !c.Enabled || c.TemplateID == "" {
			continue
		}
		check := connector.Check{Name: "template " + c.TemplateID, Status: connector.CheckOK, Detail: "used by channel " + c.ID}
		if !a.hasTemplate(c.TemplateID) {
			check.Status = connector.CheckWarning
			check.Detail = fmt.Sprintf("channel %s names it, and %s has no such template", c.ID, a.config.Shown(a.config.Templates))
			check.Remedy = "add the folder " + filepath.Join(a.config.Shown(a.config.Templates), c.TemplateID)
		}
		d.add(check)
	}
}

// hasTemplate reports whether the templates folder has a folder or file of that
// name, whatever its extension. A name that leads elsewhere is none.
func (a *App) hasTemplate(id string) bool {
	if !filepath.IsLocal(id) {
		return false
	}
	full := filepath.Join(a.config.Path(a.config.Templates), id)
	if _, err := os.Stat(full); err == nil {
		return true
	}
	entries, err := os.ReadDir(filepath.Dir(full))
	return err == nil && slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		return strings.TrimSuffix(e.Name(), filepath.Ext(e.Name())) == filepath.Base(id)
	})
}

// checkOf returns the failed check of an error; its hint is the remedy.
func checkOf(name string, err error) connector.Check {
	check := connector.Check{Name: name, Status: connector.CheckFailed, Detail: err.Error()}
	if e, ok := errors.AsType[*ceap.Error](err); ok && e.Hint != "" {
		check.Detail, check.Remedy = strings.Replace(check.Detail, "; "+e.Hint, "", 1), e.Hint
	}
	return check
}
