package athena

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/warehouse"
)

// inspection looks at what one statement reads.
type inspection struct {
	*job
	ctx    context.Context //nolint:containedctx // of one call of Inspect
	scope  warehouse.Scope
	checks []connector.Check
}

// Inspect looks at the workgroup and the place of results, the database, each
// table with its partitions, and the query with the number of its rows (D41,
// D49). To count the rows, Athena scans what the query reads.
func (a *Athena) Inspect(ctx context.Context, s warehouse.Statement, scope warehouse.Scope) []connector.Check {
	s.Job.ID += "/" + a.newID()
	j, err := a.newJob(ctx, s, modeEmpty)
	if err != nil {
		return []connector.Check{warehouse.CheckOf("workgroup", err)}
	}
	in := &inspection{job: j, ctx: ctx, scope: scope}
	switch {
	case j.place.managed():
		in.ok("workgroup", "%s manages results; they are read by the API, which is slow for more than some thousand rows", j.place.WorkGroup)
	case j.place.Enforced != "":
		in.ok("workgroup", "%s; results go to %s, which it enforces", j.place.WorkGroup, j.place.Root)
	default:
		in.ok("workgroup", "%s; results go to %s", j.place.WorkGroup, j.place.Root)
	}
	in.database()
	for _, t := range s.Tables {
		in.table(t)
	}
	in.query()
	return in.checks
}

func (in *inspection) add(status, name, remedy, format string, args ...any) {
	in.checks = append(in.checks, connector.Check{Name: name, Status: status, Detail: fmt.Sprintf(format, args...), Remedy: remedy})
}

func (in *inspection) ok(name, format string, args ...any) {
	in.add(connector.CheckOK, name, "", format, args...)
}

func (in *inspection) bad(name, remedy, format string, args ...any) {
	in.add(connector.CheckFailed, name, remedy, format, args...)
}

// failed reports an error, unless the inspection was stopped: then its caller
// says why.
func (in *inspection) failed(name string, err error) {
	if in.ctx.Err() == nil {
		in.checks = append(in.checks, warehouse.CheckOf(name, err))
	}
}

func (in *inspection) database() {
	names, err := in.tables(in.ctx, in.s.Database)
	switch {
	case missing(err):
		in.bad("database", in.databasesHint(in.ctx, in.s.Database), "there is no database %s in the catalog %s", in.s.Database, in.settings.Catalog)
	case err != nil:
		in.failed("database", awsapi.Error(in.ctx, "listing the tables of "+in.s.Database, err))
	default:
		in.ok("database", "%s holds %d tables, of which the query names %d", in.s.Database, len(names), len(in.s.Tables))
	}
}

// missing reports whether Athena says that something does not exist.
func missing(err error) bool {
	if _, ok := errors.AsType[*types.MetadataException](err); ok {
		return !strings.Contains(err.Error(), "AccessDenied")
	}
	return awsapi.Code(err) == "EntityNotFoundException"
}

// table looks at one table.
func (in *inspection) table(t warehouse.Table) {
	name := "table " + t.Name
	if t.Database == "" {
		t.Database = in.s.Database
	}
	meta, err := in.job.table(in.ctx, t)
	switch {
	case missing(err):
		in.bad(name, in.tablesHint(in.ctx, t.Database+"."+t.Name), "there is no table %s in the database %s", t.Name, t.Database)
		return
	case err != nil:
		in.failed(name, awsapi.Error(in.ctx, "looking at the table "+t.Name, err))
		return
	}
	var keys []string
	for _, k := range meta.PartitionKeys {
		keys = append(keys, aws.ToString(k.Name))
	}
	detail := fmt.Sprintf("%d columns", len(meta.Columns))
	if location := meta.Parameters["location"]; location != "" {
		detail += " at " + location
	}
	if len(keys) > 0 {
		detail += ", partitioned by " + strings.Join(keys, ", ")
	}
	in.ok(name, "%s", detail)
	switch {
	case strings.EqualFold(meta.Parameters["projection.enabled"], "true"):
		in.ok(name, "its partitions are projected: new ones need not be added")
	case len(keys) > 0 && strings.EqualFold(in.settings.Catalog, warehouse.DefaultSettings().Catalog):
		in.partitions(name, t, keys)
	}
}

