package spool

import (
	"errors"
	"io"
)

// Log keeps entries in the order in which they are added, in a file. It can be
// read any number of times once it is complete.
type Log struct {
	w     *writer
	count int64
}

// NewLog returns an empty log with a file in dir, which must exist.
func NewLog(dir string) (*Log, error) {
	w, err := newWriter(dir)
	if err != nil {
		return nil, err
	}
	return &Log{w: w}, nil
}

// Add adds an entry.
func (l *Log) Add(data []byte) error {
	l.count++
	return l.w.write(nil, data)
}

// Count returns how many entries have been added.
func (l *Log) Count() int64 { return l.count }

// Finish ends the adding.
func (l *Log) Finish() error {
	_, err := l.w.finish()
	return err
}

// Each calls yield with every entry, in order; the bytes are valid during the
// call. It ends with yield's error, if any. The log must be finished.
func (l *Log) Each(yield func(data []byte) error) error {
	r := newReader(l.w.file)
	for {
		switch err := r.next(); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := yield(r.entry.Data); err != nil {
			return err
		}
	}
}

// Discard removes the file. It may be called at any time.
func (l *Log) Discard() { l.w.discard() }
