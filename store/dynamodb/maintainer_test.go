package dynamodb_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsdb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/awstest"
	"github.com/ceap-platform/ceap/store/dynamodb"
)

func (s *stage) expire(t *testing.T, table string) {
	t.Helper()
	_, err := s.db.UpdateTimeToLive(t.Context(), &awsdb.UpdateTimeToLiveInput{
		TableName:               &table,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String(dynamodb.TTLAttribute), Enabled: aws.Bool(true)},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestMaintainer_Check(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	maintainer := s.open(t).Maintainer
	expiring := dynamodb.ExpiringTables(s.config.Stage)
	err := maintainer.Check(t.Context())
	wantCode(t, err, ceap.CodeUnavailable, expiring...)
	for _, table := range expiring {
		s.expire(t, table)
	}
	if err := maintainer.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, table := range dynamodb.Tables(s.config.Stage) {
		name := strings.TrimSuffix(aws.ToString(table.TableName), "-"+s.config.Stage)
		if items := s.items(t, name, ""); len(items) > 0 {
			t.Errorf("the check left %v in %s", items, name)
		}
		if !strings.Contains(s.log.String(), "no point-in-time recovery: what is deleted by mistake is gone\" table="+name) {
			t.Errorf("the log does not say that %s has no point-in-time recovery", name)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantCode(t, maintainer.Check(ctx), ceap.CodeCancelled)
}

func TestMaintainer_CheckNamesAllThatIsWrong(t *testing.T) {
	t.Parallel()
	s := bareStage(t)
	var words []string
	for _, table := range dynamodb.Tables(s.config.Stage) {
		words = append(words, aws.ToString(table.TableName))
	}
	wantCode(t, s.open(t).Maintainer.Check(t.Context()), ceap.CodeUnavailable, append(words, s.config.ArtifactsBucket, "no such bucket", "deploy the template")...)
}

func TestMaintainer_CheckIndexAndPermission(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	runs := "Runs-" + s.config.Stage
	for _, table := range dynamodb.ExpiringTables(s.config.Stage) {
		s.expire(t, table)
	}
	_, err := s.db.UpdateTable(t.Context(), &awsdb.UpdateTableInput{TableName: &runs, GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{
		{Delete: &types.DeleteGlobalSecondaryIndexAction{IndexName: aws.String("GSI2")}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.cloud.Inject(awstest.Fault{On: "dynamodb.DeleteItem", Times: 1, Do: awstest.Answer(400, "AccessDeniedException")})
	// Who may not ask for the backups may still use the store.
	s.cloud.Inject(awstest.Fault{On: "dynamodb.DescribeContinuousBackups", Do: awstest.Answer(400, "AccessDeniedException")})
	err = s.open(t).Maintainer.Check(t.Context())
	wantCode(t, err, ceap.CodeUnavailable, "the table "+runs+" lacks the index GSI2", "checking that the table ProgramConfig-"+s.config.Stage+" can be written to")
	if n := strings.Count(err.Error(), "\n"); n != 1 {
		t.Errorf("two things are wrong, and the error has %d lines more: %v", n, err)
	}
}

func TestMaintainer_BackupAndLocation(t *testing.T) {
	t.Parallel()
	s := bareStage(t)
	maintainer := s.open(t).Maintainer
	wantCode(t, maintainer.Backup(t.Context(), "x"), ceap.CodeUnsupported, "export-table-to-point-in-time")
	if got := maintainer.Location(); !strings.Contains(got, "*-"+s.config.Stage) || !strings.Contains(got, s.config.ArtifactsBucket) {
		t.Errorf("location %q", got)
	}
}
