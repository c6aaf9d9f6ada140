package pipeline

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap"
)

// buffer is an artefact in memory.
type buffer struct{ bytes.Buffer }

func (*buffer) Close() error   { return nil }
func (*buffer) Discard() error { return nil }

// entriesOf returns entries of candidates with several layouts.
func entriesOf(n int, ls *layouts) (keys, data [][]byte) {
	enc := encoder{layouts: ls}
	for i := range n {
		c := ceap.Candidate{
			Key:       ceap.Key{CustomerID: fmt.Sprintf("c\x00%d", i%7), SubjectType: "product", SubjectID: fmt.Sprint(i)},
			EventDate: time.UnixMicro(int64(i)).UTC(), OrderValue: ceap.Int(int64(i)),
			Channels: []ceap.ChannelFlag{{Channel: "email", Eligible: i%2 == 0}},
		}
		if i%3 == 0 {
			c.Extra = []ceap.Attribute{{Name: "order", Value: ceap.String("o-1")}}
		}
		key, content := enc.encode(&c, i%2, int64(i))
		keys, data = append(keys, slices.Clone(key)), append(data, slices.Clone(content))
	}
	return keys, data
}

// What is spread over shards comes back, each customer's entries from one shard,
// with layouts that mean the same under other numbers.
func TestShuffle_GivesBackWhatItTakes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		from, to := &layouts{}, &layouts{}
		to.named([]string{"sms"}, nil) // so that numbers differ
		keys, data := entriesOf(rapid.IntRange(0, 60).Draw(rt, "entries"), from)
		shards := rapid.IntRange(1, 9).Draw(rt, "shards")
		out := &buffer{}
		s, err := newShuffler(from, shards, "f", out)
		if err != nil {
			rt.Fatal(err)
		}
		for i := range keys {
			if err := s.Add(keys[i], data[i]); err != nil {
				rt.Fatal(err)
			}
			if rapid.IntRange(0, 9).Draw(rt, "flush") == 0 {
				if err := s.flush(); err != nil {
					rt.Fatal(err)
				}
			}
		}
		pieces, err := s.close()
		if err != nil {
			rt.Fatal(err)
		}
		unpack, err := newPieceDecoder()
		if err != nil {
			rt.Fatal(err)
		}
		defer unpack.Close()
		shardBy := map[string]int{}
		var got []string
		for _, p := range pieces {
			err := readPiece(unpack, out.Bytes()[p.Offset:p.Offset+p.Length], p, to, func(key, data []byte) error {
				var r row
				if err := r.decode(slices.Clone(key), slices.Clone(data), to); err != nil {
					return err
				}
				if shard, seen := shardBy[r.candidate.CustomerID]; seen && shard != p.Shard {
					rt.Errorf("customer %q is in shards %d and %d", r.candidate.CustomerID, shard, p.Shard)
				}
				shardBy[r.candidate.CustomerID] = p.Shard
				got = append(got, fmt.Sprintf("%v %v %v %d", r.candidate.Key, r.candidate.Channels, r.candidate.Extra, r.number))
				return nil
			})
			if err != nil {
				rt.Fatal(err)
			}
		}
		var want []string
		for i := range keys {
			var r row
			if err := r.decode(keys[i], data[i], from); err != nil {
				rt.Fatal(err)
			}
			want = append(want, fmt.Sprintf("%v %v %v %d", r.candidate.Key, r.candidate.Channels, r.candidate.Extra, r.number))
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(want, got) {
			rt.Errorf("want %v\ngot  %v", want, got)
		}
	})
}

func FuzzReadPiece(f *testing.F) {
	ls := &layouts{}
	keys, data := entriesOf(5, ls)
	out := &buffer{}
	s, err := newShuffler(ls, 1, "f", out)
	if err != nil {
		f.Fatal(err)
	}
	for i := range keys {
		if err := s.Add(keys[i], data[i]); err != nil {
			f.Fatal(err)
		}
	}
	if _, err := s.close(); err != nil {
		f.Fatal(err)
	}
	unpack, err := newPieceDecoder()
	if err != nil {
		f.Fatal(err)
	}
	plain, err := unpack.DecodeAll(out.Bytes(), nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain, int64(5))
	f.Add([]byte{0}, int64(0))
	f.Fuzz(func(t *testing.T, plain []byte, rows int64) {
		packer := s.encoder
		var read int64
		err := readPiece(unpack, packer.EncodeAll(plain, nil), piece{File: "f", Rows: rows}, &layouts{}, func(_, data []byte) error {
			if len(data) < trailerLen {
				t.Error("an entry without a trailer")
			}
			read++
			return nil
		})
		if err == nil && read != rows {
			t.Errorf("%d rows instead of %d, and no error", read, rows)
		}
	})
}
