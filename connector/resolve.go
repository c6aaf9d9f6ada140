package connector

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ceap-platform/ceap"
)

// NewMapper resolves the mappings for the columns of a result. Each target gets
// one source, the same for every row, which [Mapper.Resolution] tells (I16).
//
// All problems come at once, as an error of [ceap.CodeInvalid] whose chain holds
// [ceap.Problems]: those of [FieldMappings.Validate]; a column that does not
// exist (D18); AMBIGUOUS_COLUMN, when several columns fit (D20); a constant that
// is not the run's program or marketplace (D19), or cannot be read; two columns
// of one name; and "Missing required fields" (D24).
//
// A flag column of a channel that CEAP has no word for, such as fax_eligible, is
// found by its name only if no mapping uses it for something else.
func NewMapper(columns []Column, mappings FieldMappings, req Request) (*Mapper, error) {
	r := &resolver{
		columns: columns, mappings: mappings, req: req, m: newMapper(len(columns), req),
		used: make([]bool, len(columns)), mapped: make([]bool, len(columns)),
	}
	r.problems = mappings.Validate()
	if len(r.problems) == 0 {
		r.checkColumns()
		r.markMapped()
		r.resolveTargets()
		r.resolveFlags()
		r.resolveExtras()
		r.checkConstants()
		r.checkDefaults()
	}
	if err := r.problems.Err(); err != nil {
		return nil, err
	}
	r.warn()
	r.m.resolution = Resolution{Notes: r.notes, Warnings: r.warnings}
	return r.m, nil
}

