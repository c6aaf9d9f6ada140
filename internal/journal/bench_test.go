package journal_test

import (
	"context"
	"io"
	"testing"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/journal"
	"github.com/ceap-platform/ceap/store"
)

// sink is store.Artifacts that keeps the manifest alone, so that the memory of a
// benchmark is the writer's.
type sink struct{ *memory }

func (s sink) Create(ctx context.Context, name string) (store.ArtifactWriter, error) {
	if name == "runs/run-1/journal/manifest.json" {
		return s.memory.Create(ctx, name)
	}
	return nowhere{io.Discard}, nil
}

type nowhere struct{ io.Writer }

func (nowhere) Close() error   { return nil }
func (nowhere) Discard() error { return nil }

func BenchmarkWriter(b *testing.B) {
	const rows = 1_000_000
	outcomes := sample(rows)
	b.ReportAllocs()
	var bytes int64
	for b.Loop() {
		w, err := journal.Create(b.Context(), sink{newMemory()}, noon, head(1))
		if err != nil {
			b.Fatal(err)
		}
		for i := 0; i < rows; i += 4000 {
			if err := w.Write(outcomes[i : i+4000]); err != nil {
				b.Fatal(err)
			}
		}
		m, err := w.Close(true)
		if err != nil {
			b.Fatal(err)
		}
		bytes = m.Files[0].Bytes
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(bytes)/rows, "bytes/row")
}

func BenchmarkJournal_Find(b *testing.B) {
	const rows = 1_000_000
	artifacts := newMemory()
	outcomes := sample(rows)
	write(b, artifacts, 1, 4000, outcomes)
	find := func(b *testing.B, j *journal.Journal, i int) {
		b.Helper()
		customer := outcomes[i*7919%rows/10*10].CustomerID
		got, err := j.Find(b.Context(), journal.Query{CustomerID: customer})
		if err != nil || len(got) == 0 {
			b.Fatalf("Find(%s) is %v, %v", customer, got, err)
		}
	}
	b.Run("first", func(b *testing.B) { // with the checksum
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			find(b, open(b, artifacts), i)
		}
	})
	b.Run("next", func(b *testing.B) {
		b.ReportAllocs()
		j := open(b, artifacts)
		for i := 0; b.Loop(); i++ {
			find(b, j, i)
		}
	})
	b.Run("absent", func(b *testing.B) {
		j := open(b, artifacts)
		for b.Loop() {
			got, err := j.Find(b.Context(), journal.Query{CustomerID: "CUST-00500000x"})
			if err != nil || len(got) != 0 {
				b.Fatalf("Find is %v, %v", got, err)
			}
		}
	})
}

func BenchmarkJournal_All(b *testing.B) {
	const rows = 1_000_000
	artifacts := newMemory()
	write(b, artifacts, 1, 4000, sample(rows))
	b.ReportAllocs()
	for b.Loop() {
		var counts ceap.Counts
		for o, err := range open(b, artifacts).All(b.Context()) {
			if err != nil {
				b.Fatal(err)
			}
			counts.Add(o.Kind)
		}
		if counts.Finished() != rows {
			b.Fatalf("All yields %d outcomes", counts.Finished())
		}
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
