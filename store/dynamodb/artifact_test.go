package dynamodb_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/awstest"
	"github.com/ceap-platform/ceap/store"
)

func write(t *testing.T, roles store.Roles, name string, content []byte) {
	t.Helper()
	w, err := roles.Artifacts.Create(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, roles store.Roles, name string) store.ArtifactReader {
	t.Helper()
	r, err := roles.Artifacts.Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

const mib = 1 << 20

func TestArtifacts_Sizes(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles := s.open(t)
	// Around the part of an upload, the tail that comes first, and the block.
	for _, size := range []int{0, 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 320 << 10, 8*mib - 1, 8 * mib, 8*mib + 1, 20 * mib} {
		content := []byte(noise(size))
		name := fmt.Sprintf("runs/r/%d", size)
		uploads := s.cloud.Count("s3.UploadPart")
		write(t, roles, name, content)
		if parts := s.cloud.Count("s3.UploadPart") - uploads; parts > 0 && size < 8*mib {
			t.Errorf("a file of %d bytes is uploaded in %d parts", size, parts)
		}
		r := open(t, roles, name)
		if r.Size() != int64(size) {
			t.Errorf("a file of %d bytes has size %d", size, r.Size())
		}
		got, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("a file of %d bytes is read back as %d others, %v", size, len(got), err)
		}
		if n, err := r.ReadAt(make([]byte, 2), int64(size)-1); size > 0 && (n != 1 || !errors.Is(err, io.EOF)) {
			t.Errorf("reading past the end of %d bytes: %d, %v", size, n, err)
		}
		if n, err := r.ReadAt(make([]byte, 1), int64(size)+1); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("reading behind the end of %d bytes: %d, %v", size, n, err)
		}
	}
}

func TestArtifacts_ReadAt(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles := s.open(t)
	content := []byte(noise(5*mib + 12345))
	write(t, roles, "f", content)
	rapid.Check(t, func(rt *rapid.T) {
		r, err := roles.Artifacts.Open(t.Context(), "f")
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = r.Close() }()
		for range rapid.IntRange(1, 8).Draw(rt, "reads") {
			offset := rapid.IntRange(0, len(content)).Draw(rt, "offset")
			length := rapid.OneOf(rapid.IntRange(0, 1000), rapid.IntRange(0, 3*mib)).Draw(rt, "length")
			b := make([]byte, length)
			n, err := r.ReadAt(b, int64(offset))
			if want := content[offset:min(offset+length, len(content))]; !bytes.Equal(b[:n], want) {
				rt.Fatalf("%d bytes from %d on differ, %v", length, offset, err)
			}
			if (n < length) != errors.Is(err, io.EOF) {
				rt.Fatalf("%d of %d bytes from %d on: %v", n, length, offset, err)
			}
		}
	})
}

func TestArtifacts_ReadAtOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles := s.open(t)
	content := []byte(noise(6 * mib))
	write(t, roles, "f", content)
	r := open(t, roles, "f")
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for offset := i * 1000; offset < len(content); offset += 500_000 {
				b := make([]byte, min(100_000, len(content)-offset))
				if _, err := r.ReadAt(b, int64(offset)); err != nil || !bytes.Equal(b, content[offset:offset+len(b)]) {
					t.Errorf("reading at %d: %v", offset, err)
				}
			}
		})
	}
	group.Wait()
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := r.ReadAt(make([]byte, 1), 0); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("reading a closed file: %v", err)
	}
}

