package kinesis_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awskinesis "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/connectortest"
	"github.com/ceap-platform/ceap/connector/kinesis"
	"github.com/ceap-platform/ceap/internal/awstest"
	"github.com/ceap-platform/ceap/plugin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, awstest.Leaks()...) }

// sameJSON allows what JSON has no words for: times are text.
func sameJSON(want, got ceap.Value) bool {
	switch want.Kind() {
	case ceap.KindTime, ceap.KindLocal, ceap.KindDate:
		return connectortest.SameText(want, got)
	default:
		return want == got
	}
}

func TestConnector_Conformance(t *testing.T) {
	t.Parallel()
	connectortest.Run(t, connectortest.Capabilities{Same: sameJSON, NoEmptyTables: true}, func(t *testing.T, f connectortest.Fixture) connector.Connector {
		t.Helper()
		cloud := awstest.Start(t)
		config := kinesis.DefaultConfig()
		config.StreamName = fmt.Sprintf("kinesis-connector-%x", time.Now().UnixNano())
		config.StartAt, config.EndAt, config.FieldMappings = "oldest", "latest", f.Mappings
		if !f.Missing {
			fill(t, awskinesis.NewFromConfig(cloud.Config), config.StreamName, f)
		}
		// A run reads what arrived before it started, and here both are within a
		// millisecond.
		later := func() time.Time { return time.Now().Add(time.Second) }
		c, err := kinesis.New(plugin.Env{Now: later}, config, cloud.Load)
		if err != nil {
			t.Fatal(err)
		}
		c.SetWait(func(ctx context.Context, _ time.Duration) error { return ctx.Err() })
		return c
	})
}

// fill makes a stream of three shards with the rows of a fixture, in the order in
// which the shards are read.
func fill(t *testing.T, client *awskinesis.Client, stream string, f connectortest.Fixture) {
	t.Helper()
	const shards = 3
	if _, err := client.CreateStream(t.Context(), &awskinesis.CreateStreamInput{StreamName: &stream, ShardCount: aws.Int32(shards)}); err != nil {
		t.Fatal(err)
	}
	third := new(big.Int).Div(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(shards))
	for start := 0; start < len(f.Rows); {
		shard := start * shards / len(f.Rows)
		in := &awskinesis.PutRecordsInput{StreamName: &stream}
		hash := new(big.Int).Mul(third, big.NewInt(int64(shard))).String()
		for ; start < len(f.Rows) && start*shards/len(f.Rows) == shard && len(in.Records) < 100; start++ {
			entry := types.PutRecordsRequestEntry{Data: objectOf(f, f.Rows[start]), PartitionKey: aws.String("p"), ExplicitHashKey: &hash}
			in.Records = append(in.Records, entry)
		}
		if out, err := client.PutRecords(t.Context(), in); err != nil || aws.ToInt32(out.FailedRecordCount) > 0 {
			t.Fatalf("putting records: %v", err)
		}
	}
}

func objectOf(f connectortest.Fixture, row []ceap.Value) []byte {
	b := []byte{'{'}
	for i, v := range row {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(ceap.AppendJSONString(b, f.Columns[i].Name), ':')
		b = v.AppendJSON(b)
	}
	return append(b, '}')
}

// result is what reading a stream gives.
type result struct {
	rows    []string // values, NULL as ∅; of a bad record its reason
	report  connector.Report
	columns []string
}

func read(t *testing.T, c *kinesis.Connector, req connector.Request) (result, error) {
	t.Helper()
	return readAnd(t, c, req, func(connector.Stream) error { return nil })
}

