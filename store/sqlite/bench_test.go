//go:build cgo

package sqlite_test

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
	"github.com/ceap-platform/ceap/store/sqlite"
)

const benchBatch = 20_000

// BenchmarkUpsert writes sorted batches, as a run does, into a store that is
// empty at first: one batch is one iteration (-benchtime 500x is 10 million rows).
// Then it writes them again, unchanged and with other scores.
func BenchmarkUpsert(b *testing.B) {
	for _, kind := range []string{"new", "unchanged", "updated"} {
		b.Run(kind, func(b *testing.B) { benchUpsert(b, kind) })
	}
}

func benchUpsert(b *testing.B, kind string) {
	b.Helper()
	b.StopTimer()
	path := filepath.Join(b.TempDir(), "ceap.db")
	s, err := sqlite.Open(b.Context(), path, sqlite.Default().CacheMB)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	w := &benchWriter{b: b, roles: s.Roles(), batch: make([]*ceap.Candidate, benchBatch)}
	if kind != "new" {
		for n := range b.N {
			w.write(n, 0, "run-0")
		}
	}
	w.cpu = 0
	b.ResetTimer()
	for n := range b.N {
		w.write(n, map[string]int{"updated": 1}[kind], "run-1")
	}
	rows := float64(benchBatch) * float64(b.N)
	b.ReportMetric(rows/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(w.cpu.Seconds()/rows*1e6, "cpu-µs/row")
	if info, err := os.Stat(path); err == nil {
		b.ReportMetric(float64(info.Size())/1e6, "MB")
	}
	b.ReportMetric(float64(usage(b).Maxrss)/1024, "MiB-rss-max")
}

type benchWriter struct {
	b     *testing.B
	roles store.Roles
	batch []*ceap.Candidate
	cpu   time.Duration // spent in Upsert
}

func (w *benchWriter) write(n, change int, run string) {
	for i := range w.batch {
		w.batch[i] = sample(n*benchBatch+i, change)
	}
	opts := store.UpsertOptions{RunID: run, Now: time.Date(2026, 1, 27, 0, 0, 0, 0, time.UTC), TTL: 720 * time.Hour}
	before := usage(w.b)
	w.b.StartTimer()
	_, err := w.roles.Candidates.Upsert(w.b.Context(), w.batch, opts)
	w.b.StopTimer()
	if err != nil {
		w.b.Fatal(err)
	}
	after := usage(w.b)
	w.cpu += time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
}

func usage(b *testing.B) (u syscall.Rusage) {
	b.Helper()
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u
}

// BenchmarkFind reads the best hundred of a channel in a store of a million.
func BenchmarkFind(b *testing.B) {
	s, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "ceap.db"), sqlite.Default().CacheMB)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	w := &benchWriter{b: b, roles: s.Roles(), batch: make([]*ceap.Candidate, benchBatch)}
	for n := range 50 {
		w.write(n, 0, "run-0")
	}
	b.StartTimer()
	b.ResetTimer()
	for b.Loop() {
		if _, err := w.roles.Candidates.Find(b.Context(), store.Query{ProgramID: "p", Channel: "email"}); err != nil {
			b.Fatal(err)
		}
	}
}

func sample(i, change int) *ceap.Candidate {
	score := float64((i*7919+change)%100_000) / 100_000
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
