package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/connectortest"
	"github.com/ceap-platform/ceap/connector/s3"
	"github.com/ceap-platform/ceap/internal/awstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, awstest.Leaks()...) }

// emulated is a bucket in the emulator.
type emulated struct {
	t      *testing.T
	cloud  *awstest.Cloud
	client *awss3.Client
	name   string
}

// newBucket makes an empty bucket.
func newBucket(t *testing.T) *emulated {
	t.Helper()
	cloud := awstest.Start(t)
	b := &emulated{t: t, cloud: cloud, client: awsapi.S3(cloud.Config), name: bucketName(t)}
	if _, err := b.client.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: &b.name}); err != nil {
		t.Fatal(err)
	}
	return b
}

// bucketName returns a name that no other test has.
func bucketName(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("s3-connector-%x", time.Now().UnixNano())
}

func (b *emulated) put(key, text string) {
	b.t.Helper()
	in := &awss3.PutObjectInput{Bucket: &b.name, Key: &key, Body: strings.NewReader(text)}
	if _, err := b.client.PutObject(b.t.Context(), in); err != nil {
		b.t.Fatal(err)
	}
}

// config returns the defaults on the bucket, changed.
func (b *emulated) config(change func(*s3.Config)) s3.Config {
	c := s3.DefaultConfig()
	c.Bucket = b.name
	change(&c)
	return c
}

func (b *emulated) open(change func(*s3.Config)) *s3.Connector {
	b.t.Helper()
	return open(b.t, b.config(change), b.cloud.Load)
}

func open(t *testing.T, config s3.Config, load func(context.Context) (aws.Config, error)) *s3.Connector {
	t.Helper()
	c, err := s3.New(config, load)
	if err != nil {
		t.Fatal(err)
	}
	c.SetWait(func(ctx context.Context, _ time.Duration) error { return ctx.Err() })
	return c
}

// read reads all rows of the suite's request as texts, NULL as ∅.
func read(t *testing.T, c *s3.Connector) ([]string, connector.Report, error) {
	t.Helper()
	return readOf(t, c, connectortest.Request())
}

func readOf(t *testing.T, c *s3.Connector, req connector.Request) ([]string, connector.Report, error) {
	t.Helper()
	stream, err := c.Extract(t.Context(), req)
	if err != nil {
		return nil, connector.Report{}, err
	}
	defer func() {
		if err := stream.Close(); err != nil {
			t.Error(err)
		}
	}()
	var rows []string
	for {
		batch, err := stream.Next()
		if errors.Is(err, io.EOF) {
			return rows, stream.(connector.Reporter).Report(), nil
		}
		if err != nil {
			return rows, connector.Report{}, err
		}
		for _, rec := range batch {
			if rec.Row != int64(len(rows)+1) {
				t.Fatalf("the row after %d others has Row %d", len(rows), rec.Row)
			}
			rows = append(rows, textOf(rec.Values))
		}
	}
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

func mustRead(t *testing.T, c *s3.Connector) []string {
	t.Helper()
	rows, _, err := read(t, c)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// checkError holds an error against a code and words.
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

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func zstded(t *testing.T, text string) string {
	t.Helper()
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	return string(w.EncodeAll([]byte(text), nil))
}

// served is one bucket of objects behind a server that can be made to fail.
type served struct {
	mu      sync.Mutex
	objects map[string]io.ReadSeeker
	etags   map[string]string
	gets    []string // the ranges that were asked for
	// fault may answer a GET in the place of the server; n counts from 1.
	fault func(n int, w http.ResponseWriter, r *http.Request) bool
	url   string
}

// serve starts the server. It knows HeadObject, GetObject with ranges and
// If-Match, and ListObjectsV2 of everything at once.
func serve(t *testing.T) *served {
	t.Helper()
	s := &served{objects: map[string]io.ReadSeeker{}, etags: map[string]string{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *served) put(key, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[key], s.etags[key] = strings.NewReader(text), fmt.Sprintf("%q", fmt.Sprintf("%x-%d", len(text), len(s.etags[key])))
}

func (s *served) load(context.Context) (aws.Config, error) {
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: &s.url, Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
		HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
		Retryer:    func() aws.Retryer { return aws.NopRetryer{} },
	}, nil
}

func (s *served) config(change func(*s3.Config)) s3.Config {
	c := s3.DefaultConfig()
	c.Bucket = "b"
	change(&c)
	return c
}

func (s *served) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := strings.TrimPrefix(r.URL.Path, "/b/")
	if r.URL.Query().Has("list-type") {
		s.list(w, r.URL.Query().Get("prefix"))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Method == http.MethodGet {
		s.gets = append(s.gets, r.Header.Get("Range"))
		if s.fault != nil && s.fault(len(s.gets), w, r) {
			return
		}
	}
	object, ok := s.objects[key]
	if !ok {
		http.Error(w, "", http.StatusNotFound)
		return
	}
	w.Header().Set("ETag", s.etags[key])
	http.ServeContent(w, r, "", time.Time{}, object)
}

func (s *served) list(w http.ResponseWriter, prefix string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var keys []string
	for key := range s.objects {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	slices.Reverse(keys) // as unkind as a directory bucket
	_, _ = io.WriteString(w, "<ListBucketResult>")
	for _, key := range keys {
		size, _ := s.objects[key].Seek(0, io.SeekEnd)
		_, _ = fmt.Fprintf(w, "<Contents><Key>%s</Key><Size>%d</Size><ETag>%s</ETag></Contents>", key, size, s.etags[key])
	}
	_, _ = io.WriteString(w, "</ListBucketResult>")
}
