package s3

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
)

// maxObjects bounds the objects of one run, whose names are held in memory.
const maxObjects = 100_000

// bucket is the configured bucket, open.
type bucket struct {
	client *s3.Client
	name   string
	config Config
	wait   func(context.Context, time.Duration) error
	stall  time.Duration
}

func (c *Connector) openBucket(ctx context.Context) (*bucket, error) {
	loaded, err := c.load(ctx)
	if err != nil {
		return nil, failed(ctx, "opening the bucket "+c.config.Bucket, err)
	}
	return &bucket{client: awsapi.S3(loaded), name: c.config.Bucket, config: c.config, wait: c.wait, stall: c.stall}, nil
}

// object is one version of an object.
type object struct {
	key  string
	size int64
	etag string // in quotes, as S3 writes it
}

// found is what was found where objects were looked for.
type found struct {
	objects []object // place by place, in the order of their keys
	bytes   int64
	empty   []place // where there are none
	skipped int     // objects whose names say that they hold no rows
}

// url returns the name of an object that users know.
func (b *bucket) url(key string) string { return "s3://" + b.name + "/" + key }

// find looks for the objects of all places.
func (b *bucket) find(ctx context.Context, places []place) (*found, error) {
	f := &found{}
	for _, p := range places {
		before := len(f.objects)
		var err error
		if p.exact {
			err = b.findKey(ctx, p.prefix, f)
		} else {
			err = b.list(ctx, p, f)
		}
		if err != nil {
			return nil, err
		}
		if len(f.objects) == before {
			f.empty = append(f.empty, p)
		}
	}
	for _, o := range f.objects {
		f.bytes += o.size
	}
	return f, nil
}

// findKey looks for one object. It needs no permission to list the bucket.
func (b *bucket) findKey(ctx context.Context, key string, f *found) error {
	head, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.name, Key: &key})
	if status(err) == 404 {
		return b.missing(ctx, key)
	}
	if err != nil {
		return b.failed(ctx, "looking for "+b.url(key), err)
	}
	f.objects = append(f.objects, object{key, aws.ToInt64(head.ContentLength), aws.ToString(head.ETag)})
	return nil
}

// missing returns the error for a key that does not exist, with those near it.
func (b *bucket) missing(ctx context.Context, key string) error {
	near, err := b.near(ctx, key)
	if awsapi.Code(err) == "NoSuchBucket" {
		return b.failed(ctx, "looking for "+b.url(key), err)
	}
	if near == "" {
		near = "correct sourceConfig.key, or upload the object"
	}
	return &ceap.Error{Code: ceap.CodeUnavailable, Message: queryFailed + b.url(key) + " does not exist", Hint: near}
}

// list adds the objects of a place. Folders and what their names set apart are
// no objects with rows.
func (b *bucket) list(ctx context.Context, p place, f *found) error {
	start := len(f.objects)
	pages := s3.NewListObjectsV2Paginator(b.client, &s3.ListObjectsV2Input{Bucket: &b.name, Prefix: &p.prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return b.failed(ctx, "listing "+b.url(p.shown), err)
		}
		for _, o := range page.Contents {
			key := aws.ToString(o.Key)
			switch {
			case p.match != nil && !p.match.MatchString(key):
				continue
			case setApart(key, p.prefix, aws.ToInt64(o.Size)):
				f.skipped++
				continue
			}
			f.objects = append(f.objects, object{key, aws.ToInt64(o.Size), aws.ToString(o.ETag)})
		}
		if len(f.objects) > maxObjects {
			return &ceap.Error{
				Code: ceap.CodeInvalid, Message: fmt.Sprintf("%sthere are more than %d objects at %s", queryFailed, maxObjects, b.url(p.shown)),
				Hint: "name fewer with {day} or a longer prefix, or read them through data-warehouse",
			}
		}
	}
	// Directory buckets list in no order.
	slices.SortFunc(f.objects[start:], func(a, b object) int { return strings.Compare(a.key, b.key) })
	return nil
}

