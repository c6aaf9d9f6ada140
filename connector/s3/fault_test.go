package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/klauspost/compress/gzip"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/connectortest"
	"github.com/ceap-platform/ceap/connector/s3"
)

// manyRows returns a CSV file of n rows, and its rows as read returns them.
func manyRows(n int) (text string, rows []string) {
	var b strings.Builder
	b.WriteString("id,name\n")
	for i := range n {
		fmt.Fprintf(&b, "%d,name %d\n", i, i)
		rows = append(rows, fmt.Sprintf("%d|name %d", i, i))
	}
	return b.String(), rows
}

// cut answers a request with n bytes fewer than it should, and says so too late.
func (s *served) cut(w http.ResponseWriter, r *http.Request, n int) {
	object := s.objects[strings.TrimPrefix(r.URL.Path, "/b/")]
	var from, to int
	if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to); err != nil {
		panic(err)
	}
	part := make([]byte, to-from+1)
	_, _ = object.Seek(int64(from), io.SeekStart)
	_, _ = io.ReadFull(object, part)
	w.Header().Set("Content-Length", fmt.Sprint(len(part)))
	w.WriteHeader(http.StatusPartialContent)
	_, _ = w.Write(part[:max(len(part)-n, 0)])
}

func TestNext_brokenBodies(t *testing.T) {
	t.Parallel()
	text, want := manyRows(5000)
	t.Run("are read on from where they broke", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		s.put("a.csv", text)
		s.fault = func(n int, w http.ResponseWriter, r *http.Request) bool {
			if n <= 3 {
				s.cut(w, r, len(text)*3/4/n)
				return true
			}
			return false
		}
		rows, report, err := read(t, open(t, s.config(func(c *s3.Config) { c.Key = "a.csv" }), s.load))
		if err != nil || strings.Join(rows, "\n") != strings.Join(want, "\n") {
			t.Errorf("got %d rows and %v, want %d", len(rows), err, len(want))
		}
		if len(s.gets) != 4 || report.BytesScanned != int64(len(text)) {
			t.Errorf("got %d bytes by the requests %q", report.BytesScanned, s.gets)
		}
	})
	t.Run("are an error if they never get on", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		s.put("a.csv", text)
		s.fault = func(n int, w http.ResponseWriter, r *http.Request) bool {
			s.cut(w, r, len(text)-1000*min(n, 2))
			return true
		}
		_, _, err := read(t, open(t, s.config(func(c *s3.Config) { c.Key = "a.csv" }), s.load))
		checkError(t, err, ceap.CodeUnavailable, "reading s3://b/a.csv broke off 6 times at byte ", "look at the network")
		if len(s.gets) > 9 {
			t.Errorf("it asked %d times", len(s.gets))
		}
	})
	t.Run("that stall are asked for again", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		s.put("a.csv", text)
		s.fault = func(n int, w http.ResponseWriter, r *http.Request) bool {
			if n > 2 {
				return false
			}
			if n == 1 { // before the head of the answer, and then within its body
				<-r.Context().Done()
				return true
			}
			s.cut(w, r, len(text)/2)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return true
		}
		c := open(t, s.config(func(c *s3.Config) { c.Key = "a.csv" }), s.load)
		c.SetStall(50 * time.Millisecond)
		if rows := mustRead(t, c); len(rows) != len(want) {
			t.Errorf("got %d rows, want %d", len(rows), len(want))
		}
	})
	t.Run("end when the run is cancelled", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		s.put("a.csv", text)
		ctx, cancel := context.WithCancel(t.Context())
		s.fault = func(_ int, w http.ResponseWriter, r *http.Request) bool {
			s.cut(w, r, len(text)/2)
			return true
		}
		c := open(t, s.config(func(c *s3.Config) { c.Key = "a.csv" }), s.load)
		c.SetWait(func(ctx context.Context, _ time.Duration) error {
			cancel()
			return ctx.Err()
		})
		stream, err := c.Extract(ctx, connectortest.Request())
		for err == nil {
			_, err = stream.Next()
		}
		checkError(t, err, ceap.CodeCancelled, "reading s3://b/")
	})
}

