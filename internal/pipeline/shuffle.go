package pipeline

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
)

// Rows that are the same candidate can stand in different parts of a source. So
// that one process sees them all, each part spreads its candidates over shards by
// their customer, and each shard is then decided by one process, which reads its
// pieces of every part.
//
// A part's file holds pieces one after the other. A piece is compressed, with a
// checksum, and complete in itself: first the layouts that its entries name, then
// the entries.

// piece is where some entries of one shard lie.
type piece struct {
	File   string `json:"file"` // the artefact
	Shard  int    `json:"shard"`
	Offset int64  `json:"offset"`
	Length int64  `json:"length"`
	Rows   int64  `json:"rows"`
}

// shuffleMemory is how many bytes of entries a part keeps before it writes what
// it has as pieces.
const shuffleMemory = 48 << 20

// shardOf returns the shard of an entry's customer.
func shardOf(key []byte, shards int) int {
	customer, _ := cutPart(key)
	h := fnv.New64a()
	_, _ = io.WriteString(h, customer)     // a hash takes everything
	return int(h.Sum64() % uint64(shards)) //nolint:gosec // shards is a small positive number
}

// shuffler writes the entries of a part by shard.
type shuffler struct {
	layouts *layouts
	file    string
	out     counter
	encoder *zstd.Encoder
	shards  []shardBuffer
	held    int
	pieces  []piece
}

// counter counts what is written to an artefact.
type counter struct {
	store.ArtifactWriter
	written int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.ArtifactWriter.Write(b)
	c.written += int64(n)
	return n, err
}

type shardBuffer struct {
	data []byte
	rows int64
}

func newShuffler(ls *layouts, shards int, file string, out store.ArtifactWriter) (*shuffler, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(true))
	if err != nil {
		return nil, fmt.Errorf("starting compression: %w", err)
	}
	return &shuffler{layouts: ls, file: file, out: counter{ArtifactWriter: out}, encoder: encoder, shards: make([]shardBuffer, shards), pieces: []piece{}}, nil
}

// Add implements [entries].
func (s *shuffler) Add(key, data []byte) error {
	b := &s.shards[shardOf(key, len(s.shards))]
	before := len(b.data)
	b.data = binary.AppendUvarint(b.data, uint64(len(key)))
	b.data = append(b.data, key...)
	b.data = binary.AppendUvarint(b.data, uint64(len(data)))
	b.data = append(b.data, data...)
	b.rows++
	if s.held += len(b.data) - before; s.held < shuffleMemory {
		return nil
	}
	return s.flush()
}

// flush writes what every shard has as a piece each.
func (s *shuffler) flush() error {
	head := appendLayouts(nil, s.layouts.all())
	for i := range s.shards {
		b := &s.shards[i]
		if b.rows == 0 {
			continue
		}
		before := s.out.written
		s.encoder.Reset(&s.out)
		for _, plain := range [][]byte{head, b.data} {
			if _, err := s.encoder.Write(plain); err != nil {
				return fmt.Errorf("writing %s: %w", s.file, err)
			}
		}
		if err := s.encoder.Close(); err != nil {
			return fmt.Errorf("writing %s: %w", s.file, err)
		}
		s.pieces = append(s.pieces, piece{File: s.file, Shard: i, Offset: before, Length: s.out.written - before, Rows: b.rows})
		b.data, b.rows = b.data[:0], 0
	}
	s.held = 0
	return nil
}

// close writes the rest and finishes the file.
func (s *shuffler) close() ([]piece, error) {
	if err := s.flush(); err != nil {
		return nil, errors.Join(err, s.out.Discard())
	}
	if err := s.out.Close(); err != nil {
		return nil, fmt.Errorf("writing %s: %w", s.file, err)
	}
	return s.pieces, nil
}

func appendLayouts(b []byte, all []*layout) []byte {
	b = binary.AppendUvarint(b, uint64(len(all)))
	for _, l := range all {
		for _, names := range [][]string{l.channels, l.extra} {
			b = binary.AppendUvarint(b, uint64(len(names)))
			for _, name := range names {
				b = appendText(b, name)
			}
		}
	}
	return b
}

// maxPiece bounds what a piece may unpack to: what a part holds at most, and one
// row beyond that.
const maxPiece = 1 << 30

// newPieceDecoder returns a decoder for [readPiece], which is for one goroutine.
func newPieceDecoder() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPiece))
}

// readPiece hands the entries of a piece to each, with the numbers that their
// layouts have in ls.
func readPiece(unpack *zstd.Decoder, packed []byte, p piece, ls *layouts, each func(key, data []byte) error) error {
	plain, err := unpack.DecodeAll(packed, nil)
	if err != nil {
		return ceap.Errorf(ceap.CodeInternal, "unpacking %s at %d: %w", p.File, p.Offset, err)
	}
	d := pieceReader{decoder{b: plain}}
	numbers := d.layouts(ls)
	var rows int64
	for !d.bad && len(d.b) > 0 {
		key, data := d.block(), d.block()
		if d.bad || len(data) < trailerLen {
			d.bad = true
			break
		}
		end := data[len(data)-2:]
		n := binary.BigEndian.Uint16(end)
		if int(n) >= len(numbers) {
			d.bad = true
			break
		}
		binary.BigEndian.PutUint16(end, numbers[n])
		rows++
		if err := each(key, data); err != nil {
			return err
		}
	}
	if d.bad || rows != p.Rows {
		return ceap.Errorf(ceap.CodeInternal, "%s at %d cannot be read back: %d of %d rows", p.File, p.Offset, rows, p.Rows)
	}
	return nil
}

// pieceReader reads pieces.
type pieceReader struct{ decoder }

func (d *pieceReader) count() int {
	n, size := binary.Uvarint(d.b)
	if size <= 0 || n > uint64(len(d.b)) {
		d.bad = true
		return 0
	}
	d.b = d.b[size:]
	return int(n) //nolint:gosec // at most the length of a slice
}

func (d *pieceReader) block() []byte { return d.bytes(uint64(d.count())) } //nolint:gosec // a count is not negative

func (d *pieceReader) names() []string {
	n := d.count()
	var names []string
	for range n {
		if d.bad {
			return nil
		}
		names = append(names, strings.Clone(d.text())) // not the whole piece with it
	}
	return names
}

// layouts reads the layouts of a piece and returns their numbers in ls.
func (d *pieceReader) layouts(ls *layouts) []uint16 {
	n := d.count()
	var numbers []uint16
	for range n {
		channels, extra := d.names(), d.names()
		if d.bad {
			return nil
		}
		number := ls.named(channels, extra)
		if number >= maxLayouts {
			d.bad = true
			return nil
		}
		numbers = append(numbers, uint16(number)) //nolint:gosec // bounded above
	}
	return numbers
}
