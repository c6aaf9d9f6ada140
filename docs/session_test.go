//go:build cgo

// The stories run on DuckDB, which needs cgo.

package docs_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ceap-platform/ceap/builtin"
	"github.com/ceap-platform/ceap/cli"
)

// The test binary runs itself as the command ceap.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ceap": func() { os.Exit(cli.Main(builtin.All())) }})
}

// TestPages_Run runs the commands of all pages.
func TestPages_Run(t *testing.T) {
	t.Parallel()
	ran := 0
	for _, p := range pages(t) {
		if !runs(p) {
			continue
		}
		ran++
		t.Run(strings.ReplaceAll(p.name, "/", "."), func(t *testing.T) {
			t.Parallel()
			newSession(t, p).run()
		})
	}
	if ran < 4 {
		t.Errorf("only %d pages have commands", ran)
	}
}

// runs reports whether a page has something to run here. The examples have a
// test of their own.
func runs(p page) bool {
	if slices.Contains(elsewhere(), p.name) || strings.HasPrefix(p.name, "examples/") {
		return false
	}
	for i := range p.blocks {
		if p.blocks[i].lang == "sh" || p.blocks[i].lang == "sql" {
			return true
		}
	}
	return false
}

// session is a page's story.
type session struct {
	t    *testing.T
	page page
	home string // the folder in which it starts
	dir  string // the folder in which it is now
	shop string // a generated shop, for queries; "" until one is needed
}

func newSession(t *testing.T, p page) *session {
	t.Helper()
	home, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"tmp", "me"} {
		if err := os.Mkdir(filepath.Join(home, dir), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	return &session{t: t, page: p, home: home, dir: filepath.Join(home, "me")}
}

func (s *session) run() {
	for i := range s.page.blocks {
		b := &s.page.blocks[i]
		switch {
		case b.attr["file"] != "":
			s.write(b)
		case b.lang == "sh":
			s.command(b, s.following(i))
		case b.lang == "sql" && b.has("journal"):
			s.journal(b, s.following(i))
		case b.lang == "sql":
			s.query(b)
		}
		if s.t.Failed() {
			return // what follows counts on it
		}
	}
}

// following returns the output that the page shows right after block i, or nil.
func (s *session) following(i int) *block {
	if i+1 < len(s.page.blocks) && s.page.blocks[i+1].lang == "text" && !s.page.blocks[i+1].has("figure") {
		return &s.page.blocks[i+1]
	}
	return nil
}

func (s *session) fatalf(b *block, format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("%s:%d: %s", s.page.name, b.line, fmt.Sprintf(format, args...))
}

// write creates a file of the story.
func (s *session) write(b *block) {
	name := filepath.Join(s.dir, filepath.FromSlash(b.attr["file"]))
	if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
		s.fatalf(b, "%v", err)
	}
	if err := os.WriteFile(name, []byte(b.body), 0o600); err != nil {
		s.fatalf(b, "%v", err)
	}
}

// command runs a block of commands and compares what they print.
func (s *session) command(b, shown *block) {
	want := 0
	if text := b.attr["exit"]; text != "" {
		var err error
		if want, err = strconv.Atoi(text); err != nil {
			s.fatalf(b, "exit=%s is no status", text)
		}
	}
	got, status := s.bash(b.body)
	if status != want {
		s.fatalf(b, "exit status %d instead of %d:\n%s", status, want, got)
	}
	if shown != nil {
		s.compare(shown, got)
	}
}

// bash runs commands in the story's folder, and stays where they end. `make`
// runs what the Makefile says, with the binary under test.
func (s *session) bash(commands string) (output string, status int) {
	where := filepath.Join(s.home, "where")
	script := "make() { case \"$1\" in demo) " + demoRecipe(s.t) + ";; esac; }\n" +
		"trap 'pwd >\"" + where + "\"' EXIT\nset -e\n" + commands
	c := exec.CommandContext(s.t.Context(), "bash", "-c", script)
	c.Dir = s.dir
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.home, "TMPDIR=" + filepath.Join(s.home, "tmp"), "NO_COLOR=1"}
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // Run returns it as it is
		status = exit.ExitCode()
	} else if err != nil {
		s.t.Fatalf("running bash: %v", err)
	}
	data, err := os.ReadFile(where)
	if err != nil {
		s.t.Fatal(err)
	}
	s.dir = strings.TrimSpace(string(data))
	return out.String(), status
}

// demoRecipe returns what `make demo` runs after it has built the binary.
func demoRecipe(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(data), "\ndemo:")
	if !ok {
		t.Fatal("the Makefile has no target demo")
	}
	var commands []string
	for _, line := range strings.Split(after, "\n")[1:] {
		command, ok := strings.CutPrefix(line, "\t")
		if !ok {
			break
		}
		commands = append(commands, strings.ReplaceAll(strings.TrimPrefix(command, "@"), "$(BIN)/ceap", "ceap"))
	}
	if len(commands) == 0 {
		t.Fatal("the Makefile's target demo does nothing")
	}
	return strings.Join(commands, "; ")
}

