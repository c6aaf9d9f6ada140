package dynamodb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/store"
)

type maintainer struct {
	*Store

	artifacts *artifacts
}

var _ store.Maintainer = (*maintainer)(nil)

// Location implements [store.Maintainer]. It asks AWS for nothing.
func (m *maintainer) Location() string {
	return fmt.Sprintf("DynamoDB, the tables *-%s in %s, and S3, the bucket %s", m.config.Stage,
		cmp.Or(m.config.Region, "the environment's region"),
		cmp.Or(m.config.ArtifactsBucket, "ceap-artifacts-"+m.config.Stage+"-<account>-<region>"))
}

// Backup implements [store.Maintainer].
func (m *maintainer) Backup(context.Context, string) error {
	return ceap.Errorf(ceap.CodeUnsupported, "tables of DynamoDB are not backed up to a file").
		WithHint("they have point-in-time recovery: `aws dynamodb restore-table-to-point-in-time`, or `aws dynamodb export-table-to-point-in-time` to S3")
}

// Check implements [store.Maintainer]. It writes nothing: each table is asked for a
// write whose condition cannot hold, which needs the permission of one that does.
// The error names everything that is wrong.
func (m *maintainer) Check(ctx context.Context) error {
	db, err := m.db(ctx)
	if err != nil {
		return err
	}
	expiring := ExpiringTables(m.config.Stage)
	var errs []error
	for _, wanted := range Tables(m.config.Stage) {
		name := aws.ToString(wanted.TableName)
		if err := checkTable(ctx, db, wanted); err != nil {
			errs = append(errs, err)
			continue
		}
		if slices.Contains(expiring, name) {
			errs = append(errs, checkTTL(ctx, db, name))
		}
		m.checkRecovery(ctx, db, name)
	}
	errs = append(errs, m.checkBucket(ctx))
	if ctx.Err() != nil {
		return awsapi.Error(ctx, "checking the store", ctx.Err())
	}
	if err := errors.Join(errs...); err != nil {
		return &ceap.Error{Code: ceap.CodeUnavailable, Err: err}
	}
	return nil
}

// checkTable returns an error unless the table stands, with the keys and indexes
// that it should have, and can be written to.
func checkTable(ctx context.Context, db *dynamodb.Client, wanted *dynamodb.CreateTableInput) error {
	name := aws.ToString(wanted.TableName)
	answer, err := db.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &name})
	if err != nil {
		return awsapi.Error(ctx, "looking at the table "+name, err)
	}
	// A table that is being updated can be used.
	if s := answer.Table.TableStatus; s != types.TableStatusActive && s != types.TableStatusUpdating {
		return ceap.Errorf(ceap.CodeUnavailable, "the table %s is %s", name, s).WithHint("wait until it is ACTIVE")
	}
	for _, index := range wanted.GlobalSecondaryIndexes {
		i := slices.IndexFunc(answer.Table.GlobalSecondaryIndexes, func(d types.GlobalSecondaryIndexDescription) bool {
			return aws.ToString(d.IndexName) == aws.ToString(index.IndexName)
		})
		if i < 0 {
			return ceap.Errorf(ceap.CodeUnavailable, "the table %s lacks the index %s", name, aws.ToString(index.IndexName)).
				WithHint("deploy the template for this stage")
		}
		if s := answer.Table.GlobalSecondaryIndexes[i].IndexStatus; s != types.IndexStatusActive && s != types.IndexStatusUpdating {
			return ceap.Errorf(ceap.CodeUnavailable, "the index %s of the table %s is %s", aws.ToString(index.IndexName), name, s).
				WithHint("wait until it is ACTIVE")
		}
	}
	_, err = db.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &name, Key: key("CHECK", "CHECK"),
		ConditionExpression: aws.String("attribute_exists(PK) AND attribute_not_exists(PK)"),
	})
	if _, ok := refused(err); ok {
		return nil
	}
	return awsapi.Error(ctx, "checking that the table "+name+" can be written to", err)
}

// checkTTL returns an error unless DynamoDB removes what has expired from the table.
func checkTTL(ctx context.Context, db *dynamodb.Client, name string) error {
	answer, err := db.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &name})
	if err != nil {
		return awsapi.Error(ctx, "looking at the expiry of the table "+name, err)
	}
	ttl := answer.TimeToLiveDescription
	if ttl != nil && aws.ToString(ttl.AttributeName) == TTLAttribute &&
		(ttl.TimeToLiveStatus == types.TimeToLiveStatusEnabled || ttl.TimeToLiveStatus == types.TimeToLiveStatusEnabling) {
		return nil
	}
	return ceap.Errorf(ceap.CodeUnavailable, "the table %s never removes what has expired", name).
		WithHint("aws dynamodb update-time-to-live --table-name %s --time-to-live-specification Enabled=true,AttributeName=%s", name, TTLAttribute)
}

// checkRecovery warns if the table has no point-in-time recovery. Whoever may not
// ask, or an emulator that does not know, is no hindrance to using the store.
func (m *maintainer) checkRecovery(ctx context.Context, db *dynamodb.Client, name string) {
	answer, err := db.DescribeContinuousBackups(ctx, &dynamodb.DescribeContinuousBackupsInput{TableName: &name})
	if err != nil {
		m.log.DebugContext(ctx, "it is not known whether the table has point-in-time recovery", "table", name, "error", err)
		return
	}
	d := answer.ContinuousBackupsDescription
	if d == nil || d.PointInTimeRecoveryDescription == nil ||
		d.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus != types.PointInTimeRecoveryStatusEnabled {
		m.log.WarnContext(ctx, "the table has no point-in-time recovery: what is deleted by mistake is gone", "table", name)
	}
}

// checkBucket returns an error unless the bucket can be listed.
func (m *maintainer) checkBucket(ctx context.Context) error {
	client, bucket, err := m.artifacts.client(ctx)
	if err != nil {
		return err
	}
	_, err = client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket, MaxKeys: aws.Int32(1)})
	if err != nil {
		return fileError(ctx, "listing", "", bucket, err)
	}
	return nil
}
