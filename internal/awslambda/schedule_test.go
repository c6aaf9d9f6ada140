//go:build cgo

package awslambda_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/awstest"
	"github.com/ceap-platform/ceap/internal/stage"
	"github.com/ceap-platform/ceap/store"
)

// A schedule that was pushed starts, each time it fires, one run of its program;
// also when it fires twice for one time, as Scheduler may.
func TestSchedule_FiresTwiceRunsOnce(t *testing.T) { //nolint:paralleltest // the environment of the SDK belongs to the process
	w := onAWS(t, quickStart, "CEAP_RESULTS_BUCKET="+resultsBucket)
	client := scheduler.NewFromConfig(w.cloud.Config)
	const role = "arn:aws:iam::" + awstest.Account + ":role/scheduler"
	if _, err := client.CreateScheduleGroup(t.Context(), &scheduler.CreateScheduleGroupInput{
		Name: aws.String("ceap-" + w.stage), Tags: []schedulertypes.Tag{{Key: aws.String(stage.RoleTag), Value: aws.String(role)}},
	}); err != nil {
		t.Fatal(err)
	}
	s := stage.New(w.stage, w.cloud.Load)
	w.write(t, "programs/scheduled.yaml", strings.Replace(shop("SELECT 'C-1' AS customer_id, 'P-1' AS product_id, '2026-01-27' AS day, 5 AS value, '{date}' AS seen", ""),
		"marketplace: US\n", "marketplace: US\nbatchSchedule: 0 6 * * *\ntimezone: America/New_York\n", 1))
	pushed, err := w.app.PushProgram(t.Context(), s, "programs/scheduled.yaml", "")
	if err != nil || len(pushed) != 1 || pushed[0].Scheduled != stage.ScheduleCreated {
		t.Fatalf("pushed %+v: %v", pushed, err)
	}
	stored, err := client.GetSchedule(t.Context(), &scheduler.GetScheduleInput{
		GroupName: aws.String(s.ScheduleGroup()), Name: aws.String(s.ScheduleName(pushed[0].ProgramID, "US")),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := aws.ToString(stored.ScheduleExpression) + " " + aws.ToString(stored.ScheduleExpressionTimezone); got != "cron(0 6 * * ? *) America/New_York" {
		t.Errorf("the schedule is %s", got)
	}

	// What Scheduler does with the target.
	target := stored.Target
	if want := "arn:aws:lambda:us-east-1:" + awstest.Account + ":function:ceap-" + w.stage + "-control:live"; aws.ToString(target.Arn) != want || aws.ToString(target.RoleArn) != role {
		t.Errorf("the target is %s as %s", aws.ToString(target.Arn), aws.ToString(target.RoleArn))
	}
	const placeholder = "<aws.scheduler.scheduled-time>"
	if strings.Count(aws.ToString(target.Input), placeholder) != 1 {
		t.Fatalf("the input %s has no %s", aws.ToString(target.Input), placeholder)
	}
	fire := func(at string) (answer struct{ ExecutionARN, BatchID string }) {
		t.Helper()
		out, err := lambda.NewFromConfig(w.cloud.Config).Invoke(t.Context(), &lambda.InvokeInput{
			FunctionName: aws.String("ceap-" + w.stage + "-control"), Payload: []byte(strings.ReplaceAll(*target.Input, placeholder, at)),
		})
		if err != nil || out.FunctionError != nil {
			t.Fatalf("%v: %s", err, out.Payload)
		}
		if err := json.Unmarshal(out.Payload, &answer); err != nil {
			t.Fatal(err)
		}
		return answer
	}
	end := func(arn string) stage.Execution {
		t.Helper()
		for {
			e, err := s.Describe(t.Context(), arn)
			if err != nil {
				t.Fatal(err)
			}
			if e.Done() {
				return e
			}
			pause(t.Context(), time.Second)
		}
	}
	first := fire("2026-01-28T11:00:00Z")
	if first.BatchID != "scheduled-2026-01-28T0600" {
		t.Errorf("the batch is %q, not named for 6 o'clock in New York", first.BatchID)
	}
	early := fire("2026-01-28T11:00:00Z") // while the first may still run
	ended := end(first.ExecutionARN)
	late := fire("2026-01-28T11:00:00Z")
	res, ok := ended.Result()
	if !ok || res.Status != ceap.RunSucceeded || res.Counts.Created != 1 {
		t.Errorf("the run ended as %+v", ended)
	}
	if early.BatchID != first.BatchID || late.BatchID != first.BatchID {
		t.Errorf("fired again: %+v and %+v instead of %+v", early, late, first)
	}
	if again, ok := end(late.ExecutionARN).Result(); !ok || !again.Replayed || again.RunID != res.RunID {
		t.Errorf("fired again, it ran: %+v", again)
	}
	next := fire("2026-01-29T11:00:00Z")
	if end(next.ExecutionARN); next.ExecutionARN == first.ExecutionARN {
		t.Error("the next day starts no run of its own")
	}
	runs, err := w.roles.Runs.Find(t.Context(), store.RunQuery{ProgramID: pushed[0].ProgramID})
	if err != nil || len(runs) != 2 {
		t.Errorf("%d runs, not 2: %v", len(runs), err)
	}
}
