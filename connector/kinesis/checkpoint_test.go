package kinesis_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/connectortest"
	"github.com/ceap-platform/ceap/connector/kinesis"
	"github.com/ceap-platform/ceap/plugin"
)

func withCheckpoint(c *kinesis.Config) { c.Checkpoint, c.Columns = true, []string{"shard", "n"} }

// TestI7_CheckpointsLoseNothing holds that runs with checkpoints read each record
// once, if each is committed, however time passes and shards change between them;
// and that a run that was not committed is read again by the next.
func TestI7_CheckpointsLoseNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		f := newFake(rapid.IntRange(1, 3).Draw(rt, "shards"))
		f.page = rapid.IntRange(0, 3).Draw(rt, "page")
		f.now = noon(20)
		store := newMemory()
		var want, got, lost []string
		for range rapid.IntRange(1, 10).Draw(rt, "runs") {
			for range rapid.IntRange(0, 6).Draw(rt, "steps") {
				f.now = f.now.Add(time.Duration(rapid.IntRange(1, 600).Draw(rt, "minutes")) * time.Minute)
				step(rt, f, &want)
			}
			f.now = f.now.Add(time.Second)
			today := f.today()
			c := f.open(t, func(c *kinesis.Config) { withCheckpoint(c); c.EndAt = "latest" }, store)
			commits := rapid.Bool().Draw(rt, "commits")
			one, err := readAnd(t, c, days(min(20, today), today), func(s connector.Stream) error {
				if !commits {
					return nil
				}
				return commit(t)(s)
			})
			if err != nil {
				rt.Fatal(err)
			}
			for _, row := range lost {
				if !slices.Contains(one.rows, row) {
					rt.Fatalf("%q was read by a run that was not committed, and not again: %q", row, one.rows)
				}
			}
			if lost = one.rows; commits {
				got, lost = append(got, one.rows...), nil
			}
		}
		got = append(got, lost...)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			rt.Fatalf("got %q, want %q", got, want)
		}
	})
}

// TestCheckpoint_children holds that records of a shard that came out of one that
// was read, even of one without records, are not left out.
func TestCheckpoint_children(t *testing.T) {
	t.Parallel()
	f, store := newFake(1), newMemory()
	f.now = noon(26)
	got, err := readAnd(t, f.open(t, withCheckpoint, store), days(26, 26), commit(t))
	checkRows(t, got, err)
	f.now = noon(26).Add(time.Hour)
	f.split(0)
	f.put(1, `{"n":"a"}`)
	f.split(1)
	f.put(3, `{"n":"b"}`)
	f.now = noon(27)
	got, err = readAnd(t, f.open(t, withCheckpoint, store), days(27, 27), commit(t))
	checkRows(t, got, err, "∅|a", "∅|b")
	if want := "shardId-000000000001 TRIM_HORIZON"; !slices.Contains(f.opened, want) {
		t.Errorf("got the iterators %q, want %q among them", f.opened, want)
	}
	got, err = readAnd(t, f.open(t, withCheckpoint, store), days(27, 27), commit(t))
	checkRows(t, got, err)
}

func TestCheckpoint_keys(t *testing.T) {
	t.Parallel()
	f, store := newFake(1), newMemory()
	f.put(0, `{"n":"a"}`)
	f.now = f.now.Add(time.Minute)
	if _, err := readAnd(t, f.open(t, withCheckpoint, store), days(26, 26), commit(t)); err != nil {
		t.Fatal(err)
	}
	want := connector.CheckpointKey{ProgramID: "product-reviews", Marketplace: "US", ConnectorID: "conformance", Shard: "orders/shardId-000000000000"}
	if len(store.marks) != 1 || store.marks[want] != "after:1" {
		t.Errorf("got %v", store.marks)
	}
	other := days(26, 26)
	other.Marketplace = "UK"
	got, err := read(t, f.open(t, withCheckpoint, store), other)
	checkRows(t, got, err, "∅|a")
}

