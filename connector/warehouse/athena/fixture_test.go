//go:build cgo

package athena_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/uuid"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/warehouse"
	"github.com/ceap-platform/ceap/connector/warehouse/athena"
	fakeathena "github.com/ceap-platform/ceap/internal/awstest/athena"
	"github.com/ceap-platform/ceap/plugin"
)

const (
	database = "ceap_data_dev"
	bucket   = "ceap-athena-results-dev"
)

// cloud is Athena, Glue and S3 behind one endpoint.
type cloud struct {
	t      testing.TB
	fake   *fakeathena.Fake
	config aws.Config
	s3     *s3.Client
	folder string // of the tables
	now    func() time.Time
}

func newCloud(tb testing.TB, o fakeathena.Options) *cloud {
	tb.Helper()
	c := &cloud{t: tb, folder: tb.TempDir(), now: time.Now}
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := os.MkdirAll(filepath.Join(c.folder, database), 0o750); err != nil {
		tb.Fatal(err)
	}
	objects := gofakes3.New(s3mem.New()).Server()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Amz-Target") != "" {
			c.fake.ServeHTTP(w, r)
			return
		}
		objects.ServeHTTP(w, r)
	}))
	tb.Cleanup(server.Close)
	c.config = aws.Config{
		Region: "us-east-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
		HTTPClient: server.Client(), RetryMaxAttempts: 3,
	}
	c.s3 = awsapi.S3(c.config)
	if _, err := c.s3.CreateBucket(tb.Context(), &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		tb.Fatal(err)
	}
	o.S3, o.Folder = c.s3, c.folder
	fake, err := fakeathena.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	c.fake = fake
	tb.Cleanup(func() {
		if err := fake.Close(); err != nil {
			tb.Error(err)
		}
	})
	return c
}

func (c *cloud) load(context.Context) (aws.Config, error) { return c.config.Copy(), nil }

func (c *cloud) env() plugin.Env {
	return plugin.Env{Logger: slog.New(slog.DiscardHandler), Now: c.now, NewID: uuid.NewString, Settings: c.settings()}
}

func (c *cloud) settings() warehouse.Settings {
	s := warehouse.DefaultSettings()
	s.Engine, s.ResultsBucket = athena.Name, bucket
	return s
}

// engine returns an engine that hardly waits.
func (c *cloud) engine() *athena.Athena {
	e := athena.New(c.env(), c.settings(), c.load)
	e.Hasten(nil)
	return e
}

// connector returns the connector for a query.
func (c *cloud) connector(config warehouse.Config) connector.Connector {
	c.t.Helper()
	d := athena.Engine()
	engine := c.engine()
	d.Open = func(plugin.Env, warehouse.Settings) (warehouse.Engine, error) { return engine, nil }
	config.Database = database
	if config.MaxWaitSeconds == 0 {
		config.MaxWaitSeconds = 300
	}
	opened, err := warehouse.Open(c.env(), config, []warehouse.Description{d})
	if err != nil {
		c.t.Fatal(err)
	}
	return opened
}

// write writes a file of a table.
func (c *cloud) write(name, content string) {
	c.t.Helper()
	path := filepath.Join(c.folder, database, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// keys returns the objects below a prefix of the results bucket.
func (c *cloud) keys(prefix string) []string {
	c.t.Helper()
	out, err := c.s3.ListObjectsV2(c.t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket), Prefix: &prefix})
	if err != nil {
		c.t.Fatal(err)
	}
	var keys []string
	for _, o := range out.Contents {
		keys = append(keys, *o.Key)
	}
	return keys
}

// statement compiles a query for the guide's range.
func statement(tb testing.TB, query string) warehouse.Statement {
	tb.Helper()
	q, problems := warehouse.ParseQuery(query)
	if len(problems) > 0 {
		tb.Fatal(problems)
	}
	s, err := q.Compile(warehouse.Positional, request().Placeholders())
	if err != nil {
		tb.Fatal(err)
	}
	s.Database = database
	return s
}

// request asks for the guide's range.
func request() connector.Request {
	start, _ := ceap.ParseDate("2026-01-26")
	return connector.Request{
		ProgramID: "product-reviews", Marketplace: "US", ConnectorID: "deliveries", RunID: "run-1", BatchID: "batch-1",
		Range: ceap.DateRange{Start: start, End: start.AddDays(1)}, AsOf: time.Date(2026, 1, 28, 0, 0, 0, 0, time.UTC),
	}
}

type next interface {
	Next() ([]connector.Record, error)
}

// drain returns copies of all rows; their numbers go on from first.
func drain(tb testing.TB, rows next, first int64) [][]ceap.Value {
	tb.Helper()
	var out [][]ceap.Value
	for {
		batch, err := rows.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			tb.Fatal(err)
		}
		for _, rec := range batch {
			if rec.Row != first+int64(len(out)) {
				tb.Fatalf("row %d is numbered %d", first+int64(len(out)), rec.Row)
			}
			out = append(out, append([]ceap.Value(nil), rec.Values...))
		}
	}
}

// shown is the rows as text; NULL is "NULL".
func shown(rows [][]ceap.Value) string {
	var lines []string
	for _, row := range rows {
		var parts []string
		for _, v := range row {
			text := v.String()
			if v.IsNull() {
				text = "NULL"
			}
			parts = append(parts, text)
		}
		lines = append(lines, strings.Join(parts, "|"))
	}
	return strings.Join(lines, " ")
}

// runDuck runs a statement with DuckDB, to make files.
func runDuck(tb testing.TB, query string) {
	tb.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		tb.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // in memory
	if _, err := db.ExecContext(tb.Context(), query); err != nil {
		tb.Fatalf("%s: %v", query, err)
	}
}