// setApart reports whether a key stands for a folder, or lies in or is a name
// that starts with _ or ., as what query engines leave behind does.
func setApart(key, prefix string, size int64) bool {
	if strings.HasSuffix(key, "/") && size == 0 {
		return true
	}
	// The name in which the prefix ends is as the user wants it.
	rest := key[len(prefix):]
	if !strings.HasSuffix(prefix, "/") && prefix != "" {
		_, rest, _ = strings.Cut(rest, "/")
	}
	return slices.ContainsFunc(strings.Split(rest, "/"), func(name string) bool {
		return strings.HasPrefix(name, "_") || strings.HasPrefix(name, ".")
	})
}

// near says what lies near a key or prefix that leads nowhere; "" if the bucket
// is empty. The error is the SDK's.
func (b *bucket) near(ctx context.Context, wanted string) (string, error) {
	for folder := strings.TrimSuffix(wanted, "/"); ; {
		folder = folder[:strings.LastIndexByte(folder, '/')+1]
		names, err := b.folder(ctx, folder)
		if err != nil {
			return "", err
		}
		if len(names) > 0 {
			return fmt.Sprintf("near it there is %s", strings.Join(around(names, wanted), ", ")), nil
		}
		if folder == "" {
			return "", nil
		}
		folder = strings.TrimSuffix(folder, "/")
	}
}

// folder returns the keys and folders of a folder; of very many, those first in
// order.
func (b *bucket) folder(ctx context.Context, folder string) ([]string, error) {
	page, err := b.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &b.name, Prefix: &folder, Delimiter: aws.String("/")})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, o := range page.Contents {
		if key := aws.ToString(o.Key); key != folder {
			names = append(names, key)
		}
	}
	for _, p := range page.CommonPrefixes {
		names = append(names, aws.ToString(p.Prefix))
	}
	slices.Sort(names)
	return names, nil
}

// around returns the few names that sort next to the one wanted: dates next to a
// date, or a name next to a misspelled one.
func around(names []string, wanted string) []string {
	const each = 3
	at, _ := slices.BinarySearch(names, wanted)
	return names[max(at-each, 0):min(at+each, len(names))]
}

const queryFailed = "Query execution failed: "

// failed returns the error that users see of one of the SDK's.
func (b *bucket) failed(ctx context.Context, doing string, err error) error {
	var hint string
	code := ceap.CodeUnavailable
	switch awsapi.Code(err) {
	case "NoSuchBucket":
		return &ceap.Error{Code: code, Message: fmt.Sprintf("%sthe bucket %q does not exist", queryFailed, b.name), Hint: "correct sourceConfig.bucket, or create the bucket"}
	case "PreconditionFailed":
		return &ceap.Error{Code: ceap.CodeConflict, Message: queryFailed + doing + ": it was replaced meanwhile", Hint: "run again; write new objects under new keys"}
	case "NoSuchKey":
		return &ceap.Error{Code: ceap.CodeConflict, Message: queryFailed + doing + ": it was deleted meanwhile", Hint: "run again"}
	case "Forbidden", "AccessDenied", "AllAccessDisabled":
		code, hint = ceap.CodeForbidden, fmt.Sprintf("allow s3:ListBucket on arn:aws:s3:::%s and s3:GetObject on arn:aws:s3:::%[1]s/* for the role or user that CEAP runs as", b.name)
	case "PermanentRedirect", "MovedPermanently", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException":
		code, hint = ceap.CodeInvalid, "the bucket is in another region: set connectors.s3.region in ceap.yaml"
	case "InvalidObjectState":
		code, hint = ceap.CodeInvalid, "the object is archived: restore it first"
	default:
		return failed(ctx, doing, err)
	}
	return &ceap.Error{Code: code, Message: queryFailed + doing, Err: errors.Unwrap(awsapi.Error(ctx, doing, err)), Hint: hint}
}

// failed returns the error that users see of one that says nothing about S3.
func failed(ctx context.Context, doing string, err error) error {
	return awsapi.Error(ctx, queryFailed+doing, err)
}

// status returns the HTTP status of an answer, 0 if err is none.
func status(err error) int {
	if e, ok := errors.AsType[interface {
		error
		HTTPStatusCode() int
	}](err); ok {
		return e.HTTPStatusCode()
	}
	if _, ok := errors.AsType[*types.NotFound](err); ok {
		return 404
	}
	return 0
}
