package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// versionInfo says what a binary is made of.
type versionInfo struct {
	Version  string   `json:"version"`
	Commit   string   `json:"commit,omitempty"` // "" if it was not built from a repository
	Modified bool     `json:"modified,omitempty"`
	Built    string   `json:"committedAt,omitempty"`
	Go       string   `json:"go"`
	Platform string   `json:"platform"`
	Engines  []engine `json:"engines"`
}

// engine is a database engine that is compiled in.
type engine struct {
	Name    string `json:"name"`
	Module  string `json:"module,omitempty"`
	Version string `json:"version"` // of the module; "not in this build" if it is missing
}

// absent is the version of an engine that a build lacks.
const absent = "not in this build"

// version reads what the Go toolchain has written into the binary.
func version() versionInfo {
	v := versionInfo{Version: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if v.Version = info.Main.Version; v.Version == "" || v.Version == "(devel)" {
		v.Version = "development"
	}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			v.Commit = setting.Value
		case "vcs.modified":
			v.Modified = setting.Value == "true"
		case "vcs.time":
			v.Built = setting.Value
		}
	}
	v.Engines = engines(info)
	return v
}

// engines returns the engines that CEAP knows. Test binaries do not tell what
// they are made of, so that they seem to have none.
func engines(info *debug.BuildInfo) []engine {
	return []engine{
		compiledIn("DuckDB", info, "github.com/duckdb/duckdb-go-bindings"),
		compiledIn("SQLite", info, "github.com/mattn/go-sqlite3", "modernc.org/sqlite"),
	}
}

// compiledIn returns the engine, whose driver is one of the modules.
func compiledIn(name string, info *debug.BuildInfo, modules ...string) engine {
	for _, dep := range info.Deps {
		for _, module := range modules {
			if dep.Path == module {
				return engine{Name: name, Module: module, Version: dep.Version}
			}
		}
	}
	return engine{Name: name, Version: absent}
}

func (s *shell) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Show the version and the engines compiled in", Args: arguments(0, 0),
		RunE: func(*cobra.Command, []string) error {
			v := version()
			if s.asJSON {
				return writeJSON(s.out, v)
			}
			t := newTable("", "")
			t.row("ceap", v.Version)
			if v.Commit != "" {
				commit := v.Commit
				if v.Modified {
					commit += " (modified)"
				}
				t.row("commit", commit)
				t.row("committed", v.Built)
			}
			t.row("go", fmt.Sprintf("%s %s", v.Go, v.Platform))
			for _, e := range v.Engines {
				t.row(e.Name, engineText(e))
			}
			return t.write(s.out)
		},
	}
}

func engineText(e engine) string {
	if e.Module == "" {
		return e.Version
	}
	return e.Module + " " + e.Version
}
