package journal

import (
	"context"
	"errors"
	"io"

	"github.com/parquet-go/parquet-go"

	"github.com/ceap-platform/ceap"
)

// defaultLimit is how many outcomes a query without a limit returns.
const defaultLimit = 1000

// Query selects outcomes. Empty fields select all; a field that an outcome does
// not know never equals one that is asked for.
type Query struct {
	CustomerID  string
	SubjectType string
	SubjectID   string
	Outcome     ceap.OutcomeKind
	Limit       int // 0 means 1000
}

// condition is one field of a query: a column and the value asked for.
type condition struct {
	column string
	value  string
	of     func(*row) string
}

// conditions returns the fields that are asked for, the one that leaves the
// fewest rows first.
func (q Query) conditions() []condition {
	var asked []condition
	for _, c := range []condition{
		{"customer_id", q.CustomerID, func(r *row) string { return r.CustomerID }},
		{"subject_id", q.SubjectID, func(r *row) string { return r.SubjectID }},
		{"outcome", string(q.Outcome), func(r *row) string { return r.Outcome }},
		{"subject_type", q.SubjectType, func(r *row) string { return r.SubjectType }},
	} {
		if c.value != "" {
			c.value = text(c.value) // as it was written
			asked = append(asked, c)
		}
	}
	return asked
}

func matches(conditions []condition, r *row) bool {
	for _, c := range conditions {
		if c.of(r) != c.value {
			return false
		}
	}
	return true
}

// Find returns the outcomes that the query selects, in the order in which they
// were written. It reads the pages that can hold the customer and skips the
// others, which makes it fast where the outcomes were written in the order of
// their customers. Its errors are those of [Journal.All].
func (j *Journal) Find(ctx context.Context, q Query) ([]ceap.Outcome, error) {
	s := search{conditions: q.conditions(), limit: q.Limit}
	if s.limit <= 0 {
		s.limit = defaultLimit
	}
	for i := range j.manifest.Files {
		if len(s.found) >= s.limit {
			break
		}
		if err := s.file(ctx, j, i); err != nil {
			return nil, err
		}
	}
	return s.found, nil
}

// search is one call of Find.
type search struct {
	conditions []condition
	limit      int
	found      []ceap.Outcome
}

func (s *search) file(ctx context.Context, j *Journal, i int) error {
	file, err := j.open(ctx, i)
	if err != nil {
		return err
	}
	defer file.close() //nolint:errcheck // only read
	for _, group := range file.groups {
		var spans []span
		err := file.guard(func() (err error) {
			spans, err = s.spans(group)
			return err
		})
		if err != nil {
			return err
		}
		if err := s.collect(ctx, file, group, spans); err != nil {
			return err
		}
	}
	return nil
}

// span is a range of rows of a row group, without its end.
type span struct{ start, end int64 }

// spans returns the rows of the group that meet the first condition.
func (s *search) spans(group parquet.RowGroup) ([]span, error) {
	if len(s.conditions) == 0 {
		return []span{{0, group.NumRows()}}, nil
	}
	chunks := make([]parquet.ColumnChunk, len(s.conditions))
	for i, c := range s.conditions {
		leaf, ok := group.Schema().Lookup(c.column)
		if !ok {
			return nil, errors.New("it has no column " + c.column)
		}
		chunks[i] = group.ColumnChunks()[leaf.ColumnIndex]
		if !mayHold(chunks[i], c.value) {
			return nil, nil
		}
	}
	return findInChunk(chunks[0], s.conditions[0].value)
}

// mayHold reports whether the bounds of the whole chunk allow the value.
func mayHold(chunk parquet.ColumnChunk, value string) bool {
	bounded, ok := chunk.(interface {
		Bounds() (lo, hi parquet.Value, ok bool)
	})
	if !ok {
		return true
	}
	lo, hi, ok := bounded.Bounds()
	return !ok || string(lo.ByteArray()) <= value && value <= string(hi.ByteArray())
}

// findInChunk returns the rows that hold the value, reading only pages whose
// bounds allow it.
func findInChunk(chunk parquet.ColumnChunk, value string) ([]span, error) {
	bounds, err := chunk.ColumnIndex()
	if err != nil {
		return nil, err
	}
	offsets, err := chunk.OffsetIndex()
	if err != nil {
		return nil, err
	}
	pages := chunk.Pages()
	defer pages.Close() //nolint:errcheck // only read
	var spans []span
	buffer := make([]parquet.Value, batchRows)
	for i := range offsets.NumPages() {
		if bounds.NullPage(i) || value < string(bounds.MinValue(i).ByteArray()) || string(bounds.MaxValue(i).ByteArray()) < value {
			continue
		}
		start := offsets.FirstRowIndex(i)
		if err := pages.SeekToRow(start); err != nil {
			return nil, err
		}
		page, err := pages.ReadPage()
		if err != nil {
			return nil, err
		}
		spans, err = findInPage(page, start, value, buffer, spans)
		parquet.Release(page)
		if err != nil {
			return nil, err
		}
	}
	return spans, nil
}

// findInPage appends to spans the rows of the page, whose first is start, that
// hold the value.
func findInPage(page parquet.Page, start int64, value string, buffer []parquet.Value, spans []span) ([]span, error) {
	values := page.Values()
	for at := start; ; {
		n, err := values.ReadValues(buffer)
		for k, v := range buffer[:n] {
			if v.IsNull() || string(v.ByteArray()) != value {
				continue
			}
			r := at + int64(k)
			if last := len(spans) - 1; last >= 0 && spans[last].end == r {
				spans[last].end++
			} else {
				spans = append(spans, span{r, r + 1})
			}
		}
		at += int64(n)
		if errors.Is(err, io.EOF) {
			return spans, nil
		}
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, io.ErrNoProgress
		}
	}
}

// collect appends the outcomes of the spans that meet every condition, up to the
// limit.
func (s *search) collect(ctx context.Context, file *partReader, group parquet.RowGroup, spans []span) error {
	if len(spans) == 0 {
		return nil
	}
	reader, err := file.rowsOf(group)
	if err != nil {
		return err
	}
	rows := make([]row, batchRows)
	for _, span := range spans {
		if len(s.found) >= s.limit {
			return nil
		}
		if err := file.guard(func() error { return reader.SeekToRow(span.start) }); err != nil {
			return err
		}
		for at := span.start; at < span.end && len(s.found) < s.limit; {
			n, err := file.read(ctx, reader, rows[:min(span.end-at, int64(len(rows)))])
			if err != nil {
				return err
			}
			s.add(rows[:n])
			at += int64(n)
		}
	}
	return nil
}

func (s *search) add(rows []row) {
	for i := range rows {
		if len(s.found) < s.limit && matches(s.conditions, &rows[i]) {
			s.found = append(s.found, rows[i].outcome())
		}
	}
}
