package dynamodb

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
)

const (
	// partSize is how much of a file is held in memory. S3 takes parts from 5 MiB
	// on, and 10,000 of them: a file of 78 GiB.
	partSize = 8 << 20
	// abortTimeout bounds the removal of a file's parts after its writer was
	// cancelled. What is left of them, the bucket's lifecycle removes.
	abortTimeout = 10 * time.Second
)

// Create implements [store.Artifacts]. A file up to 8 MiB is one request when it
// is closed; a longer one is uploaded in parts of that size while it is written.
func (a *artifacts) Create(ctx context.Context, name string) (store.ArtifactWriter, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	client, bucket, err := a.client(ctx)
	if err != nil {
		return nil, err
	}
	return &artifactWriter{ctx: ctx, client: client, bucket: bucket, name: name}, nil
}

// artifactWriter writes one object.
type artifactWriter struct {
	ctx          context.Context //nolint:containedctx // of Create; an io.Writer is given none
	client       *s3.Client
	bucket, name string

	buffer []byte
	upload string // the id of the upload in parts; "" before the first
	parts  []types.CompletedPart
	err    error // the first; then nothing more is written
	done   bool
}

// Write implements [io.Writer].
func (w *artifactWriter) Write(b []byte) (int, error) {
	if w.done && w.err == nil {
		w.err = ceap.Errorf(ceap.CodeInternal, "writing to the artefact %q, which is closed", w.name)
	}
	written := 0
	for w.err == nil && len(b) > 0 {
		n := min(len(b), partSize-len(w.buffer))
		w.buffer, b, written = append(w.buffer, b[:n]...), b[n:], written+n
		if len(w.buffer) == partSize {
			w.err = w.sendPart()
		}
	}
	return written, w.err
}

// sendPart uploads what the buffer holds, and empties it.
func (w *artifactWriter) sendPart() error {
	if w.upload == "" {
		answer, err := w.client.CreateMultipartUpload(w.ctx, &s3.CreateMultipartUploadInput{
			Bucket: &w.bucket, Key: &w.name, ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
		})
		if err != nil {
			return w.fail(err)
		}
		w.upload = aws.ToString(answer.UploadId)
	}
	number := aws.Int32(int32(len(w.parts) + 1)) //nolint:gosec // S3 refuses more than 10,000
	answer, err := w.client.UploadPart(w.ctx, &s3.UploadPartInput{
		Bucket: &w.bucket, Key: &w.name, UploadId: &w.upload, PartNumber: number, Body: bytes.NewReader(w.buffer),
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
	})
	if err != nil {
		return w.fail(err)
	}
	w.parts = append(w.parts, types.CompletedPart{PartNumber: number, ETag: answer.ETag, ChecksumCRC32: answer.ChecksumCRC32})
	w.buffer = w.buffer[:0]
	return nil
}

func (w *artifactWriter) fail(err error) error {
	return fileError(w.ctx, "writing", w.name, w.bucket, err)
}

// Close implements [store.ArtifactWriter].
func (w *artifactWriter) Close() error {
	if w.done {
		return nil
	}
	if w.err == nil {
		w.err = w.finish()
	}
	if w.err != nil {
		return errors.Join(w.err, w.Discard())
	}
	w.done, w.buffer = true, nil
	return nil
}

// finish makes the object appear.
func (w *artifactWriter) finish() error {
	if w.upload == "" {
		_, err := w.client.PutObject(w.ctx, &s3.PutObjectInput{Bucket: &w.bucket, Key: &w.name, Body: bytes.NewReader(w.buffer)})
		if err != nil {
			return w.fail(err)
		}
		return nil
	}
	if len(w.buffer) > 0 {
		if err := w.sendPart(); err != nil {
			return err
		}
	}
	_, err := w.client.CompleteMultipartUpload(w.ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &w.bucket, Key: &w.name, UploadId: &w.upload, MultipartUpload: &types.CompletedMultipartUpload{Parts: w.parts},
	})
	if err != nil {
		return w.fail(err)
	}
	return nil
}

// Discard implements [store.ArtifactWriter].
func (w *artifactWriter) Discard() error {
	if w.done {
		return nil
	}
	w.done, w.buffer = true, nil
	if w.upload == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), abortTimeout)
	defer cancel()
	_, err := w.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &w.bucket, Key: &w.name, UploadId: &w.upload})
	if err != nil {
		return fileError(ctx, "discarding", w.name, w.bucket, err)
	}
	return nil
}
