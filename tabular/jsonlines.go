package tabular

import (
	"bytes"
	"errors"
	"io"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
)

const (
	maxHead      = 1000    // lines that are read to learn the columns
	maxHeadBytes = 8 << 20 // of these lines, so that long ones do not fill the memory
)

// JSONOptions say what the columns of a file of JSON lines are.
type JSONOptions struct {
	Columns []string // nil means the keys of the first 1000 lines, or 8 MiB of them
	Select  bool     // leave out keys that are none of Columns; else they are Damage
}

// JSONLines reads the rows of a file with one JSON object a line. A key that a
// line lacks is NULL, and blank lines do not count. A key that is no column is
// Damage that wraps a [*NewKeyError], so that no value is lost in silence.
type JSONLines struct {
	lines   lineReader
	objects Objects
	columns []connector.Column
	head    []jsonLine // lines that were read to learn the columns
	err     error

	row    int64
	batch  []connector.Record
	values []ceap.Value
}

type jsonLine struct {
	number int64
	data   []byte
}

// OpenJSONLines reads as much of the file as the columns take. A file without
// objects has those of o. It returns what [Rows.Next] may return as an error.
func OpenJSONLines(r io.Reader, o JSONOptions) (*JSONLines, error) {
	j := &JSONLines{lines: newLineReader(r), objects: Objects{Select: o.Select}}
	if o.Columns == nil {
		if err := j.learn(); err != nil {
			return nil, err
		}
	} else if err := j.objects.Add(o.Columns...); err != nil {
		return nil, &Damage{Reason: err.Error(), Err: err}
	}
	for _, name := range j.objects.Names() {
		j.columns = append(j.columns, connector.Column{Name: name})
	}
	return j, nil
}

// learn finds the columns. What breaks it off is told after the rows before it.
func (j *JSONLines) learn() error {
	for size := 0; len(j.head) < maxHead && size < maxHeadBytes; {
		line, err := j.read()
		if err != nil {
			j.err = err
			break
		}
		if err := j.objects.Learn(line); err != nil {
			return j.damage(j.lines.number, err)
		}
		j.head = append(j.head, jsonLine{j.lines.number, bytes.Clone(line)})
		size += len(line)
	}
	if len(j.head) == 0 && !errors.Is(j.err, io.EOF) {
		return j.err
	}
	return nil
}

// read returns the next line that is not blank.
func (j *JSONLines) read() ([]byte, error) {
	for {
		line, err := j.lines.next()
		if err != nil {
			return nil, err
		}
		if skipSpace(line, 0) < len(line) {
			return line, nil
		}
	}
}

// next returns the next line, of those kept or of the file, and its number.
func (j *JSONLines) next() ([]byte, int64, error) {
	if len(j.head) > 0 {
		line := j.head[0]
		j.head = j.head[1:]
		return line.data, line.number, nil
	}
	if j.err != nil {
		return nil, 0, j.err
	}
	line, err := j.read()
	return line, j.lines.number, err
}

// Columns returns the columns in the order of their first appearance. They have
// no types: each value has its own.
func (j *JSONLines) Columns() []connector.Column { return j.columns }

// Has reports whether a line so far had the key that is column i.
func (j *JSONLines) Has(i int) bool { return j.objects.given[i] > 0 }

// Next returns the next rows.
func (j *JSONLines) Next() ([]connector.Record, error) {
	j.batch, j.values = j.batch[:0], j.values[:0]
	var err error
	for size := 0; err == nil && len(j.batch) < batchRows && size < batchBytes; {
		var line []byte
		var number int64
		if line, number, err = j.next(); err == nil {
			err = j.addRow(line, number)
			size += len(line)
		}
	}
	if err != nil {
		j.err, j.head = err, nil
	}
	if len(j.batch) == 0 {
		return nil, j.err
	}
	width := len(j.columns)
	for i := range j.batch { // only now: values moves while it grows
		j.batch[i].Values = j.values[i*width : (i+1)*width : (i+1)*width]
	}
	return j.batch, nil
}

func (j *JSONLines) addRow(line []byte, number int64) error {
	values, err := j.objects.AppendRow(j.values, line)
	if err != nil {
		return j.damage(number, err)
	}
	j.row++
	j.values, j.batch = values, append(j.batch, connector.Record{Row: j.row})
	return nil
}

// damage returns the error for a line that cannot be read.
func (j *JSONLines) damage(line int64, err error) error {
	d := &Damage{Line: line, Reason: err.Error(), Remedy: "write one JSON object a line", Err: err}
	if errors.Is(err, errNotUTF8) {
		d.Remedy = utf8Remedy
	}
	return d
}

var _ Rows = (*JSONLines)(nil)