// TestArtifacts_Requests bounds what readers cost: one request for a small file, few
// for a long one from its beginning to its end, and few for the pages of a Parquet
// file with many columns.
func TestArtifacts_Requests(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles := s.open(t)
	reads := func(do func()) int {
		before := s.cloud.Count("s3.GetObject")
		do()
		return s.cloud.Count("s3.GetObject") - before
	}
	readAll := func(name string) {
		r := open(t, roles, name)
		if _, err := io.Copy(io.Discard, io.NewSectionReader(r, 0, r.Size())); err != nil {
			t.Error(err)
		}
	}
	write(t, roles, "small", []byte(noise(60_000)))
	if n := reads(func() { readAll("small") }); n != 1 {
		t.Errorf("a small file takes %d requests", n)
	}
	write(t, roles, "long", []byte(noise(32*mib)))
	if n := reads(func() { readAll("long") }); n > 24 {
		t.Errorf("32 MiB take %d requests", n)
	}

	type row struct {
		A, B, C, D, E, F, G, H int64
		I, J, K, L             string
	}
	var file bytes.Buffer
	w := parquet.NewGenericWriter[row](&file, parquet.PageBufferSize(32<<10), parquet.MaxRowsPerRowGroup(50_000))
	text := noise(1 << 20)
	for i := range 100_000 {
		n := int64(i) * 2654435761 % (1 << 40)
		r := row{n, n + 1, n + 2, n + 3, n + 4, n + 5, n + 6, n + 7, text[i : i+20], text[i+1 : i+21], text[i+2 : i+22], text[i+3 : i+23]}
		if _, err := w.Write([]row{r}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, roles, "rows.parquet", file.Bytes())
	n := reads(func() {
		r := open(t, roles, "rows.parquet")
		f, err := parquet.OpenFile(r, r.Size())
		if err != nil {
			t.Fatal(err)
		}
		rows, got := parquet.NewGenericReader[row](f), int64(0)
		for buffer := make([]row, 1000); ; {
			n, err := rows.Read(buffer)
			if got += int64(n); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if got != 100_000 {
			t.Errorf("%d rows", got)
		}
	})
	t.Logf("a Parquet file of %d bytes with 12 columns takes %d requests", file.Len(), n)
	if n > 120 {
		t.Errorf("a Parquet file of %d bytes takes %d requests", file.Len(), n)
	}
}

func TestArtifacts_Discard(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles := s.open(t)
	for _, size := range []int{100, 17 * mib} {
		ctx, cancel := context.WithCancel(t.Context())
		w, err := roles.Artifacts.Create(ctx, "runs/r/f")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(noise(size))); err != nil {
			t.Fatal(err)
		}
		cancel() // also a writer that is cancelled leaves nothing
		for range 2 {
			if err := w.Discard(); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Errorf("closing what was discarded: %v", err)
		}
		if _, err := w.Write([]byte("x")); err == nil {
			t.Error("writing to what was discarded is no error")
		}
	}
	s.wantNoUploads(t)
	if names, err := roles.Artifacts.List(t.Context(), ""); err != nil || len(names) > 0 {
		t.Errorf("%v, %v", names, err)
	}
}

func (s *stage) wantNoUploads(t *testing.T) {
	t.Helper()
	left, err := s.s3.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &s.config.ArtifactsBucket})
	if err != nil || len(left.Uploads) > 0 {
		t.Errorf("%d uploads are left, %v", len(left.Uploads), err)
	}
}

func TestArtifacts_WriteFails(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, method, query string
		size                int
	}{
		{"starting an upload", http.MethodPost, "uploads", 20 * mib},
		{"a part", http.MethodPut, "partNumber", 20 * mib},
		{"ending an upload", http.MethodPost, "uploadId", 20 * mib},
		{"a small file", http.MethodPut, "x-id", 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			client := s.intercept()
			roles := s.open(t)
			write(t, roles, "f", []byte("earlier"))
			client.answer = func(r *http.Request) *http.Response {
				if r.Method != c.method || !r.URL.Query().Has(c.query) {
					return nil
				}
				return answer(r, http.StatusForbidden, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>")
			}
			w, err := roles.Artifacts.Create(t.Context(), "f")
			if err != nil {
				t.Fatal(err)
			}
			_, _ = w.Write([]byte(noise(c.size))) // Close says it again
			wantCode(t, w.Close(), ceap.CodeForbidden, "writing s3://"+s.config.ArtifactsBucket+"/f", "s3:PutObject")
			s.wantNoUploads(t)
			if r := open(t, roles, "f"); r.Size() != 7 {
				t.Errorf("the earlier file has %d bytes", r.Size())
			}
		})
	}
}

