//go:build cgo

package sqlite_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
	"github.com/ceap-platform/ceap/store/sqlite"
)

// BenchmarkUpsert writes sorted batches of 20,000 candidates, as a run does, into
// a store that is empty at first, and then the same again.
func BenchmarkUpsert(b *testing.B) {
	const size = 20_000
	for _, again := range []bool{false, true} {
		b.Run(map[bool]string{false: "new", true: "unchanged"}[again], func(b *testing.B) {
			s, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "ceap.db"), 128)
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			batch := make([]*ceap.Candidate, size)
			write := func(n int, run string) {
				for i := range batch {
					batch[i] = sample(n*size + i)
				}
				opts := store.UpsertOptions{RunID: run, Now: time.Date(2026, 1, 27, 0, 0, 0, 0, time.UTC), TTL: 720 * time.Hour}
				b.StartTimer()
				if _, err := s.Roles().Candidates.Upsert(b.Context(), batch, opts); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
			}
			b.StopTimer()
			for n := range b.N {
				if again {
					write(n, "run-0")
				}
			}
			b.ResetTimer()
			for n := range b.N {
				write(n, "run-1")
			}
			b.ReportMetric(float64(size)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func sample(i int) *ceap.Candidate {
	score := float64((i*7919)%100_000) / 100_000
	c := &ceap.Candidate{
		Key:       ceap.Key{CustomerID: fmt.Sprintf("CUST-%08d", i/3), ProgramID: "p", Marketplace: "US", SubjectType: "product", SubjectID: fmt.Sprintf("PROD-%07d", (i%3)*1000+i%1000)},
		EventDate: time.Date(2026, 1, 26+i%2, 0, 0, 0, 0, time.UTC), OrderValue: ceap.Float(float64(i%9973) / 100), Currency: "USD",
		Channels: []ceap.ChannelFlag{{Channel: "email", Eligible: true}, {Channel: "sms", Eligible: i%3 == 0}},
		Extra:    []ceap.Attribute{{Name: "order_id", Value: ceap.String(fmt.Sprintf("ORD-%09d", i))}, {Name: "product_category", Value: ceap.String("electronics")}},
		Scores:   []ceap.Score{{ModelID: "review-propensity", Value: score, State: ceap.ScoreModel}},
		Score:    score, Scored: true,
	}
	c.DeliveryDate = c.EventDate
	c.Meta.ConnectorID = "deliveries"
	return c
}
