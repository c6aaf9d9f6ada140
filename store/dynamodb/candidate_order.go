package dynamodb

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"math"
	"strconv"
	"strings"

	"github.com/ceap-platform/ceap"
)

// index adds the keys of the indexes. GSI1 has open candidates only: an item
// without its keys is not in it.
func index(it item, c *ceap.Candidate, shards int) {
	partition := text(shard(scope{c.ProgramID, c.Marketplace}, shardOf(c.CustomerID, shards)))
	if c.Meta.Status == ceap.StatusOpen {
		it[rankIndex+"PK"], it[rankIndex+"SK"] = partition, text(rankText(c))
	}
	it[createdIndex+"PK"], it[createdIndex+"SK"] = partition, text(createdText(c))
}

// shard names a partition of an index: <program>#<marketplace>#<n>, with the
// escapes of D1. DynamoDB takes 1,000 writes a second for a partition, and an
// index that is throttled throttles its table.
func shard(s scope, n int) string {
	return escape(s.program) + "#" + escape(s.marketplace) + "#" + strconv.Itoa(n)
}

// shardOf spreads customers. shards is a power of two, so that the shards of a
// smaller number are among those of a larger one.
func shardOf(customer string, shards int) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(customer))       // it never returns an error
	return int(h.Sum32() % uint32(shards)) //nolint:gosec // 1 to 256
}

// escape is the escaping of D1.
func escape(s string) string {
	return strings.NewReplacer("%", "%25", "#", "%23").Replace(s)
}

// rankText returns a text whose order is that of [ceap.CompareRank] among the
// candidates of a program: the bits of the score and of the event, best first, and
// the key.
func rankText(c *ceap.Candidate) string {
	return fit(fmt.Sprintf("%016x %016x ", scoreRank(c.Score, c.Scored), eventRank(c.EventDate.UnixMicro())) + keyText(c.Key))
}

// createdText returns a text whose order is that of creation: the time and, so
// that no two are equal, the key.
func createdText(c *ceap.Candidate) string {
	return fit(formatTime(c.Meta.CreatedAt) + " " + keyText(c.Key))
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

// keyText returns a text whose order is that of [ceap.Key.Compare], and that no
// other key has: the parts, each ended by a space. What sorts below "\"" is
// escaped, with "!" and two hexadecimal digits, and so sorts above the space.
func keyText(k ceap.Key) string {
	var b strings.Builder
	for _, part := range [...]string{k.CustomerID, k.ProgramID, k.Marketplace, k.SubjectType, k.SubjectID} {
		for i := range len(part) {
			if part[i] > '!' {
				b.WriteByte(part[i])
			} else {
				fmt.Fprintf(&b, "!%02x", part[i])
			}
		}
		b.WriteByte(' ')
	}
	return b.String()
}

// maxSortKey is DynamoDB's limit on a sort key, in bytes.
const maxSortKey = 1024

// fit cuts a text to the length of a sort key. A hash in place of what is cut
// keeps texts apart; only between such long texts their order is arbitrary.
func fit(s string) string {
	if len(s) <= maxSortKey {
		return s
	}
	hash := sha256.Sum256([]byte(s))
	head := strings.ToValidUTF8(s[:maxSortKey-2*len(hash)], "") // no character is cut in two
	return head + hex.EncodeToString(hash[:])
}
