package warehouse_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/warehouse"
	"github.com/ceap-platform/ceap/plugin"
)

// fake is an engine whose statements take a while and return empty records.
type fake struct {
	rows  int
	pause time.Duration // of each call
	err   error         // of the last
}

func (f *fake) Query(ctx context.Context, _ warehouse.Statement) (warehouse.Rows, error) {
	return &fakeRows{fake: *f, ctx: ctx}, f.wait(ctx)
}

func (f *fake) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(f.pause):
		return nil
	}
}

type fakeRows struct {
	fake
	ctx  context.Context //nolint:containedctx // as engines do
	read int
}

func (r *fakeRows) Columns() []connector.Column { return []connector.Column{{Name: "a", Type: "INT"}} }

func (r *fakeRows) Next() ([]connector.Record, error) {
	if err := r.wait(r.ctx); err != nil {
		return nil, err
	}
	if r.read == r.rows {
		if r.err != nil {
			return nil, r.err
		}
		return nil, io.EOF
	}
	r.read++
	return []connector.Record{{Row: int64(r.read), Values: make([]ceap.Value, 1)}}, nil
}

func (r *fakeRows) Close() error { return nil }

func (f *fake) description() warehouse.Description {
	return warehouse.Description{
		Name: "fake", Unused: []string{"workGroup", "resultsPrefix"},
		Open: func(plugin.Env, warehouse.Settings) (warehouse.Engine, error) { return f, nil },
	}
}

func open(t *testing.T, f *fake, config warehouse.Config) *warehouse.Connector {
	t.Helper()
	config.Database = "db"
	if config.MaxWaitSeconds == 0 {
		config.MaxWaitSeconds = 300
	}
	c, err := warehouse.New(plugin.Env{Now: time.Now, Settings: warehouse.Settings{Engine: "fake"}}, config, []warehouse.Description{f.description()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// read returns how many rows there were before the end or an error.
func read(ctx context.Context, c *warehouse.Connector, between time.Duration) (rows int, report connector.Report, err error) {
	stream, err := c.Extract(ctx, request())
	if err != nil {
		return 0, report, err
	}
	defer stream.Close() //nolint:errcheck // the fake has nothing to say
	for {
		batch, err := stream.Next()
		if errors.Is(err, io.EOF) {
			return rows, stream.(connector.Reporter).Report(), nil
		}
		if err != nil {
			return rows, report, err
		}
		rows += len(batch)
		time.Sleep(between)
	}
}

func TestConnector_OnlyTheEnginesTimeCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := open(t, &fake{rows: 50, pause: time.Second}, warehouse.Config{Query: "SELECT 1", MaxWaitSeconds: 60})
		if rows, _, err := read(t.Context(), c, time.Hour); err != nil || rows != 50 {
			t.Errorf("%d rows, %v", rows, err)
		}
		c = open(t, &fake{rows: 100, pause: 700 * time.Millisecond}, warehouse.Config{Query: "SELECT 1", MaxWaitSeconds: 60})
		rows, _, err := read(t.Context(), c, time.Hour)
		want := "Query execution failed: timed out after 1m0s, with 84 rows read; let it read fewer days or partitions, or raise sourceConfig.maxWaitSeconds (now 60)"
		if ceap.ErrorCode(err) != ceap.CodeUnavailable || err.Error() != want || rows != 84 {
			t.Errorf("%d rows, %v", rows, err)
		}
	})
}

func TestConnector_TellsCancelFromTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := open(t, &fake{rows: 1000, pause: time.Second}, warehouse.Config{Query: "SELECT 1"})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, _, err := read(ctx, c, 0)
		if ceap.ErrorCode(err) != ceap.CodeCancelled || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestConnector_ReportsTruncationAndUnusedSettings(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		query string
		rows  int
		want  bool
	}{
		{"SELECT 1 LIMIT 5", 5, true}, {"SELECT 1 LIMIT 5", 4, false}, {"SELECT 1", 5, false}, {"SELECT 1 LIMIT 0", 0, false},
	} {
		c := open(t, &fake{rows: tc.rows}, warehouse.Config{Query: tc.query, WorkGroup: "primary", ResultsBucket: "b"})
		_, report, err := read(t.Context(), c, 0)
		if err != nil {
			t.Fatal(err)
		}
		got := len(report.Warnings) == 1 && strings.HasPrefix(report.Warnings[0], "TRUNCATED? the query returned 5 rows")
		if got != tc.want {
			t.Errorf("%s with %d rows: %v", tc.query, tc.rows, report.Warnings)
		}
		if diff := cmp.Diff([]string{"workGroup"}, report.Unused); diff != "" {
			t.Error(diff)
		}
	}
}

func TestConnector_PassesErrorsOn(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		err  error
		code ceap.Code
		text string
	}{
		{ceap.Errorf(ceap.CodeInvalid, "Query execution failed: no such table"), ceap.CodeInvalid, "Query execution failed: no such table"},
		{errors.New("surprise"), ceap.CodeInternal, "Query execution failed: surprise"},
	} {
		_, _, err := read(t.Context(), open(t, &fake{rows: 1, err: tc.err}, warehouse.Config{Query: "SELECT 1"}), 0)
		if ceap.ErrorCode(err) != tc.code || err.Error() != tc.text {
			t.Errorf("got %v", err)
		}
	}
}

func TestConnector_RefusesARangeTurnedAround(t *testing.T) {
	t.Parallel()
	c := open(t, &fake{}, warehouse.Config{Query: "SELECT 1"})
	req := request()
	req.Range.Start = req.Range.End.AddDays(1)
	if _, err := c.Extract(t.Context(), req); ceap.ErrorCode(err) != ceap.CodeInvalid {
		t.Errorf("Extract: %v", err)
	}
	if checks := c.Check(t.Context(), req); len(checks) != 1 || checks[0].Status != connector.CheckFailed || checks[0].Remedy == "" {
		t.Errorf("Check: %+v", checks)
	}
}

