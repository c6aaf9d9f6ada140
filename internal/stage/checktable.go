package stage

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/ceap-platform/ceap/awsapi"
	dynamo "github.com/ceap-platform/ceap/store/dynamodb"
)

// tables looks at the tables: their status, keys, indexes, expiry and recovery.
func (k *checker) tables() {
	client := dynamodb.NewFromConfig(k.config)
	expiring := dynamo.ExpiringTables(k.Name)
	for _, wanted := range dynamo.Tables(k.Name) {
		name := aws.ToString(wanted.TableName)
		check := "table " + name
		out, err := client.DescribeTable(k.ctx, &dynamodb.DescribeTableInput{TableName: &name})
		if err != nil {
			k.failed(check, "dynamodb:DescribeTable", awsapi.Error(k.ctx, "looking at the table "+name, err))
			continue
		}
		if wrong := tableDiffers(out.Table, wanted); wrong != "" {
			k.bad(check, redeploy, "%s", wrong)
			continue
		}
		indexes := ""
		if n := len(wanted.GlobalSecondaryIndexes); n > 0 {
			indexes = fmt.Sprintf(" with %d indexes", n)
		}
		if slices.Contains(expiring, name) && !k.expires(client, name) {
			continue
		}
		if k.recovers(client, name) {
			k.ok(check, "%s%s", strings.ToLower(string(out.Table.TableStatus)), indexes)
		}
	}
}

// tableDiffers says in what a table is not as it should be; "" if in nothing.
func tableDiffers(got *types.TableDescription, want *dynamodb.CreateTableInput) string {
	// A table that is being updated can be used.
	if s := got.TableStatus; s != types.TableStatusActive && s != types.TableStatusUpdating {
		return "it is " + string(s)
	}
	if have, wanted := keysText(got.KeySchema), keysText(want.KeySchema); have != wanted {
		return fmt.Sprintf("its keys are %s, not %s", have, wanted)
	}
	for _, index := range want.GlobalSecondaryIndexes {
		name := aws.ToString(index.IndexName)
		i := slices.IndexFunc(got.GlobalSecondaryIndexes, func(d types.GlobalSecondaryIndexDescription) bool {
			return aws.ToString(d.IndexName) == name
		})
		if i < 0 {
			return "it lacks the index " + name
		}
		d := got.GlobalSecondaryIndexes[i]
		if s := d.IndexStatus; s != types.IndexStatusActive && s != types.IndexStatusUpdating {
			return fmt.Sprintf("its index %s is %s", name, s)
		}
		if have, wanted := keysText(d.KeySchema), keysText(index.KeySchema); have != wanted {
			return fmt.Sprintf("the keys of its index %s are %s, not %s", name, have, wanted)
		}
		if d.Projection != nil && d.Projection.ProjectionType != index.Projection.ProjectionType {
			return fmt.Sprintf("its index %s projects %s, not %s", name, d.Projection.ProjectionType, index.Projection.ProjectionType)
		}
	}
	return ""
}

// keysText returns keys as PK HASH, SK RANGE.
func keysText(keys []types.KeySchemaElement) string {
	var out []string
	for _, key := range keys {
		out = append(out, aws.ToString(key.AttributeName)+" "+string(key.KeyType))
	}
	return strings.Join(out, ", ")
}

// expires reports whether the table loses what has expired; if not it has said so.
func (k *checker) expires(client *dynamodb.Client, name string) bool {
	check := "table " + name
	out, err := client.DescribeTimeToLive(k.ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &name})
	if err != nil {
		k.failed(check, "dynamodb:DescribeTimeToLive", awsapi.Error(k.ctx, "looking at the expiry of the table "+name, err))
		return false
	}
	ttl := out.TimeToLiveDescription
	if ttl != nil && aws.ToString(ttl.AttributeName) == dynamo.TTLAttribute &&
		(ttl.TimeToLiveStatus == types.TimeToLiveStatusEnabled || ttl.TimeToLiveStatus == types.TimeToLiveStatusEnabling) {
		return true
	}
	k.bad(check, fmt.Sprintf("aws dynamodb update-time-to-live --table-name %s --time-to-live-specification Enabled=true,AttributeName=%s", name, dynamo.TTLAttribute),
		"it never loses what has expired")
	return false
}

// recovers reports whether the table can be restored to an earlier time; if not it
// has said so.
func (k *checker) recovers(client *dynamodb.Client, name string) bool {
	check := "table " + name
	out, err := client.DescribeContinuousBackups(k.ctx, &dynamodb.DescribeContinuousBackupsInput{TableName: &name})
	if err != nil {
		seen := failedCheck(check, "dynamodb:DescribeContinuousBackups", awsapi.Error(k.ctx, "looking at the recovery of the table "+name, err))
		k.warn(check, seen.Remedy, "%s", seen.Detail)
		return false
	}
	d := out.ContinuousBackupsDescription
	if d != nil && d.PointInTimeRecoveryDescription != nil && d.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus == types.PointInTimeRecoveryStatusEnabled {
		return true
	}
	k.warn(check, fmt.Sprintf("aws dynamodb update-continuous-backups --table-name %s --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true", name),
		"it has no point-in-time recovery: what is deleted by mistake is gone")
	return false
}
