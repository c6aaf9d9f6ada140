package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap"
)

func written(err error) string {
	var b strings.Builder
	describe(err).write(&b, paint{})
	return b.String()
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	t.Run("message and remedy stand on lines of their own", func(t *testing.T) {
		t.Parallel()
		err := fmt.Errorf("connector %q: %w", "a", ceap.Errorf(ceap.CodeUnavailable, "the disk is full").WithHint("free space"))
		if diff := cmp.Diff("error: connector \"a\": the disk is full\n  do: free space\n", written(err)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("the innermost hint is found through outer errors without one", func(t *testing.T) {
		t.Parallel()
		inner := ceap.Errorf(ceap.CodeInvalid, "no table").WithHint("create it")
		outer := ceap.Errorf(ceap.CodeInvalid, "Query execution failed: %w", inner)
		if diff := cmp.Diff("error: Query execution failed: no table\n  do: create it\n", written(outer)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("problems are listed with their places and remedies", func(t *testing.T) {
		t.Parallel()
		problems := ceap.Problems{
			{Position: ceap.Position{File: "p.json", Line: 3, Column: 5}, Path: "query", Message: "is missing", Hint: "add it"},
			{Message: "a warning", Warning: true},
			{Path: "enabled", Message: "is 3"},
		}
		want := "error: 2 problems\n  error: p.json:3:5: query: is missing\n    do: add it\n  error: enabled: is 3\n"
		if diff := cmp.Diff(want, written(problems.Err())); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff("error: p.json:3:5: query: is missing\n  do: add it\n", written(problems[:1].Err())); diff != "" {
			t.Errorf("one problem (-want +got):\n%s", diff)
		}
		inner := ceap.Problems{{Path: "fieldMappings.customerId", Message: "there is no column \"x\"", Hint: "take another"}}
		err := fmt.Errorf("connector %q: %w", "orders", inner.Err())
		if diff := cmp.Diff("error: connector \"orders\": fieldMappings.customerId: there is no column \"x\"\n  do: take another\n", written(err)); diff != "" {
			t.Errorf("a problem without a place of its own (-want +got):\n%s", diff)
		}
		if got := written(fmt.Errorf("opening the store: %w", problems[:1].Err())); !strings.HasPrefix(got, "error: p.json:3:5: query") {
			t.Errorf("a problem with a place starts with another: %s", got)
		}
	})
	t.Run("a command that was stopped says so and no more", func(t *testing.T) {
		t.Parallel()
		f := describe(ceap.Errorf(ceap.CodeUnavailable, "reading candidates: %w", context.Canceled))
		if diff := cmp.Diff(failure{Code: ceap.CodeCancelled, Message: "stopped before its end"}, f); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("the inside of an internal error is not shown", func(t *testing.T) {
		t.Parallel()
		f := describe(fmt.Errorf("reading: %w", errors.New("nil pointer near customer CUST-1")))
		if f.Code != ceap.CodeInternal || len(f.Reference) != 8 || !strings.Contains(f.Message, f.Reference) || strings.Contains(f.Message, "CUST-1") {
			t.Errorf("failure = %+v", f)
		}
		if again := describe(errors.New("x")); again.Reference == f.Reference {
			t.Error("two errors have one reference")
		}
	})
}
