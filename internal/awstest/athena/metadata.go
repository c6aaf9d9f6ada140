package athena

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

type catalogInput struct {
	CatalogName, DatabaseName, TableName, Expression, NextToken string
	MaxResults                                                  int
}

// metadata answers what Athena tells of its catalog.
func (f *Fake) metadata(ctx context.Context, operation string, in catalogInput) (any, error) {
	if operation == "ListDatabases" {
		out := []any{}
		for _, name := range f.catalog.databases() {
			out = append(out, map[string]any{"Name": name})
		}
		return map[string]any{"DatabaseList": out}, nil
	}
	name := strings.ToLower(in.DatabaseName)
	if !slices.Contains(f.catalog.databases(), name) {
		return nil, &apiError{status: http.StatusBadRequest, Type: "MetadataException", Message: "Database " + name + " not found. (Service: AWSGlue; Status Code: 400; Error Code: EntityNotFoundException)"}
	}
	switch operation {
	case "GetDatabase":
		return map[string]any{"Database": map[string]any{"Name": name}}, nil
	case "GetTableMetadata":
		t, _, err := f.catalog.table(name, in.TableName)
		if err != nil {
			return nil, err
		}
		if t == nil {
			return nil, &apiError{status: http.StatusBadRequest, Type: "MetadataException", Message: "Entity Not Found (Service: AWSGlue; Status Code: 400; Error Code: EntityNotFoundException)"}
		}
		m, err := f.tableMetadata(ctx, t)
		return map[string]any{"TableMetadata": m}, err
	default:
		return f.listTables(ctx, name, in)
	}
}

// listTables returns a page of a database's tables; an expression is a name, or
// a part of one between stars.
func (f *Fake) listTables(ctx context.Context, database string, in catalogInput) (any, error) {
	tables, err := f.catalog.tables(database)
	if err != nil {
		return nil, err
	}
	tables = slices.DeleteFunc(tables, func(t *table) bool {
		return in.Expression != "" && !strings.Contains(t.name, strings.ToLower(strings.Trim(in.Expression, ".*%")))
	})
	first, _ := strconv.Atoi(in.NextToken) // a wrong token starts again
	limit := in.MaxResults
	if limit < 1 || limit > 50 { // 50: from the API's reference
		limit = 50
	}
	list, out := []any{}, map[string]any{}
	for i, t := range tables[min(first, len(tables)):] {
		if i == limit {
			out["NextToken"] = strconv.Itoa(first + limit)
			break
		}
		m, err := f.tableMetadata(ctx, t)
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	out["TableMetadataList"] = list
	return out, nil
}

func (f *Fake) tableMetadata(ctx context.Context, t *table) (map[string]any, error) {
	columns, keys, err := f.columns(ctx, t)
	if err != nil {
		return nil, err
	}
	list := func(columns []column) []any {
		out := []any{}
		for _, c := range columns {
			out = append(out, map[string]any{"Name": c.name, "Type": c.typ})
		}
		return out
	}
	return map[string]any{
		"Name": t.name, "TableType": "EXTERNAL_TABLE", "Columns": list(columns), "PartitionKeys": list(keys),
		"Parameters": map[string]string{"EXTERNAL": "TRUE", "location": t.location},
	}, nil
}

// columns returns a table's columns and partition keys, with Hive's types.
func (f *Fake) columns(ctx context.Context, t *table) (columns, keys []column, err error) {
	if t.declared {
		return t.columns, t.keys, nil
	}
	s, err := f.engine.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer s.close(ctx)
	files, err := f.view(ctx, s, t)
	if err != nil || len(files) == 0 {
		return nil, nil, err
	}
	all, err := s.described(ctx, "SELECT * FROM "+s.name+"."+quoteName(t.database)+"."+quoteName(t.name))
	if err != nil {
		return nil, nil, err
	}
	folders := hiveFolders(t, files[0].path)
	for _, c := range all {
		c.typ = hiveName(c.typ)
		if slices.ContainsFunc(folders, func(p string) bool { return strings.HasPrefix(strings.ToLower(p), c.name+"=") }) {
			keys = append(keys, c)
		} else {
			columns = append(columns, c)
		}
	}
	return columns, keys, nil
}

// hiveName returns Hive's name of a type of DuckDB's.
func hiveName(duck string) string {
	switch c := newOutColumn("", duck); c.typ {
	case "varchar":
		return "string"
	case "integer":
		return "int"
	case "decimal":
		return strings.ToLower(duck)
	case "varbinary":
		return "binary"
	default:
		return c.typ
	}
}

// callGlue answers the calls of AWS Glue that look partitions up.
func (f *Fake) callGlue(operation string, body []byte) (any, error) {
	if operation != "GetPartitions" {
		return nil, &apiError{status: http.StatusBadRequest, Type: "UnknownOperationException", Message: operation}
	}
	var in catalogInput
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, &apiError{status: http.StatusBadRequest, Type: "SerializationException", Message: err.Error()}
	}
	t, _, err := f.catalog.table(in.DatabaseName, in.TableName)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, &apiError{status: http.StatusBadRequest, Type: "EntityNotFoundException", Message: "Entity Not Found"}
	}
	names, err := f.catalog.partitionNames(t)
	if err != nil {
		return nil, err
	}
	return partitionPage(t, names, in), nil
}

// partitionPage returns a page of partitions. Expressions are not evaluated: all
// partitions come.
func partitionPage(t *table, names []string, in catalogInput) map[string]any {
	first, _ := strconv.Atoi(in.NextToken)
	limit := in.MaxResults
	if limit < 1 || limit > 1000 { // 1000: from Glue's reference
		limit = 1000
	}
	list, out := []any{}, map[string]any{}
	for i, name := range names[min(first, len(names)):] {
		if i == limit {
			out["NextToken"] = strconv.Itoa(first + limit)
			break
		}
		var values []string
		for part := range strings.SplitSeq(name, "/") {
			_, v, _ := strings.Cut(part, "=")
			values = append(values, unescape(v))
		}
		list = append(list, map[string]any{"DatabaseName": t.database, "TableName": t.name, "Values": values})
	}
	out["Partitions"] = list
	return out
}
