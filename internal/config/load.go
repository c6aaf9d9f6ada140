package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/program"
	"github.com/ceap-platform/ceap/plugin"
)

// maxFile bounds the configuration file.
const maxFile = 1 << 20

// Sources are where a configuration comes from, besides its file.
type Sources struct {
	Dir     string            // the project's folder as a flag names it; "" if none does
	Flags   map[string]string // values of flags, by the path of their setting, such as log.level
	Environ []string          // as [Environ] returns it
}

// Environ returns the environment, each entry as NAME=value.
func Environ() []string { return os.Environ() }

// NoColor reports whether the environment asks for text without colours, as
// no-color.org has it, or names a terminal that knows none.
func NoColor(environ []string) bool {
	env := environment(environ)
	return env["NO_COLOR"] != "" || env["TERM"] == "dumb"
}

// variables maps environment variables to the settings they set.
func variables() map[string]string {
	return map[string]string{
		"CEAP_PROGRAMS":          "programs",
		"CEAP_TEMPLATES":         "templates",
		"CEAP_JOURNAL_KEEP_DAYS": "journal.keepDays",
		"CEAP_TEMP_DIR":          "tempDir",
		"CEAP_STAGE":             "aws.stage",
		"CEAP_REGION":            "aws.region",
		"CEAP_ARTIFACTS_BUCKET":  "aws.artifactsBucket",
		"CEAP_RESULTS_BUCKET":    "aws.resultsBucket",
		"CEAP_PART_ROWS":         "aws.partRows",
		"CEAP_CONCURRENCY":       "aws.concurrency",
		"CEAP_LOG_LEVEL":         "log.level",
		"CEAP_LOG_FORMAT":        "log.format",
	}
}

// numbers lists the settings of [variables] that are numbers.
func numbers() []string { return []string{"journal.keepDays", "aws.partRows", "aws.concurrency"} }

// dirVariable names the project's folder.
const dirVariable = "CEAP_DIR"

// Load reads the configuration. The folder is that of the flag, else CEAP_DIR,
// else the working directory; without a ceap.yaml in it the defaults hold. The
// warnings name environment variables that look like misspelled ones.
//
// Problems are returned all at once, as an error of invalid; not_found means
// that there is no such folder, unavailable that the file cannot be read.
func Load(s Sources) (*Config, ceap.Problems, error) {
	env := environment(s.Environ)
	dir := s.Dir
	if dir == "" {
		dir = env[dirVariable]
	}
	if dir == "" {
		dir = "."
	}
	c := Default()
	c.Given = dir
	var err error
	if c.Dir, err = folder(dir); err != nil {
		return nil, nil, err
	}
	document, err := readFile(filepath.Join(dir, FileName))
	if err != nil {
		return nil, nil, err
	}
	if document != nil {
		c.File = document.Pos.File
	}
	problems := plugin.Decode(document, &c)
	for _, layer := range []map[string]setting{fromEnvironment(env), fromFlags(s.Flags)} {
		for _, name := range sortedKeys(layer) {
			problems = append(problems, override(&c, name, layer[name])...)
		}
	}
	return &c, misspelled(env), problems.Err()
}

// folder returns the absolute path of a folder that exists.
func folder(dir string) (string, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("finding the folder %s: %w", dir, err)
	}
	switch info, err := os.Stat(absolute); {
	case errors.Is(err, fs.ErrNotExist):
		return "", ceap.Errorf(ceap.CodeNotFound, "the folder %s does not exist", dir).WithHint("create a project with `ceap init %s`", dir)
	case err != nil:
		return "", ceap.Errorf(ceap.CodeUnavailable, "looking at the folder %s: %w", dir, err)
	case !info.IsDir():
		return "", ceap.Errorf(ceap.CodeInvalid, "%s is not a folder", dir).WithHint("give -C the folder in which %s lies", FileName)
	}
	return absolute, nil
}

// readFile parses the configuration file, and returns nil if there is none.
func readFile(name string) (*plugin.Node, error) {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && info.Size() > maxFile {
		return nil, ceap.Errorf(ceap.CodeInvalid, "%s has %d bytes; at most %d are read", name, info.Size(), maxFile)
	}
	data, err := os.ReadFile(name) //nolint:gosec // the user names the folder
	if err != nil {
		return nil, ceap.Errorf(ceap.CodeUnavailable, "reading the configuration: %w", err)
	}
	if saysNothing(string(data)) {
		return nil, nil
	}
	document, problems := program.Parse(name, data)
	return document, problems.Err()
}

// saysNothing reports whether the file has nothing but comments.
func saysNothing(text string) bool {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			return false
		}
	}
	return true
}

// environment returns the variables by name.
func environment(environ []string) map[string]string {
	out := map[string]string{}
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok {
			out[name] = value
		}
	}
	return out
}

// setting is a value that stands outside the file.
type setting struct{ path, text string }

func fromEnvironment(env map[string]string) map[string]setting {
	out := map[string]setting{}
	for name, path := range variables() {
		if text := env[name]; text != "" {
			out[name] = setting{path, text}
		}
	}
	return out
}

func fromFlags(flags map[string]string) map[string]setting {
	out := map[string]setting{}
	for path, text := range flags {
		out["--"+strings.ReplaceAll(path, ".", "-")] = setting{path, text}
	}
	return out
}

// override reads one value over the configuration, as strictly as the file; a
// problem names where the value comes from.
func override(c *Config, origin string, s setting) ceap.Problems {
	at := ceap.Position{File: origin}
	node := &plugin.Node{Kind: plugin.NodeString, Text: s.text, Pos: at, Path: s.path}
	if s.text != "" && strings.Trim(s.text, "0123456789") == "" && slices.Contains(numbers(), s.path) {
		node.Kind = plugin.NodeNumber
	}
	parts := strings.Split(s.path, ".")
	for _, name := range slices.Backward(parts) {
		node = &plugin.Node{Kind: plugin.NodeObject, Pos: at, Fields: []plugin.Field{{Name: name, Pos: at, Value: node}}}
	}
	return plugin.DecodePartial(node, c)
}

// misspelled warns of variables that look like one that CEAP reads. Others that
// start with CEAP_ are let be: container platforms make such names on their own.
func misspelled(env map[string]string) ceap.Problems {
	known := append(slices.Collect(maps.Keys(variables())), dirVariable)
	slices.Sort(known)
	var problems ceap.Problems
	for _, name := range sortedKeys(env) {
		if !strings.HasPrefix(name, "CEAP_") || slices.Contains(known, name) {
			continue
		}
		if near := plugin.Nearest(name, known); near != "" {
			problems = append(problems, ceap.Problem{
				Position: ceap.Position{File: name}, Warning: true,
				Message: "CEAP reads no such environment variable", Hint: fmt.Sprintf("did you mean %s?", near),
			})
		}
	}
	return problems
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func asError(err error) (*ceap.Error, bool) { return errors.AsType[*ceap.Error](err) }
