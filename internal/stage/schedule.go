package stage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
)

// Schedule says when a program runs by itself in a marketplace.
type Schedule struct {
	ProgramID   string
	Marketplace string
	Expression  string // such as cron(0 2 * * ? *)
	Timezone    string // an IANA name
	Enabled     bool
}

// What became of a schedule.
const (
	ScheduleCreated   = "created"
	ScheduleUpdated   = "updated"
	ScheduleUnchanged = "unchanged"
	ScheduleRemoved   = "removed"
)

// RoleTag is the tag of the schedule group whose value is the ARN of the role with
// which its schedules invoke the control function.
const RoleTag = "ceap:role"

// How often, and for how long, Scheduler tries to invoke the function. What it could
// not deliver then lies in the queue of dead letters.
const (
	scheduleAttempts = 10
	scheduleAge      = 3600 // seconds
)

// ScheduleGroup returns the name of the group of the stage's schedules.
func (s *Stage) ScheduleGroup() string { return "ceap-" + s.Name }

// maxScheduleName is the limit of EventBridge Scheduler.
const maxScheduleName = 64

// ScheduleName returns the name of a program's schedule: ceap-<stage>-<program>-<marketplace>
// with at most 64 letters, digits, -, _ and dots. Different programs have different names.
func (s *Stage) ScheduleName(programID, marketplace string) string {
	name := strings.Join([]string{"ceap", s.Name, programID, marketplace}, "-")
	plain := regexp.MustCompile(`[^A-Za-z0-9_.-]`).ReplaceAllString(name, "-")
	// A dash in a part could stand for the one between two.
	if plain == name && len(name) <= maxScheduleName && !strings.Contains(marketplace, "-") {
		return name
	}
	sum := sha256.Sum256([]byte(programID + "\x00" + marketplace))
	tail := "-" + hex.EncodeToString(sum[:6])
	return plain[:min(len(plain), maxScheduleName-len(tail))] + tail
}

// PutSchedule makes the program's schedule what is said, and tells what became of
// it. Its target is the control function, which starts one run for each time.
// Returns unavailable if there is no such stage.
func (s *Stage) PutSchedule(ctx context.Context, sc Schedule) (outcome string, err error) {
	client, wanted, err := s.wanted(ctx, sc)
	if err != nil {
		return "", err
	}
	doing := "storing the schedule " + *wanted.Name
	stored, err := client.GetSchedule(ctx, &scheduler.GetScheduleInput{Name: wanted.Name, GroupName: wanted.GroupName})
	if awsapi.Code(err) == notFound {
		if _, err = client.CreateSchedule(ctx, wanted); err != nil {
			return "", awsapi.Error(ctx, doing, err)
		}
		return ScheduleCreated, nil
	}
	if err != nil {
		return "", awsapi.Error(ctx, "looking at the schedule "+*wanted.Name, err)
	}
	if sameSchedule(stored, wanted) {
		return ScheduleUnchanged, nil
	}
	_, err = client.UpdateSchedule(ctx, &scheduler.UpdateScheduleInput{
		Name: wanted.Name, GroupName: wanted.GroupName, Description: wanted.Description, State: wanted.State,
		ScheduleExpression: wanted.ScheduleExpression, ScheduleExpressionTimezone: wanted.ScheduleExpressionTimezone,
		FlexibleTimeWindow: wanted.FlexibleTimeWindow, Target: wanted.Target,
	})
	if err != nil {
		return "", awsapi.Error(ctx, doing, err)
	}
	return ScheduleUpdated, nil
}

// notFound is the code of what does not exist.
const notFound = "ResourceNotFoundException"

// wanted returns the schedule as AWS has it.
func (s *Stage) wanted(ctx context.Context, sc Schedule) (*scheduler.Client, *scheduler.CreateScheduleInput, error) {
	c, err := s.load(ctx)
	if err != nil {
		return nil, nil, err
	}
	client := scheduler.NewFromConfig(c)
	role, err := s.scheduleRole(ctx, client)
	if err != nil {
		return nil, nil, err
	}
	input, err := scheduleInput(sc)
	if err != nil {
		return nil, nil, err
	}
	control, err := s.arn(ctx, "lambda", "function:ceap-"+s.Name+"-control:live")
	if err != nil {
		return nil, nil, err
	}
	queue, err := s.arn(ctx, "sqs", "ceap-"+s.Name+"-dead-letters")
	if err != nil {
		return nil, nil, err
	}
	state := types.ScheduleStateEnabled
	if !sc.Enabled {
		state = types.ScheduleStateDisabled
	}
	return client, &scheduler.CreateScheduleInput{
		Name: aws.String(s.ScheduleName(sc.ProgramID, sc.Marketplace)), GroupName: aws.String(s.ScheduleGroup()), State: state,
		Description:        aws.String(fmt.Sprintf("Runs the program %s for %s", sc.ProgramID, sc.Marketplace)),
		ScheduleExpression: &sc.Expression, ScheduleExpressionTimezone: &sc.Timezone,
		FlexibleTimeWindow: &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff},
		Target: &types.Target{
			Arn: &control, RoleArn: &role, Input: &input, DeadLetterConfig: &types.DeadLetterConfig{Arn: &queue},
			RetryPolicy: &types.RetryPolicy{MaximumRetryAttempts: aws.Int32(scheduleAttempts), MaximumEventAgeInSeconds: aws.Int32(scheduleAge)},
		},
	}, nil
}

