package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ceap-platform/ceap"
)

// barWidth is how many cells the longest bar of a funnel takes.
const barWidth = 20

// report writes the result of a run for people.
type report struct {
	result *ceap.RunResult
	paint  paint
	b      strings.Builder
}

func newReport(result *ceap.RunResult, p paint) *report { return &report{result: result, paint: p} }

// write writes the status, the funnel, why rows went nowhere, warnings, and
// where to look next.
func (r *report) write(w io.Writer) error {
	r.head()
	r.funnel()
	r.rejections()
	r.invalid()
	r.failures()
	r.scores()
	r.mappings()
	r.notes()
	r.next()
	_, err := io.WriteString(w, r.b.String())
	return err
}

func (r *report) head() {
	res := r.result
	title := res.ProgramName
	if title == "" {
		title = res.ProgramID
	}
	fmt.Fprintf(&r.b, "%s  %s, %s, %s\n", statusPaint(r.paint, res.Status, string(res.Status)), r.paint.bold(title), res.Marketplace, res.DateRange)
	if res.Message != "" {
		for line := range strings.Lines(res.Message) {
			r.b.WriteString("  " + strings.TrimRight(line, "\n") + "\n")
		}
	}
	facts := []string{"run " + res.RunID, "batch " + res.BatchID}
	if res.CorrelationID != res.RunID {
		facts = append(facts, "correlation "+res.CorrelationID)
	}
	if !res.EndedAt.IsZero() {
		facts = append(facts, "took "+took(time.Duration(res.DurationMs)*time.Millisecond))
	}
	r.b.WriteString("  " + r.paint.dim(strings.Join(facts, ", ")) + "\n")
	if res.DryRun {
		r.b.WriteString("  dry run: nothing was stored\n")
	}
	if res.Replayed {
		r.b.WriteString("  " + r.paint.yellow("replayed: ") + res.ReplayNote + "\n")
	}
	if res.Resumed {
		fmt.Fprintf(&r.b, "  resumed: this was attempt %d of the run\n", res.Attempt)
	}
}

// funnel shows how many rows each step let through.
func (r *report) funnel() {
	res := r.result
	if len(res.Funnel) == 0 || res.Counts.Extracted == 0 {
		return
	}
	t := newTable("STEP", ">IN", ">OUT", ">KEPT", "")
	t.indent = "  "
	for _, step := range res.Funnel {
		t.row(step.Step, thousands(step.In), thousands(step.Out), share(step.Out, step.In), bar(step.Out, res.Counts.Extracted, barWidth))
	}
	r.section("", t)
	c := res.Counts
	fmt.Fprintf(&r.b, "  %s = %s invalid + %s duplicate + %s rejected + %s stored (%s created, %s updated, %s unchanged) + %s failed\n",
		plural(c.Extracted, "row"), thousands(c.Invalid), thousands(c.Duplicate), thousands(c.Rejected),
		thousands(c.Stored), thousands(c.Created), thousands(c.Updated), thousands(c.Unchanged), thousands(c.Failed))
}

func (r *report) rejections() {
	t := newTable("FILTER", "REASON", ">ROWS", ">OF ALL")
	t.indent = "  "
	for _, rejection := range r.result.Rejections {
		filter := rejection.FilterID
		if filter == "" {
			filter = "(CEAP)"
		}
		t.row(filter, rejection.ReasonCode, thousands(rejection.Count), share(rejection.Count, r.result.Counts.Extracted))
	}
	r.section("Rejected", t)
}

func (r *report) invalid() {
	if len(r.result.InvalidReasons) == 0 {
		return
	}
	r.b.WriteString("\n" + r.paint.bold("Invalid") + "\n")
	for _, reason := range r.result.InvalidReasons {
		field := ""
		if reason.Field != "" {
			field = " " + reason.Field
		}
		fmt.Fprintf(&r.b, "  %s%s: %s\n", reason.ReasonCode, field, plural(reason.Count, "row"))
		for _, group := range samplesByText(reason.Samples) {
			fmt.Fprintf(&r.b, "    %s: %s\n", group.rows, group.text)
		}
	}
}

// sampleGroup is what several rows have in common.
type sampleGroup struct{ rows, text string }

