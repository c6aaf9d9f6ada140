package warehouse

import (
	"context"
	"fmt"
	"strings"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
)

// Check looks at the query and at what it reads (D41, D49). It takes at most
// maxWaitSeconds.
func (c *Connector) Check(ctx context.Context, req connector.Request) []connector.Check {
	s, err := c.statement(req)
	if err != nil {
		return []connector.Check{CheckOf("query", err)}
	}
	checks := []connector.Check{{
		Name: "range", Status: connector.CheckOK,
		Detail: fmt.Sprintf("%s, marketplace %s", req.Range, req.Marketplace),
	}}
	for _, warning := range c.Advise(req) {
		checks = append(checks, connector.Check{Name: "query", Status: connector.CheckWarning, Detail: warning})
	}
	w := c.watch(ctx)
	defer w.cancel(nil)
	err = w.do(0, func() error {
		if in, ok := c.engine.(Inspector); ok {
			checks = append(checks, in.Inspect(w.ctx, s, Scope{Range: req.Range, Marketplace: req.Marketplace})...)
			return w.ctx.Err()
		}
		columns, err := c.Describe(w.ctx, req)
		if err == nil {
			checks = append(checks, connector.Check{Name: "query", Status: connector.CheckOK, Detail: ColumnList(columns)})
		}
		return err
	})
	if err != nil {
		checks = append(checks, CheckOf("query", err))
	}
	return checks
}

// CheckOf returns the failed check of an error; its hint is the remedy.
func CheckOf(name string, err error) connector.Check {
	check := connector.Check{Name: name, Status: connector.CheckFailed, Detail: err.Error()}
	if e, ok := err.(*ceap.Error); ok && e.Hint != "" { //nolint:errorlint // an outer error's text holds more than the hint
		check.Detail, check.Remedy = strings.TrimSuffix(check.Detail, "; "+e.Hint), e.Hint
	}
	return check
}

// ColumnList returns the columns in words.
func ColumnList(columns []connector.Column) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name + " " + c.Type
	}
	return fmt.Sprintf("%d columns: %s", len(columns), strings.Join(names, ", "))
}
