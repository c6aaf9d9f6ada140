package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
)

// maxLooked is how many objects a check opens to find one with rows.
const maxLooked = 5

// Check says what was listed, what lies near if that was nothing, and what the
// first objects hold.
func (c *Connector) Check(ctx context.Context, req connector.Request) []connector.Check {
	places := c.template.places(req)
	checks := []connector.Check{{
		Name: "range", Status: connector.CheckOK, Detail: fmt.Sprintf("%s, marketplace %s", req.Range, req.Marketplace),
	}}
	b, err := c.openBucket(ctx)
	if err != nil {
		return append(checks, checkOf("bucket", err))
	}
	found, err := b.find(ctx, places)
	if err != nil {
		return append(checks, checkOf("objects", err))
	}
	checks = append(checks, b.checkObjects(ctx, found, len(places))...)
	if len(found.objects) == 0 {
		return checks
	}
	return append(checks, c.checkRows(ctx, b, found))
}

// checkObjects says what was listed.
func (b *bucket) checkObjects(ctx context.Context, f *found, places int) []connector.Check {
	check := connector.Check{
		Name: "objects", Status: connector.CheckOK,
		Detail: fmt.Sprintf("%d objects (%d bytes) at %d places of the bucket %s", len(f.objects), f.bytes, places, b.name),
	}
	if f.skipped > 0 {
		check.Detail += fmt.Sprintf("; %d more are folders or have names that start with _ or .", f.skipped)
	}
	if len(f.empty) == 0 {
		return []connector.Check{check}
	}
	empty := connector.Check{
		Name: "objects", Status: connector.CheckWarning, Detail: "there are no objects at " + b.shown(f.empty),
		Remedy: "run a range that has objects, or correct the place",
	}
	if near, err := b.near(ctx, f.empty[0].prefix); err == nil && near != "" {
		empty.Remedy += "; " + near
	}
	if len(f.objects) > 0 {
		return []connector.Check{check, empty}
	}
	if empty.Status = connector.CheckFailed; f.skipped > 0 {
		empty.Detail += fmt.Sprintf(", leaving out %d folders and names that start with _ or .", f.skipped)
	}
	return []connector.Check{empty}
}

// checkRows reads the columns, and the first objects until there is a row.
func (c *Connector) checkRows(ctx context.Context, b *bucket, f *found) connector.Check {
	some := *f
	some.objects = f.objects[:min(len(f.objects), maxLooked)]
	s := &stream{ctx: ctx, bucket: b, found: &some}
	defer func() { _ = s.Close() }() // it is only looked at
	err := s.start()
	if err == nil {
		_, err = s.Next()
	}
	switch {
	case errors.Is(err, io.EOF):
		return connector.Check{
			Name: "content", Status: connector.CheckFailed, Detail: fmt.Sprintf("the first %d of %d objects hold no rows", len(some.objects), len(f.objects)),
			Remedy: "look at what writes them",
		}
	case err != nil:
		return checkOf("content", err)
	}
	return connector.Check{
		Name: "content", Status: connector.CheckOK, Detail: fmt.Sprintf("%d columns: %s", len(s.columns), strings.Join(columnNames(s.columns), ", ")),
	}
}

// checkOf returns the failed check of an error; its hint is the remedy.
func checkOf(name string, err error) connector.Check {
	check := connector.Check{Name: name, Status: connector.CheckFailed, Detail: err.Error()}
	if e, ok := errors.AsType[*ceap.Error](err); ok && e.Hint != "" {
		check.Detail, check.Remedy = strings.TrimSuffix(check.Detail, "; "+e.Hint), e.Hint
	}
	return check
}
