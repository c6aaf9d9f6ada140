//go:build cgo

package duckdb_test

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/warehouse"
	"github.com/ceap-platform/ceap/connector/warehouse/duckdb"
	"github.com/ceap-platform/ceap/plugin"
)

const database = "ceap_data_dev"

// folder is a deployment's folder with a warehouse in it.
type folder struct {
	t   *testing.T
	dir string
}

func newFolder(t *testing.T) folder {
	t.Helper()
	f := folder{t: t, dir: t.TempDir()}
	f.mkdir("")
	return f
}

// path returns a path below the database's folder.
func (f folder) path(name string) string { return filepath.Join(f.dir, "warehouse", database, name) }

func (f folder) mkdir(name string) {
	f.t.Helper()
	if err := os.MkdirAll(f.path(name), 0o750); err != nil {
		f.t.Fatal(err)
	}
}

// write writes a file of a table.
func (f folder) write(name, content string) {
	f.t.Helper()
	f.mkdir(filepath.Dir(name))
	if err := os.WriteFile(f.path(name), []byte(content), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// run runs SQL in which @ stands for the database's folder.
func (f folder) run(sql string) {
	f.t.Helper()
	if err := duckdb.RunSQL(f.t.Context(), strings.ReplaceAll(sql, "@", f.path(""))); err != nil {
		f.t.Fatal(err)
	}
}

// settings returns the deployment's settings in tests.
func settings() warehouse.Settings {
	s := warehouse.DefaultSettings()
	s.MemoryLimit = "512MB"
	return s
}

func (f folder) env(s warehouse.Settings) plugin.Env {
	return plugin.Env{Logger: slog.New(slog.DiscardHandler), Now: time.Now, Dir: f.dir, Settings: s}
}

// connector returns the connector for a query.
func (f folder) connector(query string) *warehouse.Connector {
	f.t.Helper()
	return f.connectorWith(settings(), warehouse.Config{Database: database, Query: query, MaxWaitSeconds: 60})
}

func (f folder) connectorWith(s warehouse.Settings, config warehouse.Config) *warehouse.Connector {
	f.t.Helper()
	c, err := warehouse.New(f.env(s), config, []warehouse.Description{duckdb.Engine()})
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

// request asks for the guide's range.
func request() connector.Request {
	start, _ := ceap.ParseDate("2026-01-26")
	return connector.Request{
		ProgramID: "product-reviews", Marketplace: "US", ConnectorID: "c",
		Range: ceap.DateRange{Start: start, End: start.AddDays(1)}, AsOf: time.Date(2026, 1, 28, 0, 0, 0, 0, time.UTC),
	}
}

// result is all of a query's rows, as text; NULL is "NULL".
type result struct {
	columns []connector.Column
	rows    []string
	values  [][]ceap.Value
	report  connector.Report
}

// query reads all rows.
func (f folder) query(query string) (result, error) {
	f.t.Helper()
	return extract(f.t, f.connector(query))
}

func extract(t *testing.T, c *warehouse.Connector) (result, error) {
	t.Helper()
	stream, err := c.Extract(t.Context(), request())
	if err != nil {
		return result{}, err
	}
	defer stream.Close() //nolint:errcheck // closed twice on success
	r := result{columns: stream.Columns()}
	for {
		batch, err := stream.Next()
		if errors.Is(err, io.EOF) {
			r.report = stream.(connector.Reporter).Report()
			return r, stream.Close()
		}
		if err != nil {
			return r, err
		}
		for _, rec := range batch {
			parts := make([]string, len(rec.Values))
			for i, v := range rec.Values {
				parts[i] = v.String()
				if v.IsNull() {
					parts[i] = "NULL"
				}
			}
			r.rows = append(r.rows, strings.Join(parts, "|"))
			r.values = append(r.values, append([]ceap.Value(nil), rec.Values...))
		}
	}
}

// must fails the test on an error.
func (f folder) must(query string) result {
	f.t.Helper()
	r, err := f.query(query)
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}
