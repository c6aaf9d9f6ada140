//go:build cgo

package athena_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/internal/awstest"
	"github.com/ceap-platform/ceap/internal/awstest/athena"
)

func TestFake_BehindTheProxyOfMoto(t *testing.T) {
	t.Parallel()
	account := awstest.Start(t)
	c := &cloud{t: t, folder: t.TempDir(), s3: awsapi.S3(account.Config), client: api.NewFromConfig(account.Config)}
	for _, bucket := range []string{"ceap-athena-results-dev", "your-data-bucket"} {
		if _, err := c.s3.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if c.fake, err = athena.New(athena.Options{S3: c.s3, Folder: c.folder}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.fake.Close(); err != nil {
			t.Error(err)
		}
	})
	account.HandleAthena(c.fake)

	c.upload("your-data-bucket", "deliveries/sample-deliveries.csv", sampleCSV)
	c.must(createDatabase)
	c.must(createCSV)
	if got := c.csv("SELECT customer_id FROM product_deliveries WHERE delivery_date = ?", "'2026-01-27'"); got != `"CUST-003"` {
		t.Errorf("got %s", got)
	}
	files := c.unload("SELECT customer_id, CAST(order_value AS DECIMAL(10,2)) AS order_value FROM product_deliveries ORDER BY customer_id", "runs/1/")
	if len(files) != 3 || files[0].NumRows() != 1 {
		t.Errorf("%d files", len(files))
	}
	c.write("ceap_data_dev/orders/day=2026-01-26/a.csv", "id\n1\n")
	out, err := glue.NewFromConfig(account.Config).GetPartitions(t.Context(), &glue.GetPartitionsInput{DatabaseName: aws.String("ceap_data_dev"), TableName: aws.String("orders")})
	if err != nil || len(out.Partitions) != 1 || out.Partitions[0].Values[0] != "2026-01-26" {
		t.Errorf("the partitions: %v", err)
	}
}
