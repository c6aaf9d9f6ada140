package tabular

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
)

// CSVOptions say how a CSV file is written. The zero CSVOptions are commas and a
// first line of column names.
type CSVOptions struct {
	Delimiter byte     // between values; 0 means a comma
	Names     []string // the columns of a file without a line of names; nil if it has one
}

// CSV reads the rows of a CSV file: RFC 4180, strictly. Values are text; nothing
// between two delimiters is NULL, and "" is empty text.
//
// As in the warehouse, lines end in LF or CR LF, lines without anything are no
// rows unless the file has only one column, blanks around a quoted value do not
// count, and neither do delimiters at the end of a line. A quote within a value
// that does not start with one is text.
type CSV struct {
	lines     lineReader
	delimiter byte
	columns   []connector.Column
	err       error

	raw    []byte // the record as it stands in the file, without its last line end
	fields []cell
	row    int64
	batch  []connector.Record
	values []ceap.Value
}

// cell is a value of a record: a piece of raw, or text of its own if quotes were
// taken out of it.
type cell struct {
	start, end int
	quoted     bool
	text       string // of a quoted value with quotes inside
}

// OpenCSV reads the line of column names. It returns what [Rows.Next] may return
// as an error, and Damage if a column has no name or a name of another.
func OpenCSV(r io.Reader, o CSVOptions) (*CSV, error) {
	c := &CSV{lines: newLineReader(r), delimiter: o.Delimiter}
	if c.delimiter == 0 {
		c.delimiter = ','
	}
	names := o.Names
	if names == nil {
		var err error
		if names, err = c.header(); err != nil {
			return nil, err
		}
	}
	if err := checkNames(names); err != nil {
		return nil, err
	}
	for _, name := range names {
		c.columns = append(c.columns, connector.Column{Name: name})
	}
	return c, nil
}

// header reads the line of column names, past a byte order mark.
func (c *CSV) header() ([]string, error) {
	err := c.readRecord()
	if errors.Is(err, io.EOF) || err == nil && len(c.raw) == 0 {
		return nil, &Damage{Line: 1, Reason: "there is no line of column names", Remedy: "a CSV file starts with a line of column names"}
	}
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(c.fields))
	text := string(c.raw)
	for _, f := range c.fields {
		names = append(names, f.of(text))
	}
	return names, nil
}

// checkNames refuses names that could not be told apart.
func checkNames(names []string) error {
	seen := make(map[string]bool, len(names))
	for i, name := range names {
		folded := strings.ToLower(name)
		switch {
		case strings.TrimSpace(name) == "":
			return &Damage{Line: 1, Reason: fmt.Sprintf("column %d has no name", i+1), Remedy: "name every column in the first line"}
		case seen[folded]:
			return &Damage{Line: 1, Reason: fmt.Sprintf("the column name %q occurs twice", name), Remedy: "rename one; case does not matter"}
		}
		seen[folded] = true
	}
	return nil
}

// Columns returns the columns; they have no types.
func (c *CSV) Columns() []connector.Column { return c.columns }

// Next returns the next rows.
func (c *CSV) Next() ([]connector.Record, error) {
	c.batch, c.values = c.batch[:0], c.values[:0]
	for size := 0; c.err == nil && len(c.batch) < batchRows && size < batchBytes; {
		if c.err = c.readRecord(); c.err == nil {
			c.err = c.addRow()
			size += len(c.raw)
		}
	}
	if len(c.batch) == 0 {
		return nil, c.err
	}
	width := len(c.columns)
	for i := range c.batch { // only now: values moves while it grows
		c.batch[i].Values = c.values[i*width : (i+1)*width : (i+1)*width]
	}
	return c.batch, nil
}

// addRow adds the record to the batch, unless it is a line without anything.
func (c *CSV) addRow() error {
	width, found := len(c.columns), len(c.fields)
	if len(c.raw) == 0 && width > 1 {
		return nil
	}
	for found > width && c.fields[found-1].isNull() {
		found-- // delimiters at the end
	}
	if found != width {
		return &Damage{
			Line: c.lines.start, Reason: fmt.Sprintf("it has %d values for %d columns", found, width),
			Remedy: "give every line one value for each column; a value with a comma stands in double quotes",
		}
	}
	text := string(c.raw) // one allocation for all values
	for _, f := range c.fields[:width] {
		if f.isNull() {
			c.values = append(c.values, ceap.Null())
		} else {
			c.values = append(c.values, ceap.String(f.of(text)))
		}
	}
	c.row++
	c.batch = append(c.batch, connector.Record{Row: c.row})
	return nil
}

func (f cell) isNull() bool { return !f.quoted && f.start == f.end }

// of returns the value as text, a piece of the record's.
func (f cell) of(record string) string {
	if f.text != "" {
		return f.text
	}
	return record[f.start:f.end]
}

// readRecord reads the next record into raw and fields.
func (c *CSV) readRecord() error {
	line, err := c.lines.next()
	if err != nil {
		return err
	}
	c.lines.start = c.lines.number
	c.raw, c.fields = append(c.raw[:0], line...), c.fields[:0]
	if bytes.IndexByte(line, '"') < 0 {
		return c.splitPlain()
	}
	return c.splitQuoted()
}

// splitPlain cuts a record without quotes.
func (c *CSV) splitPlain() error {
	c.trimLineEnd()
	for start := 0; ; {
		i := bytes.IndexByte(c.raw[start:], c.delimiter)
		if i < 0 {
			c.fields = append(c.fields, cell{start: start, end: len(c.raw)})
			return c.checkText()
		}
		c.fields = append(c.fields, cell{start: start, end: start + i})
		start += i + 1
	}
}

