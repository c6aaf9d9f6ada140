package athena

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ceap-platform/ceap/awsapi"
)

// tailSize is how much of an object's end is read at first: the footers of most
// Parquet files fit.
const tailSize = 64 << 10

// object is an object in S3, as an io.ReaderAt. It is safe for concurrent use.
type object struct {
	ctx         context.Context //nolint:containedctx // of the rows that are read
	client      *s3.Client
	bucket, key string
	etag        string // the object must have it; what is written over it is another object
	size        int64
	tail        []byte
}

// openObject reads an object's end. Without etag any object will do.
func openObject(ctx context.Context, client *s3.Client, bucket, key, etag string) (*object, error) {
	o := &object{ctx: ctx, client: client, bucket: bucket, key: key, etag: etag}
	out, err := o.get("bytes=-" + strconv.Itoa(tailSize))
	if awsapi.Code(err) == "InvalidRange" { // it is smaller than that; S3 itself gives all of it then
		out, err = o.get("")
	}
	if err != nil {
		return nil, err
	}
	defer out.Body.Close() //nolint:errcheck // it is only read
	if o.tail, err = io.ReadAll(out.Body); err != nil {
		return nil, awsapi.Error(ctx, "reading "+o.url(), err)
	}
	o.etag = aws.ToString(out.ETag)
	o.size = int64(len(o.tail))
	if _, total, ok := strings.Cut(aws.ToString(out.ContentRange), "/"); ok {
		if o.size, err = strconv.ParseInt(total, 10, 64); err != nil {
			return nil, fmt.Errorf("reading %s: the size %q", o.url(), total)
		}
	}
	return o, nil
}

func (o *object) url() string { return "s3://" + o.bucket + "/" + o.key }

func (o *object) get(span string) (*s3.GetObjectOutput, error) {
	in := &s3.GetObjectInput{Bucket: &o.bucket, Key: &o.key}
	if span != "" {
		in.Range = &span
	}
	if o.etag != "" {
		in.IfMatch = &o.etag
	}
	out, err := o.client.GetObject(o.ctx, in)
	if err != nil {
		return nil, awsapi.Error(o.ctx, "reading "+o.url(), err)
	}
	return out, nil
}

// ReadAt reads from the end that is there already, or asks for just these bytes.
func (o *object) ReadAt(b []byte, at int64) (int, error) {
	if at >= o.size {
		return 0, io.EOF
	}
	want := min(int64(len(b)), o.size-at)
	if start := o.size - int64(len(o.tail)); at >= start {
		n := copy(b, o.tail[at-start:])
		return n, short(n, len(b))
	}
	out, err := o.get(fmt.Sprintf("bytes=%d-%d", at, at+want-1))
	if err != nil {
		return 0, err
	}
	defer out.Body.Close() //nolint:errcheck // it is only read
	n, err := io.ReadFull(out.Body, b[:want])
	if err != nil {
		return n, awsapi.Error(o.ctx, "reading "+o.url(), err)
	}
	return n, short(n, len(b))
}

// short is what a ReaderAt returns that reads up to the end.
func short(n, want int) error {
	if n < want {
		return io.EOF
	}
	return nil
}
