package pipeline

import (
	"context"
	"encoding/binary"
	"math"
	"strings"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/filter"
	"github.com/ceap-platform/ceap/internal/spool"
)

// ranking says which rows of a log a Ranker keeps: 0 for those it keeps, else
// the number of the limit that they are beyond, from 1.
type ranking struct {
	limits  []filter.Limit
	verdict []uint8
}

// rank applies the limits to the rows of a log, one limit after the other. The
// log is in the order of keys, so a row's number breaks ties as its key would.
// Memory is a byte a row, and the sorter's.
func (x *execution) rank(ctx context.Context, log *spool.Log, limits []filter.Limit) (*ranking, error) {
	rk := &ranking{limits: limits, verdict: make([]uint8, log.Count())}
	for i := range limits {
		if err := x.rankOne(ctx, log, rk, i); err != nil {
			return nil, err
		}
	}
	return rk, nil
}

func (x *execution) rankOne(ctx context.Context, log *spool.Log, rk *ranking, index int) error {
	sorter := spool.NewSorter(x.tempDir, x.runner.sortMemory())
	defer sorter.Discard()
	var seq int64
	var key []byte
	var r row
	r.candidate.ProgramID, r.candidate.Marketplace = x.def.ProgramID, x.def.Marketplace
	err := log.Each(func(entry []byte) error {
		n := seq
		seq++
		if n%batchRows == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if rk.verdict[n] != 0 {
			return nil
		}
		k, data, scores := splitLogged(entry)
		if err := r.decode(k, data, &x.layouts); err != nil {
			return err
		}
		d := decoder{b: scores}
		d.scores(&r.candidate)
		group, err := rk.limits[index].Group(&r.candidate)
		if err != nil {
			rk.verdict[n] = uint8(index + 1) //nolint:gosec // a filter has a handful of limits; the worker asks again and sees the error
			return nil                       //nolint:nilerr // see above
		}
		key = appendRank(key[:0], group, &r.candidate, n)
		return sorter.Add(key, nil)
	})
	if err != nil {
		return err
	}
	it, err := sorter.Sort(ctx)
	if err != nil {
		return err
	}
	defer it.Close()
	return rk.keepBest(it, index)
}

// keepBest goes through the rows, sorted by group and rank.
func (rk *ranking) keepBest(it *spool.Iterator, index int) error {
	var group string
	kept := 0
	for first := true; it.Next(); first = false {
		key := it.Entry().Key
		if g, _ := cutPart(key); first || g != group {
			group, kept = strings.Clone(g), 0
		}
		if kept < rk.limits[index].Max {
			kept++
			continue
		}
		rk.verdict[binary.BigEndian.Uint64(key[len(key)-8:])] = uint8(index + 1) //nolint:gosec // a filter has a handful of limits
	}
	return it.Err()
}

// appendRank appends a key that sorts by group and, within it, as
// [ceap.CompareRank] does.
func appendRank(b []byte, group string, c *ceap.Candidate, seq int64) []byte {
	b = appendPart(b, group)
	if c.Scored {
		b = append(b, 0)
		b = binary.BigEndian.AppendUint64(b, ^math.Float64bits(c.Score)) // scores are not negative, so their bits sort like them
	} else {
		b = append(b, 1)
	}
	b = binary.BigEndian.AppendUint64(b, ^sortable(c.EventDate.UnixMicro()))
	return binary.BigEndian.AppendUint64(b, uint64(seq)) //nolint:gosec // rows count from 0
}

// judge gives a row of the log its verdict.
func (rk *ranking) judge(w *worker, r *row, seq int64, index int, filterID string) {
	n := rk.verdict[seq]
	if n == 0 {
		return
	}
	limit := rk.limits[n-1]
	var v filter.Verdict
	if group, err := limit.Group(&r.candidate); err != nil {
		v.Err = err
	} else {
		v = filter.Verdict{Code: filter.CodeCapacity, Reason: limit.Reason(group)}
	}
	w.judge(r, index, filterID, v, nil)
}
