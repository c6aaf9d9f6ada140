package spool

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"os"
)

// Buffer sizes in bytes: large enough that a file is read and written in long
// stretches, small enough for maxRuns readers.
const (
	writeBuffer = 1 << 20
	readBuffer  = 256 << 10
)

// writer writes entries to a temporary file: the lengths of key and data as
// uvarints, then both.
type writer struct {
	file *os.File
	buf  *bufio.Writer
	head [2 * binary.MaxVarintLen64]byte
}

func newWriter(dir string) (*writer, error) {
	file, err := os.CreateTemp(dir, "spool-*")
	if err != nil {
		return nil, fileError("creating", dir, err)
	}
	return &writer{file: file, buf: bufio.NewWriterSize(file, writeBuffer)}, nil
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
	return nil
}

// close finishes the file and returns its name.
func (w *writer) close() (string, error) {
	err := w.buf.Flush()
	if closing := w.file.Close(); err == nil {
		err = closing
	}
	if err != nil {
		_ = os.Remove(w.file.Name())
		return "", fileError("writing", w.file.Name(), err)
	}
	return w.file.Name(), nil
}

func (w *writer) discard() {
	_ = w.file.Close()
	_ = os.Remove(w.file.Name())
}

// reader reads what a writer wrote. Its entry is valid until the next call.
type reader struct {
	file  *os.File
	buf   *bufio.Reader
	entry Entry
	mem   []byte
}

func openReader(name string) (*reader, error) {
	file, err := os.Open(name) //nolint:gosec // a file that this package made
	if err != nil {
		return nil, fileError("opening", name, err)
	}
	return &reader{file: file, buf: bufio.NewReaderSize(file, readBuffer)}, nil
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

func (r *reader) close() {
	_ = r.file.Close()
	_ = os.Remove(r.file.Name())
}