func TestConnector_Advise(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		query    string
		mappings connector.FieldMappings
		want     []string // what each warning contains
	}{
		{"SELECT a FROM t WHERE d = '{date}' AND marketplace = '{marketplace}'", nil, nil},
		{"SELECT a FROM t", nil, []string{"every run reads everything"}},
		{"SELECT a FROM t WHERE d = '{date}' AND t.marketplace = 'US'", nil, []string{"compares the marketplace with 'US' at 1:56"}},
		{"SELECT a FROM t WHERE d = '{date}' AND \"Marketplace\" IN ('US', 'UK')", nil, []string{"write '{marketplace}'"}},
		{"SELECT a FROM t WHERE d = '{date}' AND a NOT IN (SELECT a FROM u)", nil, []string{"NOT EXISTS"}},
		{"SELECT a FROM t WHERE d = '{date}' LIMIT 5", nil, []string{"LIMIT 5 without ORDER BY"}},
		{"SELECT a FROM t WHERE d = '{date}' ORDER BY a LIMIT 5", nil, nil},
		{"SELECT a FROM t WHERE d = '{date}'", connector.FieldMappings{"marketplace": connector.FromText("US")}, []string{"cannot be told apart"}},
	} {
		c := open(t, &fake{}, warehouse.Config{Query: tc.query, FieldMappings: tc.mappings})
		got := c.Advise(request())
		if len(got) != len(tc.want) {
			t.Errorf("%s: %q", tc.query, got)
			continue
		}
		for i, w := range tc.want {
			if !strings.Contains(got[i], w) {
				t.Errorf("%s: no %q in %q", tc.query, w, got[i])
			}
		}
	}
}

func TestConnector_AdvisesNames(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"SELECT a, b.c, t.*, *, x AS y, count(*) n, (1 + 2) AS z, 'x' AS q, \"A b\", CASE WHEN a THEN b END AS e FROM t WHERE d = '{date}'": "",
		"SELECT a, count(*) FROM t WHERE d = '{date}'":                                   "the column at 1:11 has no name",
		"SELECT DISTINCT upper(a), b FROM t WHERE d = '{date}'":                          "the column at 1:17 has no name",
		"SELECT a, CASE WHEN a THEN b END FROM t WHERE d = '{date}'":                     "the column at 1:11 has no name",
		"SELECT 1, a FROM t WHERE d = '{date}'":                                          "the column at 1:8 has no name",
		"SELECT a, b + c FROM t WHERE d = '{date}'":                                      "the column at 1:11 has no name",
		"WITH c AS (SELECT 1 FROM t WHERE d = '{date}') SELECT n FROM c":                 "",
		"SELECT a FROM t WHERE d = '{date}' ORDER BY a":                                  "ORDER BY takes time and has no effect",
		"SELECT a FROM t WHERE d = '{date}' ORDER BY a LIMIT 5":                          "",
		"SELECT EXTRACT(day FROM d) AS d, a FROM t WHERE d = '{date}'":                   "",
		"SELECT a, (SELECT max(x) FROM u) FROM t WHERE d = '{date}' AND a IN (SELECT 1)": "the column at 1:11 has no name",
	} {
		d := (&fake{}).description()
		d.Named = true
		c, err := warehouse.New(plugin.Env{Now: time.Now, Settings: warehouse.Settings{Engine: "fake"}},
			warehouse.Config{Database: "db", Query: query, MaxWaitSeconds: 1}, []warehouse.Description{d})
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(c.Advise(request()), "; ")
		if !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%s: %q", query, got)
		}
	}
}

func TestPlugin_RefusesAtOpen(t *testing.T) {
	t.Parallel()
	missing := warehouse.Description{Name: "missing", Missing: "it was built without cgo"}
	p := warehouse.Plugin((&fake{}).description(), missing)
	node := func(query string) *plugin.Node {
		text := func(s string) *plugin.Node { return &plugin.Node{Kind: plugin.NodeString, Text: s} }
		return &plugin.Node{Kind: plugin.NodeObject, Fields: []plugin.Field{
			{Name: "database", Value: text("db")}, {Name: "query", Value: text(query)},
		}}
	}
	for _, tc := range []struct {
		engine, query string
		code          ceap.Code
		text          string
	}{
		{"fake", "SELECT 1", "", ""},
		{"fake", "SELECT '{nobody}'", ceap.CodeInvalid, "unknown placeholder {nobody}"},
		{"fake", "DROP TABLE t", ceap.CodeInvalid, "DROP instead of SELECT"},
		{"missing", "SELECT 1", ceap.CodeUnsupported, "engine missing is not in this build: it was built without cgo"},
		{"fakes", "SELECT 1", ceap.CodeInvalid, `unknown engine "fakes"`},
	} {
		_, err := p.Open(plugin.Env{Now: time.Now, Settings: warehouse.Settings{Engine: tc.engine}}, node(tc.query))
		code := ceap.ErrorCode(err)
		if _, ok := errors.AsType[ceap.Problems](err); ok {
			code = ceap.CodeInvalid
		}
		if code != tc.code || err != nil && !strings.Contains(err.Error(), tc.text) {
			t.Errorf("%s, %s: %v", tc.engine, tc.query, err)
		}
	}
	if diff := cmp.Diff(warehouse.DefaultConfig(), p.Config()); diff != "" {
		t.Error(diff)
	}
}