// TestNext_changedObjects replaces and deletes an object between two pieces of
// it, in the emulator.
func TestNext_changedObjects(t *testing.T) {
	t.Parallel()
	line := strings.Repeat("x", 1023) + "\n"
	text := "name\n" + strings.Repeat(line, s3.Chunk/len(line)+10)
	for name, test := range map[string]struct {
		change func(*emulated) error
		words  string
	}{
		"replaced": {func(b *emulated) error {
			b.put("a.csv", strings.ToUpper(text))
			return nil
		}, "it was replaced meanwhile; run again; write new objects under new keys"},
		"deleted": {func(b *emulated) error {
			_, err := b.client.DeleteObject(b.t.Context(), &awss3.DeleteObjectInput{Bucket: &b.name, Key: aws.String("a.csv")})
			return err
		}, "it was deleted meanwhile"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBucket(t)
			b.put("a.csv", text)
			stream, err := b.open(func(c *s3.Config) { c.Prefix = "a" }).Extract(t.Context(), connectortest.Request())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = stream.Close() }()
			if err := test.change(b); err != nil {
				t.Fatal(err)
			}
			for err == nil {
				_, err = stream.Next()
			}
			checkError(t, err, ceap.CodeConflict, "reading s3://"+b.name+"/a.csv", test.words)
		})
	}
}

func TestExtract_errors(t *testing.T) {
	t.Parallel()
	b := newBucket(t)
	b.put("deliveries/2026-01-25.csv", "a\n1\n")
	b.put("deliveries/2026-01-28.csv", "a\n1\n")
	t.Run("no bucket", func(t *testing.T) {
		t.Parallel()
		for _, change := range []func(*s3.Config){func(c *s3.Config) { c.Key = "a.csv" }, func(c *s3.Config) { c.Prefix = "a" }} {
			_, _, err := read(t, b.open(func(c *s3.Config) { change(c); c.Bucket = "no-such-bucket-of-anyone" }))
			checkError(t, err, ceap.CodeUnavailable, `Query execution failed: the bucket "no-such-bucket-of-anyone" does not exist; correct sourceConfig.bucket`)
		}
	})
	t.Run("no key", func(t *testing.T) {
		t.Parallel()
		_, _, err := read(t, b.open(func(c *s3.Config) { c.Key = "deliveries/{startDate}.csv" }))
		checkError(t, err, ceap.CodeUnavailable, "s3://"+b.name+"/deliveries/2026-01-26.csv does not exist; near it there is deliveries/2026-01-25.csv, deliveries/2026-01-28.csv")
	})
	t.Run("no key, nor its folder", func(t *testing.T) {
		t.Parallel()
		_, _, err := read(t, b.open(func(c *s3.Config) { c.Key = "delivery/x/a.csv" }))
		checkError(t, err, ceap.CodeUnavailable, "delivery/x/a.csv does not exist; near it there is deliveries/")
	})
	t.Run("a format that the name does not say", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		s.put("rows.txt", "a\n")
		_, _, err := read(t, open(t, s.config(func(c *s3.Config) { c.Prefix = "rows" }), s.load))
		checkError(t, err, ceap.CodeInvalid, "the name of s3://b/rows.txt does not say how rows are written; set sourceConfig.format")
	})
	t.Run("no configuration of AWS", func(t *testing.T) {
		t.Parallel()
		c := open(t, b.config(func(c *s3.Config) { c.Key = "a" }), func(context.Context) (aws.Config, error) {
			return aws.Config{}, ceap.Errorf(ceap.CodeUnavailable, "no AWS region is set")
		})
		_, _, err := read(t, c)
		checkError(t, err, ceap.CodeUnavailable, "opening the bucket "+b.name, "no AWS region is set")
	})
}

