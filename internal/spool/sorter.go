// Package spool keeps more entries than fit into memory: a [Sorter] hands them
// out in the order of their keys, a [Log] in the order in which they were added.
// Entries beyond a bound of memory go to files in a folder of the caller's, which
// nothing but this package reads and which no crash leaves behind.
//
// The types are for one goroutine each.
package spool

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/ceap-platform/ceap"
)

// Entry is what a Sorter sorts: by Key, then by Data, bytewise.
type Entry struct {
	Key  []byte
	Data []byte
}

// maxRuns bounds the files that are merged, and so held open, at a time.
const maxRuns = 128

// Sorter sorts entries. Memory stays within about twice the bound given to
// [NewSorter], plus a read buffer for each file.
type Sorter struct {
	dir    string
	bound  int
	fill   *chunk
	spare  *chunk        // the chunk that is not being filled
	sorted chan sortedTo // the answer of the goroutine that writes spare, if it is at work
	busy   bool
	runs   []*file
	count  int64
}

type sortedTo struct {
	file *file
	err  error
}

// chunk is what is sorted in memory at once.
type chunk struct {
	data []byte
	refs []ref
}

// ref points to an entry of a chunk.
type ref struct {
	prefix  uint64 // the first bytes of the key after what all keys share
	offset  uint32
	keyLen  uint32
	dataLen uint32
}

// NewSorter returns a Sorter that keeps its files in dir, which must exist, and
// collects entries in two buffers of at most bound bytes each, 1 MiB to 1 GiB.
func NewSorter(dir string, bound int) *Sorter {
	bound = min(max(bound, 1<<20), 1<<30)
	return &Sorter{dir: dir, bound: bound, fill: &chunk{}, spare: &chunk{}, sorted: make(chan sortedTo, 1)}
}

// Add adds an entry; both parts are copied. It returns an error of unavailable
// when the files cannot be written.
func (s *Sorter) Add(key, data []byte) error {
	if size := len(key) + len(data); len(s.fill.data)+size > s.bound && len(s.fill.refs) > 0 {
		if err := s.flush(); err != nil {
			return err
		}
	}
	c := s.fill
	if len(c.data)+len(key)+len(data) > math.MaxUint32 {
		return ceap.Errorf(ceap.CodeInvalid, "an entry of %d bytes is too large to sort", len(key)+len(data))
	}
	c.refs = append(c.refs, ref{
		offset: uint32(len(c.data)), keyLen: uint32(len(key)), dataLen: uint32(len(data)), //nolint:gosec // bounded above
	})
	c.data = append(append(c.data, key...), data...)
	s.count++
	return nil
}

// Count returns how many entries have been added.
func (s *Sorter) Count() int64 { return s.count }

// flush hands the filled chunk to a goroutine that sorts and writes it, after
// the one before it is done, and goes on with the spare one.
func (s *Sorter) flush() error {
	if err := s.wait(); err != nil {
		return err
	}
	full := s.fill
	s.fill, s.spare = s.spare, full
	s.busy = true
	go func() {
		full.sort()
		file, err := full.write(s.dir)
		full.reset()
		s.sorted <- sortedTo{file, err}
	}()
	return nil
}

// wait waits for the chunk being written, if any.
func (s *Sorter) wait() error {
	if !s.busy {
		return nil
	}
	s.busy = false
	done := <-s.sorted
	if done.err != nil {
		return done.err
	}
	s.runs = append(s.runs, done.file)
	if len(s.runs) < 2*maxRuns {
		return nil
	}
	return s.mergeRuns()
}

// Sort ends the adding and returns the entries in order. The Sorter is of no
// further use; close the iterator to remove its files.
func (s *Sorter) Sort(ctx context.Context) (*Iterator, error) {
	if err := s.wait(); err != nil {
		return nil, err
	}
	s.fill.sort()
	s.spare = nil
	if len(s.runs) == 0 {
		return &Iterator{memory: s.fill}, nil
	}
	file, err := s.fill.write(s.dir)
	if err != nil {
		return nil, err
	}
	s.fill = nil
	s.runs = append(s.runs, file)
	for len(s.runs) > maxRuns {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err := s.mergeRuns(); err != nil {
			return nil, err
		}
	}
	runs := s.runs
	s.runs = nil
	return openMerge(runs)
}

// mergeRuns makes one file of the first maxRuns ones.
func (s *Sorter) mergeRuns() error {
	first := s.runs[:maxRuns]
	s.runs = s.runs[maxRuns:]
	merged, err := mergeToFile(s.dir, first)
	if err != nil {
		return err
	}
	s.runs = append(s.runs, merged)
	return nil
}

// Discard gives up sorting and removes the files.
func (s *Sorter) Discard() {
	_ = s.wait() // whatever went wrong there, the entries are not wanted any more
	for _, file := range s.runs {
		file.discard()
	}
	s.runs, s.fill, s.spare = nil, nil, nil
}

func (c *chunk) reset() { c.data, c.refs = c.data[:0], c.refs[:0] }

func (c *chunk) key(r ref) []byte { return c.data[r.offset : r.offset+r.keyLen] }

func (c *chunk) payload(r ref) []byte {
	start := r.offset + r.keyLen
	return c.data[start : start+r.dataLen]
}

// sort sorts the refs. Keys tend to share a long beginning (CUST-000...), which
// would make a prefix useless, so the prefix starts behind it.
func (c *chunk) sort() {
	if len(c.refs) == 0 {
		return
	}
	shared := c.key(c.refs[0])
	for _, r := range c.refs[1:] {
		shared = shared[:sharedLen(shared, c.key(r))]
	}
	skip := len(shared)
	for i := range c.refs {
		c.refs[i].prefix = prefixOf(c.key(c.refs[i])[skip:])
	}
	slices.SortFunc(c.refs, func(a, b ref) int {
		if a.prefix != b.prefix {
			return cmp.Compare(a.prefix, b.prefix)
		}
		if o := bytes.Compare(c.key(a)[skip:], c.key(b)[skip:]); o != 0 {
			return o
		}
		return bytes.Compare(c.payload(a), c.payload(b))
	})
}

func sharedLen(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// prefixOf returns up to eight bytes as a number that sorts like them. A key
// that is shorter sorts no later than one it begins.
func prefixOf(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.BigEndian.Uint64(b)
	}
	var p uint64
	for i, x := range b {
		p |= uint64(x) << (56 - 8*i)
	}
	return p
}

// write writes the chunk's entries to a new file of dir.
func (c *chunk) write(dir string) (*file, error) {
	w, err := newWriter(dir)
	if err != nil {
		return nil, err
	}
	for _, r := range c.refs {
		if err := w.write(c.key(r), c.payload(r)); err != nil {
			w.discard()
			return nil, err
		}
	}
	return w.finish()
}

// fileError says that the folder of temporary files is at fault.
func fileError(doing, name string, err error) error {
	return &ceap.Error{
		Code: ceap.CodeUnavailable,
		Hint: "free space in that folder, or set another with `tempDir` in ceap.yaml",
		Err:  fmt.Errorf("%s temporary file %s: %w", doing, name, err),
	}
}