// readAnd reads all rows, and then does something before the stream is closed.
func readAnd(t *testing.T, c *kinesis.Connector, req connector.Request, then func(connector.Stream) error) (result, error) {
	t.Helper()
	var out result
	stream, err := c.Extract(t.Context(), req)
	if err != nil {
		return out, err
	}
	defer func() {
		if err := stream.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, column := range stream.Columns() {
		out.columns = append(out.columns, column.Name)
	}
	for {
		batch, err := stream.Next()
		if errors.Is(err, io.EOF) {
			out.report = stream.(connector.Reporter).Report()
			return out, then(stream)
		}
		if err != nil {
			return out, err
		}
		for _, rec := range batch {
			if rec.Row != int64(len(out.rows)+1) {
				t.Fatalf("the row after %d others has Row %d", len(out.rows), rec.Row)
			}
			out.rows = append(out.rows, textOf(rec.Values))
		}
	}
}

func commit(t *testing.T) func(connector.Stream) error {
	t.Helper()
	return func(s connector.Stream) error { return s.(connector.Committer).Commit(t.Context()) }
}

func textOf(values []ceap.Value) string {
	var out []string
	for _, v := range values {
		if v.IsNull() {
			out = append(out, "∅")
		} else {
			out = append(out, v.String())
		}
	}
	return strings.Join(out, "|")
}

func checkRows(t *testing.T, got result, err error, want ...string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func checkError(t *testing.T, err error, code ceap.Code, words ...string) {
	t.Helper()
	if ceap.ErrorCode(err) != code {
		t.Fatalf("got %v with the code %q, want %q", err, ceap.ErrorCode(err), code)
	}
	for _, want := range words {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}

func TestExtract_window(t *testing.T) {
	t.Parallel()
	f := newFake(2)
	for day := 24; day <= 29; day++ {
		for shard := range 2 {
			f.now = noon(day).Add(time.Duration(shard-1) * 12 * time.Hour) // 00:00 and 12:00
			f.put(shard, fmt.Sprintf(`{"at":"%d.%d"}`, day, shard))
		}
	}
	f.now = noon(29).Add(time.Hour)
	zone := time.FixedZone("west", -5*3600)
	for name, test := range map[string]struct {
		change func(*kinesis.Config)
		zone   *time.Location
		want   []string
	}{
		"the range":           {nil, nil, []string{"26.0", "27.0", "26.1", "27.1"}},
		"in another zone":     {nil, zone, []string{"27.0", "28.0", "26.1", "27.1"}},
		"times":               {func(c *kinesis.Config) { c.StartAt, c.EndAt = "2026-01-25T06:00:00Z", "2026-01-26T12:00:00Z" }, nil, []string{"26.0", "25.1"}},
		"from the oldest on":  {func(c *kinesis.Config) { c.StartAt = "oldest" }, nil, []string{"24.0", "25.0", "26.0", "27.0", "24.1", "25.1", "26.1", "27.1"}},
		"up to the latest":    {func(c *kinesis.Config) { c.EndAt = "latest" }, nil, []string{"26.0", "27.0", "28.0", "29.0", "26.1", "27.1", "28.1", "29.1"}},
		"before there is any": {func(c *kinesis.Config) { c.StartAt, c.EndAt = "2026-01-20T00:00:00Z", "2026-01-21T00:00:00Z" }, nil, nil},
		"in the future":       {func(c *kinesis.Config) { c.StartAt, c.EndAt = "2026-02-20T00:00:00Z", "latest" }, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := connectortest.Request()
			req.Zone = test.zone
			got, err := read(t, f.open(t, test.change, nil), req)
			checkRows(t, got, err, test.want...)
		})
	}
	t.Run("ends when the run starts", func(t *testing.T) {
		t.Parallel()
		f := newFake(1)
		f.put(0, `{"a":1}`)
		f.now = f.now.Add(time.Second)
		c := f.open(t, nil, nil)
		stream, err := c.Extract(t.Context(), connectortest.Request())
		if err != nil {
			t.Fatal(err)
		}
		f.put(0, `{"a":2}`)
		if rows := connectortest.ReadAll(t, stream); len(rows) != 1 {
			t.Errorf("got %d rows", len(rows))
		}
	})
}

// TestI8_WindowsShareNoRecord holds that days that follow one another give each
// record once, in pages of any size, whatever becomes of shards; and that shards
// come in the order of their ids, with their records in order.
func TestI8_WindowsShareNoRecord(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		f := newFake(rapid.IntRange(1, 3).Draw(rt, "shards"))
		f.page = rapid.IntRange(0, 3).Draw(rt, "page")
		f.now = noon(20)
		var want []string
		for range rapid.IntRange(0, 40).Draw(rt, "steps") {
			f.now = f.now.Add(time.Duration(rapid.IntRange(0, 20).Draw(rt, "hours")) * time.Hour)
			step(rt, f, &want)
		}
		f.now = f.now.Add(time.Hour)
		last := f.today()
		var got []string
		for first := 20; first <= last; {
			end := min(first+rapid.IntRange(0, 5).Draw(rt, "days"), last)
			c := f.open(t, func(c *kinesis.Config) { c.Columns = []string{"shard", "n"} }, nil)
			one, err := read(t, c, days(first, end))
			if err != nil {
				rt.Fatal(err)
			}
			again, err := read(t, c, days(first, end))
			if err != nil || !slices.Equal(one.rows, again.rows) {
				rt.Fatalf("read again: got %q and %v, want %q", again.rows, err, one.rows)
			}
			if !slices.IsSorted(one.rows) {
				rt.Fatalf("the rows of %d to %d are not in order: %q", first, end, one.rows)
			}
			got = append(got, one.rows...)
			first = end + 1
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			rt.Fatalf("got %q, want %q", got, want)
		}
	})
}

