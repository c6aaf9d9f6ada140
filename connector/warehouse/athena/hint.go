package athena

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	awsathena "github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"

	"github.com/ceap-platform/ceap/connector/warehouse"
	"github.com/ceap-platform/ceap/plugin"
)

// hint says what may have been meant by a name that does not exist.
func (j *job) hint(ctx context.Context, text string) string {
	name := func(pattern string) string {
		if m := regexp.MustCompile(pattern).FindStringSubmatch(text); m != nil {
			return m[1]
		}
		return ""
	}
	if column := name(`[Cc]olumn '([^']+)' cannot be resolved`); column != "" {
		return j.columnsHint(ctx, column)
	}
	if table := name(`[Tt]able '([^']+)' does not exist`); table != "" {
		return j.tablesHint(ctx, table)
	}
	if database := name(`(?:[Ss]chema|[Dd]atabase) '?([^' ]+)'? (?:does not exist|not found)`); database != "" {
		return j.databasesHint(ctx, database)
	}
	return ""
}

// columnsHint lists the columns of the tables that the query names, after the one
// that may be meant.
func (j *job) columnsHint(ctx context.Context, missing string) string {
	if at := strings.LastIndexByte(missing, '.'); at >= 0 {
		missing = missing[at+1:]
	}
	var parts, known []string
	for _, t := range j.s.Tables {
		meta, err := j.table(ctx, t)
		if err != nil {
			continue
		}
		var names []string
		for _, c := range append(meta.Columns, meta.PartitionKeys...) {
			names = append(names, *c.Name)
		}
		known = append(known, names...)
		parts = append(parts, t.Name+" has "+strings.Join(names, ", "))
	}
	hint := strings.Join(parts, "; ")
	if near := plugin.Nearest(missing, known); near != "" {
		return strings.TrimRight(fmt.Sprintf("did you mean %q? %s", near, hint), " ")
	}
	return hint
}

// table asks the catalog for a table.
func (j *job) table(ctx context.Context, t warehouse.Table) (*types.TableMetadata, error) {
	if j.clients == nil {
		var err error
		if j.clients, err = j.Athena.clients(ctx); err != nil {
			return nil, err
		}
	}
	database := t.Database
	if database == "" {
		database = j.s.Database
	}
	out, err := j.athena.GetTableMetadata(ctx, &awsathena.GetTableMetadataInput{CatalogName: &j.settings.Catalog, DatabaseName: &database, TableName: &t.Name, WorkGroup: &j.place.WorkGroup})
	if err != nil {
		return nil, err
	}
	return out.TableMetadata, nil
}

// shownNames bounds how many names a message lists.
const shownNames = 20

func (j *job) tablesHint(ctx context.Context, missing string) string {
	parts := strings.Split(missing, ".")
	database, table := j.s.Database, parts[len(parts)-1]
	if len(parts) > 1 {
		database = parts[len(parts)-2]
	}
	names, err := j.tables(ctx, database)
	if err != nil || len(names) == 0 {
		return "make the table " + table + " in the database " + database + ", or correct its name"
	}
	return nearest(table, names, "the database "+database+" has ")
}

func (j *job) tables(ctx context.Context, database string) ([]string, error) {
	if j.clients == nil {
		var err error
		if j.clients, err = j.Athena.clients(ctx); err != nil {
			return nil, err
		}
	}
	var names []string
	pages := awsathena.NewListTableMetadataPaginator(j.athena, &awsathena.ListTableMetadataInput{CatalogName: &j.settings.Catalog, DatabaseName: &database, WorkGroup: &j.place.WorkGroup})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, t := range page.TableMetadataList {
			names = append(names, *t.Name)
		}
	}
	return names, nil
}

func (j *job) databasesHint(ctx context.Context, missing string) string {
	remedy := "set sourceConfig.database to one that exists, or make it: CREATE DATABASE " + missing
	if j.clients == nil {
		var err error
		if j.clients, err = j.Athena.clients(ctx); err != nil {
			return remedy
		}
	}
	var names []string
	pages := awsathena.NewListDatabasesPaginator(j.athena, &awsathena.ListDatabasesInput{CatalogName: &j.settings.Catalog, WorkGroup: &j.place.WorkGroup})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return remedy
		}
		for _, d := range page.DatabaseList {
			names = append(names, *d.Name)
		}
	}
	return nearest(missing, names, "the catalog has ") + "; " + remedy
}

// nearest lists names after the one that may be meant.
func nearest(missing string, names []string, before string) string {
	list := strings.Join(names[:min(len(names), shownNames)], ", ")
	if len(names) > shownNames {
		list += fmt.Sprintf(" and %d more", len(names)-shownNames)
	}
	if near := plugin.Nearest(missing, names); near != "" {
		return fmt.Sprintf("did you mean %q? %s%s", near, before, list)
	}
	return before + list
}
