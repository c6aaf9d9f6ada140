package athena

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/warehouse"
)

// maxCell bounds a value of a CSV file, in bytes; Athena's own limit of a row is
// 32 MB.
const maxCell = 32 << 20

// plainBatch is how many rows of texts are handed out at a time.
const plainBatch = 1000

// csvReader reads the CSV that Athena writes: each value is in quotes, quotes in
// it are doubled, line ends in it stand as they are, and NULL is nothing at all.
// No other reader of CSV tells NULL from empty text.
type csvReader struct {
	in   *bufio.Reader
	read int64 // bytes, up to the end of the last row
	cell []byte
}

func newCSVReader(in io.Reader) *csvReader { return &csvReader{in: bufio.NewReaderSize(in, 256<<10)} }

// row calls cell for each value of the next row: with nil for NULL, else with
// bytes that are valid during the call. It returns io.EOF after the last row.
func (r *csvReader) row(cell func(i int, text []byte) error) error {
	if _, err := r.in.Peek(1); err != nil {
		return err
	}
	for i := 0; ; i++ {
		c, err := r.in.ReadByte()
		if errors.Is(err, io.EOF) { // the last row's last value is NULL, and its line end is missing
			return cell(i, nil)
		}
		if err != nil {
			return err
		}
		r.read++
		end := c
		switch c {
		case '"':
			if end, err = r.quoted(); err != nil {
				return err
			}
			err = cell(i, r.cell)
		case ',', '\n', '\r':
			err = cell(i, nil)
		default:
			if end, err = r.bare(c); err != nil {
				return err
			}
			err = cell(i, r.cell)
		}
		if err != nil {
			return err
		}
		if end == '\r' {
			if end, err = r.in.ReadByte(); err != nil || end != '\n' {
				return errors.New("a carriage return outside of quotes")
			}
			r.read++
		}
		if end == '\n' {
			return nil
		}
	}
}

// quoted reads up to the closing quote and returns the byte after it; the end of
// the file counts as a line end.
func (r *csvReader) quoted() (byte, error) {
	r.cell = r.cell[:0]
	for {
		part, err := r.in.ReadSlice('"')
		r.read += int64(len(part))
		r.cell = append(r.cell, part...)
		if len(r.cell) > maxCell {
			return 0, fmt.Errorf("a value of more than %d MB", maxCell>>20)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return 0, unexpected(err)
		}
		c, err := r.in.ReadByte()
		if errors.Is(err, io.EOF) {
			r.cell = r.cell[:len(r.cell)-1]
			return '\n', nil
		}
		if err != nil {
			return 0, err
		}
		r.read++
		if c != '"' {
			r.cell = r.cell[:len(r.cell)-1]
			if c != ',' && c != '\n' && c != '\r' {
				return 0, fmt.Errorf("%q after a closing quote", c)
			}
			return c, nil
		}
	}
}

// bare reads a value without quotes, which starts with c.
func (r *csvReader) bare(c byte) (byte, error) {
	r.cell = append(r.cell[:0], c)
	for {
		c, err := r.in.ReadByte()
		if errors.Is(err, io.EOF) {
			return '\n', nil
		}
		if err != nil {
			return 0, err
		}
		r.read++
		if c == ',' || c == '\n' || c == '\r' {
			return c, nil
		}
		if r.cell = append(r.cell, c); len(r.cell) > maxCell {
			return 0, fmt.Errorf("a value of more than %d MB", maxCell>>20)
		}
	}
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// csvPart is some rows of a CSV file, by their bytes.
type csvPart struct {
	Start int64 `json:"start"` // 0: the header stands before the first row
	End   int64 `json:"end"`   // 0: the file's
	ETag  string
}

// csvRows are rows of a CSV file in S3.
type csvRows struct {
	ctx     context.Context //nolint:containedctx // of Query
	url     string
	body    io.ReadCloser
	in      *csvReader
	columns []plainColumn
	row     int64 // of the last row handed out
	records records
	report  connector.Report
	err     error
}

// openCSV opens the rows of a SELECT's file.
func (j *job) openCSV(ctx context.Context, x *execution, columns []plainColumn, part csvPart) (warehouse.Rows, error) {
	rows, err := openCSV(ctx, j.s3, x.output, columns, part, 1)
	if err != nil {
		return nil, err
	}
	rows.report = j.report(x)
	return rows, nil
}

func openCSV(ctx context.Context, client *s3.Client, url string, columns []plainColumn, part csvPart, first int64) (*csvRows, error) {
	bucket, key := split(url)
	in := &s3.GetObjectInput{Bucket: &bucket, Key: &key}
	if part.Start > 0 || part.End > 0 {
		in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", part.Start, part.End-1))
	}
	if part.ETag != "" {
		in.IfMatch = &part.ETag
	}
	out, err := client.GetObject(ctx, in)
	if err != nil {
		return nil, awsapi.Error(ctx, "Query execution failed: reading the result "+url, err)
	}
	r := &csvRows{ctx: ctx, url: url, body: out.Body, in: newCSVReader(out.Body), columns: columns, row: first - 1}
	if part.Start == 0 {
		if err := r.in.row(func(int, []byte) error { return nil }); err != nil && !errors.Is(err, io.EOF) {
			_ = r.Close()
			return nil, r.failed(err)
		}
	}
	return r, nil
}

// Columns returns the columns.
func (r *csvRows) Columns() []connector.Column { return columnsOf(r.columns) }

// Next returns the next rows.
func (r *csvRows) Next() ([]connector.Record, error) {
	if r.err != nil {
		return nil, r.err
	}
	if r.err = context.Cause(r.ctx); r.err != nil {
		return nil, r.err
	}
	r.records.reset(len(r.columns), plainBatch)
	n := 0
	for ; n < plainBatch; n++ {
		values := r.records.row(n, r.row+1)
		if r.err = r.fill(values); r.err != nil {
			break
		}
		r.row++
	}
	if r.err != nil && !errors.Is(r.err, io.EOF) {
		r.err = r.failed(r.err)
		return nil, r.err
	}
	if n == 0 {
		return nil, r.err
	}
	return r.records.records[:n], nil
}

// fill reads a row.
func (r *csvRows) fill(values []ceap.Value) error {
	width := 0
	err := r.in.row(func(i int, text []byte) error {
		if width = i + 1; width > len(values) {
			return nil
		}
		if values[i] = ceap.Null(); text == nil {
			return nil
		}
		v, err := r.columns[i].value(string(text))
		if err != nil {
			return fmt.Errorf("column %s: %w", r.columns[i].Column.Name, err)
		}
		values[i] = v
		return nil
	})
	if err == nil && width != len(values) {
		return fmt.Errorf("it has %d values instead of %d", width, len(values))
	}
	return err
}

func (r *csvRows) failed(err error) error {
	if r.ctx.Err() != nil {
		return context.Cause(r.ctx)
	}
	return &ceap.Error{Code: ceap.CodeUnavailable, Message: fmt.Sprintf("Query execution failed: reading the result %s, row %d", r.url, r.row+1), Err: err, Hint: "run it again"}
}

// Close ends the download.
func (r *csvRows) Close() error {
	if r.body != nil {
		_ = r.body.Close() // it is only read
		r.body = nil
	}
	if r.err == nil || errors.Is(r.err, io.EOF) {
		r.err = errClosed
	}
	return nil
}

// Report tells about the query.
func (r *csvRows) Report() connector.Report { return r.report }