// step puts a record or changes the shards. Records sort as they must be read.
func step(t *rapid.T, f *fake, put *[]string) {
	var open []int
	for i, s := range f.shards {
		if !s.closed {
			open = append(open, i)
		}
	}
	i := rapid.SampledFrom(open).Draw(t, "shard")
	switch what := rapid.IntRange(0, 9).Draw(t, "step"); {
	case what == 0:
		f.split(i)
	case what == 1 && len(open) > 1:
		j := open[0]
		if j == i {
			j = open[1]
		}
		f.merge(i, j)
	default:
		id := f.shards[i].id
		f.put(i, fmt.Sprintf(`{"shard":"%s","n":"%04d"}`, id, f.next))
		*put = append(*put, fmt.Sprintf("%s|%04d", id, f.next-1))
	}
}

func TestNext_resharding(t *testing.T) {
	t.Parallel()
	f := newFake(2)
	f.page = 1
	for i := range 4 {
		f.put(i%2, fmt.Sprintf(`{"n":"%d"}`, i))
	}
	arrived := f.now
	f.now = arrived.Add(time.Minute)
	f.before = func(n int) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		now := f.now
		defer func() { f.now = now }()
		f.now = arrived.Add(time.Second)
		switch n {
		case 1: // while the first is read, the second becomes two, which receive records
			f.split(1)
			f.put(2, `{"n":"4"}`)
			f.put(3, `{"n":"5"}`)
		case 6:
			f.merge(2, 3)
			f.put(4, `{"n":"6"}`)
		}
		return nil
	}
	got, err := read(t, f.open(t, nil, nil), days(26, 26))
	checkRows(t, got, err, "0", "2", "1", "3", "4", "5", "6")
	if f.gets < 7 {
		t.Errorf("it asked %d times; the merge never happened", f.gets)
	}
}

func TestNext_recovers(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]error{
		"expired iterators": &types.ExpiredIteratorException{Message: aws.String("expired")},
		"throttles":         &types.ProvisionedThroughputExceededException{Message: aws.String("slow down")},
		"KMS throttles":     &types.KMSThrottlingException{Message: aws.String("slow down")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(2)
			f.page = 2
			var want []string
			for i := range 10 {
				f.put(i/5, fmt.Sprintf(`{"n":%d}`, i))
				want = append(want, fmt.Sprint(i))
			}
			f.now = f.now.Add(time.Minute)
			f.before = func(n int) error {
				if n%2 == 1 || n == 4 {
					return fault
				}
				return nil
			}
			got, err := read(t, f.open(t, nil, nil), days(26, 26))
			checkRows(t, got, err, want...)
		})
	}
	t.Run("when it opens a shard", func(t *testing.T) {
		t.Parallel()
		f := newFake(2)
		f.put(1, `{"n":1}`)
		f.split(0)
		f.now = f.now.Add(time.Minute)
		f.onOpen = func(shard string) error {
			switch {
			case shard == f.shards[0].id: // closed, and its records are gone since it was listed
				return &types.ResourceNotFoundException{Message: aws.String("no such shard")}
			case len(f.opened)%2 == 0:
				return &types.ProvisionedThroughputExceededException{Message: aws.String("slow down")}
			}
			return nil
		}
		got, err := read(t, f.open(t, nil, nil), days(26, 26))
		checkRows(t, got, err, "1")
		if len(f.opened) < 6 {
			t.Errorf("got the iterators %q; nothing was throttled", f.opened)
		}
	})
	t.Run("but not for ever", func(t *testing.T) {
		t.Parallel()
		f := newFake(1)
		f.put(0, `{}`)
		f.now = f.now.Add(time.Minute)
		f.before = func(int) error { return &types.ProvisionedThroughputExceededException{} }
		c := f.open(t, func(c *kinesis.Config) { c.MaxWaitSeconds = 1 }, nil)
		c.SetWait(func(ctx context.Context, d time.Duration) error {
			<-ctx.Done()
			return ctx.Err()
		})
		_, err := read(t, c, days(26, 26))
		checkError(t, err, ceap.CodeUnavailable, "Query execution failed: reading the stream orders timed out after 1 s, with 0 rows read", "sourceConfig.maxWaitSeconds (now 1)")
	})
}