// TestExtract_refusals holds what is said of answers that only AWS gives.
func TestExtract_refusals(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status int
		code   string
		want   ceap.Code
		words  string
	}{
		"no permission":  {403, "AccessDenied", ceap.CodeForbidden, "allow s3:ListBucket on arn:aws:s3:::b and s3:GetObject on arn:aws:s3:::b/*"},
		"another region": {301, "PermanentRedirect", ceap.CodeInvalid, "set connectors.s3.region"},
		"archived":       {403, "InvalidObjectState", ceap.CodeInvalid, "restore it first"},
		"too fast":       {503, "SlowDown", ceap.CodeRateLimited, "slow down"},
		"expired":        {400, "ExpiredToken", ceap.CodeUnauthenticated, "renew your AWS credentials"},
		"its own fault":  {500, "InternalError", ceap.CodeUnavailable, "InternalError"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			s.put("a.csv", "a\n1\n")
			s.fault = func(_ int, w http.ResponseWriter, _ *http.Request) bool {
				w.WriteHeader(test.status)
				_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>m</Message></Error>", test.code)
				return true
			}
			_, _, err := read(t, open(t, s.config(func(c *s3.Config) { c.Prefix = "a" }), s.load))
			checkError(t, err, test.want, "Query execution failed: reading s3://b/a.csv", test.words)
		})
	}
}

func TestNext_damage(t *testing.T) {
	t.Parallel()
	text, _ := manyRows(3000)
	packed := gzipped(t, text)
	for key, test := range map[string]struct{ text, words string }{
		"ragged.csv":    {text + "1\n", "s3://b/ragged.csv:3002: it has 1 values for 2 columns; give every line one value"},
		"quote.csv":     {text + "\"1,2\n3,4\n", "s3://b/quote.csv:3002: a quote is opened and never closed; close the quote"},
		"latin1.csv":    {"a\nM\xfcller\n", "s3://b/latin1.csv:2: it is not UTF-8; save the file as UTF-8"},
		"none.csv":      {"", "s3://b/none.csv:1: there is no line of column names"},
		"broken.jsonl":  {"{\"a\":1}\n\n{\"a\":\n", "s3://b/broken.jsonl:3: it is no JSON"},
		"list.json":     {"[{\"a\":1}]", "s3://b/list.json:1: it is a list, not an object; write one JSON object a line"},
		"cut.csv.gz":    {packed[:len(packed)/2], "s3://b/cut.csv.gz: its gzip data are cut short; write the file again"},
		"plain.csv.gz":  {text, "s3://b/plain.csv.gz: it is not compressed with gzip"},
		"plain.csv.zst": {text, "s3://b/plain.csv.zst: it is not compressed with zstd"},
		"cut.parquet":   {"PAR1....", "s3://b/cut.parquet: "},
		"no.parquet":    {text, "s3://b/no.parquet: "},
	} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			s.put(key, test.text)
			_, _, err := read(t, open(t, s.config(func(c *s3.Config) { c.Key = key }), s.load))
			checkError(t, err, ceap.CodeInvalid, "Query execution failed: "+test.words)
		})
	}
}

// TestExtract_memory reads 200 MB of CSV from one compressed object. It measures
// the memory of the process, so it runs alone.
func TestExtract_memory(t *testing.T) { //nolint:paralleltest // see above
	const size, row = 200 << 20, 100
	s := serve(t)
	s.objects["big.csv.gz"], s.etags["big.csv.gz"] = bigFile(t, size, row), `"big"`
	c := open(t, s.config(func(c *s3.Config) { c.Key = "big.csv.gz" }), s.load)
	before := heap()
	stream, err := c.Extract(t.Context(), connectortest.Request())
	if err != nil {
		t.Fatal(err)
	}
	rows, most := 0, uint64(0)
	for n := 1; ; n++ {
		batch, err := stream.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if rows += len(batch); n%200 == 0 {
			most = max(most, heap())
		}
	}
	if rows != size/row {
		t.Errorf("got %d rows, want %d", rows, size/row)
	}
	if grown := int64(most) - int64(before); grown > 16<<20 {
		t.Errorf("reading held %d MB", grown>>20)
	}
	t.Logf("reading held %d KB more than before", (int64(most)-int64(before))>>10)
	if len(s.gets) < 3 {
		t.Errorf("it was read in %d pieces of %d bytes", len(s.gets), s3.Chunk)
	}
	if err := stream.Close(); err != nil {
		t.Error(err)
	}
}

