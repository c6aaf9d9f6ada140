//go:build cgo && unix

package cli_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"github.com/ceap-platform/ceap/internal/awstest"
)

// TestRunOnAWS_Interrupted stops a run by Ctrl-C while its query runs. The
// execution ends with it, and the same batch then goes on.
func TestRunOnAWS_Interrupted(t *testing.T) {
	t.Parallel()
	if ok, err := emulated("aws"); err != nil || !ok {
		t.Skip(awstest.ErrMissing, err)
	}
	binary, err := exec.LookPath("ceap")
	if err != nil {
		t.Fatal(err)
	}
	p := newProject(t, binary, map[string]string{
		"programs/quick.yaml": strings.ReplaceAll(quickProgram, "range(2000) t(i)", "UNNEST(sequence(1, 20)) AS t (i)"), "warehouse/db/t/a.csv": "a\n1\n",
	})
	d, err := deploy(t.Context(), p.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if t.Failed() {
			for _, log := range d.logs {
				t.Log(log())
			}
		}
		if err := d.close(); err != nil {
			t.Error(err)
		}
	}()
	p.env = append(os.Environ(), d.environ()...)
	p.start("program", "push", "quick").expect(0, "quick, US: created")

	d.lake.HangNext(1)
	before := d.lake.Calls("GetQueryExecution")
	run := p.start(days("run", "quick", "--on", "aws", "--batch-id", "b")...)
	p.untilRunning("quick", "--on", "aws")
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for d.lake.Calls("GetQueryExecution") == before { // until then there is nothing that hangs
		select {
		case <-poll.C:
		case <-t.Context().Done():
			t.Fatal("the query was not started")
		}
	}
	if err := run.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	run.expect(1, "the run was cancelled; nothing of it is lost", "do: go on with: ceap run --on aws quick --marketplace US", "--batch-id b")
	machine := "arn:aws:states:" + awstest.Region + ":" + awstest.Account + ":stateMachine:CeapBatchIngestion-" + d.name
	list, err := sfn.NewFromConfig(d.cloud.Config).ListExecutions(t.Context(), &sfn.ListExecutionsInput{StateMachineArn: &machine})
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Executions) != 1 || list.Executions[0].Status != "ABORTED" {
		t.Errorf("executions: %+v", list.Executions)
	}

	again := p.start(days("run", "quick", "--on", "aws", "--batch-id", "b", "--json")...)
	again.expect(0)
	if res := again.result(); !res.Resumed || res.Attempt != 2 || res.Counts.Created != 20 || !res.Counts.Balanced() {
		t.Errorf("resumed: %+v", res)
	}
}
