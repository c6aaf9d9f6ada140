//go:build cgo

package duckdb

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/warehouse"
)

// inspection looks at what one statement reads.
type inspection struct {
	*session
	ctx    context.Context //nolint:containedctx // of one call of Inspect
	scope  warehouse.Scope
	checks []connector.Check
}

// Inspect looks at the database, each table with its partitions, rows and
// marketplaces, and the query with the number of its rows. If there are none, it
// counts what each predicate lets pass (D41, D49).
func (e *engine) Inspect(ctx context.Context, st warehouse.Statement, scope warehouse.Scope) []connector.Check {
	s, err := e.open(ctx, st)
	if err != nil {
		return []connector.Check{warehouse.CheckOf("query", err)}
	}
	defer s.close()
	in := &inspection{session: s, ctx: ctx, scope: scope}
	in.ok("database", "%s holds %d tables, of which the query names %d", st.Database, in.tableCount(), len(s.tables))
	for _, t := range s.tables {
		in.table(t)
	}
	in.query()
	return in.checks
}

func (in *inspection) tableCount() int {
	database, err := in.folder.database(in.statement.Database)
	if err != nil {
		return 0
	}
	names, _ := in.folder.tables(database)
	return len(names)
}

func (in *inspection) ok(name, format string, args ...any) {
	in.checks = append(in.checks, connector.Check{Name: name, Status: connector.CheckOK, Detail: fmt.Sprintf(format, args...)})
}

func (in *inspection) bad(name, remedy, format string, args ...any) {
	in.checks = append(in.checks, connector.Check{Name: name, Status: connector.CheckFailed, Detail: fmt.Sprintf(format, args...), Remedy: remedy})
}

// failed reports an error, unless the inspection was stopped: then its caller
// says why.
func (in *inspection) failed(name string, err error) {
	if in.ctx.Err() != nil {
		return
	}
	in.checks = append(in.checks, warehouse.CheckOf(name, in.session.failed(err)))
}

// table looks at one table.
func (in *inspection) table(t *table) {
	name := "table " + t.name
	if len(t.files) == 0 {
		in.bad(name, "put its files into "+in.folder.rel(t.path), "it is declared but has no data files")
		return
	}
	from := quoteName(t.database) + "." + quoteName(t.name)
	rows, err := in.texts(in.ctx, "SELECT count(*) FROM "+from, nil)
	if err != nil {
		in.failed(name, err)
		return
	}
	detail := fmt.Sprintf("%s rows in %d %s files (%d bytes)", rows[0][0], len(t.files), t.kind, t.bytes)
	if len(t.partitions) > 0 {
		detail += fmt.Sprintf(", %d partitions by %s", len(t.partitions), strings.Join(t.keys, ", "))
	}
	if rows[0][0] == "0" {
		in.bad(name, "fill the table", "%s", detail)
		return
	}
	in.ok(name, "%s", detail)
	for _, key := range t.keys {
		in.partitions(name, key, t.values(key))
	}
	in.marketplaces(name, from, t)
}

// partitions compares the values of a partition key with the range, if they are
// dates.
func (in *inspection) partitions(name, key string, values []string) {
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
		in.bad(name, fmt.Sprintf("add partition folders such as %s=%s, or run a range within %s to %s", key, in.scope.Range.Start, first, last),
			"no partition of %s lies in %s; there are %d, from %s to %s", key, in.scope.Range, len(values), first, last)
		return
	}
	in.ok(name, "%d of %d partitions of %s lie in %s", inside, len(values), key, in.scope.Range)
}

// marketplaces compares a column marketplace with the run's.
func (in *inspection) marketplaces(name, from string, t *table) {
	columns, err := in.tableColumns(t)
	if err != nil {
		return // the count above has read the table
	}
	i := slices.IndexFunc(columns, func(c column) bool { return strings.EqualFold(c.name, "marketplace") })
	if i < 0 {
		return
	}
	rows, err := in.texts(in.ctx, fmt.Sprintf("SELECT coalesce(CAST(%s AS VARCHAR), 'NULL') AS m, count(*) FROM %s GROUP BY m ORDER BY count(*) DESC, m LIMIT 20",
		quoteName(columns[i].name), from), nil)
	if err != nil {
		in.failed(name, err)
		return
	}
	var found []string
	has := false
	for _, row := range rows {
		found = append(found, fmt.Sprintf("%s (%s rows)", row[0], row[1]))
		has = has || row[0] == in.scope.Marketplace
	}
	if !has && len(rows) < 20 {
		in.bad(name, "run one of these marketplaces, or add its rows", "no row of marketplace %s; there are %s", in.scope.Marketplace, strings.Join(found, ", "))
		return
	}
	in.ok(name, "marketplaces: %s", strings.Join(found, ", "))
}

// query prepares the query and counts its rows.
func (in *inspection) query() {
	st, columns, err := in.prepareQuery(in.ctx)
	if err != nil {
		in.failed("query", err)
		return
	}
	st.close()
	in.ok("query", "%s", warehouse.ColumnList(typed(columns)))
	in.shift = len("SELECT count(*) FROM (\n")
	n, err := in.count("SELECT count(*) FROM (\n" + in.statement.SQL + "\n)")
	switch {
	case err != nil:
		in.failed("rows", err)
	case n > 0:
		in.ok("rows", "the query returns %d rows", n)
	default:
		in.bad("rows", "see the checks of tables above and of predicates below", "the query returns no rows")
		in.shift = len(in.statement.SQL) // what follows is not the user's text
		in.explain()
	}
}

// count runs a query of one number, with those of the statement's parameters
// that it has.
func (in *inspection) count(sql string) (int64, error) {
	rows, err := in.bound(sql)
	if err != nil {
		return 0, err
	}
	return number(rows[0][0]), nil
}

func (in *inspection) bound(sql string) ([][]string, error) {
	params := map[string]string{}
	for _, p := range in.statement.Params {
		if hasParam(sql, p.Name) {
			params[p.Name] = p.Value
		}
	}
	return in.texts(in.ctx, sql, params)
}

// hasParam reports whether $name occurs; no placeholder's name starts another's.
func hasParam(sql, name string) bool { return strings.Contains(sql, "$"+name) }
