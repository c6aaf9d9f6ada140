package cli

import (
	"errors"
	"fmt"
	"testing"

	"github.com/ceap-platform/ceap"
)

func TestExitOfCode(t *testing.T) {
	t.Parallel()
	for code, want := range map[ceap.Code]int{
		"": 0, ceap.CodeInvalid: 2, ceap.CodeNotFound: 2, ceap.CodeConflict: 2, ceap.CodeUnauthenticated: 3, ceap.CodeForbidden: 3,
		ceap.CodeUnsupported: 3, ceap.CodeRateLimited: 3, ceap.CodeUnavailable: 3, ceap.CodeCancelled: 1, ceap.CodeInternal: 1, "new": 1,
	} {
		if got := exitOfCode(code); got != want {
			t.Errorf("%q ends with %d, want %d", code, got, want)
		}
	}
}

func TestExitOfRun(t *testing.T) {
	t.Parallel()
	table := ceap.Errorf(ceap.CodeInvalid, "no such table")
	disk := fmt.Errorf("storing: %w", ceap.Errorf(ceap.CodeUnavailable, "the disk is full"))
	for _, c := range []struct {
		status ceap.RunStatus
		err    error
		want   int
	}{
		{ceap.RunSucceeded, nil, 0},
		{ceap.RunEmpty, nil, 0},
		{ceap.RunPartial, nil, 1},
		{ceap.RunFailed, nil, 1},
		{ceap.RunFailed, table, 2},
		{ceap.RunFailed, disk, 3},
		{ceap.RunFailed, errors.New("a bug"), 1},
		{ceap.RunSkipped, nil, 4},
		{ceap.RunCancelled, ceap.Errorf(ceap.CodeCancelled, "stopped"), 1},
		{ceap.RunRunning, nil, 1},
		{ceap.RunSucceeded, errors.New("the record could not be written"), 1},
	} {
		if got := exitOfRun(c.status, c.err); got != c.want {
			t.Errorf("%s with %v ends with %d, want %d", c.status, c.err, got, c.want)
		}
	}
}
