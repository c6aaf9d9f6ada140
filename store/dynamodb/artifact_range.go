package dynamodb

import (
	"context"
	"fmt"
	"io"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/store"
)

var _ store.RangeReader = (*artifacts)(nil)

// ReadRange implements [store.RangeReader].
func (a *artifacts) ReadRange(ctx context.Context, name string, offset, length int64) ([]byte, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if offset < 0 || length < 1 {
		return nil, ceap.Errorf(ceap.CodeInvalid, "artefact %q has no %d bytes at %d", name, length, offset)
	}
	client, bucket, err := a.client(ctx)
	if err != nil {
		return nil, err
	}
	r := &artifactReader{ctx: ctx, client: client, bucket: bucket, name: name}
	data, err := r.get(fmt.Sprintf("bytes=%d-%d", offset, offset+length-1))
	if awsapi.Code(err) == "InvalidRange" {
		return nil, fmt.Errorf("reading %s: %w", name, io.ErrUnexpectedEOF)
	}
	if err != nil {
		return nil, fileError(ctx, "reading", name, bucket, err)
	}
	if int64(len(data)) != length {
		return nil, fmt.Errorf("reading %s: %w", name, io.ErrUnexpectedEOF)
	}
	return data, nil
}
