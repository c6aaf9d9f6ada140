package athena

import (
	"context"
	"errors"
	"strconv"
	"time"
)

// seconds is a time as the protocol writes it.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// describe returns the API's QueryExecution.
func (f *Fake) describe(q *query) map[string]any {
	f.mu.Lock()
	state := q.state
	ended := q.ended()
	f.mu.Unlock()
	status := map[string]any{"State": state, "SubmissionDateTime": seconds(q.submitted)}
	statistics := map[string]any{}
	out := map[string]any{
		"QueryExecutionId": q.id, "Query": q.sql, "StatementType": q.statement.kind, "SubstatementType": q.statement.verb,
		"QueryExecutionContext": map[string]any{"Database": q.database, "Catalog": "awsdatacatalog"},
		"WorkGroup":             q.workGroup.Name, "Status": status, "Statistics": statistics,
		"EngineVersion":                    map[string]any{"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"},
		"ManagedQueryResultsConfiguration": map[string]any{"Enabled": q.workGroup.ManagedResults},
	}
	if len(q.parameters) > 0 {
		out["ExecutionParameters"] = q.parameters
	}
	if q.output != "" {
		out["ResultConfiguration"] = map[string]any{"OutputLocation": q.resultLocation()}
	}
	if ended {
		f.describeEnd(q, state, status, statistics)
	}
	return out
}

// describeEnd adds what is known of a query that has ended.
func (f *Fake) describeEnd(q *query, state string, status, statistics map[string]any) {
	status["CompletionDateTime"] = seconds(q.completed)
	statistics["DataScannedInBytes"] = q.scanned
	for _, name := range []string{"EngineExecutionTimeInMillis", "QueryPlanningTimeInMillis", "QueryQueueTimeInMillis", "ServicePreProcessingTimeInMillis", "ServiceProcessingTimeInMillis", "TotalExecutionTimeInMillis"} {
		statistics[name] = q.completed.Sub(q.submitted).Milliseconds()
	}
	if q.statement.verb == "UNLOAD" && state == succeeded && q.location != "" {
		statistics["DataManifestLocation"] = q.location
	}
	fault, ok := errors.AsType[*Fault](q.outcome)
	switch {
	case state == cancelled:
		fault = &Fault{Category: 2, Type: typeCancelled, Message: "Query cancelled by user"}
	case state == succeeded:
		return
	case !ok:
		fault = &Fault{Category: 1, Type: typeInternal, Retryable: true, Message: "INTERNAL_ERROR: " + q.outcome.Error()}
	}
	status["StateChangeReason"] = fault.Message
	status["AthenaError"] = map[string]any{
		"ErrorCategory": fault.Category, "ErrorType": fault.Type, "Retryable": fault.Retryable, "ErrorMessage": fault.Message,
	}
}

// resultLocation returns where the result lies, or will lie. For an UNLOAD this
// is no file: its manifest and its files have names of their own.
func (q *query) resultLocation() string {
	switch q.statement.verb {
	case "SELECT":
		return q.output + q.id + ".csv"
	case "UNLOAD":
		return q.output + q.id
	default:
		return q.output + q.id + ".txt"
	}
}

type resultsInput struct {
	idInput
	NextToken, QueryResultType string
	MaxResults                 *int
}

// results returns a page of a query's result.
func (f *Fake) results(in resultsInput) (any, error) {
	q, err := f.find(in.ID)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	state, ended := q.state, q.ended()
	f.mu.Unlock()
	switch {
	case !ended:
		return nil, invalid("INVALID_INPUT", "Query has not yet finished. Current state: %s", state)
	case state != succeeded:
		return nil, invalid("INVALID_INPUT", "Query did not finish successfully. Final query state: %s", state)
	}
	limit := pageRows
	if in.MaxResults != nil {
		limit = *in.MaxResults
	}
	if limit < 1 || limit > pageRows {
		return nil, invalid("INVALID_INPUT", "MaxResults is more than maximum allowed length %d.", pageRows)
	}
	first := 0
	if in.NextToken != "" {
		if first, err = strconv.Atoi(in.NextToken); err != nil || first < 1 {
			return nil, invalid("INVALID_INPUT", "Invalid token provided.")
		}
	}
	r, err := q.readable(in.QueryResultType)
	if err != nil {
		return nil, err
	}
	return page(r, first, limit), nil
}

