package awstest_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sagemakerruntime"
	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/internal/awstest"
)

func TestHandleEndpoint(t *testing.T) {
	t.Parallel()
	cloud := awstest.Start(t)
	cloud.HandleEndpoint("model", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) == "bad" {
			awstest.Refuse(w, http.StatusFailedDependency, "ModelError", "no model likes this")
			return
		}
		if string(body) == "1,2" && r.Header.Get("Content-Type") == "text/csv" {
			_, _ = io.WriteString(w, "0.5")
		}
	}))
	client := sagemakerruntime.NewFromConfig(once(cloud.Config))
	ask := func(endpoint, body string) (string, error) {
		out, err := client.InvokeEndpoint(t.Context(), &sagemakerruntime.InvokeEndpointInput{
			EndpointName: &endpoint, ContentType: aws.String("text/csv"), Body: []byte(body),
		})
		if err != nil {
			return "", err
		}
		return string(out.Body), nil
	}
	if got, err := ask("model", "1,2"); err != nil || got != "0.5" {
		t.Errorf("the endpoint answered %q, %v", got, err)
	}
	if _, err := ask("model", "bad"); awsapi.Code(err) != "ModelError" {
		t.Errorf("a model's error: %v", err)
	}
	if _, err := ask("none", "1,2"); awsapi.Code(err) != "ValidationError" {
		t.Errorf("an endpoint that is not there: %v", err)
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	cloud := awstest.Start(t)
	client := eventbridge.NewFromConfig(cloud.Config)
	put := func(detail string) int32 {
		out, err := client.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []eventtypes.PutEventsRequestEntry{
			{Source: aws.String("ceap"), DetailType: aws.String("Run ended"), Detail: &detail},
		}})
		if err != nil {
			t.Fatal(err)
		}
		return out.FailedEntryCount
	}
	if failed := put(`{"n":1}`) + put(`{"n":2}`); failed != 0 {
		t.Errorf("%d entries failed", failed)
	}
	if failed := put(`no JSON`); failed != 1 {
		t.Errorf("%d entries failed, not 1", failed)
	}
	want := []awstest.Event{
		{Source: "ceap", DetailType: "Run ended", Detail: `{"n":1}`},
		{Source: "ceap", DetailType: "Run ended", Detail: `{"n":2}`},
	}
	if diff := cmp.Diff(want, cloud.Events()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestHandleAthena(t *testing.T) {
	t.Parallel()
	mine, other := awstest.Start(t), awstest.Start(t)
	mine.HandleAthena(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Amz-Target") != "AmazonAthena.StartQueryExecution" {
			awstest.Refuse(w, http.StatusBadRequest, "InvalidRequestException", r.Header.Get("X-Amz-Target"))
			return
		}
		_, _ = io.WriteString(w, `{"QueryExecutionId":"q-1"}`)
	}))
	start := func(cloud *awstest.Cloud) string {
		out, err := athena.NewFromConfig(once(cloud.Config)).StartQueryExecution(t.Context(), &athena.StartQueryExecutionInput{QueryString: aws.String("SELECT 1")})
		if err != nil {
			t.Fatal(err)
		}
		return aws.ToString(out.QueryExecutionId)
	}
	if got := start(mine); got != "q-1" {
		t.Errorf("the handler answered %q", got)
	}
	if got := start(other); got == "q-1" {
		t.Error("the handler of one Cloud answered another")
	}
}
