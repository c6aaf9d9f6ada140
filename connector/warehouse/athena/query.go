package athena

import (
	"context"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/athena/types"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/warehouse"
)

// Query runs the statement and waits for it. Its work belongs to this call alone:
// no other call finds it.
func (a *Athena) Query(ctx context.Context, s warehouse.Statement) (warehouse.Rows, error) {
	j, x, err := a.run(ctx, s, modeUnload)
	if err != nil {
		return nil, err
	}
	return j.rows(ctx, x)
}

// run runs a statement in a mode.
func (a *Athena) run(ctx context.Context, s warehouse.Statement, m mode) (*job, *execution, error) {
	s.Job.ID += "/" + a.newID()
	j, err := a.newJob(ctx, s, m)
	if err != nil {
		return nil, nil, err
	}
	x, err := j.run(ctx)
	return j, x, err
}

// rows opens the rows of a query that succeeded.
func (j *job) rows(ctx context.Context, x *execution) (warehouse.Rows, error) {
	if j.Mode != modeUnload {
		return j.plainRows(ctx, x)
	}
	files, err := j.files(ctx, x)
	if err != nil {
		return nil, err
	}
	columns, err := j.columns(ctx, files)
	if err != nil {
		return nil, err
	}
	var pieces []filePiece
	for _, f := range files {
		pieces = append(pieces, filePiece{Key: f.key, ETag: f.object.etag, From: 0, To: len(f.groups)})
	}
	bucket, _ := split(j.place.Root)
	return newFileRows(ctx, j.s3, partData{Bucket: bucket, Pieces: pieces, Columns: columns}, 1, j.report(x)), nil
}

// plainRows opens the rows of a SELECT.
func (j *job) plainRows(ctx context.Context, x *execution) (warehouse.Rows, error) {
	first, err := j.page(ctx, x.id, "")
	if err != nil {
		return nil, err
	}
	columns := plainColumns(first.columns)
	if j.place.managed() {
		return &pageRows{job: j, ctx: ctx, id: x.id, columns: columns, page: first, skip: 1, report: j.report(x)}, nil
	}
	return j.openCSV(ctx, x, columns, csvPart{})
}

// Describe returns the columns by running the statement for none of its rows.
func (a *Athena) Describe(ctx context.Context, s warehouse.Statement) ([]connector.Column, error) {
	j, x, err := a.run(ctx, s, modeEmpty)
	if err != nil {
		return nil, err
	}
	return j.described(ctx, x)
}

// described returns the columns of a query.
func (j *job) described(ctx context.Context, x *execution) ([]connector.Column, error) {
	first, err := j.page(ctx, x.id, "")
	if err != nil {
		return nil, err
	}
	return named(first.columns), nil
}

// emptyColumns returns the columns of a statement that gave no files to take them
// from.
func (j *job) emptyColumns(ctx context.Context) ([]connector.Column, error) {
	empty := &job{Athena: j.Athena, clients: j.clients, s: j.s, place: j.place, attempt: attempt{Number: 1, Mode: modeEmpty}}
	x, err := empty.run(ctx)
	if err != nil {
		return nil, err
	}
	return empty.described(ctx, x)
}

// named returns columns with Athena's names of their types.
func named(info []types.ColumnInfo) []connector.Column {
	out := make([]connector.Column, len(info))
	for i, c := range info {
		name := ""
		if c.Name != nil {
			name = *c.Name
		}
		out[i] = connector.Column{Name: name, Type: typeName(c)}
	}
	return out
}

// typeName returns a type's name, with what tells decimals apart.
func typeName(c types.ColumnInfo) string {
	name := ""
	if c.Type != nil {
		name = *c.Type
	}
	if name == "decimal" {
		return fmt.Sprintf("decimal(%d,%d)", c.Precision, c.Scale)
	}
	return name
}

// records are rows in memory of their own, used again for each batch.
type records struct {
	width   int
	values  []ceap.Value
	records []connector.Record
}

// reset makes room for n rows.
func (r *records) reset(width, n int) {
	r.width = width
	if cap(r.records) < n {
		r.records, r.values = make([]connector.Record, n), make([]ceap.Value, n*width)
	}
	r.records = r.records[:n]
}

// row returns the values of row i, to be filled, and numbers it.
func (r *records) row(i int, number int64) []ceap.Value {
	values := r.values[i*r.width : (i+1)*r.width : (i+1)*r.width]
	r.records[i] = connector.Record{Row: number, Values: values}
	return values
}

// errClosed is the error of rows that were closed.
var errClosed = io.ErrClosedPipe