// readable returns the result that a call asks for.
func (q *query) readable(kind string) (*result, error) {
	switch {
	case kind != "DATA_MANIFEST":
		return &q.result, nil
	case q.statement.verb != "UNLOAD":
		return nil, invalid("INVALID_INPUT", "QueryResultType DATA_MANIFEST is not supported for %s", q.statement.verb)
	}
	r := &result{columns: []outColumn{newOutColumn("data_manifest", "VARCHAR")}}
	for _, file := range q.files {
		r.add([]cell{{text: file}})
	}
	return r, nil
}

func page(r *result, first, limit int) map[string]any {
	rows := []any{}
	for _, row := range r.read(first, limit) {
		data := make([]any, len(row))
		for i, c := range row {
			datum := map[string]any{}
			if !c.null {
				datum["VarCharValue"] = c.text
			}
			data[i] = datum
		}
		rows = append(rows, map[string]any{"Data": data})
	}
	columns := []any{}
	for _, c := range r.columns {
		columns = append(columns, map[string]any{
			"Name": c.name, "Label": c.name, "Type": c.typ, "Precision": c.precision, "Scale": c.scale,
			"CaseSensitive": c.typ == "varchar", "Nullable": "UNKNOWN", "CatalogName": "hive", "SchemaName": "", "TableName": "",
		})
	}
	out := map[string]any{
		"ResultSet":   map[string]any{"Rows": rows, "ResultSetMetadata": map[string]any{"ColumnInfo": columns}},
		"UpdateCount": 0,
	}
	if next := first + len(rows); next < r.rows {
		out["NextToken"] = strconv.Itoa(next)
	}
	return out
}

type nameInput struct{ WorkGroup string }

func (f *Fake) getWorkGroup(in nameInput) (any, error) {
	g, err := f.workGroup(in.WorkGroup)
	if err != nil {
		return nil, err
	}
	configuration := map[string]any{
		"EnforceWorkGroupConfiguration":    g.Enforce,
		"PublishCloudWatchMetricsEnabled":  true,
		"EngineVersion":                    map[string]any{"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"},
		"ManagedQueryResultsConfiguration": map[string]any{"Enabled": g.ManagedResults},
	}
	if g.BytesScannedLimit > 0 {
		configuration["BytesScannedCutoffPerQuery"] = g.BytesScannedLimit
	}
	if g.OutputLocation != "" {
		configuration["ResultConfiguration"] = map[string]any{"OutputLocation": g.OutputLocation}
	}
	state := "ENABLED"
	if g.Disabled {
		state = "DISABLED"
	}
	return map[string]any{"WorkGroup": map[string]any{"Name": g.Name, "State": state, "Configuration": configuration}}, nil
}

// checkSyntax refuses what is no SQL before the query gets an id, as Athena does.
func (f *Fake) checkSyntax(ctx context.Context, q *query) error {
	if q.statement.query.end == 0 || q.statement.checkParameters(q.parameters) != nil {
		return nil // DDL has a parser of its own, and wrong parameters fail the query
	}
	s, err := f.engine.open(ctx)
	if err != nil {
		return err
	}
	defer s.close(ctx)
	t := q.statement.translate(q.parameters, false)
	_, err = s.parse(ctx, t.sql)
	if e, ok := errors.AsType[*parseError](err); ok {
		return malformed(q.sql, t.origin(charOffset(t.sql, e.position)), "%s", mismatched(q.statement, t, e))
	}
	return err
}
