package expression_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/expression"
)

func TestCompiler_gathersProblems(t *testing.T) {
	t.Parallel()
	c := expression.Compiler{Now: time.Date(2026, 1, 28, 12, 0, 0, 0, time.UTC)}
	if c.Compile("rules[0].when", "score > 0.5", expression.Condition) == nil || c.Err() != nil {
		t.Fatalf("a sound expression has no program, or the error %v", c.Err())
	}
	if c.Compile("rules[1].when", "orderValu > 5", expression.Condition) != nil {
		t.Error("an expression with a fault has a program")
	}
	c.CompileForModel("rules[2].when", "score > 0.5", expression.Condition)
	c.CompileForModel("rules[3].when", "orderValue > 5", expression.Condition)
	problems, ok := errors.AsType[ceap.Problems](c.Err())
	if !ok {
		t.Fatalf("the error is %v", c.Err())
	}
	var paths []string
	for _, p := range problems {
		paths = append(paths, p.Path)
	}
	if diff := cmp.Diff([]string{"rules[1].when", "rules[2].when"}, paths); diff != "" {
		t.Errorf("problems (-want +got):\n%s\n%v", diff, problems)
	}
}
