package spool_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap/internal/spool"
)

type pair struct{ Key, Data string }

func sorted(t interface{ Fatalf(string, ...any) }, dir string, bound int, in []pair) []pair {
	s := spool.NewSorter(dir, bound)
	for _, p := range in {
		if err := s.Add([]byte(p.Key), []byte(p.Data)); err != nil {
			t.Fatalf("adding: %v", err)
		}
	}
	it, err := s.Sort(context.Background())
	if err != nil {
		t.Fatalf("sorting: %v", err)
	}
	defer it.Close()
	var out []pair
	for it.Next() {
		e := it.Entry()
		out = append(out, pair{string(e.Key), string(e.Data)})
	}
	if it.Err() != nil {
		t.Fatalf("iterating: %v", it.Err())
	}
	return out
}

func oracle(in []pair) []pair {
	out := slices.Clone(in)
	slices.SortFunc(out, func(a, b pair) int {
		if c := bytes.Compare([]byte(a.Key), []byte(b.Key)); c != 0 {
			return c
		}
		return bytes.Compare([]byte(a.Data), []byte(b.Data))
	})
	return out
}

func TestSorter_InMemory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.SliceOf(rapid.Custom(func(t *rapid.T) pair {
			return pair{
				rapid.OneOf(rapid.String(), rapid.Just("CUST-0000"), rapid.SampledFrom([]string{"", "\x00", "CUST-0000\x00", "CUST-00001"})).Draw(t, "key"),
				rapid.StringN(0, 5, -1).Draw(t, "data"),
			}
		})).Draw(t, "entries")
		if diff := cmp.Diff(oracle(in), sorted(t, dir, 1<<20, in)); len(in) > 0 && diff != "" {
			t.Fatalf("order (-want +got):\n%s", diff)
		}
	})
}

func TestSorter_SpillsAndRemovesItsFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(1, 2))
	var in []pair
	data := string(bytes.Repeat([]byte{'x'}, 900))
	for range 20_000 { // 20 MB, in about twenty files
		in = append(in, pair{fmt.Sprintf("CUST-%06d", rng.IntN(9000)), fmt.Sprint(rng.IntN(3)) + data})
	}
	if diff := cmp.Diff(oracle(in), sorted(t, dir, 1<<20, in)); diff != "" {
		t.Fatalf("order differs")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Fatalf("files left: %v, %v", left, err)
	}
}

func TestSorter_MergesManyFilesInPasses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := spool.NewSorter(dir, 1<<20)
	filler := bytes.Repeat([]byte{'y'}, 600<<10) // one entry a file
	for i := range 200 {
		if err := s.Add(binary.BigEndian.AppendUint16(nil, uint16((i*37)%200)), filler); err != nil {
			t.Fatal(err)
		}
	}
	it, err := s.Sort(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	for want := range uint16(200) {
		if !it.Next() {
			t.Fatalf("ended before %d: %v", want, it.Err())
		}
		if got := binary.BigEndian.Uint16(it.Entry().Key); got != want {
			t.Fatalf("got %d, want %d", got, want)
		}
	}
	if it.Next() {
		t.Fatal("more entries than were added")
	}
}

func TestSorter_SaysWhenTheFolderIsGone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := spool.NewSorter(dir+"/gone", 1<<20)
	filler := bytes.Repeat([]byte{'y'}, 700<<10)
	var err error
	for range 4 {
		if err = s.Add(nil, filler); err != nil {
			break
		}
	}
	if err == nil {
		t.Fatal("writing into a folder that does not exist went unnoticed")
	}
}

func TestLog(t *testing.T) {
	t.Parallel()
	l, err := spool.NewLog(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"b", "", "a"}
	for _, s := range want {
		if err := l.Add([]byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Finish(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		var got []string
		if err := l.Each(func(data []byte) error { got = append(got, string(data)); return nil }); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	}
	l.Discard()
	if err := l.Each(func([]byte) error { return nil }); err == nil {
		t.Fatal("a discarded log can still be read")
	}
}

func BenchmarkSorter(b *testing.B) {
	dir := b.TempDir()
	data := bytes.Repeat([]byte{'x'}, 110)
	for b.Loop() {
		rng := rand.New(rand.NewPCG(1, 2))
		s := spool.NewSorter(dir, 48<<20)
		var key []byte
		for range 1_000_000 {
			key = fmt.Appendf(key[:0], "CUST-%08d\x00\x01product\x00\x01PROD-%06d\x00\x01", rng.IntN(3_000_000), rng.IntN(50_000))
			if err := s.Add(key, data); err != nil {
				b.Fatal(err)
			}
		}
		it, err := s.Sort(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		for it.Next() {
		}
		it.Close()
	}
	b.ReportMetric(float64(b.N)*1e6/b.Elapsed().Seconds(), "entries/s")
}
