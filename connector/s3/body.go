package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ceap-platform/ceap"
)

const (
	// chunk is how much of an object one request asks for, in bytes. S3 closes
	// connections on which nothing is read; so that a slow consumer keeps none
	// open for long, requests are small, and so that they cost next to nothing,
	// not too small.
	chunk = 16 << 20
	// maxBreaks is how often in a row a body may break off without a byte.
	maxBreaks = 6
)

var errStalled = errors.New("S3 sent nothing")

// body reads a range of one version of an object, in order. A response that
// breaks off is asked for again from where it broke.
type body struct {
	ctx    context.Context //nolint:containedctx // it spans the calls of one stream
	bucket *bucket
	object object
	offset int64
	end    int64
	read   *atomic.Int64 // counts the bytes

	part   io.ReadCloser // the response being read; nil if there is none
	until  int64         // its end
	cancel context.CancelCauseFunc
	timer  *time.Timer
	breaks int
}

func (b *bucket) body(ctx context.Context, o object, read *atomic.Int64) *body {
	return &body{ctx: ctx, bucket: b, object: o, end: o.size, read: read}
}

// Read reads on, and waits as long as that takes.
func (r *body) Read(p []byte) (int, error) {
	for r.offset < r.end {
		if r.part == nil {
			if err := r.open(); err != nil {
				return 0, err
			}
			continue // it may have stalled, to be asked for again
		}
		r.timer.Reset(r.bucket.stall)
		n, err := r.part.Read(p)
		r.timer.Stop()
		r.offset += int64(n)
		r.read.Add(int64(n))
		if n > 0 {
			r.breaks = 0
		}
		switch {
		case r.offset == r.until:
			r.close()
		case err != nil:
			r.close()
			if err := r.broken(err); err != nil {
				return n, err
			}
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, io.EOF
}

// broken waits before the next try, or returns the error if there were enough.
func (r *body) broken(err error) error {
	if r.breaks++; r.breaks < maxBreaks && r.ctx.Err() == nil {
		err = r.bucket.wait(r.ctx, 100*time.Millisecond<<r.breaks)
		if err == nil {
			return nil
		}
	}
	doing := "reading " + r.bucket.url(r.object.key)
	if r.ctx.Err() != nil {
		return failed(r.ctx, doing, r.ctx.Err())
	}
	return &ceap.Error{
		Code: ceap.CodeUnavailable, Message: fmt.Sprintf("%s%s broke off %d times at byte %d of %d", queryFailed, doing, r.breaks, r.offset, r.object.size),
		Err: err, Hint: "look at the network, and run again",
	}
}

// open asks for the next piece of the object, of the version that was listed.
func (r *body) open() error {
	ctx, cancel := context.WithCancelCause(r.ctx)
	r.until = min(r.offset+chunk, r.end)
	span := fmt.Sprintf("bytes=%d-%d", r.offset, r.until-1)
	r.cancel, r.timer = cancel, time.AfterFunc(r.bucket.stall, func() { cancel(errStalled) })
	out, err := r.bucket.client.GetObject(ctx, &s3.GetObjectInput{
		Bucket: &r.bucket.name, Key: &r.object.key, Range: &span, IfMatch: &r.object.etag,
	})
	r.timer.Stop()
	switch {
	case errors.Is(context.Cause(ctx), errStalled):
		r.close()
		return r.broken(errStalled)
	case err != nil:
		r.close()
		return r.bucket.failed(r.ctx, "reading "+r.bucket.url(r.object.key), err)
	}
	r.part = out.Body
	// A store that ignores ranges must not pass for one that does not.
	if n := out.ContentLength; n != nil && *n != r.until-r.offset {
		r.close()
		return ceap.Errorf(ceap.CodeUnavailable, "%sreading %s: got %d bytes for the range %s", queryFailed, r.bucket.url(r.object.key), *n, span)
	}
	return nil
}

// close ends the response being read, if there is one.
func (r *body) close() {
	if r.timer != nil {
		r.timer.Stop()
	}
	if r.part != nil {
		_ = r.part.Close() // what is left of it is not wanted
		r.part = nil
	}
	if r.cancel != nil {
		r.cancel(nil)
		r.cancel = nil
	}
}

// Close ends the reading.
func (r *body) Close() error {
	r.close()
	r.offset = r.end
	return nil
}

// randomBody reads an object anywhere, for formats that start at their end. It is
// safe for concurrent use.
type randomBody struct {
	ctx    context.Context //nolint:containedctx // it spans the calls of one stream
	bucket *bucket
	object object
	read   *atomic.Int64
}

// ReadAt reads the bytes from offset on.
func (r *randomBody) ReadAt(p []byte, offset int64) (int, error) {
	if offset >= r.object.size {
		return 0, io.EOF
	}
	part := r.bucket.body(r.ctx, r.object, r.read)
	part.offset, part.end = offset, min(offset+int64(len(p)), r.object.size)
	defer part.close()
	n, err := io.ReadFull(part, p[:part.end-offset])
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}