// compare compares an output with the one on the page.
func (s *session) compare(shown *block, got string) {
	s.t.Helper()
	want, have := s.lines(shown.body), s.lines(got)
	if !matches(want, have) {
		s.t.Errorf("%s:%d: the output differs (-page +command):\n%s", s.page.name, shown.line, cmp.Diff(want, have))
	}
}

// matches reports whether the lines are those wanted, of which "..." stands for
// any number.
func matches(want, have []string) bool {
	switch {
	case len(want) == 0:
		return len(have) == 0
	case want[0] == "...":
		for skip := range len(have) + 1 {
			if matches(want[1:], have[skip:]) {
				return true
			}
		}
		return false
	default:
		return len(have) > 0 && want[0] == have[0] && matches(want[1:], have[1:])
	}
}

// lines returns the lines of an output with what varies taken out. Blanks count
// as one, since the width of a column follows from what varies.
func (s *session) lines(text string) []string {
	text = strings.ReplaceAll(text, filepath.Join(s.home, "tmp"), "/tmp")
	text = strings.ReplaceAll(text, filepath.Join(s.home, "me"), "/home/me")
	for _, v := range []struct{ pattern, name string }{
		{`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`, "<id>"},
		{`\b\d+(\.\d+)?(µs|ms|s)\b`, "<took>"},
		{`\b\d+(\.\d+)? GB free`, "<space> free"},
	} {
		text = regexp.MustCompile(v.pattern).ReplaceAllString(text, v.name)
	}
	// The sample data lie in January 2026; later times are those of the run.
	text = regexp.MustCompile(`20\d\d-\d\d-\d\d([ T]\d\d:\d\d(:\d\d)?(\.\d+)?Z?)?`).ReplaceAllStringFunc(text, func(date string) string {
		if date < "2026-11" {
			return date
		}
		return "<time>"
	})
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// query runs a query of a page over the sample shop. It must find candidates.
func (s *session) query(b *block) {
	if s.shop == "" {
		s.shop = filepath.Join(s.home, "sample")
		if out, status := s.ceap("demo", "--rows", "10000", "--dir", s.shop); status != 0 {
			s.fatalf(b, "creating the sample shop: %s", out)
		}
	}
	program, err := json.Marshal(map[string]any{
		"programId": programOf(b.body), "marketplace": "US",
		"dataConnectors": []any{map[string]any{
			"connectorId": "page", "connectorType": "data-warehouse",
			"sourceConfig": map[string]any{"database": "ceap_data_dev", "query": b.body},
		}},
	})
	if err != nil {
		s.fatalf(b, "%v", err)
	}
	name := filepath.Join(s.shop, fmt.Sprintf("page-%d.json", b.line))
	if err := os.WriteFile(name, program, 0o600); err != nil {
		s.fatalf(b, "%v", err)
	}
	out, status := s.ceap("-C", s.shop, "--json", "run", name, "--dry-run", "--start", "2026-01-26", "--end", "2026-01-27")
	var result struct {
		Status string
		Counts struct{ Extracted, Invalid, Stored, Rejected int64 }
	}
	if err := json.Unmarshal([]byte(out), &result); err != nil || status != 0 {
		s.fatalf(b, "the query does not run:\n%s", out)
	}
	if result.Counts.Extracted == 0 || result.Counts.Stored == 0 {
		s.fatalf(b, "the query gives no candidates: %s, %+v", result.Status, result.Counts)
	}
}

// programOf returns the program that the rows of a query name.
func programOf(query string) string {
	if m := regexp.MustCompile(`(?i)'([a-z-]+)' as program_id`).FindStringSubmatch(query); m != nil {
		return m[1]
	}
	return "page"
}

func (s *session) ceap(args ...string) (output string, status int) {
	c := exec.CommandContext(s.t.Context(), "ceap", args...)
	c.Dir = s.dir
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // Run returns it as it is
		return out.String(), exit.ExitCode()
	} else if err != nil {
		s.t.Fatalf("running ceap: %v", err)
	}
	return out.String(), 0
}

// journal runs a query over the story's journals in plain DuckDB.
func (s *session) journal(b, shown *block) {
	sql := strings.ReplaceAll(strings.TrimSuffix(strings.TrimSpace(b.body), ";"), "'.ceap/", "'"+s.dir+"/.ceap/")
	out, err := plainDuckDB(sql, filepath.Join(s.home, "answer.csv"))
	if err != nil {
		s.fatalf(b, "%v", err)
	}
	if shown == nil {
		s.fatalf(b, "the page shows no answer")
	}
	s.compare(shown, out)
}