// splitQuoted cuts a record in which quotes occur, and reads the further lines
// over which it may extend.
func (c *CSV) splitQuoted() error {
	for at := 0; ; at++ {
		start := at
		for start < len(c.raw) && c.raw[start] == ' ' {
			start++
		}
		var err error
		if start < len(c.raw) && c.raw[start] == '"' {
			at, err = c.quoted(start + 1)
		} else {
			at = c.plain(at)
		}
		if err != nil {
			return err
		}
		if at == len(c.raw) || c.raw[at] != c.delimiter {
			c.raw = c.raw[:at]
			return c.checkText()
		}
	}
}

// plain adds the value without quotes that starts there, and returns where it
// ends.
func (c *CSV) plain(start int) int {
	end := start + len(bytes.TrimRight(c.raw[start:], "\r\n"))
	if i := bytes.IndexByte(c.raw[start:end], c.delimiter); i >= 0 {
		end = start + i
	}
	c.fields = append(c.fields, cell{start: start, end: end})
	return end
}

// quoted adds the value whose opening quote stands before start, and returns
// where the delimiter or the end of the record follows.
func (c *CSV) quoted(start int) (int, error) {
	doubled := false
	for at := start; ; at++ {
		i := bytes.IndexByte(c.raw[at:], '"')
		if i < 0 {
			at = len(c.raw)
			if err := c.more(); err != nil {
				return 0, err
			}
			at-- // continue with the line that was added
			continue
		}
		at += i
		if at+1 < len(c.raw) && c.raw[at+1] == '"' {
			doubled = true
			at++
			continue
		}
		f := cell{start: start, end: at, quoted: true}
		if doubled {
			f.text = strings.ReplaceAll(string(c.raw[start:at]), `""`, `"`)
		}
		c.fields = append(c.fields, f)
		return c.afterQuote(at + 1)
	}
}

// afterQuote returns where the delimiter or the end follows a closing quote.
func (c *CSV) afterQuote(at int) (int, error) {
	for at < len(c.raw) && c.raw[at] == ' ' {
		at++
	}
	if at < len(c.raw) && c.raw[at] != c.delimiter && len(bytes.TrimRight(c.raw[at:], "\r\n")) > 0 {
		return 0, &Damage{
			Line: c.lines.number, Reason: fmt.Sprintf("%q follows a closing quote", firstRune(c.raw[at:])),
			Remedy: "a quote inside a quoted value is written twice",
		}
	}
	return at, nil
}

// more adds the next line to the record, whose quote is still open.
func (c *CSV) more() error {
	line, err := c.lines.next()
	switch {
	case errors.Is(err, io.EOF):
		return &Damage{Line: c.lines.start, Reason: "a quote is opened and never closed", Remedy: "close the quote; a quote inside a quoted value is written twice"}
	case err != nil:
		return err
	case len(c.raw)+len(line) > maxLine:
		return &Damage{
			Line: c.lines.start, Reason: fmt.Sprintf("the quoted value has more than %d MB", maxLine>>20),
			Remedy: "close the quote; a quote inside a quoted value is written twice",
		}
	}
	c.raw = append(c.raw, line...)
	return nil
}

func (c *CSV) trimLineEnd() {
	c.raw = bytes.TrimSuffix(c.raw, []byte("\n"))
	c.raw = bytes.TrimSuffix(c.raw, []byte("\r"))
}

// checkText refuses what is no text, and line ends of old.
func (c *CSV) checkText() error {
	if !utf8.Valid(c.raw) {
		return &Damage{Line: c.lines.start, Reason: "it is not UTF-8", Remedy: utf8Remedy}
	}
	for _, f := range c.fields {
		if !f.quoted && bytes.IndexByte(c.raw[f.start:f.end], '\r') >= 0 {
			return &Damage{
				Line: c.lines.start, Reason: "a carriage return stands alone",
				Remedy: "end lines with a line feed, as with: tr '\\r' '\\n'; a value with a line end stands in double quotes",
			}
		}
	}
	return nil
}

const utf8Remedy = "save the file as UTF-8, as with: iconv -f LATIN1 -t UTF-8"

func firstRune(text []byte) string {
	r, _ := utf8.DecodeRune(text)
	return string(r)
}

// lineReader reads lines of bounded length, past a byte order mark.
type lineReader struct {
	in     *bufio.Reader
	buf    []byte
	number int64 // of the last line, from 1
	start  int64 // of the line that began the record
}

func newLineReader(r io.Reader) lineReader { return lineReader{in: bufio.NewReaderSize(r, 64<<10)} }

// next returns the next line with its end, valid until the next call. After the
// last line it returns [io.EOF].
func (l *lineReader) next() ([]byte, error) {
	line, err := l.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		line, err = l.long(line)
	}
	if err != nil && (!errors.Is(err, io.EOF) || len(line) == 0) {
		return nil, err
	}
	l.number++
	if l.number == 1 {
		line = bytes.TrimPrefix(line, []byte(byteOrderMark))
	}
	return line, nil
}

// long reads on after the start of a line that is longer than the buffer.
func (l *lineReader) long(start []byte) ([]byte, error) {
	l.buf = append(l.buf[:0], start...)
	for {
		part, err := l.in.ReadSlice('\n')
		l.buf = append(l.buf, part...)
		if len(l.buf) > maxLine {
			return nil, &Damage{Line: l.number + 1, Reason: fmt.Sprintf("it has more than %d MB", maxLine>>20), Remedy: "shorten it, or close the quote that is open"}
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return l.buf, err
		}
	}
}

var _ Rows = (*CSV)(nil)
