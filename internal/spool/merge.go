package spool

import (
	"bytes"
	"cmp"
	"errors"
	"io"
)

// Iterator hands out sorted entries.
type Iterator struct {
	memory  *chunk // used if everything fitted into memory
	at      int
	readers []*reader // a heap, smallest entry first
	started bool
	entry   Entry
	err     error
}

// Next moves to the next entry and reports whether there is one; see
// [Iterator.Err] when there is not.
func (it *Iterator) Next() bool {
	if it.memory != nil {
		if it.at >= len(it.memory.refs) {
			return false
		}
		r := it.memory.refs[it.at]
		it.at++
		it.entry = Entry{Key: it.memory.key(r), Data: it.memory.payload(r)}
		return true
	}
	if it.err != nil || len(it.readers) == 0 {
		return false
	}
	if it.started {
		if !it.advance() {
			return false
		}
	}
	it.started = true
	it.entry = it.readers[0].entry
	return true
}

// advance reads on where the smallest entry came from.
func (it *Iterator) advance() bool {
	switch err := it.readers[0].next(); {
	case errors.Is(err, io.EOF):
		it.readers[0].file.discard()
		last := len(it.readers) - 1
		it.readers[0] = it.readers[last]
		it.readers = it.readers[:last]
		if last == 0 {
			return false
		}
	case err != nil:
		it.err = err
		return false
	}
	it.sink(0)
	return true
}

// Entry returns the entry; its bytes are valid until the next call of Next.
func (it *Iterator) Entry() Entry { return it.entry }

// Err returns what ended the iteration early, or nil.
func (it *Iterator) Err() error { return it.err }

// Close removes the files. It may be called more than once.
func (it *Iterator) Close() {
	for _, r := range it.readers {
		r.file.discard()
	}
	it.readers, it.memory = nil, nil
}

// openMerge merges files, which it then owns.
func openMerge(files []*file) (*Iterator, error) {
	it := &Iterator{}
	var failed error
	for _, f := range files {
		r := newReader(f)
		err := r.next()
		if errors.Is(err, io.EOF) {
			f.discard()
			continue
		}
		it.readers = append(it.readers, r)
		failed = cmp.Or(failed, err)
	}
	if failed != nil {
		it.Close()
		return nil, failed
	}
	for i := len(it.readers)/2 - 1; i >= 0; i-- {
		it.sink(i)
	}
	return it, nil
}

// sink restores the heap below i.
func (it *Iterator) sink(i int) {
	h := it.readers
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(h); child++ {
			if less(h[child].entry, h[least].entry) {
				least = child
			}
		}
		if least == i {
			return
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}

func less(a, b Entry) bool {
	if o := bytes.Compare(a.Key, b.Key); o != 0 {
		return o < 0
	}
	return bytes.Compare(a.Data, b.Data) < 0
}

// mergeToFile merges files, which it then owns, into a new one.
func mergeToFile(dir string, files []*file) (*file, error) {
	it, err := openMerge(files)
	if err != nil {
		return nil, err
	}
	defer it.Close()
	w, err := newWriter(dir)
	if err != nil {
		return nil, err
	}
	for it.Next() {
		if err := w.write(it.entry.Key, it.entry.Data); err != nil {
			w.discard()
			return nil, err
		}
	}
	if it.Err() != nil {
		w.discard()
		return nil, it.Err()
	}
	return w.finish()
}