func TestExtract_errors(t *testing.T) {
	t.Parallel()
	t.Run("no stream", func(t *testing.T) {
		t.Parallel()
		_, err := read(t, newFake(1).open(t, func(c *kinesis.Config) { c.StreamName = "order" }, nil), days(26, 26))
		checkError(t, err, ceap.CodeUnavailable, `Query execution failed: the stream "order" does not exist; did you mean "orders"?`)
	})
	t.Run("no permission", func(t *testing.T) {
		t.Parallel()
		f := newFake(1)
		f.put(0, `{}`)
		f.now = f.now.Add(time.Minute)
		f.before = func(int) error {
			return &types.AccessDeniedException{Message: aws.String("not authorized to perform: kinesis:GetRecords")}
		}
		_, err := read(t, f.open(t, nil, nil), days(26, 26))
		checkError(t, err, ceap.CodeForbidden, "reading the shard shardId-000000000000 of the stream orders", "kinesis:GetRecords")
	})
	t.Run("cancelled", func(t *testing.T) {
		t.Parallel()
		f := newFake(1)
		f.put(0, `{"a":1}`)
		f.now = f.now.Add(time.Minute)
		ctx, cancel := context.WithCancel(t.Context())
		f.before = func(int) error {
			cancel()
			return ctx.Err()
		}
		_, err := f.open(t, nil, nil).Extract(ctx, days(26, 26))
		checkError(t, err, ceap.CodeCancelled, "Query execution failed: cancelled")
	})
	t.Run("aggregated records", func(t *testing.T) {
		t.Parallel()
		f := newFake(1)
		f.put(0, "\xf3\x89\x9a\xc2\x0a\x01a")
		f.now = f.now.Add(time.Minute)
		_, err := read(t, f.open(t, nil, nil), days(26, 26))
		checkError(t, err, ceap.CodeInvalid, "shard shardId-000000000000, sequence number 1: the Kinesis Producer Library has aggregated several records", "AggregationEnabled")
	})
}

// TestI2_BadRecordsAreInvalidRows holds that a record that is no row is counted,
// with its place, and that the others go on.
func TestI2_BadRecordsAreInvalidRows(t *testing.T) {
	t.Parallel()
	f := newFake(1)
	for _, data := range []string{
		`{"customer_id":"C-1","product_id":"P","delivery_date":"2026-01-26"}`, `{"customer_id":`, "", "[1]", `{"a":"` + "\xff" + `"}`, "{}{}",
		`{"customer_id":"C-2","product_id":"P","delivery_date":"2026-01-26"}` + "\n",
	} {
		f.put(0, data)
	}
	for range 1000 { // so that the columns are known before the last record
		f.put(0, `{"customer_id":"C-3","product_id":"P","delivery_date":"2026-01-26"}`)
	}
	f.put(0, `{"customer_id":"C-4","promo":"x"}`)
	f.now = f.now.Add(time.Minute)
	c := f.open(t, func(c *kinesis.Config) {
		c.FieldMappings = connector.FieldMappings{
			"subjectType": connector.FromText("product"), "subjectId": connector.FromText("product_id"), "eventDate": connector.FromText("delivery_date"),
		}
	}, nil)
	stream, err := c.Extract(t.Context(), days(26, 26))
	if err != nil {
		t.Fatal(err)
	}
	transform, err := c.Transform(stream.Columns(), days(26, 26))
	if err != nil {
		t.Fatal(err)
	}
	var reasons []string
	good := 0
	for _, row := range connectortest.ReadAll(t, stream) {
		var candidate ceap.Candidate
		err := transform.Map(connector.Record(row), &candidate)
		if invalid, ok := errors.AsType[*connector.Invalid](err); ok {
			reasons = append(reasons, fmt.Sprintf("%d %s %s", row.Row, invalid.Code, invalid.Reason))
		} else if err == nil && strings.HasPrefix(candidate.CustomerID, "C-") {
			good++
		}
	}
	want := []string{
		"2 BAD_VALUE shard shardId-000000000000, sequence number 2: it is no JSON at byte 15",
		"3 BAD_VALUE shard shardId-000000000000, sequence number 3: it is no JSON at byte 0",
		"4 BAD_VALUE shard shardId-000000000000, sequence number 4: it is a list, not an object",
		"5 BAD_VALUE shard shardId-000000000000, sequence number 5: it is not UTF-8",
		"6 BAD_VALUE shard shardId-000000000000, sequence number 6: it is no JSON at byte 3",
		`1008 BAD_VALUE shard shardId-000000000000, sequence number 1008: the key "promo" is new`,
	}
	if good != 1002 || !slices.EqualFunc(reasons, want, strings.HasPrefix) {
		t.Errorf("got %d good rows and %q, want %q", good, reasons, want)
	}
}

func TestExtract_columns(t *testing.T) {
	t.Parallel()
	f := newFake(1)
	f.put(0, `{"a":1,"b":"x"}`)
	f.put(0, `{"c":9007199254740993,"b":null}`)
	f.now = f.now.Add(time.Minute)
	got, err := read(t, f.open(t, nil, nil), days(26, 26))
	checkRows(t, got, err, "1|x|∅", "∅|∅|9007199254740993")
	if diff := cmp.Diff([]string{"a", "b", "c"}, got.columns); diff != "" {
		t.Error(diff)
	}
	got, err = read(t, f.open(t, func(c *kinesis.Config) { c.Columns = []string{"c", "x"} }, nil), days(26, 26))
	checkRows(t, got, err, "∅|∅", "9007199254740993|∅")
}
