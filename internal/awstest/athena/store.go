package athena

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
)

// store is S3 as statements see it.
type store struct{ client *s3.Client }

// object is an object in a bucket.
type object struct {
	bucket, key, tag string
	size             int64
}

// split cuts s3://bucket/key.
func split(location string) (bucket, key string) {
	bucket, key, _ = strings.Cut(strings.TrimPrefix(location, "s3://"), "/")
	return bucket, key
}

// missing reports whether err says that there is no such bucket.
func missing(err error) bool {
	e, ok := errors.AsType[smithy.APIError](err)
	return ok && (e.ErrorCode() == "NoSuchBucket" || e.ErrorCode() == "NotFound")
}

func (s *store) bucketExists(ctx context.Context, bucket string) error {
	_, err := s.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &bucket})
	return err
}

// list returns the objects below a location, in order of their keys.
func (s *store) list(ctx context.Context, location string) ([]object, error) {
	bucket, prefix := split(location)
	pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix})
	var out []object
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("listing %s: %w", location, err)
		}
		for _, o := range page.Contents {
			out = append(out, object{bucket: bucket, key: aws.ToString(o.Key), tag: aws.ToString(o.ETag), size: aws.ToInt64(o.Size)})
		}
	}
	return out, nil
}

// empty reports whether nothing lies below a location.
func (s *store) empty(ctx context.Context, location string) (bool, error) {
	bucket, prefix := split(location)
	out, err := s.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix, MaxKeys: aws.Int32(1)})
	if err != nil {
		return false, fmt.Errorf("listing %s: %w", location, err)
	}
	return len(out.Contents) == 0, nil
}

// download writes an object to a file, which appears as a whole.
func (s *store) download(ctx context.Context, o object, path string) error {
	got, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &o.bucket, Key: &o.key})
	if err != nil {
		return fmt.Errorf("reading s3://%s/%s: %w", o.bucket, o.key, err)
	}
	defer got.Body.Close() //nolint:errcheck // it is only read
	f, err := os.CreateTemp(filepath.Dir(path), ".download-*")
	if err != nil {
		return fmt.Errorf("making a file: %w", err)
	}
	_, err = io.Copy(f, got.Body)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("reading s3://%s/%s: %w", o.bucket, o.key, err)
	}
	return os.Rename(f.Name(), path)
}

func (s *store) put(ctx context.Context, location string, body io.ReadSeeker) error {
	bucket, key := split(location)
	if _, err := s.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: body}); err != nil {
		return fmt.Errorf("writing %s: %w", location, err)
	}
	return nil
}

func (s *store) putFile(ctx context.Context, location, path string) error {
	f, err := os.Open(path) //nolint:gosec // a file of ours
	if err != nil {
		return fmt.Errorf("opening a result: %w", err)
	}
	defer f.Close() //nolint:errcheck // it is only read
	return s.put(ctx, location, f)
}