func newMapper(width int, req Request) *Mapper {
	m := &Mapper{
		width: width, program: req.ProgramID, marketplace: req.Marketplace,
		currency: cmp.Or(req.Rules.Currency, "USD"),
	}
	m.sortKeySize = len(ceap.Key{ProgramID: req.ProgramID, Marketplace: req.Marketplace}.SK())
	if req.Zone != nil && req.Zone != time.UTC {
		m.zone = req.Zone
	}
	earliest, latest := req.Rules.MinDate, req.Rules.MaxDate
	if earliest.IsZero() {
		earliest = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if latest.IsZero() {
		latest = req.AsOf.Add(7 * 24 * time.Hour)
	}
	m.earliest, m.latest = earliest.UnixMicro(), latest.UnixMicro()
	return m
}

// resolver makes a mapper.
type resolver struct {
	columns  []Column
	mappings FieldMappings
	req      Request
	used     []bool // whether a target uses the column
	mapped   []bool // whether a mapping names the column
	m        *Mapper

	notes    []ceap.MappingNote
	warnings []string
	problems ceap.Problems
}

// The ways in which a target is resolved, for its note.
const (
	howColumn   = "column"
	howConstant = "constant"
	howRun      = "run"
	howAbsent   = "absent"
)

func (r *resolver) note(target, source, how, note string) {
	r.notes = append(r.notes, ceap.MappingNote{ConnectorID: r.req.ConnectorID, Target: target, Source: source, How: how, Note: note})
}

func (r *resolver) warning(target, format string, args ...any) {
	r.warnings = append(r.warnings, mappingsPath+target+": "+fmt.Sprintf(format, args...))
}

func (r *resolver) problem(target, hint, format string, args ...any) {
	r.problems = append(r.problems, problemAt(target, hint, format, args...))
}

func (r *resolver) checkColumns() {
	seen := map[string]bool{}
	for _, c := range r.columns {
		if seen[c.Name] {
			r.problems = append(r.problems, ceap.Problem{
				Message: fmt.Sprintf("the result has two columns %q", c.Name),
				Hint:    "give each a name of its own with AS",
			})
		}
		seen[c.Name] = true
	}
}

// markMapped notes which columns the mappings name.
func (r *resolver) markMapped() {
	for _, mapping := range r.mappings {
		if mapping.form == formConstant {
			continue
		}
		if i := r.exactColumn(mapping.name); i >= 0 {
			r.mapped[i] = true
			continue
		}
		for i, c := range r.columns {
			r.mapped[i] = r.mapped[i] || strings.EqualFold(c.Name, mapping.name)
		}
	}
}

func (r *resolver) exactColumn(name string) int {
	return slices.IndexFunc(r.columns, func(c Column) bool { return c.Name == name })
}

func (r *resolver) resolveTargets() {
	var missing []string
	for t := range targetCount {
		before := len(r.problems)
		s := r.resolveTarget(t)
		r.m.sources[t] = s
		if t.required() && !s.present() && len(r.problems) == before {
			missing = append(missing, t.String())
		}
	}
	if len(missing) > 0 {
		r.problems = append(r.problems, ceap.Problem{
			Path:    strings.TrimSuffix(mappingsPath, "."),
			Message: missingFields + strings.Join(missing, ", "),
			Hint:    "map them in fieldMappings, or name columns of the query so with AS; " + r.columnList(),
		})
	}
}

// resolveTarget finds the source of one target and notes it.
func (r *resolver) resolveTarget(t target) source {
	name := t.String()
	if mapping, ok := r.mappings[name]; ok {
		return r.resolveMapping(name, mapping, t.mayBeBareConstant())
	}
	fits := func(c Column) bool { return plain(c.Name) == plain(name) }
	if column := r.only(name, fits); column >= 0 {
		return r.useColumn(name, column, "by its name")
	}
	switch {
	case t == programID:
		r.note(name, "run", howRun, r.req.ProgramID)
	case t == marketplace:
		r.note(name, "run", howRun, r.req.Marketplace)
	case t == currency:
		r.note(name, "", howAbsent, r.m.currency+" for every row")
	case !t.required():
		r.note(name, "", howAbsent, "")
	}
	return source{column: -1}
}

// resolveMapping finds the source that a mapping names (D15, D17).
func (r *resolver) resolveMapping(name string, mapping MappingSource, mayBeConstant bool) source { //nolint:revive // what the field allows, not a mode
	if mapping.form == formConstant {
		return r.useConstant(name, mapping.constant, "")
	}
	column := r.exactColumn(mapping.name)
	if column < 0 {
		before := len(r.problems)
		column = r.only(name, func(c Column) bool { return strings.EqualFold(c.Name, mapping.name) })
		if len(r.problems) > before {
			return source{column: -1}
		}
	}
	if column >= 0 {
		return r.useColumn(name, column, "")
	}
	if mayBeConstant && mapping.form == formText {
		r.warnLookalike(name, mapping.name)
		return r.useConstant(name, ceap.String(mapping.name), "no column has this name")
	}
	r.problem(name, r.columnHint(name, mapping), "there is no column %q", mapping.name)
	return source{column: -1}
}

// columnHint says what might have been meant by a column that does not exist.
func (r *resolver) columnHint(name string, mapping MappingSource) string {
	hint := r.columnList()
	if near := r.nearestColumn(mapping.name); near != "" {
		hint = fmt.Sprintf("the nearest is %q; ", near) + hint
	}
	if t, fixed := targetOf(name); mapping.form == formText && (!fixed || !t.neverConstant()) {
		hint += fmt.Sprintf(`; a constant is written {"constant": %q}`, mapping.name)
	}
	return hint
}

func (r *resolver) useColumn(name string, column int, note string) source {
	r.used[column] = true
	r.note(name, r.columns[column].Name, howColumn, note)
	return source{column: column}
}

func (r *resolver) useConstant(name string, v ceap.Value, note string) source {
	r.note(name, v.String(), howConstant, note)
	return source{column: -1, constant: v}
}

// only returns the one column that fits the target, or -1 if none does. Several
// are a problem.
func (r *resolver) only(target string, fits func(Column) bool) int {
	found, several := -1, []string(nil)
	for i, c := range r.columns {
		if fits(c) {
			if found < 0 {
				found = i
			}
			several = append(several, fmt.Sprintf("%q", c.Name))
		}
	}
	if len(several) < 2 {
		return found
	}
	r.problem(target, fmt.Sprintf(`name one of them in fieldMappings, as in "%s": %s`, target, several[0]),
		"AMBIGUOUS_COLUMN: the columns %s all fit %s", strings.Join(several, ", "), target)
	return -1
}

func (r *resolver) columnNames() []string {
	names := make([]string, len(r.columns))
	for i, c := range r.columns {
		names[i] = c.Name
	}
	return names
}

func (r *resolver) nearestColumn(name string) string { return nearest(name, r.columnNames()) }

func (r *resolver) columnList() string {
	if len(r.columns) == 0 {
		return "the result has no columns"
	}
	return "the columns are " + strings.Join(r.columnNames(), ", ")
}

// resolveExtras gives every column that no target uses an attribute of its own
// name (D22), after those that the mappings name.
func (r *resolver) resolveExtras() {
	byName := map[string]source{}
	var names []string
	for name := range r.mappings {
		if isExtra(name) {
			names = append(names, name[len(extraPrefix):])
		}
	}
	slices.Sort(names)
	for _, name := range names {
		byName[name] = r.resolveMapping(extraPrefix+name, r.mappings[extraPrefix+name], false)
	}
	for i, c := range r.columns {
		if r.used[i] {
			continue
		}
		if _, taken := r.mappings[extraPrefix+c.Name]; taken {
			r.problem(extraPrefix+c.Name, "map another name", "the result has a column %q of its own", c.Name)
			continue
		}
		names = append(names, c.Name)
		byName[c.Name] = r.useColumn(extraPrefix+c.Name, i, "no field uses it")
	}
	slices.Sort(names)
	for _, name := range names {
		r.m.extras = append(r.m.extras, extra{name: name, source: byName[name]})
		r.m.extraSize += len(name)
	}
	first := slices.IndexFunc(r.notes, func(n ceap.MappingNote) bool { return isExtra(n.Target) })
	if first >= 0 {
		slices.SortFunc(r.notes[first:], func(a, b ceap.MappingNote) int { return strings.Compare(a.Target, b.Target) })
	}
}

// checkConstants reads the constants as the values of a row, so that one that
// cannot be read stops the run and not row after row, and holds those of program
// and marketplace against the run (D19).
func (r *resolver) checkConstants() {
	var c ceap.Candidate
	var bad faults
	r.m.read(make([]ceap.Value, len(r.columns)), &c, &bad)
	for _, o := range bad.others {
		if mapping, ok := r.mappings[o.field]; ok && mapping.form != formColumn {
			r.problem(o.field, "mend the constant", "%s", o.reason)
		}
	}
	r.checkOwn(programID, c.ProgramID, r.req.ProgramID)
	r.checkOwn(marketplace, c.Marketplace, r.req.Marketplace)
}

func (r *resolver) checkOwn(t target, got, want string) {
	if got == want {
		return
	}
	hint := fmt.Sprintf("leave the mapping out, which means %q, or map a column", want)
	if r.mappings[t.String()].form == formText {
		hint += "; " + r.columnList()
	}
	r.problem(t.String(), hint, "the constant %q is not the run's %s, %q", got, t, want)
}

// warnLookalike warns about a constant that looks like a column (D15).
func (r *resolver) warnLookalike(name, text string) {
	near := r.nearestColumn(text)
	switch {
	case near != "" && edits(near, text) <= 1:
		r.warning(name, "%q is no column and is taken as a constant; the column %q is one letter away", text, near)
	case strings.Contains(text, "_"):
		r.warning(name, `%q is no column and is taken as a constant; write {"constant": %q} if it is one`, text, text)
	}
}

// warn adds the warnings about what works but is hardly meant.
func (r *resolver) warn() {
	if s := &r.m.sources[marketplace]; s.column < 0 && s.present() {
		r.warning(marketplace.String(), "every row counts as %q, since it is a constant; rows of other marketplaces cannot be told apart"+
			" unless the query selects by {marketplace}", r.req.Marketplace)
	}
	valued, own := r.m.sources[orderValue], r.m.sources[currency]
	if valued.present() && !own.present() && r.req.Rules.Currency == "" && r.req.Marketplace != "US" {
		r.warning(currency.String(), "order values of %q count as USD; set the program's currency or select a currency column", r.req.Marketplace)
	}
}
