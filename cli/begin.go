package cli

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/ceap-platform/ceap/internal/sample"
)

func (s *shell) initCommand() *cobra.Command {
	return &cobra.Command{
		Use: "init DIR", Short: "Create a project that runs as it is", Args: arguments(1, 1),
		Long: `Creates a project folder with a configuration, two programs, and the little data
they read. Files that exist are not touched.`,
		RunE: func(_ *cobra.Command, args []string) error {
			dir := s.target(args[0])
			files, err := sample.InitProject(dir)
			if err != nil {
				return err
			}
			if s.asJSON {
				return writeJSON(s.out, struct {
					Dir   string   `json:"dir"`
					Files []string `json:"files"`
				}{dir, files})
			}
			var b strings.Builder
			fmt.Fprintf(&b, "Created %s in %s:\n", plural(int64(len(files)), "file"), dir)
			for _, file := range files {
				b.WriteString("  " + file + "\n")
			}
			b.WriteString("\nNext:\n")
			if dir != "." {
				b.WriteString("  cd " + dir + "\n")
			}
			b.WriteString("  ceap validate\n  ceap run product-reviews --start 2026-01-26 --end 2026-01-27\n")
			_, err = fmt.Fprint(s.out, b.String())
			return err
		},
	}
}

// target returns the folder that a command is to make, within that of -C.
func (s *shell) target(dir string) string {
	if s.dir == "" || filepath.IsAbs(dir) {
		return dir
	}
	return filepath.Join(s.dir, dir)
}

func (s *shell) demoCommand() *cobra.Command {
	var dir string
	var rows int
	c := &cobra.Command{
		Use: "demo", Short: "Create a shop of any size to try CEAP on", Args: arguments(0, 0),
		Long: `Creates a project folder with the data of an invented shop: customers, deliveries,
reviews, watched videos and service calls, with the dirt that real data has, and
programs that read them.`,
		RunE: func(c *cobra.Command, _ []string) error {
			target := s.target(dir)
			progress, stop := s.showGeneration()
			report, err := sample.Shop(c.Context(), target, sample.Options{Rows: rows, Progress: progress})
			stop()
			if err != nil {
				return err
			}
			if s.asJSON {
				return writeJSON(s.out, struct {
					Dir string `json:"dir"`
					sample.Report
				}{target, report})
			}
			return s.printShop(target, &report)
		},
	}
	c.Flags().StringVar(&dir, "dir", "ceap-demo", "the folder to create")
	c.Flags().IntVar(&rows, "rows", 100_000, "deliveries; the other tables follow from it")
	return c
}

func (s *shell) printShop(dir string, report *sample.Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Created a shop in %s: %s, %.1f MB\n", dir, plural(report.Rows(), "row"), float64(report.Bytes())/1e6)
	t := newTable("TABLE", ">ROWS", ">MB")
	t.indent = "  "
	for _, one := range report.Tables {
		t.row(one.Name, thousands(one.Rows), fmt.Sprintf("%.1f", float64(one.Bytes)/1e6))
	}
	_ = t.write(&b) // a strings.Builder takes everything
	fmt.Fprintf(&b, "\nNext:\n  cd %s\n", dir)
	for _, run := range report.Runs {
		fmt.Fprintf(&b, "  ceap run %s --marketplace %s --start %s --end %s   # %s\n", run.ProgramID, run.Marketplace, run.DateRange.Start, run.DateRange.End, run.Why)
	}
	_, err := fmt.Fprint(s.out, b.String())
	return err
}

// showGeneration draws how far the generation of tables is, a bar for each.
func (s *shell) showGeneration() (progress func(done, total int64, what string), stop func()) {
	if !s.showsProgress() {
		return nil, func() {}
	}
	p := mpb.New(mpb.WithOutput(s.errOut), mpb.WithWidth(60), mpb.WithRefreshRate(refresh))
	var bar *mpb.Bar
	current := ""
	progress = func(done, total int64, what string) {
		if bar == nil || what != current {
			if bar != nil {
				bar.Abort(true)
			}
			current = what
			bar = p.New(total, mpb.BarStyle().Lbound("").Filler("█").Tip("█").Padding("░").Rbound(""), mpb.BarRemoveOnComplete(),
				mpb.PrependDecorators(decor.Name(what+"  ")),
				mpb.AppendDecorators(decor.Any(func(st decor.Statistics) string { return " " + plural(st.Current, "row") })))
		}
		bar.SetCurrent(done)
	}
	return progress, func() {
		if bar != nil {
			bar.Abort(true)
		}
		p.Wait()
	}
}
