package athena

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsathena "github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/connector"
)

// page is a page of a result.
type page struct {
	columns []types.ColumnInfo
	rows    []types.Row
	next    string // of the next page; "" if this is the last
}

// page asks for a page: the first if token is "". At most 1,000 rows come in it,
// of which the first page's first holds the columns' names.
func (j *job) page(ctx context.Context, id, token string) (*page, error) {
	in := &awsathena.GetQueryResultsInput{QueryExecutionId: &id}
	if token != "" {
		in.NextToken = &token
	}
	out, err := j.athena.GetQueryResults(ctx, in)
	if err != nil {
		return nil, awsapi.Error(ctx, "Query execution failed: reading the result of query "+id, err)
	}
	p := &page{next: aws.ToString(out.NextToken)}
	if out.ResultSet != nil {
		p.rows = out.ResultSet.Rows
		if out.ResultSet.ResultSetMetadata != nil {
			p.columns = out.ResultSet.ResultSetMetadata.ColumnInfo
		}
	}
	return p, nil
}

// pageRows are the rows of a managed result.
type pageRows struct {
	*job
	ctx     context.Context //nolint:containedctx // of Query
	id      string
	columns []plainColumn
	page    *page // not handed out yet; nil if it has to be asked for
	token   string
	skip    int // rows of the page that are none
	pages   int // how many are left; 0 for all
	row     int64
	records records
	report  connector.Report
	err     error
}

// Columns returns the columns.
func (r *pageRows) Columns() []connector.Column { return columnsOf(r.columns) }

// Next returns the rows of the next page.
func (r *pageRows) Next() ([]connector.Record, error) {
	if r.err != nil {
		return nil, r.err
	}
	for {
		if r.err = context.Cause(r.ctx); r.err != nil {
			return nil, r.err
		}
		if r.page == nil {
			if r.page, r.err = r.job.page(r.ctx, r.id, r.token); r.err != nil {
				return nil, r.err
			}
		}
		p := r.page
		rows := p.rows[min(r.skip, len(p.rows)):]
		r.page, r.skip, r.token = nil, 0, p.next
		if len(rows) > 0 {
			if r.err = r.fill(rows); r.err != nil {
				return nil, r.err
			}
		}
		if r.pages--; p.next == "" || r.pages == 0 {
			r.err = io.EOF
		}
		if len(rows) > 0 {
			return r.records.records, nil
		}
		if r.err != nil {
			return nil, r.err
		}
	}
}

func (r *pageRows) fill(rows []types.Row) error {
	r.records.reset(len(r.columns), len(rows))
	for i, row := range rows {
		r.row++
		values := r.records.row(i, r.row)
		if len(row.Data) != len(values) {
			return r.failed(fmt.Errorf("it has %d values instead of %d", len(row.Data), len(values)))
		}
		for c, datum := range row.Data {
			if values[c] = ceap.Null(); datum.VarCharValue == nil {
				continue
			}
			v, err := r.columns[c].value(*datum.VarCharValue)
			if err != nil {
				return r.failed(fmt.Errorf("column %s: %w", r.columns[c].Column.Name, err))
			}
			values[c] = v
		}
	}
	return nil
}

func (r *pageRows) failed(err error) error {
	return &ceap.Error{Code: ceap.CodeUnavailable, Message: fmt.Sprintf("Query execution failed: reading row %d of query %s", r.row, r.id), Err: err, Hint: "run it again"}
}

// Close drops what is held.
func (r *pageRows) Close() error {
	r.page = nil
	if r.err == nil || errors.Is(r.err, io.EOF) {
		r.err = errClosed
	}
	return nil
}

// Report tells about the query.
func (r *pageRows) Report() connector.Report { return r.report }
