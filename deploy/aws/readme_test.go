package aws_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadme_SaysWhatIs holds the page to the template: a command with a parameter
// or an output that is gone would mislead.
func TestReadme_SaysWhatIs(t *testing.T) {
	t.Parallel()
	page := readReadme(t)
	template := readTemplate(t)
	t.Run("parameters", func(t *testing.T) {
		t.Parallel()
		used := regexp.MustCompile(`\b([A-Z][a-z][A-Za-z]*)=[^=]`).FindAllStringSubmatch(page, -1)
		if len(used) < 6 {
			t.Fatalf("only %d parameters were found", len(used))
		}
		for _, m := range used {
			if template.parameters[m[1]] == nil && m[1] != "Mode" && m[1] != "MaximumWindowInMinutes" {
				t.Errorf("the template has no parameter %s", m[1])
			}
		}
	})
	t.Run("outputs", func(t *testing.T) {
		t.Parallel()
		used := regexp.MustCompile(`\$\(output ([A-Za-z]+)\)`).FindAllStringSubmatch(page, -1)
		if len(used) < 4 {
			t.Fatalf("only %d outputs were found", len(used))
		}
		for _, m := range used {
			if template.outputs[m[1]] == nil {
				t.Errorf("the template has no output %s", m[1])
			}
		}
	})
	t.Run("files", func(t *testing.T) {
		t.Parallel()
		links := regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(page, -1)
		if len(links) < 2 {
			t.Fatalf("only %d links were found", len(links))
		}
		for _, m := range links {
			if _, err := os.Stat(filepath.FromSlash(m[1])); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestReadme_CommandsAreShell lets the shell read every command.
func TestReadme_CommandsAreShell(t *testing.T) {
	t.Parallel()
	blocks := regexp.MustCompile("(?s)```bash\n(.*?)```").FindAllStringSubmatch(readReadme(t), -1)
	if len(blocks) < 6 {
		t.Fatalf("only %d blocks were found", len(blocks))
	}
	for _, m := range blocks {
		shell := exec.CommandContext(t.Context(), "bash", "-n")
		shell.Stdin = strings.NewReader(m[1])
		if out, err := shell.CombinedOutput(); err != nil {
			t.Errorf("%v: %s\n%s", err, out, m[1])
		}
	}
}

func readReadme(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