// scheduleInput returns what the control function is given. Scheduler puts the time
// in place of the words in angle brackets, which are therefore not escaped.
func scheduleInput(sc Schedule) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(struct {
		Step          string `json:"step"`
		ProgramID     string `json:"programId"`
		Marketplace   string `json:"marketplace"`
		ScheduledTime string `json:"scheduledTime"`
	}{"schedule", sc.ProgramID, sc.Marketplace, "<aws.scheduler.scheduled-time>"})
	if err != nil {
		return "", fmt.Errorf("encoding the input of a schedule: %w", err)
	}
	return strings.TrimSpace(b.String()), nil
}

func sameSchedule(a *scheduler.GetScheduleOutput, b *scheduler.CreateScheduleInput) bool {
	same := func(a, b *string) bool { return aws.ToString(a) == aws.ToString(b) }
	if a.Target == nil || a.Target.DeadLetterConfig == nil || a.Target.RetryPolicy == nil || a.FlexibleTimeWindow == nil {
		return false
	}
	return same(a.ScheduleExpression, b.ScheduleExpression) && same(a.ScheduleExpressionTimezone, b.ScheduleExpressionTimezone) &&
		a.State == b.State && a.FlexibleTimeWindow.Mode == b.FlexibleTimeWindow.Mode &&
		same(a.Target.Arn, b.Target.Arn) && same(a.Target.RoleArn, b.Target.RoleArn) && same(a.Target.Input, b.Target.Input) &&
		same(a.Target.DeadLetterConfig.Arn, b.Target.DeadLetterConfig.Arn) &&
		aws.ToInt32(a.Target.RetryPolicy.MaximumRetryAttempts) == scheduleAttempts &&
		aws.ToInt32(a.Target.RetryPolicy.MaximumEventAgeInSeconds) == scheduleAge
}

// scheduleRole returns the role of the group's schedules.
func (s *Stage) scheduleRole(ctx context.Context, client *scheduler.Client) (string, error) {
	arn, err := s.arn(ctx, "scheduler", "schedule-group/"+s.ScheduleGroup())
	if err != nil {
		return "", err
	}
	out, err := client.ListTagsForResource(ctx, &scheduler.ListTagsForResourceInput{ResourceArn: &arn})
	if err != nil {
		return "", awsapi.Error(ctx, "looking at the schedule group "+s.ScheduleGroup(), err)
	}
	for _, tag := range out.Tags {
		if aws.ToString(tag.Key) == RoleTag {
			return aws.ToString(tag.Value), nil
		}
	}
	return "", ceap.Errorf(ceap.CodeUnavailable, "the schedule group %s does not say with which role its schedules run", s.ScheduleGroup()).
		WithHint("deploy the template of this version, or tag the group: aws scheduler tag-resource --resource-arn %s --tags Key=%s,Value=<the output SchedulerRoleArn of the stack>", arn, RoleTag)
}

// RemoveSchedule removes the program's schedule, and reports whether there was one.
func (s *Stage) RemoveSchedule(ctx context.Context, programID, marketplace string) (bool, error) {
	name := s.ScheduleName(programID, marketplace)
	c, err := s.load(ctx)
	if err != nil {
		return false, err
	}
	_, err = scheduler.NewFromConfig(c).DeleteSchedule(ctx, &scheduler.DeleteScheduleInput{Name: &name, GroupName: aws.String(s.ScheduleGroup())})
	if awsapi.Code(err) == notFound {
		return false, nil
	}
	return err == nil, awsapi.Error(ctx, "removing the schedule "+name, err)
}

// ScheduleDiffers says in words in what the stored schedule differs from what is
// wanted: "" if in nothing, "it is missing" if there is none.
func (s *Stage) ScheduleDiffers(ctx context.Context, sc Schedule) (string, error) {
	client, wanted, err := s.wanted(ctx, sc)
	if err != nil {
		return "", err
	}
	stored, err := client.GetSchedule(ctx, &scheduler.GetScheduleInput{Name: wanted.Name, GroupName: wanted.GroupName})
	switch {
	case awsapi.Code(err) == notFound:
		return "it is missing", nil
	case err != nil:
		return "", awsapi.Error(ctx, "looking at the schedule "+*wanted.Name, err)
	case sameSchedule(stored, wanted):
		return "", nil
	case aws.ToString(stored.ScheduleExpression) != sc.Expression:
		return "it is " + aws.ToString(stored.ScheduleExpression), nil
	case aws.ToString(stored.ScheduleExpressionTimezone) != sc.Timezone:
		return "its time zone is " + aws.ToString(stored.ScheduleExpressionTimezone), nil
	case stored.State != wanted.State:
		return "it is " + string(stored.State), nil
	default:
		return "its target, input, role or retries are not those of this version", nil
	}
}

// ScheduleNames returns the names of the schedules in the stage's group, sorted.
func (s *Stage) ScheduleNames(ctx context.Context) ([]string, error) {
	c, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	pages := scheduler.NewListSchedulesPaginator(scheduler.NewFromConfig(c), &scheduler.ListSchedulesInput{GroupName: aws.String(s.ScheduleGroup())})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, awsapi.Error(ctx, "listing the schedules of "+s.ScheduleGroup(), err)
		}
		for _, sc := range page.Schedules {
			names = append(names, aws.ToString(sc.Name))
		}
	}
	return names, nil
}
