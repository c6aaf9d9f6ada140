package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/app"
	"github.com/ceap-platform/ceap/internal/pipeline"
	"github.com/ceap-platform/ceap/internal/program"
	"github.com/ceap-platform/ceap/plugin"
)

// maxInput bounds the file of --input.
const maxInput = 1 << 20

// runOptions are the flags of `ceap run`.
type runOptions struct {
	program       string // the argument; "" if there is none
	marketplace   string
	start, end    dateFlag
	batchID       string
	correlationID string
	input         string
	dryRun        bool
	asOf          string
	stage         string
	onAWS         bool
}

func (s *shell) runCommand() *cobra.Command {
	var o runOptions
	c := &cobra.Command{
		Use: "run [PROGRAM|FILE]", Short: "Run a program", Args: arguments(0, 1),
		Long: `Runs a program for one marketplace and a range of dates, and shows what became of
every row. Without a range it goes from the end of the last successful run to
today, or from yesterday to today.

A run with a batch id that has finished before returns its first result; one that
has not is taken up where it stopped. Without --batch-id every run is new.

With --on aws the state machine of the stage runs the program that is stored there
(` + "`ceap program push`" + `), and the command follows it to its end.

--input reads what the flags say from a JSON file, or with - from standard input:
  {"programId": "product-reviews", "marketplace": "US", "batchId": "b-1",
   "correlationId": "c-1", "dateRange": {"start": "2026-01-26", "end": "2026-01-27"}}
Flags beat it.`,
		Example: `  ceap run product-reviews --start 2026-01-26 --end 2026-01-27
  ceap run product-reviews --dry-run
  ceap run --input execution.json --json`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.program = args[0]
			}
			o.onAWS = s.on == onAWS
			return s.run(c.Context(), o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.marketplace, "marketplace", "", "the marketplace; may be left out if the program has one")
	f.Var(&o.start, "start", "first day, as 2026-01-26")
	f.Var(&o.end, "end", "last day, inclusive")
	f.StringVar(&o.batchID, "batch-id", "", "makes the run repeatable: one batch id is one run")
	f.StringVar(&o.correlationID, "correlation-id", "", "stands in every log line and record of the run (default: the run's id)")
	f.StringVar(&o.input, "input", "", "read the input from this file; - is standard input")
	f.BoolVar(&o.dryRun, "dry-run", false, "do everything but store")
	f.StringVar(&o.asOf, "as-of", "", "the run's clock, as 2026-01-27 or 2026-01-27T08:00:00Z (default: now)")
	f.StringVar(&o.stage, "stage", "", "extract: read and map the rows, and stop before filtering")
	_ = c.RegisterFlagCompletionFunc("stage", cobra.FixedCompletions([]string{pipeline.StageExtract}, cobra.ShellCompDirectiveNoFileComp))
	s.completePrograms(c, "")
	return c
}