func TestCommit_errors(t *testing.T) {
	t.Parallel()
	f := newFake(1)
	f.put(0, `{"n":"a"}`)
	f.now = f.now.Add(time.Minute)
	t.Run("before the end", func(t *testing.T) {
		t.Parallel()
		store := newMemory()
		stream, err := f.open(t, withCheckpoint, store).Extract(t.Context(), days(26, 26))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Next(); err != nil {
			t.Fatal(err)
		}
		if err := commit(t)(stream); ceap.ErrorCode(err) != ceap.CodeInternal || len(store.marks) > 0 {
			t.Errorf("got %v and %v", err, store.marks)
		}
		if err := stream.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("of the store", func(t *testing.T) {
		t.Parallel()
		full := errors.New("the disk is full")
		store := newMemory()
		store.err = full
		if _, err := readAnd(t, f.open(t, withCheckpoint, store), days(26, 26), commit(t)); !errors.Is(err, full) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a mark of another stream", func(t *testing.T) {
		t.Parallel()
		store := newMemory()
		store.marks[connector.CheckpointKey{ProgramID: "product-reviews", Marketplace: "US", ConnectorID: "conformance", Shard: "orders/shardId-000000000000"}] = "after:x"
		_, err := read(t, f.open(t, withCheckpoint, store), days(26, 26))
		checkError(t, err, ceap.CodeInvalid, "the checkpoint of the shard shardId-000000000000 does not belong to the stream orders", "another connectorId")
	})
	t.Run("without a store", func(t *testing.T) {
		t.Parallel()
		got, err := readAnd(t, f.open(t, withCheckpoint, nil), days(26, 26), commit(t))
		checkRows(t, got, err, "∅|a")
		if len(got.report.Warnings) != 1 || !strings.Contains(got.report.Warnings[0], "this deployment keeps no checkpoints") {
			t.Errorf("got the warnings %q", got.report.Warnings)
		}
	})
	t.Run("not asked for", func(t *testing.T) {
		t.Parallel()
		store := newMemory()
		if _, err := readAnd(t, f.open(t, nil, store), days(26, 26), commit(t)); err != nil || len(store.marks) > 0 {
			t.Errorf("got %v and %v", err, store.marks)
		}
	})
}

func TestCheck(t *testing.T) {
	t.Parallel()
	f := newFake(3)
	f.put(0, `{"a":1,"b":2}`)
	f.put(1, `{"a":1}`)
	f.now = noon(30)
	for name, test := range map[string]struct {
		req    connector.Request
		change func(*kinesis.Config)
		want   []string
	}{
		"records":       {days(26, 27), nil, []string{"ok window", "ok stream: orders has 3 shards", "ok records: 2 keys: a, b"}},
		"no records":    {days(27, 28), nil, []string{"ok window", "ok stream", "failed records: no record arrived from 2026-01-27T00:00:00Z to 2026-01-29T00:00:00Z"}},
		"the future":    {days(31, 31), nil, []string{"failed window: no record can have arrived", "ok stream", "failed records"}},
		"the past":      {days(20, 26), nil, []string{"ok window", "ok stream", "warning stream: the stream orders retains records for 168 hours: those that arrived from 2026-01-20T00:00:00Z to 2026-01-23T12:00:00Z are gone", "ok records"}},
		"long past":     {days(10, 11), nil, []string{"ok window", "ok stream", "warning stream: the stream orders retains records for 168 hours: those that arrived from 2026-01-10T00:00:00Z to 2026-01-12T00:00:00Z are gone", "failed records"}},
		"no stream":     {days(26, 26), func(c *kinesis.Config) { c.StreamName = "payments" }, []string{"ok window", `failed stream: Query execution failed: the stream "payments" does not exist`}},
		"no checkpoint": {days(26, 26), withCheckpoint, []string{"ok window", "ok stream", "warning stream: sourceConfig.checkpoint is true", "ok records"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, check := range f.open(t, test.change, nil).Check(t.Context(), test.req) {
				got = append(got, fmt.Sprintf("%s %s: %s", check.Status, check.Name, check.Detail))
				if check.Status == connector.CheckFailed && check.Remedy == "" {
					t.Errorf("%+v has no remedy", check)
				}
			}
			if !slices.EqualFunc(got, test.want, strings.HasPrefix) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestCheck_behindCheckpoints(t *testing.T) {
	t.Parallel()
	f, store := newFake(1), newMemory()
	f.put(0, `{"n":1}`)
	f.now = f.now.Add(time.Minute)
	c := f.open(t, withCheckpoint, store)
	for _, want := range []string{connector.CheckOK, connector.CheckWarning} {
		checks := c.Check(t.Context(), days(26, 26))
		if last := checks[len(checks)-1]; last.Name != "records" || last.Status != want {
			t.Errorf("got %+v, want %s", last, want)
		}
		if _, err := readAnd(t, c, days(26, 26), commit(t)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAdvise(t *testing.T) {
	t.Parallel()
	f := newFake(1)
	oldest := func(c *kinesis.Config) { c.StartAt = "oldest" }
	if got := f.open(t, oldest, nil).Advise(connectortest.Request()); len(got) != 1 || !strings.Contains(got[0], "every run reads the whole stream again") {
		t.Errorf("got %q", got)
	}
	both := func(c *kinesis.Config) { c.StartAt, c.Checkpoint = "oldest", true }
	if got := f.open(t, both, nil).Advise(connectortest.Request()); len(got) > 0 {
		t.Errorf("with checkpoints: got %q", got)
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	f := newFake(1)
	f.now = noon(28)
	got, err := f.open(t, func(c *kinesis.Config) { c.StreamName, c.Columns = "none", []string{"a"} }, nil).Describe(t.Context(), connectortest.Request())
	if err != nil || len(got) != 1 || got[0].Name != "a" {
		t.Errorf("configured columns: got %v and %v", got, err)
	}
	_, err = f.open(t, nil, nil).Describe(t.Context(), connectortest.Request())
	checkError(t, err, ceap.CodeUnavailable, `no record of the stream "orders" tells the columns`)
}

func TestPlugin_Open(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		document string
		want     []string // what the problems say, in order; none means that it opens
	}{
		"a name":     {`{"streamName": "orders"}`, nil},
		"everything": {`{"streamName": "arn:aws:kinesis:us-east-1:1:stream/o", "startAt": "oldest", "endAt": "2026-01-26T12:00:00+01:00", "format": "json", "columns": ["a"], "checkpoint": true, "maxWaitSeconds": 5}`, nil},
		"nothing":    {`{}`, []string{"streamName: is missing"}},
		"times":      {`{"streamName": "o", "startAt": "latest", "endAt": "2026-01-26"}`, []string{`startAt: "latest" is no time; write range, oldest or a time`, `endAt: "2026-01-26" is no time; write range, latest or a time`}},
		"swapped":    {`{"streamName": "o", "startAt": "2026-01-27T00:00:00Z", "endAt": "2026-01-26T00:00:00Z"}`, []string{"endAt: is not after startAt"}},
		"a format":   {`{"streamName": "o", "format": "avro"}`, []string{`format: is "avro"`}},
		"columns":    {`{"streamName": "o", "columns": ["", "a", "a"]}`, []string{"columns[0]: is empty", `columns[2]: "a" is there already`}},
		"patience":   {`{"streamName": "o", "maxWaitSeconds": 0}`, []string{"maxWaitSeconds: is 0"}},
		"mappings":   {`{"streamName": "o", "fieldMappings": {"custmerId": "a"}}`, []string{"fieldMappings.custmerId: unknown target"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			node, err := plugin.FromJSON("program.json", []byte(test.document))
			if err != nil {
				t.Fatal(err)
			}
			c, err := kinesis.Plugin().Open(plugin.Env{Now: time.Now}, node)
			if len(test.want) == 0 {
				if err != nil {
					t.Error(err)
				} else if got := c.(connector.Advisor).Advise(connectortest.Request()); len(got) > 0 {
					t.Errorf("got the advice %q", got)
				}
				return
			}
			var problems ceap.Problems
			if !errors.As(err, &problems) || len(problems) != len(test.want) {
				t.Fatalf("got %v, want %d problems", err, len(test.want))
			}
			for i, want := range test.want {
				if !strings.Contains(problems[i].String(), want) {
					t.Errorf("got %q, want %q", problems[i], want)
				}
			}
		})
	}
}