// partitions compares the values of partition keys that are dates with the range.
func (in *inspection) partitions(name string, t warehouse.Table, keys []string) {
	values, total, err := in.partitionValues(t, keys)
	if err != nil {
		in.failed(name, err)
		return
	}
	if total == 0 {
		in.bad(name, fmt.Sprintf("add them: MSCK REPAIR TABLE %s, or ALTER TABLE %s ADD PARTITION (...), or use partition projection", t.Name, t.Name),
			"it has no partitions, so every query of it returns nothing")
		return
	}
	for k, key := range keys {
		in.dates(name, t, key, values[k])
	}
}

// partitionValues returns the values of each partition key, and how many partitions
// there are.
func (in *inspection) partitionValues(t warehouse.Table, keys []string) (values [][]string, total int, err error) {
	values = make([][]string, len(keys))
	show := warehouse.Statement{Database: t.Database, SQL: "SHOW PARTITIONS `" + strings.ReplaceAll(t.Name, "`", "``") + "`", Job: in.s.Job}
	j := &job{Athena: in.Athena, clients: in.clients, s: show, place: in.place, attempt: attempt{Number: 1, Mode: modeSelect}}
	x, err := j.run(in.ctx)
	if err != nil {
		return nil, 0, err
	}
	for token, first := "", true; first || token != ""; first = false {
		p, err := j.page(in.ctx, x.id, token)
		if err != nil {
			return nil, 0, err
		}
		for _, row := range p.rows {
			if len(row.Data) == 0 {
				continue
			}
			total++
			for part := range strings.SplitSeq(aws.ToString(row.Data[0].VarCharValue), "/") {
				key, value, _ := strings.Cut(part, "=")
				k := slices.IndexFunc(keys, func(name string) bool { return strings.EqualFold(name, key) })
				if plain, err := url.PathUnescape(value); err == nil && k >= 0 {
					values[k] = append(values[k], plain)
				}
			}
		}
		token = p.next
	}
	return values, total, nil
}

// dates compares the values of a key with the range, if they are dates.
func (in *inspection) dates(name string, t warehouse.Table, key string, values []string) {
	slices.Sort(values)
	values = slices.Compact(values)
	inside := 0
	for _, v := range values {
		d, err := ceap.ParseDate(v)
		if err != nil {
			return
		}
		if d >= in.scope.Range.Start && d <= in.scope.Range.End {
			inside++
		}
	}
	first, last := values[0], values[len(values)-1]
	if inside == 0 {
		in.bad(name, fmt.Sprintf("add them: ALTER TABLE %s ADD PARTITION (%s = '%s'), or MSCK REPAIR TABLE %s; or run a range within %s to %s", t.Name, key, in.scope.Range.Start, t.Name, first, last),
			"no partition of %s lies in %s; there are %d, from %s to %s", key, in.scope.Range, len(values), first, last)
		return
	}
	in.ok(name, "%d of %d partitions of %s lie in %s", inside, len(values), key, in.scope.Range)
}

// query checks the query, and counts its rows.
func (in *inspection) query() {
	x, err := in.run(in.ctx)
	if err != nil {
		in.failed("query", err)
		return
	}
	columns, err := in.described(in.ctx, x)
	if err != nil {
		in.failed("query", err)
		return
	}
	in.ok("query", "%s", warehouse.ColumnList(columns))
	j := &job{Athena: in.Athena, clients: in.clients, s: in.s, place: in.place, attempt: attempt{Number: 1, Mode: modeCount}}
	if x, err = j.run(in.ctx); err != nil {
		in.failed("rows", err)
		return
	}
	p, err := j.page(in.ctx, x.id, "")
	if err != nil {
		in.failed("rows", err)
		return
	}
	count := ""
	if len(p.rows) == 2 && len(p.rows[1].Data) == 1 {
		count = aws.ToString(p.rows[1].Data[0].VarCharValue)
	}
	if count == "0" {
		in.bad("rows", "look at the checks above, then at the query's WHERE: leave out one condition after the other", "the query returns no rows (%d bytes scanned)", x.scanned)
		return
	}
	in.ok("rows", "the query returns %s rows (%d bytes scanned)", count, x.scanned)
}
