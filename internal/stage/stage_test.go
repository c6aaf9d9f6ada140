package stage_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamotypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/internal/awstest"
	"github.com/ceap-platform/ceap/internal/stage"
	dynamo "github.com/ceap-platform/ceap/store/dynamodb"
)

// stages numbers the stages, since one emulator serves the tests of the process.
var stages atomic.Int64 //nolint:gochecknoglobals // one emulator for all tests of the process

const role = "arn:aws:iam::" + awstest.Account + ":role/scheduler"

func newStage(t *testing.T, tags ...types.Tag) (*stage.Stage, *awstest.Cloud) {
	t.Helper()
	cloud := awstest.Start(t)
	s := stage.New(fmt.Sprintf("s%d", stages.Add(1)), cloud.Load)
	_, err := scheduler.NewFromConfig(cloud.Config).CreateScheduleGroup(t.Context(), &scheduler.CreateScheduleGroupInput{Name: aws.String(s.ScheduleGroup()), Tags: tags})
	if err != nil {
		t.Fatal(err)
	}
	return s, cloud
}

func roleTag() types.Tag {
	return types.Tag{Key: aws.String(stage.RoleTag), Value: aws.String(role)}
}

func TestPutSchedule(t *testing.T) {
	t.Parallel()
	s, cloud := newStage(t, roleTag())
	daily := stage.Schedule{ProgramID: "shop & more", Marketplace: "US", Expression: "cron(0 2 * * ? *)", Timezone: "Europe/Berlin", Enabled: true}
	put := func(sc stage.Schedule, want string) {
		t.Helper()
		if got, err := s.PutSchedule(t.Context(), sc); err != nil || got != want {
			t.Errorf("%+v: %s, %v; want %s", sc, got, err, want)
		}
		if differs, err := s.ScheduleDiffers(t.Context(), sc); err != nil || differs != "" {
			t.Errorf("%+v: it differs: %q, %v", sc, differs, err)
		}
	}
	if differs, err := s.ScheduleDiffers(t.Context(), daily); err != nil || differs != "it is missing" {
		t.Errorf("%q, %v", differs, err)
	}
	put(daily, stage.ScheduleCreated)
	put(daily, stage.ScheduleUnchanged)
	for _, change := range []func(*stage.Schedule){
		func(sc *stage.Schedule) { sc.Expression = "rate(1 day)" },
		func(sc *stage.Schedule) { sc.Timezone = "UTC" },
		func(sc *stage.Schedule) { sc.Enabled = false },
	} {
		before := daily
		change(&daily)
		if differs, err := s.ScheduleDiffers(t.Context(), daily); err != nil || differs == "" {
			t.Errorf("%+v does not differ from %+v: %v", daily, before, err)
		}
		put(daily, stage.ScheduleUpdated)
		put(daily, stage.ScheduleUnchanged)
	}
	stored, err := scheduler.NewFromConfig(cloud.Config).GetSchedule(t.Context(), &scheduler.GetScheduleInput{
		Name: aws.String(s.ScheduleName("shop & more", "US")), GroupName: aws.String(s.ScheduleGroup()),
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"step":"schedule","programId":"shop & more","marketplace":"US","scheduledTime":"<aws.scheduler.scheduled-time>"}`; aws.ToString(stored.Target.Input) != want {
		t.Errorf("the input is %s, not %s", aws.ToString(stored.Target.Input), want)
	}
	if want := "arn:aws:sqs:us-east-1:" + awstest.Account + ":ceap-" + s.Name + "-dead-letters"; aws.ToString(stored.Target.DeadLetterConfig.Arn) != want {
		t.Errorf("dead letters go to %s", aws.ToString(stored.Target.DeadLetterConfig.Arn))
	}
	if stored.State != types.ScheduleStateDisabled || stored.FlexibleTimeWindow.Mode != types.FlexibleTimeWindowModeOff {
		t.Errorf("stored: %+v", stored)
	}
	for _, want := range []bool{true, false} {
		if removed, err := s.RemoveSchedule(t.Context(), "shop & more", "US"); err != nil || removed != want {
			t.Errorf("removed %v, %v; want %v", removed, err, want)
		}
	}
	if names, err := s.ScheduleNames(t.Context()); err != nil || len(names) != 0 {
		t.Errorf("left: %v, %v", names, err)
	}
}

func TestPutSchedule_Refused(t *testing.T) {
	t.Parallel()
	sc := stage.Schedule{ProgramID: "shop", Marketplace: "US", Expression: "rate(1 day)", Timezone: "UTC", Enabled: true}
	untagged, _ := newStage(t)
	if _, err := untagged.PutSchedule(t.Context(), sc); ceap.ErrorCode(err) != ceap.CodeUnavailable || !strings.Contains(err.Error(), "deploy the template") {
		t.Errorf("without a role: %v", err)
	}
	nowhere := stage.New("nowhere", awstest.Start(t).Load)
	if _, err := nowhere.PutSchedule(t.Context(), sc); ceap.ErrorCode(err) != ceap.CodeUnavailable {
		t.Errorf("without a stage: %v", err)
	}
	denied, cloud := newStage(t, roleTag())
	cloud.Inject(awstest.Fault{On: "scheduler.POST /schedules/" + denied.ScheduleName("shop", "US"), Do: awstest.Answer(403, "AccessDeniedException")})
	if _, err := denied.PutSchedule(t.Context(), sc); ceap.ErrorCode(err) != ceap.CodeForbidden {
		t.Errorf("without a permission: %v", err)
	}
}

// Different programs have different names, and every name is one that AWS takes.
func TestScheduleName(t *testing.T) {
	t.Parallel()
	s := stage.New("dev", nil)
	if got := s.ScheduleName("product-reviews", "US"); got != "ceap-dev-product-reviews-US" {
		t.Errorf("the name is %s", got)
	}
	form := regexp.MustCompile(`^[0-9a-zA-Z_.-]{1,64}$`)
	part := rapid.OneOf(rapid.StringMatching(`[a-c-]{1,4}`), rapid.StringN(1, 80, -1))
	rapid.Check(t, func(t *rapid.T) {
		p1, m1, p2, m2 := part.Draw(t, "p1"), part.Draw(t, "m1"), part.Draw(t, "p2"), part.Draw(t, "m2")
		a, b := s.ScheduleName(p1, m1), s.ScheduleName(p2, m2)
		if !form.MatchString(a) {
			t.Fatalf("%q is no name", a)
		}
		if (a == b) != (p1 == p2 && m1 == m2) {
			t.Fatalf("%q and %q", a, b)
		}
	})
}

// statusOf returns the check of that name.
func statusOf(t *testing.T, checks []connector.Check, name string) connector.Check {
	t.Helper()
	i := slices.IndexFunc(checks, func(c connector.Check) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("no check is named %q: %+v", name, checks)
	}
	return checks[i]
}

func TestCheck_Tables(t *testing.T) {
	t.Parallel()
	s, cloud := newStage(t, roleTag())
	client := dynamodb.NewFromConfig(cloud.Config)
	for _, table := range dynamo.Tables(s.Name) {
		name := aws.ToString(table.TableName)
		switch {
		case strings.HasPrefix(name, "Runs-"): // an index is missing
			table.GlobalSecondaryIndexes = table.GlobalSecondaryIndexes[:1]
			table.AttributeDefinitions = table.AttributeDefinitions[:4]
		case strings.HasPrefix(name, "OptOuts-"): // the keys are others
			table.KeySchema = table.KeySchema[:1]
			table.AttributeDefinitions = table.AttributeDefinitions[:1]
		}
		if _, err := client.CreateTable(t.Context(), table); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := client.UpdateTimeToLive(t.Context(), &dynamodb.UpdateTimeToLiveInput{
		TableName: aws.String("Candidates-" + s.Name), TimeToLiveSpecification: &dynamotypes.TimeToLiveSpecification{AttributeName: aws.String("ttl"), Enabled: aws.Bool(true)},
	}); err != nil {
		t.Fatal(err)
	}
	checks := s.Check(t.Context(), "", 10)
	for name, want := range map[string][2]string{
		"ProgramConfig": {connector.CheckWarning, "no point-in-time recovery"},
		"Candidates":    {connector.CheckWarning, "no point-in-time recovery"},
		"Runs":          {connector.CheckFailed, "lacks the index GSI2"},
		"OptOuts":       {connector.CheckFailed, "its keys are PK HASH, not PK HASH, SK RANGE"},
		"Scores":        {connector.CheckFailed, "never loses what has expired"},
	} {
		if got := statusOf(t, checks, "table "+name+"-"+s.Name); got.Status != want[0] || !strings.Contains(got.Detail, want[1]) || got.Remedy == "" {
			t.Errorf("%s: %+v, want %v", name, got, want)
		}
	}
}

// Whoever may not look is told what to allow, and the other checks go on.
func TestCheck_Permissions(t *testing.T) {
	t.Parallel()
	s, cloud := newStage(t, roleTag())
	type look struct{ on, check, action string }
	looks := []look{
		{"dynamodb.DescribeTable", "table Candidates-" + s.Name, "dynamodb:DescribeTable"},
		{"s3.ListObjectsV2", "artifacts bucket", "s3:ListBucket"},
		{"lambda.GET /2015-03-31/functions/ceap-" + s.Name + "-part/configuration", "function ceap-" + s.Name + "-part", "lambda:GetFunctionConfiguration"},
		{"states.DescribeStateMachine", "state machine", "states:DescribeStateMachine"},
		{"scheduler.GET /schedule-groups/" + s.ScheduleGroup(), "schedule group", "scheduler:GetScheduleGroup"},
		{"servicequotas.GetServiceQuota", "quota of functions", "servicequotas:GetServiceQuota"},
	}
	for _, l := range looks {
		cloud.Inject(awstest.Fault{On: l.on, Do: awstest.Answer(403, "AccessDeniedException")})
	}
	checks := s.Check(t.Context(), "", 10)
	for _, l := range looks {
		if got := statusOf(t, checks, l.check); got.Status == connector.CheckOK || !strings.Contains(got.Remedy, "allow the action "+l.action+" ") {
			t.Errorf("%s: %+v", l.on, got)
		}
	}
}
