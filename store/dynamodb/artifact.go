package dynamodb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/store"
)

// artifacts keeps the files of runs as objects of a bucket, whose keys are their
// names.
type artifacts struct {
	*Store

	mu     sync.Mutex
	s3     *s3.Client // nil until it is first needed
	bucket string     // "" until it is known
}

var _ store.Artifacts = (*artifacts)(nil)

// client returns the client of S3 and the name of the bucket. The default one names
// the account, which AWS is asked for once.
func (a *artifacts) client(ctx context.Context) (*s3.Client, string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.s3 == nil {
		client, err := a.files(ctx)
		if err != nil {
			return nil, "", err
		}
		a.s3 = client
	}
	if a.bucket == "" {
		a.bucket = a.config.ArtifactsBucket
	}
	if a.bucket != "" {
		return a.s3, a.bucket, nil
	}
	c, err := a.load(ctx)
	if err != nil {
		return nil, "", err
	}
	identity, err := sts.NewFromConfig(c).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return nil, "", awsapi.Error(ctx, "asking for the account, which is part of the bucket's name", err)
	}
	a.bucket = fmt.Sprintf("ceap-artifacts-%s-%s-%s", a.config.Stage, aws.ToString(identity.Account), c.Region)
	return a.s3, a.bucket, nil
}

// longestKey is how many bytes the key of an object may have, from the S3 quotas.
const longestKey = 1024

func checkName(name string) error {
	switch {
	case !fs.ValidPath(name) || name == ".":
		return ceap.Errorf(ceap.CodeInvalid, "%q is not the name of an artefact", name)
	case len(name) > longestKey:
		return ceap.Errorf(ceap.CodeInvalid, "the name of an artefact has %d bytes; S3 takes %d", len(name), longestKey)
	default:
		return nil
	}
}

// fileError says what was being done with a file, and what about its bucket is
// wrong.
func fileError(ctx context.Context, doing, name, bucket string, err error) error {
	doing = fmt.Sprintf("%s s3://%s/%s", doing, bucket, name)
	switch awsapi.Code(err) {
	case "NoSuchKey":
		return &ceap.Error{Code: ceap.CodeNotFound, Message: fmt.Sprintf("there is no artefact %q", name), Err: err}
	case "NoSuchBucket":
		return &ceap.Error{
			Code: ceap.CodeUnavailable, Message: doing, Err: errors.New("there is no such bucket"),
			Hint: "deploy the template for this stage, or set aws.artifactsBucket in ceap.yaml",
		}
	case "PreconditionFailed":
		return &ceap.Error{Code: ceap.CodeConflict, Message: doing, Err: errors.New("the file was replaced while it was read"), Hint: "read it again"}
	case "AccessDenied":
		return &ceap.Error{
			Code: ceap.CodeForbidden, Message: doing, Err: err,
			Hint: "allow s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload on the bucket's objects and s3:ListBucket on the bucket; without the last, S3 answers so for files that do not exist, too",
		}
	default:
		return awsapi.Error(ctx, doing, err)
	}
}

// List implements [store.Artifacts].
func (a *artifacts) List(ctx context.Context, prefix string) ([]string, error) {
	var names []string
	err := a.eachPage(ctx, prefix, func(page []types.Object) error {
		for _, object := range page {
			names = append(names, aws.ToString(object.Key))
		}
		return nil
	})
	slices.Sort(names)
	return names, err
}

// eachPage calls do with the objects whose keys start with the prefix, up to 1000
// at a time.
func (a *artifacts) eachPage(ctx context.Context, prefix string, do func([]types.Object) error) error {
	client, bucket, err := a.client(ctx)
	if err != nil {
		return err
	}
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fileError(ctx, "listing", prefix, bucket, err)
		}
		if err := do(page.Contents); err != nil {
			return err
		}
	}
	return nil
}

// Remove implements [store.Artifacts]. The error names files that stand.
func (a *artifacts) Remove(ctx context.Context, prefix string) error {
	if err := checkName(strings.TrimSuffix(prefix, "/")); err != nil || !strings.HasSuffix(prefix, "/") {
		return ceap.Errorf(ceap.CodeInvalid, "%q is not a folder of artefacts", prefix)
	}
	client, bucket, err := a.client(ctx)
	if err != nil {
		return err
	}
	return a.eachPage(ctx, prefix, func(page []types.Object) error {
		// A page is no longer than what one call deletes: 1000, from the S3 API.
		gone := &types.Delete{Quiet: aws.Bool(true)}
		for _, object := range page {
			gone.Objects = append(gone.Objects, types.ObjectIdentifier{Key: object.Key})
		}
		if len(gone.Objects) == 0 {
			return nil
		}
		answer, err := client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &bucket, Delete: gone})
		if err != nil {
			return fileError(ctx, "removing", prefix, bucket, err)
		}
		return removalError(prefix, bucket, answer.Errors)
	})
}

// removalError says which files were not removed. A code that a person can act on
// decides for all.
func removalError(prefix, bucket string, refusals []types.Error) error {
	if len(refusals) == 0 {
		return nil
	}
	first := refusals[0]
	e := ceap.Errorf(ceap.CodeUnavailable, "removing s3://%s/%s: %d files stand, such as %s: %s: %s", bucket, prefix, len(refusals),
		aws.ToString(first.Key), aws.ToString(first.Code), cmp.Or(aws.ToString(first.Message), "without a reason"))
	if aws.ToString(first.Code) == "AccessDenied" {
		e.Code = ceap.CodeForbidden
		return e.WithHint("allow s3:DeleteObject on the bucket's objects")
	}
	return e.WithHint("remove them again")
}
