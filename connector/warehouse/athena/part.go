package athena

import (
	"context"
	"encoding/json"
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

// Bounds of a part, and of how many there are.
const (
	partRows  = 100_000
	partBytes = 64 << 20
	maxParts  = 10_000 // children of a Distributed Map at a time, from its quotas
)

// partData is what is needed to read a part: of files, of a CSV file or of pages.
type partData struct {
	Bucket  string             `json:"bucket,omitempty"`
	Pieces  []filePiece        `json:"pieces,omitempty"`
	URL     string             `json:"url,omitempty"` // of the CSV file
	CSV     *csvPart           `json:"csv,omitempty"`
	QueryID string             `json:"queryId,omitempty"` // of the pages
	Token   string             `json:"token,omitempty"`
	Pages   int                `json:"pages,omitempty"`
	Columns []connector.Column `json:"columns"`
}

// Parts cuts the result at row groups, or where a CSV file's rows end, or at
// pages. Both of the last have to be read once for that.
func (a *Athena) Parts(ctx context.Context, s warehouse.Statement, data json.RawMessage) (connector.Parts, error) {
	j, err := a.resume(ctx, s, data)
	if err != nil {
		return connector.Parts{}, err
	}
	x, _, err := j.step(ctx)
	if err != nil {
		return connector.Parts{}, err
	}
	if x == nil || !x.ended() {
		return connector.Parts{}, s.Failed(ceap.CodeConflict, -1, "its parts were asked for before it was done")
	}
	parts := connector.Parts{Report: j.report(x)}
	var cut cutter
	switch {
	case j.Mode == modeUnload:
		err = j.cutFiles(ctx, x, &parts, &cut)
	case j.place.managed():
		err = j.cutPages(ctx, x, &parts, &cut)
	default:
		err = j.cutCSV(ctx, x, &parts, &cut)
	}
	if err != nil {
		return connector.Parts{}, err
	}
	if len(cut.list) > maxParts {
		return connector.Parts{}, s.Failed(ceap.CodeInvalid, -1, fmt.Sprintf("the result has %d rows in %d parts, and a run takes %d parts", cut.next, len(cut.list), maxParts)).
			WithHint("run fewer days at a time")
	}
	parts.List = cut.list
	return parts, cut.err
}

// cutter makes parts.
type cutter struct {
	list []connector.Part
	next int64 // rows before the next part
	err  error
}

func (c *cutter) add(rows, bytes int64, data partData) {
	if rows == 0 {
		return
	}
	raw, err := json.Marshal(data)
	c.err = errors.Join(c.err, err)
	c.list = append(c.list, connector.Part{FirstRow: c.next + 1, Rows: rows, Bytes: bytes, Data: raw})
	c.next += rows
}

// cutFiles cuts files at row groups; small files share a part.
func (j *job) cutFiles(ctx context.Context, x *execution, parts *connector.Parts, cut *cutter) error {
	files, err := j.files(ctx, x)
	if err != nil {
		return err
	}
	if parts.Columns, err = j.columns(ctx, files); err != nil {
		return err
	}
	bucket, _ := split(j.place.Root)
	var pieces []filePiece
	var rows, bytes int64
	flush := func() {
		cut.add(rows, bytes, partData{Bucket: bucket, Pieces: pieces, Columns: parts.Columns})
		pieces, rows, bytes = nil, 0, 0
	}
	for _, f := range files {
		for n, g := range f.groups {
			if rows > 0 && (rows+g.Rows > partRows || bytes+g.Bytes > partBytes) {
				flush()
			}
			if last := len(pieces) - 1; last >= 0 && pieces[last].Key == f.key {
				pieces[last].To = n + 1
			} else {
				pieces = append(pieces, filePiece{Key: f.key, ETag: f.object.etag, From: n, To: n + 1})
			}
			rows, bytes = rows+g.Rows, bytes+g.Bytes
		}
	}
	flush()
	return nil
}

// cutCSV cuts a CSV file at ends of rows.
func (j *job) cutCSV(ctx context.Context, x *execution, parts *connector.Parts, cut *cutter) error {
	first, err := j.page(ctx, x.id, "")
	if err != nil {
		return err
	}
	parts.Columns = named(first.columns)
	bucket, key := split(x.output)
	out, err := j.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return awsapi.Error(ctx, "Query execution failed: reading the result "+x.output, err)
	}
	defer out.Body.Close() //nolint:errcheck // it is only read
	in := newCSVReader(out.Body)
	skip := func(int, []byte) error { return nil }
	if err := in.row(skip); err != nil && !errors.Is(err, io.EOF) {
		return awsapi.Error(ctx, "Query execution failed: reading the result "+x.output, err)
	}
	start, rows := in.read, int64(0)
	flush := func() {
		cut.add(rows, in.read-start, partData{URL: x.output, CSV: &csvPart{Start: start, End: in.read, ETag: aws.ToString(out.ETag)}, Columns: parts.Columns})
		start, rows = in.read, 0
	}
	for {
		err := in.row(skip)
		if errors.Is(err, io.EOF) {
			flush()
			return nil
		}
		if err != nil {
			return awsapi.Error(ctx, "Query execution failed: reading the result "+x.output, err)
		}
		if rows++; rows == partRows || in.read-start >= partBytes {
			flush()
		}
	}
}

// cutPages cuts a managed result at pages.
func (j *job) cutPages(ctx context.Context, x *execution, parts *connector.Parts, cut *cutter) error {
	part := partData{QueryID: x.id}
	var rows int64
	token := ""
	for n := 0; ; n++ {
		p, err := j.page(ctx, x.id, token)
		if err != nil {
			return err
		}
		count := int64(len(p.rows))
		if n == 0 {
			parts.Columns = named(p.columns)
			count = max(count-1, 0) // the names
		}
		part.Pages++
		part.Columns = parts.Columns
		rows += count
		if p.next == "" || rows+1000 > partRows {
			cut.add(rows, 0, part)
			part, rows = partData{QueryID: x.id, Token: p.next}, 0
		}
		if token = p.next; token == "" {
			return nil
		}
	}
}

// OpenPart reads a part.
func (a *Athena) OpenPart(ctx context.Context, p connector.Part) (warehouse.Rows, error) {
	var d partData
	if err := json.Unmarshal(p.Data, &d); err != nil {
		return nil, ceap.Errorf(ceap.CodeInvalid, "reading a part of Athena's: %w", err)
	}
	c, err := a.clients(ctx)
	if err != nil {
		return nil, err
	}
	var plain []plainColumn
	for _, column := range d.Columns {
		plain = append(plain, plainColumn{column, reader(column.Type)})
	}
	switch {
	case d.CSV != nil:
		return openCSV(ctx, c.s3, d.URL, plain, *d.CSV, p.FirstRow)
	case d.QueryID != "":
		r := &pageRows{job: &job{Athena: a, clients: c}, ctx: ctx, id: d.QueryID, columns: plain, token: d.Token, pages: d.Pages, row: p.FirstRow - 1}
		if d.Token == "" {
			r.skip = 1
		}
		return r, nil
	default:
		return newFileRows(ctx, c.s3, d, p.FirstRow, connector.Report{}), nil
	}
}
