package main

import (
	"bytes"
	"encoding/csv"
	"os"
	"path/filepath"
	"testing"

	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/connectortest"
)

func TestDailyCSV_Conformance(t *testing.T) {
	t.Parallel()
	onlyText := connectortest.Capabilities{Same: connectortest.SameText}
	connectortest.Run(t, onlyText, func(t *testing.T, f connectortest.Fixture) connector.Connector {
		t.Helper()
		dir := t.TempDir()
		if !f.Missing {
			half := len(f.Rows) / 2
			for day, g := range map[string]connectortest.Fixture{
				"2026-01-26.csv": {Columns: f.Columns, Rows: f.Rows[:half]},
				"2026-01-27.csv": {Columns: f.Columns, Rows: f.Rows[half:]},
			} {
				write(t, filepath.Join(dir, "deliveries", "US", day), g)
			}
		}
		return &dailyCSV{dir, Config{Folder: "deliveries", FieldMappings: f.Mappings}}
	})
}

func write(t *testing.T, name string, f connectortest.Fixture) {
	t.Helper()
	var header []string
	for _, c := range f.Columns {
		header = append(header, c.Name)
	}
	lines := [][]string{header}
	for _, row := range f.Rows {
		var line []string
		for _, v := range row {
			if v.IsNull() {
				line = append(line, `\N`)
			} else {
				line = append(line, v.String())
			}
		}
		lines = append(lines, line)
	}
	var text bytes.Buffer
	if err := csv.NewWriter(&text).WriteAll(lines); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}