// heap returns the bytes that are in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// bigFile writes a compressed file of rows that hardly compress.
func bigFile(t *testing.T, size, row int) *os.File {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "big.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	w, err := gzip.NewWriterLevel(file, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.NewChaCha8([32]byte{})
	line, noise := bytes.Repeat([]byte{','}, row), make([]byte, row)
	line[row-1] = '\n'
	_, err = io.WriteString(w, "a,b\n")
	for range size / row {
		_, _ = random.Read(noise)
		for i := range row - 2 {
			if i != row/2 {
				line[i] = ' ' + 3 + noise[i]%60
			}
		}
		line[row-2] = 'x'
		for i, b := range line[:row-1] {
			if b == ',' && i != row/2 {
				line[i] = '-'
			}
		}
		if _, e := w.Write(line); e != nil {
			err = e
		}
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestCheck(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.put("in/2026-01-25/a.csv", "a,b\n1,2\n")
	s.put("in/2026-01-27/a.csv", "a,b\n1,2\n")
	s.put("none/2026-01-26/a.csv", "a,b\n")
	s.put("bad/2026-01-26/a.csv", "a,b\n1\n")
	for name, test := range map[string]struct {
		prefix string
		want   string // of the last check, as status name: detail; remedy
	}{
		"rows":       {"in/2026-01-27/", "ok content: 2 columns: a, b; "},
		"no rows":    {"none/{day}/", "failed content: the first 1 of 1 objects hold no rows; look at what writes them"},
		"bad rows":   {"bad/{day}/", "failed content: Query execution failed: s3://b/bad/2026-01-26/a.csv:2: it has 1 values for 2 columns; give every line"},
		"no objects": {"out/{day}/", "failed objects: there are no objects at s3://b/out/2026-01-26/, s3://b/out/2026-01-27/; run a range that has objects, or correct the place"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checks := open(t, s.config(func(c *s3.Config) { c.Prefix = test.prefix }), s.load).Check(t.Context(), connectortest.Request())
			last := checks[len(checks)-1]
			if got := fmt.Sprintf("%s %s: %s; %s", last.Status, last.Name, last.Detail, last.Remedy); !strings.HasPrefix(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	t.Run("one day without objects", func(t *testing.T) {
		t.Parallel()
		c := open(t, s.config(func(c *s3.Config) { c.Prefix = "in/{day}/" }), s.load)
		checks := c.Check(t.Context(), connectortest.Request())
		if len(checks) != 4 || checks[2].Status != connector.CheckWarning || !strings.Contains(checks[2].Detail, "s3://b/in/2026-01-26/") {
			t.Errorf("got %+v", checks)
		}
		_, report, err := read(t, c)
		if err != nil || len(report.Warnings) != 1 || report.Warnings[0] != "there are no objects at s3://b/in/2026-01-26/" {
			t.Errorf("got %+v and %v", report, err)
		}
	})
	t.Run("what lies near", func(t *testing.T) {
		t.Parallel()
		b := newBucket(t)
		for _, day := range []string{"2026-01-20", "2026-01-24", "2026-01-25", "2026-01-29"} {
			b.put("in/"+day+"/a.csv", "a\n1\n")
		}
		checks := b.open(func(c *s3.Config) { c.Prefix = "in/{date}/" }).Check(t.Context(), connectortest.Request())
		if remedy := checks[len(checks)-1].Remedy; !strings.HasSuffix(remedy, "near it there is in/2026-01-20/, in/2026-01-24/, in/2026-01-25/, in/2026-01-29/") {
			t.Errorf("got %q", remedy)
		}
	})
}

func TestAdvise(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for name, test := range map[string]struct {
		change func(*s3.Config)
		want   []string
	}{
		"dates":    {func(c *s3.Config) { c.Prefix = "a/{day}/" }, nil},
		"a date":   {func(c *s3.Config) { c.Key = "a/{date}.csv" }, nil},
		"none":     {func(c *s3.Config) { c.Pattern = "a/{marketplace}/*.csv" }, []string{"pattern has no {day}, {date} or other date"}},
		"wildcard": {func(c *s3.Config) { c.Key = "a/{dd}*" }, []string{`key "a/{dd}*" is taken as it is`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := open(t, s.config(test.change), s.load).Advise(connectortest.Request())
			if len(got) != len(test.want) || len(got) > 0 && !strings.HasPrefix(got[0], test.want[0]) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
