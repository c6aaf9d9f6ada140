package exec

import (
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/plugin"
)

// check returns an error for the first pattern that is none.
func (s Settings) check() error {
	for key, patterns := range map[string][]string{"allow": s.Allow, "allowEnv": s.AllowEnv} {
		for i, pattern := range patterns {
			if _, err := path.Match(pattern, ""); err != nil {
				return &ceap.Error{
					Code: ceap.CodeInvalid, Field: fmt.Sprintf("connectors.exec.%s[%d]", key, i),
					Message: fmt.Sprintf("%q is no pattern", pattern), Hint: "close its brackets",
				}
			}
		}
	}
	return nil
}

const allowHint = "put the program into the folder connectors, or list it under connectors.exec.allow in ceap.yaml"

// refused returns what the settings do not allow, as far as names show it.
func (c *Connector) refused() ceap.Problems {
	var problems ceap.Problems
	if len(c.config.Command) > 0 && !c.allows(written(c.name())) {
		problems = append(problems, ceap.Problem{
			Path: "command[0]", Message: fmt.Sprintf("%q is not among the commands that this deployment allows", c.name()), Hint: allowHint,
		})
	}
	for _, name := range slices.Sorted(maps.Keys(c.config.Env)) {
		if !matches(c.settings.AllowEnv, name) {
			problems = append(problems, ceap.Problem{
				Path: plugin.PathKey("env", name), Message: "is not among the variables that programs may set in this deployment",
				Hint: fmt.Sprintf("name it SOURCE_%s, or list it under connectors.exec.allowEnv in ceap.yaml", name),
			})
		}
	}
	return problems
}

// allows reports whether a command may be run. A pattern never means a name
// without a folder: that is a program of the system's, each listed on purpose.
func (c *Connector) allows(name string) bool {
	if !strings.Contains(name, "/") {
		return slices.Contains(c.settings.Allow, name)
	}
	return matches(c.settings.Allow, name)
}

// written returns a command as patterns see it: a path of the deployment's own
// folder never looks like a name without a folder, which means another program.
func written(name string) string {
	name = filepath.ToSlash(name)
	if !strings.Contains(name, "/") {
		return name
	}
	if clean := path.Clean(name); strings.Contains(clean, "/") {
		return clean
	}
	return "./" + path.Clean(name)
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, err := path.Match(pattern, name)
		return ok && err == nil
	})
}

// resolve returns the file to run. Links are followed first, so that none leads
// from an allowed place to a program that is not; whoever lists one program by
// its absolute path or its bare name means what that leads to.
func (c *Connector) resolve() (string, *ceap.Error) {
	name := written(c.name())
	if !strings.Contains(name, "/") {
		return c.lookUp(name)
	}
	file := filepath.FromSlash(name)
	if !filepath.IsAbs(file) {
		file = filepath.Join(c.dir, file)
	}
	if problem, remedy := isExecutable(file, name); problem != "" {
		return "", c.unusable(problem, remedy)
	}
	if filepath.IsAbs(filepath.FromSlash(name)) && slices.Contains(c.settings.Allow, name) {
		return file, nil
	}
	target, err := filepath.EvalSymlinks(file)
	if err != nil {
		return "", c.unusable("cannot be looked at: "+err.Error(), "let CEAP's user read it")
	}
	if !c.allowsTarget(target) {
		return "", c.unusable("leads to "+target+", which this deployment does not allow", allowHint)
	}
	return target, nil
}

// allowsTarget reports whether a file without links is allowed, by its absolute
// path or by that in the deployment's folder.
func (c *Connector) allowsTarget(target string) bool {
	if matches(c.settings.Allow, filepath.ToSlash(target)) {
		return true
	}
	dir, err := filepath.EvalSymlinks(c.dir)
	if err != nil {
		return false
	}
	inside, err := filepath.Rel(dir, target)
	return err == nil && filepath.IsLocal(inside) && matches(c.settings.Allow, written("./"+inside))
}

// lookUp finds a name without a folder in the PATH of the settings, which is the
// command's own, and never in the working directory.
func (c *Connector) lookUp(name string) (string, *ceap.Error) {
	for _, folder := range filepath.SplitList(c.settings.Env["PATH"]) {
		if !filepath.IsAbs(folder) {
			continue
		}
		file := filepath.Join(folder, name)
		if problem, _ := isExecutable(file, name); problem == "" {
			return file, nil
		}
	}
	return "", c.unusable("is in no folder of PATH, "+c.settings.Env["PATH"],
		"install it, or set connectors.exec.env.PATH in ceap.yaml")
}

// unusable returns the error for a command that is allowed and cannot be run.
func (c *Connector) unusable(problem, remedy string) *ceap.Error {
	return &ceap.Error{
		Code: ceap.CodeInvalid, Message: fmt.Sprintf("Query execution failed: the command %q %s", c.name(), problem), Hint: remedy,
	}
}
