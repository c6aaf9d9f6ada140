//go:build unix

package exec_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/connectortest"
	"github.com/ceap-platform/ceap/connector/exec"
)

// project returns a deployment's folder with connectors/orders, a link to this
// test binary unless text is given, in which case it is a file with that text.
func project(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "connectors"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "connectors", "orders")
	if text == "" {
		link(t, self(), file)
		return dir
	}
	// A child that is forked while the file is open for writing keeps it so until
	// its own program runs, and the system runs no file that is.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return dir
}

func link(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Symlink(from, to); err != nil {
		t.Fatal(err)
	}
}

func command(words ...string) exec.Config {
	c := exec.DefaultConfig()
	c.Command = words
	return c
}

// checkRefused holds that neither Check nor Extract accepts the command.
func checkRefused(t *testing.T, c *exec.Connector, message, hint string) {
	t.Helper()
	_, err := c.Extract(t.Context(), connectortest.Request())
	if ceap.ErrorCode(err) != ceap.CodeInvalid || !strings.Contains(err.Error(), message) || !strings.Contains(err.Error(), hint) {
		t.Errorf("Extract: got %v, want %q and %q", err, message, hint)
	}
	check := c.Check(t.Context(), connectortest.Request())[0]
	if check.Status != connector.CheckFailed || !strings.Contains(check.Detail, message) || !strings.Contains(check.Remedy, hint) {
		t.Errorf("Check: got %+v, want %q and %q", check, message, hint)
	}
}

func TestExtract_refusesFiles(t *testing.T) {
	t.Parallel()
	t.Run("that are missing", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		checkRefused(t, openIn(t, dir, exec.DefaultSettings(), command("connectors/orders")),
			`Query execution failed: the command "connectors/orders" does not exist`, "put the program at "+filepath.Join(dir, "connectors/orders"))
	})
	t.Run("that are not executable", func(t *testing.T) {
		t.Parallel()
		dir := project(t, "#!/bin/sh\n", 0o600)
		checkRefused(t, openIn(t, dir, exec.DefaultSettings(), command("connectors/orders")), "is not executable", "chmod +x connectors/orders")
	})
	t.Run("that are folders", func(t *testing.T) {
		t.Parallel()
		dir := project(t, "x", 0o600)
		if err := os.Mkdir(filepath.Join(dir, "connectors", "sub"), 0o700); err != nil {
			t.Fatal(err)
		}
		checkRefused(t, openIn(t, dir, exec.DefaultSettings(), command("connectors/sub")), "is a folder", "name a program in it")
	})
	t.Run("that a link leads to, outside of what is allowed", func(t *testing.T) {
		t.Parallel()
		checkRefused(t, openIn(t, project(t, "", 0), exec.DefaultSettings(), command("connectors/orders", "child")),
			"which this deployment does not allow", "connectors.exec.allow")
	})
	t.Run("that a linked folder leads to", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		link(t, filepath.Dir(self()), filepath.Join(dir, "connectors"))
		checkRefused(t, openIn(t, dir, exec.DefaultSettings(), command("connectors/"+filepath.Base(self()), "child")),
			"which this deployment does not allow", "connectors.exec.allow")
	})
	t.Run("that are in no folder of PATH", func(t *testing.T) {
		t.Parallel()
		s := exec.DefaultSettings()
		s.Allow, s.Env["PATH"] = []string{"orders"}, "relative:"+t.TempDir()
		checkRefused(t, openIn(t, t.TempDir(), s, command("orders")), "is in no folder of PATH", "connectors.exec.env.PATH")
	})
}

func TestExtract_acceptsFiles(t *testing.T) {
	t.Parallel()
	args := []string{"child", `line {"a":1}`}
	check := func(t *testing.T, c *exec.Connector) {
		t.Helper()
		if rows := mustRead(t, c); len(rows) != 1 {
			t.Errorf("got %v", rows)
		}
		if check := c.Check(t.Context(), connectortest.Request())[0]; check.Status != connector.CheckOK {
			t.Errorf("got %+v", check)
		}
	}
	t.Run("that a link leads to, if they are allowed too", func(t *testing.T) {
		t.Parallel()
		s := exec.DefaultSettings()
		target, err := filepath.EvalSymlinks(self())
		if err != nil {
			t.Fatal(err)
		}
		s.Allow = append(s.Allow, filepath.Dir(target)+"/*")
		check(t, openIn(t, project(t, "", 0), s, command(append([]string{"connectors/orders"}, args...)...)))
	})
	t.Run("in a folder that is itself reached by a link", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(t.TempDir(), "link")
		link(t, project(t, "#!/bin/sh\nread request\necho '{\"a\": 1}'\n", 0o700), dir)
		check(t, openIn(t, dir, exec.DefaultSettings(), command("./connectors/orders")))
	})
	t.Run("that are listed by their bare name", func(t *testing.T) {
		t.Parallel()
		dir := project(t, "", 0)
		s := exec.DefaultSettings()
		s.Allow, s.Env["PATH"] = []string{"orders"}, "/nowhere:"+filepath.Join(dir, "connectors")
		check(t, openIn(t, dir, s, command(append([]string{"orders"}, args...)...)))
	})
	t.Run("that are listed by their absolute path", func(t *testing.T) {
		t.Parallel()
		check(t, open(t, command(append([]string{self()}, args...)...)))
	})
}

func TestExtract_cannotStart(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, want string }{
		"no interpreter named": {"print('x')\n", "let its first line name the interpreter"},
		"a missing one":        {"#!/nowhere/python9\n", "install the interpreter that its first line names"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := read(t, openIn(t, project(t, test.text, 0o700), exec.DefaultSettings(), command("connectors/orders")))
			if ceap.ErrorCode(err) != ceap.CodeInvalid || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
