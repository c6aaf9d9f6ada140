package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ceap-platform/ceap/internal/app"
)

func (s *shell) validateCommand() *cobra.Command {
	var effective bool
	c := &cobra.Command{
		Use: "validate [FILE|PROGRAM]...", Short: "Check programs, and show what a run would do", Args: arguments(0, -1),
		Long: `Checks programs, all in the programs folder without arguments: every problem with
its place and what to do, the steps of a run, and where each field comes from.
Nothing is stored and no rows are read.

--effective prints the document as it is for each marketplace, with everything
merged and filled in.`,
		RunE: func(c *cobra.Command, args []string) error {
			a, err := s.open(c.Context())
			if err != nil {
				return err
			}
			found, err := a.Validate(c.Context(), args)
			if err != nil {
				return err
			}
			for i := range found {
				if !found[i].Valid() {
					s.status = exitInput
				}
			}
			switch {
			case effective:
				return s.printEffective(found)
			case s.asJSON:
				return writeJSON(s.out, found)
			default:
				return s.printValidations(found)
			}
		},
	}
	c.Flags().BoolVar(&effective, "effective", false, "print the effective documents as JSON")
	s.completePrograms(c, "")
	return c
}

// printEffective prints the effective documents: one as it is, several as a
// list.
func (s *shell) printEffective(found []app.Validation) error {
	documents := []json.RawMessage{}
	for i := range found {
		if found[i].Effective != nil {
			documents = append(documents, found[i].Effective)
		}
	}
	if s.status != exitOK {
		var b strings.Builder
		for i := range found {
			for _, problem := range found[i].Problems.Errors() {
				writeProblem(&b, problem, "", s.paint(s.errOut))
			}
		}
		_, _ = fmt.Fprint(s.errOut, b.String())
	}
	if len(documents) == 1 {
		return writeJSON(s.out, documents[0])
	}
	return writeJSON(s.out, documents)
}

func (s *shell) printValidations(found []app.Validation) error {
	p := s.paint(s.out)
	var b strings.Builder
	for i := range found {
		if i > 0 {
			b.WriteString("\n")
		}
		writeValidation(&b, &found[i], p)
	}
	_, err := fmt.Fprint(s.out, b.String())
	return err
}

func writeValidation(b *strings.Builder, v *app.Validation, p paint) {
	verdict := p.green("OK")
	switch {
	case !v.Valid():
		verdict = p.red("ERROR")
	case len(v.Problems) > 0:
		verdict = p.yellow("OK, with warnings")
	}
	title := v.File
	if v.ProgramID != "" {
		title += "  " + p.bold(v.ProgramID)
	}
	if v.Marketplace != "" {
		title += ", " + v.Marketplace
	}
	b.WriteString(title + "  " + verdict + "\n")
	for _, problem := range v.Problems {
		writeProblem(b, problem, "  ", p)
	}
	if len(v.Plan) > 0 {
		b.WriteString("  plan:\n")
		for n, step := range v.Plan {
			line := fmt.Sprintf("    %d. %s", n+1, step.Step)
			if step.Note != "" {
				line += "  " + p.dim("("+step.Note+")")
			}
			b.WriteString(line + "\n")
		}
	}
	if len(v.Fields) > 0 {
		b.WriteString("  fields:\n")
		t := mappingTable(v.Fields)
		t.indent = "    "
		_ = t.write(b) // a strings.Builder takes everything
	}
	for _, reason := range v.Unchecked {
		b.WriteString("  fields not checked: " + reason + "\n")
	}
}
