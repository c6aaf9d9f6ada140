package cli

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/plugin"
)

// arguments returns a check that a command is given what its usage line names.
func arguments(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		usage := strings.TrimSuffix(c.UseLine(), " [flags]")
		switch {
		case len(args) < least:
			return ceap.Errorf(ceap.CodeInvalid, "%s needs %s", c.CommandPath(), wanted(c)).WithHint("usage: %s", usage)
		case most >= 0 && len(args) > most:
			return ceap.Errorf(ceap.CodeInvalid, "%s has no use for %q", c.CommandPath(), args[most]).WithHint("usage: %s", usage)
		default:
			return nil
		}
	}
}

// wanted returns the words of the usage line that stand for arguments.
func wanted(c *cobra.Command) string {
	words := strings.Fields(c.Use)[1:]
	return strings.Join(words, " ")
}

// noCommand refuses the name of a command that there is not.
func noCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var known []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			known = append(known, sub.Name())
		}
	}
	err := ceap.Errorf(ceap.CodeInvalid, "there is no command %q", strings.TrimSpace(c.CommandPath()+" "+args[0]))
	if near := plugin.Nearest(args[0], known); near != "" {
		return err.WithHint("did you mean `%s %s`?", c.CommandPath(), near)
	}
	return err.WithHint("`%s --help` lists the commands", c.CommandPath())
}

// wrongFlag is the error of a flag that is unknown, or whose value is.
func wrongFlag(c *cobra.Command, err error) error {
	wrong := ceap.Errorf(ceap.CodeInvalid, "%w", err).WithHint("`%s --help` lists the flags", c.CommandPath())
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		name := "--" + invalid.GetFlag().Name
		if cause, ok := errors.AsType[*ceap.Error](err); ok {
			return ceap.Errorf(ceap.CodeInvalid, "%s: %w", name, cause.Err).WithHint("%s", cause.Hint)
		}
		return ceap.Errorf(ceap.CodeInvalid, "%s %q: give %s", name, invalid.GetValue(), valueKind(invalid.GetFlag()))
	}
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return wrong
	}
	var known []string
	visit := func(f *pflag.Flag) { known = append(known, f.Name) }
	c.NonInheritedFlags().VisitAll(visit)
	c.InheritedFlags().VisitAll(visit)
	if near := plugin.Nearest(unknown.GetSpecifiedName(), known); near != "" && len(unknown.GetSpecifiedName()) > 1 {
		return wrong.WithHint("did you mean --%s? %s", near, wrong.Hint)
	}
	if strings.Contains(c.Use, " CUSTOMER") {
		return wrong.WithHint("%s; an id that starts with - stands after --", wrong.Hint)
	}
	return wrong
}

// valueKind says which values a flag takes.
func valueKind(f *pflag.Flag) string {
	if f.Value.Type() == "int" {
		return "a whole number"
	}
	return "a value of type " + f.Value.Type()
}

// parent returns a command that only has others beneath it.
func parent(use, short string, children ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: noCommand, RunE: func(c *cobra.Command, args []string) error {
		if err := c.Help(); err != nil {
			return err
		}
		return nil
	}}
	c.AddCommand(children...)
	return c
}

// dateFlag is a calendar date.
type dateFlag struct{ date *ceap.Date }

// Set implements [pflag.Value].
func (f *dateFlag) Set(text string) error {
	d, err := ceap.ParseDate(text)
	if err != nil {
		return ceap.Errorf(ceap.CodeInvalid, "%q is no calendar date", text).WithHint("write it like 2026-01-27")
	}
	f.date = &d
	return nil
}

// String implements [pflag.Value].
func (f *dateFlag) String() string {
	if f.date == nil {
		return ""
	}
	return f.date.String()
}

// Type implements [pflag.Value].
func (*dateFlag) Type() string { return "date" }