func TestArtifacts_Replaced(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles := s.open(t)
	write(t, roles, "f", []byte(noise(mib)))
	r := open(t, roles, "f")
	write(t, roles, "f", []byte(noise(mib+1)))
	_, err := r.ReadAt(make([]byte, 1), 0)
	wantCode(t, err, ceap.CodeConflict, "was replaced")
}

func TestArtifacts_LostAnswers(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles := s.open(t)
	content := noise(9 * mib)
	for _, operation := range []string{"s3.UploadPart", "s3.GetObject", "s3.PutObject"} {
		s.cloud.Inject(awstest.Fault{On: operation, Times: 1, Do: awstest.LoseAnswer()})
	}
	write(t, roles, "f", []byte(content))
	r := open(t, roles, "f")
	if got, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size())); err != nil || string(got) != content {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	write(t, roles, "small", []byte("x"))
}

// client is an HTTP client whose answers a test may replace.
type client struct {
	to     aws.HTTPClient
	answer func(*http.Request) *http.Response // nil for an answer of the account's own
}

func (c *client) Do(r *http.Request) (*http.Response, error) {
	if c.answer != nil {
		if answer := c.answer(r); answer != nil {
			return answer, nil
		}
	}
	return c.to.Do(r)
}

// intercept lets the stage's stores talk to AWS by way of a client.
func (s *stage) intercept() *client {
	c := &client{to: s.cloud.Config.HTTPClient}
	config := s.cloud.Config.Copy()
	config.HTTPClient = c
	s.load = func(context.Context) (aws.Config, error) { return config, nil }
	return c
}

func answer(r *http.Request, status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Request: r, Body: io.NopCloser(strings.NewReader(body))}
}

// broken breaks off after some bytes.
type broken struct {
	io.ReadCloser
	left int
}

func (b *broken) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

func TestArtifacts_BrokenBodies(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	client := s.intercept()
	roles := s.open(t)
	content := noise(mib)
	write(t, roles, "f", []byte(content))
	breaks := 0
	client.answer = func(r *http.Request) *http.Response {
		if breaks--; breaks < 0 {
			return nil
		}
		answer, err := client.to.Do(r)
		if err != nil {
			t.Error(err)
			return nil
		}
		answer.Body = &broken{answer.Body, 1000}
		return answer
	}
	breaks = 2
	r := open(t, roles, "f")
	breaks = 3
	if got, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size())); err != nil || string(got) != content {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	breaks = 1000
	_, err := roles.Artifacts.Open(t.Context(), "f")
	wantCode(t, err, ceap.CodeUnavailable, "unexpected EOF")
}

func TestArtifacts_RemovalRefused(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	client := s.intercept()
	roles := s.open(t)
	write(t, roles, "runs/r/f", nil)
	for code, want := range map[string]ceap.Code{"AccessDenied": ceap.CodeForbidden, "InternalError": ceap.CodeUnavailable} {
		// Two files were not deleted, and the answer is a success.
		client.answer = func(r *http.Request) *http.Response {
			if r.Method != http.MethodPost || !r.URL.Query().Has("delete") {
				return nil
			}
			const refusal = "<Error><Key>runs/r/%s</Key><Code>%s</Code><Message>no</Message></Error>"
			return answer(r, http.StatusOK, "<DeleteResult>"+fmt.Sprintf(refusal, "f", code)+fmt.Sprintf(refusal, "g", code)+"</DeleteResult>")
		}
		wantCode(t, roles.Artifacts.Remove(t.Context(), "runs/r/"), want, "2 files stand", "runs/r/f", code)
	}
}

