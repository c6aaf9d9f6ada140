package dynamodb_test

import (
	"fmt"
	"testing"

	"github.com/ceap-platform/ceap"
)

// BenchmarkUpsert writes batches against moto, which is what it measures most of:
// use it to compare changes of this package, not to plan.
func BenchmarkUpsert(b *testing.B) {
	const rows = 500
	batch := func(n, change int) []*ceap.Candidate {
		out := make([]*ceap.Candidate, rows)
		for i := range out {
			out[i] = candidate(fmt.Sprintf("c%d-%d", n, i/3), fmt.Sprint(i%3))
			out[i].Score, out[i].Scored = float64((i+change)%100)/100, true
		}
		return out
	}
	for _, kind := range []string{"new", "unchanged", "updated"} {
		b.Run(kind, func(b *testing.B) {
			s := newStage(b)
			roles := s.open(b)
			write := func(n, change int, run string) {
				if _, err := roles.Candidates.Upsert(b.Context(), batch(n, change), options(run)); err != nil {
					b.Fatal(err)
				}
			}
			if kind != "new" {
				for n := range b.N {
					write(n, 0, "run-0")
				}
			}
			b.ResetTimer()
			for n := range b.N {
				write(n, map[string]int{"updated": 1}[kind], "run-1")
			}
			b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
