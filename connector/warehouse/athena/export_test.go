package athena

import (
	"context"
	"io"
	"time"

	"github.com/ceap-platform/ceap"
)

// Hasten lets the engine wait no longer than it takes other goroutines to run,
// and tells how long it would have waited.
func (a *Athena) Hasten(waited func(time.Duration)) {
	a.sleep = func(ctx context.Context, d time.Duration) error {
		if waited != nil {
			waited(d)
		}
		return sleep(ctx, min(d, time.Millisecond))
	}
}

// ReadCSV returns the rows of a file of Athena's, header included, as values:
// NULL or text.
func ReadCSV(in io.Reader) (rows [][]ceap.Value, read int64, err error) {
	r := newCSVReader(in)
	for {
		var row []ceap.Value
		err := r.row(func(_ int, text []byte) error {
			v := ceap.Null()
			if text != nil {
				v = ceap.String(string(text))
			}
			row = append(row, v)
			return nil
		})
		if err == io.EOF { //nolint:errorlint // the reader's own
			return rows, r.read, nil
		}
		if err != nil {
			return rows, r.read, err
		}
		rows = append(rows, row)
	}
}
