package awstest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/google/uuid"
)

// FireSchedule does what EventBridge Scheduler does when a schedule is due: it
// invokes the function that is the schedule's target with its input, in which the
// context attributes stand for the time and the like. moto keeps schedules and never
// fires them. The group "" is the default one. Returns what the function returned, or
// its error. A schedule that is disabled is an error, and so is a target that is no
// function.
func (c *Cloud) FireSchedule(ctx context.Context, group, name string, at time.Time) ([]byte, error) {
	request := &scheduler.GetScheduleInput{Name: &name}
	if group != "" {
		request.GroupName = &group
	}
	schedule, err := scheduler.NewFromConfig(c.Config).GetSchedule(ctx, request)
	if err != nil {
		return nil, fmt.Errorf("reading the schedule %s: %w", name, err)
	}
	if schedule.State == types.ScheduleStateDisabled {
		return nil, fmt.Errorf("the schedule %s is disabled", name)
	}
	_, target, _ := strings.Cut(aws.ToString(schedule.Target.Arn), ":function:")
	target, _, _ = strings.Cut(target, ":")
	f := c.server.functionNamed(target)
	if f == nil {
		return nil, fmt.Errorf("the schedule %s: there is no function %s", name, aws.ToString(schedule.Target.Arn))
	}
	input := strings.NewReplacer(
		"<aws.scheduler.schedule-arn>", aws.ToString(schedule.Arn),
		"<aws.scheduler.scheduled-time>", at.UTC().Format(time.RFC3339),
		"<aws.scheduler.execution-id>", uuid.NewString(),
		"<aws.scheduler.attempt-number>", "1",
	).Replace(aws.ToString(schedule.Target.Input))
	response, failure := f.run(ctx, invocation{
		id: uuid.NewString(), arn: functionARN(target), payload: []byte(input), deadline: time.Now().Add(functionTimeout),
	})
	if failure != nil {
		return nil, fmt.Errorf("the function %s: %s: %s", target, failure.ErrorType, failure.ErrorMessage)
	}
	return response, nil
}