// run runs a program and shows the result.
func (s *shell) run(ctx context.Context, o runOptions) error {
	a, err := s.open(ctx)
	if err != nil {
		return err
	}
	req, err := s.runRequest(o)
	if err != nil {
		return err
	}
	meter := &pipeline.Meter{}
	stop := s.showProgress(meter)
	var result ceap.RunResult
	if s.on == onAWS {
		result, err = a.RunOnStage(ctx, s.stage(), req, meter, pause)
	} else {
		result, err = a.Run(ctx, req, meter)
	}
	stop()
	if result.RunID == "" {
		return err
	}
	s.status = exitOfRun(result.Status, err)
	if result.Status == ceap.RunCancelled {
		err = ceap.Errorf(ceap.CodeCancelled, "the run was cancelled; nothing of it is lost").WithHint("go on with: %s", o.again(&result))
	}
	if s.asJSON {
		if writing := writeJSON(s.out, result); writing != nil {
			return writing
		}
		return err
	}
	shown := result
	if err != nil {
		shown.Message = "" // the error says it, with what to do
	}
	if writing := newReport(&shown, s.paint(s.out)).write(s.out); writing != nil {
		return writing
	}
	return err
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// again returns the command that takes a stopped run up again.
func (o *runOptions) again(result *ceap.RunResult) string {
	words := []string{"ceap run"}
	if o.onAWS {
		words = append(words, "--on", onAWS)
	}
	if o.program != "" {
		words = append(words, o.program)
	}
	if o.input != "" {
		words = append(words, "--input", o.input)
	}
	words = append(words, "--marketplace", result.Marketplace)
	if o.start.date != nil {
		words = append(words, "--start", o.start.String(), "--end", o.end.String())
	}
	if o.asOf != "" {
		words = append(words, "--as-of", o.asOf)
	}
	if o.dryRun || o.stage != "" {
		return strings.Join(words, " ")
	}
	return strings.Join(append(words, "--batch-id", result.BatchID), " ")
}

// runRequest unites the input file and the flags, which beat it.
func (s *shell) runRequest(o runOptions) (app.RunRequest, error) {
	req := app.RunRequest{Program: o.program, Input: pipeline.Input{DryRun: o.dryRun, Stage: o.stage}}
	if o.stage != "" && o.stage != pipeline.StageExtract {
		return req, ceap.Errorf(ceap.CodeInvalid, "there is no stage %q to stop after", o.stage).WithHint("use --stage %s", pipeline.StageExtract)
	}
	if o.input != "" {
		input, err := s.readInput(o.input)
		if err != nil {
			return req, err
		}
		req.RunInput = input
	}
	if o.program == "" && req.ProgramID == "" {
		return req, ceap.Errorf(ceap.CodeInvalid, "no program is named").WithHint("usage: ceap run PROGRAM, or programId in --input")
	}
	req.Marketplace = cmp.Or(o.marketplace, req.Marketplace)
	req.BatchID = cmp.Or(o.batchID, req.BatchID)
	req.CorrelationID = cmp.Or(o.correlationID, req.CorrelationID)
	switch start, end := o.start.date, o.end.date; {
	case start != nil && end != nil:
		req.DateRange = &ceap.DateRange{Start: *start, End: *end}
	case start != nil || end != nil:
		return req, ceap.Errorf(ceap.CodeInvalid, "--start and --end go together").WithHint("for one day give it twice")
	}
	var err error
	req.AsOf, err = parseInstant(o.asOf)
	return req, err
}

// parseInstant reads the time of --as-of.
func parseInstant(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, ceap.Errorf(ceap.CodeInvalid, "--as-of %q is no time", text).WithHint("write 2026-01-27, or 2026-01-27T08:00:00Z")
}

// execution is the form of an input file: the guide's execution input.
type execution struct {
	ProgramID     string `json:"programId" ceap:"nonempty"`
	Marketplace   string `json:"marketplace" ceap:"nonempty"`
	BatchID       string `json:"batchId" ceap:"nonempty"`
	CorrelationID string `json:"correlationId" ceap:"nonempty"`
	DateRange     *struct {
		Start ceap.Date `json:"start" ceap:"required"`
		End   ceap.Date `json:"end" ceap:"required"`
	} `json:"dateRange"`
}

// readInput reads an input file strictly, with the places of all problems.
func (s *shell) readInput(name string) (ceap.RunInput, error) {
	var data []byte
	var err error
	shown := s.config.Shown(name)
	if name == "-" {
		shown = "standard input"
		data, err = io.ReadAll(io.LimitReader(s.in, maxInput+1))
	} else {
		data, err = os.ReadFile(s.config.Path(name))
	}
	switch {
	case os.IsNotExist(err):
		return ceap.RunInput{}, ceap.Errorf(ceap.CodeNotFound, "the input file %s does not exist", shown)
	case err != nil:
		return ceap.RunInput{}, ceap.Errorf(ceap.CodeUnavailable, "reading the input: %w", err)
	}
	document, problems := program.Parse(shown, data)
	if err := problems.Err(); err != nil {
		return ceap.RunInput{}, err
	}
	var in execution
	if err := plugin.Decode(document, &in).Err(); err != nil {
		return ceap.RunInput{}, err
	}
	out := ceap.RunInput{ProgramID: in.ProgramID, Marketplace: in.Marketplace, BatchID: in.BatchID, CorrelationID: in.CorrelationID}
	if in.DateRange != nil {
		out.DateRange = &ceap.DateRange{Start: in.DateRange.Start, End: in.DateRange.End}
	}
	return out, nil
}

// stageText returns a stage in words.
func stageText(stage string) string {
	switch stage {
	case pipeline.StageExtract:
		return "reading"
	case pipeline.StageStore:
		return "deciding"
	default:
		return "starting"
	}
}

// programFlags are the flags that name a program and marketplace.
type programFlags struct{ programID, marketplace string }

func (s *shell) addProgramFlags(c *cobra.Command, f *programFlags) {
	c.Flags().StringVar(&f.programID, "program", "", "only this program")
	c.Flags().StringVar(&f.marketplace, "marketplace", "", "only this marketplace")
	s.completePrograms(c, "program")
}

// parseSubject reads a subject as TYPE/ID. The id may hold slashes.
func parseSubject(text string) (subjectType, subjectID string, err error) {
	subjectType, subjectID, ok := strings.Cut(text, "/")
	if !ok || subjectType == "" || subjectID == "" {
		return "", "", ceap.Errorf(ceap.CodeInvalid, "%q is no subject", text).WithHint("write it as TYPE/ID, such as product/PROD-123")
	}
	return subjectType, subjectID, nil
}

// scoreText writes a score for people.
func scoreText(score *float64) string {
	if score == nil {
		return "-"
	}
	return fmt.Sprintf("%.4f", *score)
}

// channelsText lists the channels that are allowed.
func channelsText(eligible map[string]bool) string {
	var names []string
	for name, ok := range eligible {
		if ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if len(names) == 0 {
		return "-"
	}
	return strings.Join(names, ",")
}