// samplesByText groups samples by what is wrong with them, in the order of the
// first of each.
func samplesByText(samples []ceap.RowSample) []sampleGroup {
	var groups []sampleGroup
	for _, sample := range samples {
		text, row := sampleText(sample), thousands(sample.Row)
		i := slices.IndexFunc(groups, func(g sampleGroup) bool { return g.text == text })
		if i < 0 {
			groups = append(groups, sampleGroup{"row " + row, text})
			continue
		}
		groups[i].rows = "rows " + strings.TrimPrefix(strings.TrimPrefix(groups[i].rows, "rows "), "row ") + "; " + row
	}
	return groups
}

// sampleText says what is wrong with a row; the value is shown once.
func sampleText(sample ceap.RowSample) string {
	if sample.Value == "" || strings.Contains(sample.Reason, sample.Value) {
		return sample.Reason
	}
	return fmt.Sprintf("%s (value %q)", sample.Reason, sample.Value)
}

func (r *report) failures() {
	t := newTable("REASON", ">ROWS", "")
	t.indent = "  "
	for _, failure := range r.result.Failures {
		t.row(failure.ReasonCode, thousands(failure.Count), failure.Reason)
	}
	r.section("Failed", t)
}

func (r *report) scores() {
	cached := slices.ContainsFunc(r.result.Scores, func(s ceap.ScoreCount) bool { return s.Cached > 0 })
	head := []string{"MODEL", ">SCORED", ">FALLBACK", ">UNSCORED", ""}
	if cached {
		head = slices.Insert(head, 3, ">OF WHICH CACHED")
	}
	t := newTable(head...)
	t.indent = "  "
	for _, score := range r.result.Scores {
		row := []string{score.ModelID, thousands(score.Scored), thousands(score.Fallback), thousands(score.Unscored), score.Reason}
		if cached {
			row = slices.Insert(row, 3, thousands(score.Cached))
		}
		t.row(row...)
	}
	r.section("Scores", t)
}

// mappings shows where the values come from, if the run was only to find out.
func (r *report) mappings() {
	if r.result.Stage == "" {
		return
	}
	t := mappingTable(r.result.Mappings)
	t.indent = "  "
	r.section("Fields", t)
}

// mappingTable shows where the value of each field comes from.
func mappingTable(notes []ceap.MappingNote) *table {
	t := newTable("CONNECTOR", "FIELD", "COMES FROM", "")
	for _, note := range notes {
		t.row(note.ConnectorID, note.Target, sourceText(note), note.Note)
	}
	return t
}

// sourceText says in words where a value comes from.
func sourceText(note ceap.MappingNote) string {
	switch note.How {
	case "column":
		return "column " + note.Source
	case "constant":
		return fmt.Sprintf("constant %q", note.Source)
	case "run":
		return "the run"
	default:
		return note.How
	}
}

func (r *report) section(title string, t *table) {
	if t.empty() {
		return
	}
	r.b.WriteString("\n")
	if title != "" {
		r.b.WriteString(r.paint.bold(title) + "\n")
	}
	_ = t.write(&r.b) // a strings.Builder takes everything
}

func (r *report) notes() {
	if len(r.result.LeftOut)+len(r.result.Warnings) > 0 {
		r.b.WriteString("\n")
	}
	for _, part := range r.result.LeftOut {
		r.b.WriteString("left out: " + part + "\n")
	}
	for _, warning := range r.result.Warnings {
		r.b.WriteString(r.paint.yellow("warning: ") + warning + "\n")
	}
}

// next says which command shows more.
func (r *report) next() {
	res := r.result
	if res.DryRun || res.Stage != "" {
		return
	}
	var lines []string
	if res.Counts.Rejected+res.Counts.Invalid+res.Counts.Failed > 0 {
		lines = append(lines, "ceap why CUSTOMER --program "+res.ProgramID)
	}
	if res.Counts.Stored > 0 {
		lines = append(lines, "ceap candidates list --program "+res.ProgramID)
	}
	if res.Status == ceap.RunEmpty || res.Status == ceap.RunFailed {
		lines = append(lines, "ceap doctor "+res.ProgramID)
	}
	if len(lines) > 0 {
		r.b.WriteString("\n" + r.paint.dim("look next: "+strings.Join(lines, "   ")) + "\n")
	}
}
