//go:build cgo

package sqlite_test

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store/sqlite"
)

func TestI31_PlacesSortAsRanks(t *testing.T) {
	t.Parallel()
	part := rapid.SampledFrom([]string{"", "\x00", "\x00\x01", "\x00\xff", "a", "a\x00", "a\x00b", "a\x01", "ab", "é", "\xff", "\xff\xff"})
	event := rapid.OneOf(rapid.Int64Range(-3, 3), rapid.Int64())
	candidate := rapid.Custom(func(t *rapid.T) *ceap.Candidate {
		c := &ceap.Candidate{Key: ceap.Key{
			CustomerID: part.Draw(t, "customer"), ProgramID: part.Draw(t, "program"), Marketplace: part.Draw(t, "marketplace"),
			SubjectType: part.Draw(t, "type"), SubjectID: part.Draw(t, "id"),
		}}
		c.EventDate = time.UnixMicro(event.Draw(t, "event")).UTC()
		if c.Scored = rapid.Bool().Draw(t, "scored"); c.Scored {
			c.Score = rapid.OneOf(rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1, -1, 0.5}), rapid.Float64()).Draw(t, "score")
		}
		return c
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := candidate.Draw(t, "a"), candidate.Draw(t, "b")
		if rapid.Bool().Draw(t, "tie") {
			b.Score, b.Scored = a.Score, a.Scored
		}
		if got, want := bytes.Compare(sqlite.Place(a), sqlite.Place(b)), ceap.CompareRank(a, b); got != want {
			t.Fatalf("%d, want %d", got, want)
		}
	})
}

func TestRanks_RoundTrip(t *testing.T) {
	t.Parallel()
	number := rapid.OneOf(rapid.Int64Range(0, 3), rapid.Int64(), rapid.SampledFrom([]int64{math.MaxInt64, math.MinInt64, -1}))
	rapid.Check(t, func(t *rapid.T) {
		entries := rapid.SliceOf(rapid.Custom(func(t *rapid.T) [4]int64 {
			return [4]int64{number.Draw(t, "score"), number.Draw(t, "event"), number.Draw(t, "id"), number.Draw(t, "version")}
		})).Draw(t, "entries")
		slices.SortFunc(entries, func(a, b [4]int64) int { return cmp.Compare(uint64(a[0]), uint64(b[0])) })
		got, err := sqlite.Repack(entries)
		if err != nil || !slices.Equal(got, entries) {
			t.Fatalf("%v (-want +got):\n%s", err, gocmp.Diff(entries, got))
		}
	})
}

func FuzzParseEntries(f *testing.F) {
	f.Add([]byte{}, 0)
	f.Add([]byte{1, 2, 3, 4}, 1)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, 2)
	f.Add([]byte{1, 2, 3, 4, 5}, 1)
	f.Fuzz(func(t *testing.T, b []byte, count int) {
		if n, err := sqlite.ParseEntries(b, count); err == nil && n != count {
			t.Errorf("%d entries of %d", n, count)
		}
	})
}
