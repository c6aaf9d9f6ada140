//go:build cgo

package sqlite

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/ceap-platform/ceap"
)

// pageEntries bounds the entries of a page: enough that a page's row and its
// place in the index hardly count, and few enough that reading the best hundred
// does not decode much else.
const pageEntries = 512

// smallPage is the number of entries from which on a page is left alone.
const smallPage = pageEntries / 2

// entry says where an open candidate stands. Smaller is better.
type entry struct {
	score, event uint64
	id, version  int64
}

func newEntry(score float64, scored bool, eventAt, id, version int64) entry {
	return entry{score: scoreRank(score, scored), event: eventRank(eventAt), id: id, version: version}
}

// scoreRank turns a score into a number whose order is that of the ranks: higher
// scores first, unscored last.
func scoreRank(score float64, scored bool) uint64 { //nolint:revive // the score has two parts
	if !scored {
		return math.MaxUint64
	}
	bits := math.Float64bits(score + 0) // -0 becomes 0
	if bits>>63 == 0 {
		return ^(bits | 1<<63)
	}
	return bits
}

// eventRank turns a time into a number that is smaller for a newer one.
func eventRank(micros int64) uint64 {
	return ^(uint64(micros) ^ 1<<63) //nolint:gosec // the bits are meant
}

func (e entry) compare(other entry) int {
	return cmp.Or(cmp.Compare(e.score, other.score), cmp.Compare(e.event, other.event))
}

// appendRank appends a text of bytes whose order is that of [ceap.CompareRank],
// for the candidate of the entry.
func (e entry) appendRank(b []byte, key ceap.Key) []byte {
	b = binary.BigEndian.AppendUint64(b, e.score)
	b = binary.BigEndian.AppendUint64(b, e.event)
	for _, part := range [...]string{key.CustomerID, key.ProgramID, key.Marketplace, key.SubjectType, key.SubjectID} {
		b = appendPart(b, part)
	}
	return b
}

// appendPart appends a string so that no part is the beginning of another and
// their order stays: a zero byte is followed by 0xFF, the end is 0x00 0x01.
func appendPart(b []byte, part string) []byte {
	for i := range len(part) {
		if b = append(b, part[i]); part[i] == 0 {
			b = append(b, 0xFF)
		}
	}
	return append(b, 0, 1)
}

// appendEntries appends sorted entries, each as the difference to the one before.
func appendEntries(b []byte, entries []entry) []byte {
	var last entry
	for _, e := range entries {
		b = binary.AppendUvarint(b, e.score-last.score)
		b = binary.AppendVarint(b, int64(e.event-last.event)) //nolint:gosec // wraps there and back
		b = binary.AppendVarint(b, e.id-last.id)
		b = binary.AppendVarint(b, e.version)
		last = e
	}
	return b
}

var errDamagedPage = errors.New("a page of ranks is damaged")

// parseEntries reads what appendEntries wrote.
func parseEntries(b []byte, count int) ([]entry, error) {
	if count < 0 || count > len(b)/4 { // an entry has four bytes at least
		return nil, fmt.Errorf("%w: %d entries in %d bytes", errDamagedPage, count, len(b))
	}
	entries := make([]entry, 0, count)
	var last entry
	for len(entries) < count {
		score, n := binary.Uvarint(b)
		event, m := binary.Varint(b[max(n, 0):])
		if n <= 0 || m <= 0 {
			return nil, errDamagedPage
		}
		b = b[n+m:]
		id, n := binary.Varint(b)
		version, m := binary.Varint(b[max(n, 0):])
		if n <= 0 || m <= 0 {
			return nil, errDamagedPage
		}
		b = b[n+m:]
		last = entry{last.score + score, last.event + uint64(event), last.id + id, version} //nolint:gosec // wraps there and back
		entries = append(entries, last)
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("%w: %d bytes too many", errDamagedPage, len(b))
	}
	return entries, nil
}
