package dynamodb

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/store"
)

const (
	// tailSize is how much of the end of a file comes with opening it: the whole of
	// a small one, and the footer of most Parquet files.
	tailSize = 64 << 10
	// blockSize is the least that is read of the rest.
	blockSize = 256 << 10
	// mostAhead is how many blocks one request reads at most. A reader that goes
	// forward gets there by doubling.
	mostAhead = 8
	// mostBlocks is how many blocks a file holds in memory. It must be more than a
	// row group has columns that are read side by side.
	mostBlocks = 32
	// bodyTries is how often the body of an answer may break off.
	bodyTries = 4
)

// Open implements [store.Artifacts]. The reader keeps up to 8 MiB of the file, reads
// ahead of those who go forward, and returns conflict once the file is replaced.
func (a *artifacts) Open(ctx context.Context, name string) (store.ArtifactReader, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	client, bucket, err := a.client(ctx)
	if err != nil {
		return nil, err
	}
	r := &artifactReader{ctx: ctx, client: client, bucket: bucket, name: name, blocks: map[int64]*block{}}
	if r.tail, err = r.get(fmt.Sprintf("bytes=-%d", tailSize)); awsapi.Code(err) == "InvalidRange" {
		return r, nil // it is empty: only then has it no end
	}
	if err != nil {
		return nil, fileError(ctx, "reading", name, bucket, err)
	}
	return r, nil
}

// artifactReader reads one object.
type artifactReader struct {
	ctx          context.Context //nolint:containedctx // of Open; an io.ReaderAt is given none
	client       *s3.Client
	bucket, name string
	etag         *string // of the object as it was when it was opened
	size         int64
	tail         []byte // the end of it

	mu     sync.Mutex
	blocks map[int64]*block // by their number; none reaches into the tail
	clock  int64            // counts uses of blocks
	closed bool
}

// block is a part of a file, blockSize long but for the last.
type block struct {
	data []byte
	used int64 // the clock when it was last read
}

// Size implements [store.ArtifactReader].
func (r *artifactReader) Size() int64 { return r.size }

// Close implements [store.ArtifactReader].
func (r *artifactReader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed, r.tail, r.blocks = true, nil, nil
	return nil
}

// ReadAt implements [io.ReaderAt].
func (r *artifactReader) ReadAt(b []byte, offset int64) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return 0, fs.ErrClosed
	}
	if offset < 0 {
		return 0, ceap.Errorf(ceap.CodeInvalid, "reading artefact %q before its start", r.name)
	}
	read := 0
	for read < len(b) && offset < r.size {
		data, err := r.from(offset, int64(len(b)-read))
		if err != nil {
			return read, fileError(r.ctx, "reading", r.name, r.bucket, err)
		}
		n := copy(b[read:], data)
		read, offset = read+n, offset+int64(n)
	}
	if read < len(b) {
		return read, io.EOF
	}
	return read, nil
}

// from returns bytes of the file from the offset on, at least one; wanted says how
// many will be asked for.
func (r *artifactReader) from(offset, wanted int64) ([]byte, error) {
	tail := r.size - int64(len(r.tail))
	if offset >= tail {
		return r.tail[offset-tail:], nil
	}
	number := offset / blockSize
	if r.blocks[number] == nil {
		last := (min(offset+wanted, tail) - 1) / blockSize
		if err := r.fetch(number, last); err != nil {
			return nil, err
		}
	}
	at := r.blocks[number]
	r.clock++
	at.used = r.clock
	return at.data[offset-number*blockSize:], nil
}

// fetch reads the block of that number, and in the same request those after it up
// to last, or more of them for a reader who goes forward: as many as there are
// blocks before this one.
func (r *artifactReader) fetch(number, last int64) error {
	ahead := int64(0)
	for ahead < mostAhead && r.blocks[number-1-ahead] != nil {
		ahead++
	}
	count := min(max(last-number+1, ahead), mostAhead)
	for i := range count {
		if i > 0 && r.blocks[number+i] != nil {
			count = i
			break
		}
	}
	from, to := number*blockSize, min((number+count)*blockSize, r.size-int64(len(r.tail)))
	data, err := r.get(fmt.Sprintf("bytes=%d-%d", from, to-1))
	if err != nil {
		return err
	}
	if int64(len(data)) != to-from {
		return fmt.Errorf("asked for %d bytes, got %d", to-from, len(data))
	}
	for len(data) > 0 {
		n := min(blockSize, len(data))
		r.keep(number, data[:n:n])
		data, number = data[n:], number+1
	}
	return nil
}

// keep adds a block, in place of the one that was not used for longest.
func (r *artifactReader) keep(number int64, data []byte) {
	if len(r.blocks) >= mostBlocks {
		var oldest int64 = -1
		for n, b := range r.blocks {
			if oldest < 0 || b.used < r.blocks[oldest].used {
				oldest = n
			}
		}
		delete(r.blocks, oldest)
	}
	r.clock++
	r.blocks[number] = &block{data: data, used: r.clock}
}

// get returns a range of the object. The SDK tries requests again, but not bodies
// that break off.
func (r *artifactReader) get(byteRange string) ([]byte, error) {
	for try := 1; ; try++ {
		answer, err := r.client.GetObject(r.ctx, &s3.GetObjectInput{Bucket: &r.bucket, Key: &r.name, Range: &byteRange, IfMatch: r.etag})
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close() // read to its end, or broken
		if err == nil {
			return data, r.opened(answer, int64(len(data)))
		}
		if try == bodyTries || r.ctx.Err() != nil {
			return nil, err
		}
		if err := pause(r.ctx, try); err != nil {
			return nil, err
		}
	}
}

// opened notes from the first answer how long the object is, and which.
func (r *artifactReader) opened(answer *s3.GetObjectOutput, length int64) error {
	if r.etag != nil {
		return nil
	}
	r.etag, r.size = answer.ETag, length
	if answer.ContentRange == nil {
		return nil // the whole of it
	}
	_, size, _ := strings.Cut(aws.ToString(answer.ContentRange), "/")
	var err error
	if r.size, err = strconv.ParseInt(size, 10, 64); err != nil {
		return fmt.Errorf("reading the size of the file: %w", err)
	}
	return nil
}
