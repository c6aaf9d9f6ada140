package exec

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	osexec "os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/plugin"
)

const ownPrefix = "CEAP_" // of the variables that describe the run

func (c Config) validateCommand() ceap.Problems {
	var problems ceap.Problems
	for i, arg := range c.Command {
		at := fmt.Sprintf("command[%d]", i)
		switch {
		case strings.ContainsRune(arg, 0):
			problems = append(problems, ceap.Problem{Path: at, Message: "contains a NUL character", Hint: "remove it"})
		case i > 0:
			problems = append(problems, unknownPlaceholders(at, arg)...)
		case strings.TrimSpace(arg) == "":
			problems = append(problems, ceap.Problem{Path: at, Message: "is empty", Hint: "name the program to run"})
		case slices.Contains(strings.Split(filepath.ToSlash(arg), "/"), ".."):
			problems = append(problems, ceap.Problem{
				Path: at, Message: fmt.Sprintf("%q leads upwards", arg), Hint: "write the path without ..",
			})
		}
	}
	return problems
}

func (c Config) validateEnv() ceap.Problems {
	var problems ceap.Problems
	names := regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	for _, name := range slices.Sorted(maps.Keys(c.Env)) {
		at := plugin.PathKey("env", name)
		switch {
		case !names.MatchString(name):
			problems = append(problems, ceap.Problem{Path: at, Message: "is no name of a variable", Hint: "use letters, digits and _"})
		case strings.HasPrefix(name, ownPrefix):
			problems = append(problems, ceap.Problem{Path: at, Message: ownPrefix + "* describe the run", Hint: "choose another name"})
		case strings.ContainsRune(c.Env[name], 0):
			problems = append(problems, ceap.Problem{Path: at, Message: "contains a NUL character", Hint: "remove it"})
		}
	}
	return problems
}

// placeholder matches {name}, and {{name}} for the braces themselves. Other
// braces, such as those of JSON, are left alone.
const placeholder = `\{\{[A-Za-z_]\w*\}\}|\{[A-Za-z_]\w*\}`

func unknownPlaceholders(at, arg string) ceap.Problems {
	values := connector.Request{}.Placeholders()
	var problems ceap.Problems
	for _, found := range regexp.MustCompile(placeholder).FindAllString(arg, -1) {
		name := strings.Trim(found, "{}")
		if _, known := values[name]; known || strings.HasPrefix(found, "{{") {
			continue
		}
		known := slices.Sorted(maps.Keys(values))
		hint := fmt.Sprintf("write {%s} for the braces themselves; known are %s", found, strings.Join(known, ", "))
		if near := plugin.Nearest(name, known); near != "" {
			hint = fmt.Sprintf("did you mean {%s}? %s", near, hint)
		}
		problems = append(problems, ceap.Problem{Path: at, Message: "unknown placeholder " + found, Hint: hint})
	}
	return problems
}

// arguments returns the command's arguments for a request. A value never becomes
// more than one argument.
func (c *Connector) arguments(req connector.Request) []string {
	values := req.Placeholders()
	pattern := regexp.MustCompile(placeholder)
	args := slices.Clone(c.config.Command)
	for i := range args[1:] {
		args[i+1] = pattern.ReplaceAllStringFunc(args[i+1], func(found string) string {
			if strings.HasPrefix(found, "{{") {
				return found[1 : len(found)-1]
			}
			return values[found[1:len(found)-1]]
		})
	}
	return args
}

// request is what the command reads from standard input, and as variables.
type request struct {
	ProgramID   string `json:"programId"`
	Marketplace string `json:"marketplace"`
	ConnectorID string `json:"connectorId"`
	StartDate   string `json:"startDate"`
	EndDate     string `json:"endDate"` // inclusive
	Timezone    string `json:"timezone"`
	RunID       string `json:"runId"`
	BatchID     string `json:"batchId"`
	AsOf        string `json:"asOf"` // RFC 3339, UTC
}

func requestOf(req connector.Request) request {
	zone := time.UTC
	if req.Zone != nil {
		zone = req.Zone
	}
	return request{
		ProgramID: req.ProgramID, Marketplace: req.Marketplace, ConnectorID: req.ConnectorID,
		StartDate: req.Range.Start.String(), EndDate: req.Range.End.String(), Timezone: zone.String(),
		RunID: req.RunID, BatchID: req.BatchID, AsOf: req.AsOf.UTC().Format(time.RFC3339Nano),
	}
}

// environ returns the command's whole environment.
func (c *Connector) environ(r request) []string {
	env := map[string]string{"HOME": c.dir}
	maps.Copy(env, c.settings.Env)
	maps.Copy(env, c.config.Env)
	maps.Copy(env, map[string]string{
		"CEAP_PROGRAM_ID": r.ProgramID, "CEAP_MARKETPLACE": r.Marketplace, "CEAP_CONNECTOR_ID": r.ConnectorID,
		"CEAP_START_DATE": r.StartDate, "CEAP_END_DATE": r.EndDate, "CEAP_TIMEZONE": r.Timezone,
		"CEAP_RUN_ID": r.RunID, "CEAP_BATCH_ID": r.BatchID, "CEAP_AS_OF": r.AsOf,
	})
	out := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		out = append(out, name+"="+env[name])
	}
	return out
}

// start starts the command.
func (c *Connector) start(req connector.Request) (*process, error) {
	file, refused := c.resolve()
	if refused != nil {
		return nil, refused
	}
	r := requestOf(req)
	input, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("writing the request of %q: %w", c.name(), err)
	}
	cmd := &osexec.Cmd{Path: file, Args: c.arguments(req), Env: c.environ(r), Dir: c.dir}
	p, err := start(cmd, append(input, '\n'), c.grace)
	if err != nil {
		return nil, c.startFailed(err)
	}
	return p, nil
}

// name returns what the program file calls the command.
func (c *Connector) name() string { return c.config.Command[0] }

func (c *Connector) startFailed(err error) error {
	e := &ceap.Error{
		Code: ceap.CodeUnavailable, Message: fmt.Sprintf("Query execution failed: the command %q cannot be started", c.name()), Err: err,
	}
	switch {
	case isNotProgram(err):
		e.Code, e.Hint = ceap.CodeInvalid, "if it is a script, let its first line name the interpreter, such as #!/usr/bin/env python3"
	case errors.Is(err, fs.ErrNotExist):
		// The file itself has just been looked at.
		e.Code, e.Hint = ceap.CodeInvalid, "install the interpreter that its first line names, or name another; line ends must be those of Unix"
	}
	return e
}

// isExecutable says why the file cannot be run, and what to do; or "".
func isExecutable(file, name string) (problem, remedy string) {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "does not exist", "put the program at " + file
	case err != nil:
		return "cannot be looked at: " + err.Error(), "let CEAP's user read it"
	case info.IsDir():
		return "is a folder", "name a program in it"
	case !mayRun(info):
		return "is not executable", "chmod +x " + path.Clean(name)
	}
	return "", ""
}