func TestArtifacts_ListAndRemoveMany(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles := s.open(t)
	const count = 1203 // more than a page, and than one call removes
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for i := worker; i < count; i += 8 {
				w, err := roles.Artifacts.Create(t.Context(), fmt.Sprintf("runs/r/%04d", i))
				if err == nil {
					err = w.Close()
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	write(t, roles, "runs/other", nil)
	names, err := roles.Artifacts.List(t.Context(), "runs/r/")
	if err != nil || len(names) != count || names[0] != "runs/r/0000" || names[count-1] != "runs/r/1202" {
		t.Errorf("%d names, %v", len(names), err)
	}
	if err := roles.Artifacts.Remove(t.Context(), "runs/r/"); err != nil {
		t.Fatal(err)
	}
	if n := s.cloud.Count("s3.DeleteObjects"); n != 2 {
		t.Errorf("%d calls remove %d files", n, count)
	}
	if names, err := roles.Artifacts.List(t.Context(), ""); err != nil || strings.Join(names, " ") != "runs/other" {
		t.Errorf("%v, %v", names, err)
	}
}

func TestArtifacts_Bucket(t *testing.T) {
	t.Parallel()
	t.Run("the default one is that of stage, account and region", func(t *testing.T) {
		t.Parallel()
		s := bareStage(t)
		s.config.ArtifactsBucket = ""
		bucket := "ceap-artifacts-" + s.config.Stage + "-123456789012-us-east-1"
		if _, err := s.s3.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
			t.Fatal(err)
		}
		roles := s.open(t)
		write(t, roles, "f", []byte("x"))
		write(t, roles, "g", []byte("x"))
		if n := s.cloud.Count("sts.POST /"); n != 1 {
			t.Errorf("AWS was asked %d times for the account", n)
		}
		if _, err := s.s3.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &bucket, Key: new("g")}); err != nil {
			t.Error(err)
		}
	})
	t.Run("one that is missing", func(t *testing.T) {
		t.Parallel()
		s := bareStage(t)
		roles := s.open(t)
		_, err := roles.Artifacts.Open(t.Context(), "f")
		wantCode(t, err, ceap.CodeUnavailable, s.config.ArtifactsBucket, "no such bucket", "artifactsBucket")
		_, err = roles.Artifacts.List(t.Context(), "f")
		wantCode(t, err, ceap.CodeUnavailable, "no such bucket")
		w, err := roles.Artifacts.Create(t.Context(), "f")
		if err != nil {
			t.Fatal(err)
		}
		wantCode(t, w.Close(), ceap.CodeUnavailable, "no such bucket")
	})
}

func TestArtifacts_ReadRange(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles := s.open(t)
	content := []byte(noise(300 << 10))
	write(t, roles, "runs/r/range", content)
	reader, ok := roles.Artifacts.(store.RangeReader)
	if !ok {
		t.Fatal("no ranges can be read")
	}
	before := s.cloud.Count("s3.GetObject")
	got, err := reader.ReadRange(t.Context(), "runs/r/range", 1000, 200_000)
	if err != nil || !bytes.Equal(got, content[1000:201_000]) || s.cloud.Count("s3.GetObject") != before+1 {
		t.Errorf("%d bytes in %d requests, %v", len(got), s.cloud.Count("s3.GetObject")-before, err)
	}
	for _, offset := range []int64{300<<10 - 1, 300 << 10, 1 << 30} {
		if _, err := reader.ReadRange(t.Context(), "runs/r/range", offset, 2); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("beyond the end, at %d: %v", offset, err)
		}
	}
	if _, err := reader.ReadRange(t.Context(), "runs/r/none", 0, 1); ceap.ErrorCode(err) != ceap.CodeNotFound {
		t.Errorf("a file that is missing: %v", err)
	}
	if _, err := reader.ReadRange(t.Context(), "runs/r/range", 0, 0); ceap.ErrorCode(err) != ceap.CodeInvalid {
		t.Errorf("no bytes: %v", err)
	}
}
