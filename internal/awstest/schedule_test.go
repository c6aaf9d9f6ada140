package awstest_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"github.com/ceap-platform/ceap/internal/awstest"
)

func TestFireSchedule(t *testing.T) {
	t.Parallel()
	cloud := awstest.Start(t)
	client, function := scheduler.NewFromConfig(cloud.Config), cloud.Unique("fired")
	cloud.HandleFunction(function, func(_ context.Context, payload []byte) ([]byte, error) { return payload, nil })
	create := func(target string, state types.ScheduleState) string {
		name := cloud.Unique("schedule")
		_, err := client.CreateSchedule(t.Context(), &scheduler.CreateScheduleInput{
			Name: &name, ScheduleExpression: aws.String("cron(0 6 * * ? *)"), State: state,
			FlexibleTimeWindow: &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff},
			Target: &types.Target{
				Arn: aws.String("arn:aws:lambda:us-east-1:123456789012:function:" + target), RoleArn: aws.String("arn:aws:iam::123456789012:role/schedule"),
				Input: aws.String(`{"step":"schedule","scheduledTime":"<aws.scheduler.scheduled-time>"}`),
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	at := time.Date(2026, 1, 28, 7, 0, 0, 0, time.FixedZone("", 3600))
	got, err := cloud.FireSchedule(t.Context(), "", create(function+":live", types.ScheduleStateEnabled), at)
	if want := `{"step":"schedule","scheduledTime":"2026-01-28T06:00:00Z"}`; err != nil || string(got) != want {
		t.Errorf("the function got %s, %v", got, err)
	}
	for name, wrong := range map[string]string{
		"is disabled":          create(function, types.ScheduleStateDisabled),
		"there is no function": create("none", types.ScheduleStateEnabled),
		"reading the schedule": "none",
	} {
		if _, err := cloud.FireSchedule(t.Context(), "", wrong, at); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v; want %s", err, name)
		}
	}
}
