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
