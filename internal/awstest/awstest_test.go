package awstest_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/internal/awstest"
)

func TestStart(t *testing.T) {
	t.Parallel()
	cloud := awstest.Start(t)
	identity, err := sts.NewFromConfig(cloud.Config).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil {
		t.Fatal(err)
	}
	if got := aws.ToString(identity.Account); got != awstest.Account {
		t.Errorf("the account is %s, not %s", got, awstest.Account)
	}
	config, err := cloud.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	client, bucket := awsapi.S3(config), aws.String(cloud.Unique("start"))
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
}
