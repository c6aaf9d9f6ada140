package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/app"
	"github.com/ceap-platform/ceap/internal/explain"
	"github.com/ceap-platform/ceap/internal/pipeline"
	"github.com/ceap-platform/ceap/internal/sample"
	"github.com/ceap-platform/ceap/store"
)

// demoBest is how many of a run's best candidates the demo shows.
const demoBest = 5

func (s *shell) demoCommand() *cobra.Command {
	var dir string
	var rows int
	c := &cobra.Command{
		Use: "demo", Short: "Create a shop of any size, and run its programs", Args: arguments(0, 0),
		Long: `Creates a project folder with the data of an invented shop: customers, deliveries,
reviews, watched videos and service calls, with the dirt that real data has, and
programs that read them. Runs the programs, and shows what came of the rows and
the best candidates.`,
		RunE: func(c *cobra.Command, _ []string) error { return s.demo(c.Context(), dir, rows) },
	}
	c.Flags().StringVar(&dir, "dir", "ceap-demo", "the folder to create")
	c.Flags().IntVar(&rows, "rows", 100_000, "deliveries; the other tables follow from it")
	return c
}

// demoRun is what the demo shows of a run.
type demoRun struct {
	Why    string                  `json:"why"`
	Result ceap.RunResult          `json:"result"`
	Best   []explain.CandidateView `json:"best"`
}

func (s *shell) demo(ctx context.Context, dir string, rows int) error {
	target := s.target(dir)
	progress, stop := s.showGeneration()
	shop, err := sample.Shop(ctx, target, sample.Options{Rows: rows, Progress: progress})
	stop()
	if err != nil {
		return err
	}
	if err := s.tell(shopText(target, &shop)); err != nil {
		return err
	}
	s.dir = target
	a, err := s.open(ctx)
	if err != nil {
		return err
	}
	runs := []demoRun{}
	for _, planned := range shop.Runs {
		run, err := s.demoOne(ctx, a, planned)
		if err != nil {
			return err
		}
		runs = append(runs, run)
		s.status = max(s.status, exitOfRun(run.Result.Status, nil))
	}
	if s.asJSON {
		return writeJSON(s.out, struct {
			Dir string `json:"dir"`
			sample.Report
			Runs []demoRun `json:"results"`
		}{target, shop, runs})
	}
	return s.tell(demoNext(dir, runs))
}

// tell writes for people; --json shows everything at the end.
func (s *shell) tell(text string) error {
	if s.asJSON {
		return nil
	}
	_, err := fmt.Fprintln(s.out, text)
	return err
}

// demoOne runs a program and shows its funnel and its best candidates.
func (s *shell) demoOne(ctx context.Context, a *app.App, planned sample.Run) (demoRun, error) {
	meter := &pipeline.Meter{}
	stop := s.showProgress(meter)
	input := ceap.RunInput{ProgramID: planned.ProgramID, Marketplace: planned.Marketplace, DateRange: &planned.DateRange}
	result, err := a.Run(ctx, app.RunRequest{Input: pipeline.Input{RunInput: input}}, meter)
	stop()
	if err != nil {
		return demoRun{}, err
	}
	page, err := a.Candidates(ctx, store.Query{ProgramID: planned.ProgramID, Marketplace: planned.Marketplace, Channel: "*", Limit: demoBest})
	if err != nil {
		return demoRun{}, err
	}
	run := demoRun{Why: planned.Why, Result: result, Best: []explain.CandidateView{}}
	t := newTable("BEST", "SUBJECT", ">SCORE", "CHANNELS", "EVENT")
	t.indent = "  "
	for _, c := range page.Candidates {
		v := explain.ViewOf(c)
		run.Best = append(run.Best, v)
		t.row(explain.Readable(c.CustomerID), v.Subject.String(), scoreText(v.Score), channelsText(v.Attributes.ChannelEligibility), stamp(c.EventDate))
	}
	r := newReport(&result, s.paint(s.out))
	fmt.Fprintf(&r.b, "\n%s\n", r.paint.dim("# "+planned.Why))
	r.head()
	r.funnel()
	r.rejections()
	r.section("", t)
	return run, s.tell(strings.TrimRight(r.b.String(), "\n"))
}

func shopText(dir string, shop *sample.Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Created a shop in %s: %s, %.1f MB\n", dir, plural(shop.Rows(), "row"), float64(shop.Bytes())/1e6)
	t := newTable("TABLE", ">ROWS", ">MB")
	t.indent = "  "
	for _, one := range shop.Tables {
		t.row(one.Name, thousands(one.Rows), fmt.Sprintf("%.1f", float64(one.Bytes)/1e6))
	}
	_ = t.write(&b) // a strings.Builder takes everything
	return strings.TrimRight(b.String(), "\n")
}

// demoNext says what to type next, with a customer of the last run that has
// candidates.
func demoNext(dir string, runs []demoRun) string {
	customer := "CUSTOMER"
	program := "product-reviews"
	for _, run := range runs {
		if len(run.Best) > 0 {
			program, customer = cmp.Or(run.Result.ProgramID, program), run.Best[0].CustomerID
			break
		}
	}
	lines := []string{
		"\nNext:",
		"  cd " + dir,
		"  ceap why " + customer + "                  # what became of this customer's rows, and why",
		"  ceap candidates list --program " + program + " --channel email --limit 10",
		"  ceap runs show                        # the latest run once more, with its invalid rows",
		"  ceap validate                         # how each program will run, and where its fields come from",
		"  ceap doctor " + program,
	}
	return strings.Join(lines, "\n")
}
