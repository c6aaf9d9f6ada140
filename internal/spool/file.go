package spool

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Buffer sizes in bytes: large enough that a file is read and written in long
// stretches, small enough for maxRuns readers.
const (
	writeBuffer = 1 << 20
	readBuffer  = 256 << 10
)

// file is a temporary file. It has no name, or loses it as soon as it is open, so
// that the system takes it away when the process ends, however it does. Where open
// files keep their names, it is removed when it is closed.
type file struct {
	*os.File
	size int64
}

func newFile(dir string) (*file, error) {
	if f, err := createUnnamed(dir); err == nil {
		return &file{File: f}, nil
	}
	f, err := os.CreateTemp(dir, "ceap-spool-*")
	if err != nil {
		return nil, fileError("creating", dir, err)
	}
	_ = os.Remove(f.Name())
	return &file{File: f}, nil
}

func (f *file) discard() {
	_ = f.Close()
	if strings.Contains(filepath.Base(f.Name()), "ceap-spool-") {
		_ = os.Remove(f.Name()) // it is gone already where that is possible
	}
}

// writer writes entries to a temporary file: the lengths of key and data as
// uvarints, then both.
type writer struct {
	file *file
	buf  *bufio.Writer
	head [2 * binary.MaxVarintLen64]byte
}

func newWriter(dir string) (*writer, error) {
	f, err := newFile(dir)
	if err != nil {
		return nil, err
	}
	return &writer{file: f, buf: bufio.NewWriterSize(f, writeBuffer)}, nil
}

func (w *writer) write(key, data []byte) error {
	n := binary.PutUvarint(w.head[:], uint64(len(key)))
	n += binary.PutUvarint(w.head[n:], uint64(len(data)))
	_, err := w.buf.Write(w.head[:n])
	if err == nil {
		_, err = w.buf.Write(key)
	}
	if err == nil {
		_, err = w.buf.Write(data)
	}
	if err != nil {
		return fileError("writing", w.file.Name(), err)
	}
	w.file.size += int64(n + len(key) + len(data))
	return nil
}

// finish ends the writing and returns the file.
func (w *writer) finish() (*file, error) {
	if err := w.buf.Flush(); err != nil {
		w.file.discard()
		return nil, fileError("writing", w.file.Name(), err)
	}
	return w.file, nil
}

func (w *writer) discard() { w.file.discard() }

// reader reads what a writer wrote. Its entry is valid until the next call.
type reader struct {
	file  *file
	buf   *bufio.Reader
	entry Entry
	mem   []byte
}

// newReader reads a file from its beginning; several may read one.
func newReader(f *file) *reader {
	return &reader{file: f, buf: bufio.NewReaderSize(io.NewSectionReader(f, 0, f.size), readBuffer)}
}

// next reads the next entry. It returns io.EOF after the last.
func (r *reader) next() error {
	keyLen, err := binary.ReadUvarint(r.buf)
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	var dataLen uint64
	if err == nil {
		dataLen, err = binary.ReadUvarint(r.buf)
	}
	if err != nil {
		return fileError("reading", r.file.Name(), err)
	}
	size := int(keyLen + dataLen) //nolint:gosec // lengths that this package wrote
	if cap(r.mem) < size {
		r.mem = make([]byte, size+size/2)
	}
	r.mem = r.mem[:size]
	if _, err := io.ReadFull(r.buf, r.mem); err != nil {
		return fileError("reading", r.file.Name(), err)
	}
	r.entry = Entry{Key: r.mem[:keyLen], Data: r.mem[keyLen:]}
	return nil
}
