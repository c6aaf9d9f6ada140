//go:build cgo

// Command aws measures the functions of CEAP on AWS, without an account: how fast
// they extract and store, how much memory they take, how large their packages are and
// how soon they are ready; and it projects what large runs take and cost. It fails
// where a bound is broken.
//
// Rows are extracted and stored in three ways: in this process, into a store that
// forgets them; by the packaged program, into a table that answers as soon as
// DynamoDB would and keeps nothing; and by that program into the emulator, few rows,
// since the emulator's own speed is what shows there.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ceap-platform/ceap/internal/awslambda"
)

// Bounds that fail the benchmark.
const (
	memoryLimit  = 256 << 20
	packageLimit = 15e6
	medianOf     = 3
)

func main() {
	rows := flag.Int64("rows", 100_000, "rows of the part that is measured")
	small := flag.Int64("emulator-rows", 2_000, "rows to store in the emulator")
	asJSON := flag.Bool("json", false, "print the figures as JSON")
	flag.Parse()
	f, err := measure(context.Background(), *rows, *small)
	if err == nil {
		if *asJSON {
			err = json.NewEncoder(os.Stdout).Encode(f)
		} else {
			f.print(os.Stdout)
		}
		err = errors.Join(err, f.broken())
	}
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// figures is what was measured.
type figures struct {
	LoadBefore  string        `json:"loadBefore"`
	LoadAfter   string        `json:"loadAfter"`
	Speeds      []speed       `json:"speeds"`
	Memory      []memory      `json:"memory"`
	Packages    []size        `json:"packages"`
	ReadyMs     float64       `json:"readyMs"`
	Row         perRow        `json:"row"`
	Projections []*projection `json:"projections"`
}

// speed is the median of some runs of one step.
type speed struct {
	What string  `json:"what"`
	Rows int64   `json:"rows"`
	Rate float64 `json:"rowsPerSecond"` // by the clock
	CPU  float64 `json:"cpuMicros"`     // of a row, processor time
}

// memory is the peak of the processes of one step.
type memory struct {
	What  string `json:"what"`
	Bytes int64  `json:"bytes"`
}

func measure(ctx context.Context, rows, small int64) (f *figures, err error) {
	dir, err := os.MkdirTemp("", "ceap-bench-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	f = &figures{LoadBefore: loadAverage()}
	var binary string
	if f.Packages, binary, err = packages(ctx, dir); err != nil {
		return nil, err
	}
	w, err := newWorld(ctx, dir, rows, small)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	ready, err := readiness(binary, w.places)
	if err != nil {
		return nil, err
	}
	f.ReadyMs = float64(ready.Microseconds()) / 1000
	if err := f.inside(ctx, w); err != nil {
		return nil, fmt.Errorf("in this process: %w", err)
	}
	if err := f.packaged(ctx, w, binary, rows); err != nil {
		return nil, fmt.Errorf("the packaged program: %w", err)
	}
	if err := f.emulated(ctx, w, binary); err != nil {
		return nil, fmt.Errorf("the packaged program on the emulator: %w", err)
	}
	for _, n := range []float64{10e6, 1e9} {
		p := project(n, f.Row)
		f.Projections = append(f.Projections, &p)
	}
	f.LoadAfter = loadAverage()
	return f, nil
}

// inside measures the steps in this process, and a store that forgets.
func (f *figures) inside(ctx context.Context, w *world) error {
	set, err := nowhere(filepath.Join(w.dir, "nowhere"))
	if err != nil {
		return err
	}
	if err := w.apply(ctx, set); err != nil {
		return err
	}
	function, err := awslambda.Open(ctx, set, w.places, io.Discard, io.Discard)
	if err != nil {
		return err
	}
	part := inside{function, awslambda.HandlerPart}
	m := machine{control: inside{function, awslambda.HandlerControl}, extract: part, store: part, read: w.read}
	var extract, store []timing
	for n := range medianOf {
		e, s, err := m.run(ctx, fmt.Sprintf("inside-%d", n), largeDay)
		if err != nil {
			return err
		}
		extract, store = append(extract, e), append(store, s)
	}
	f.add("extract, in this process", extract)
	f.add("store, in this process, nowhere", store)
	return function.App.Close()
}

// packaged measures the packaged program with a table that keeps nothing.
func (f *figures) packaged(ctx context.Context, w *world, binary string, rows int64) error {
	t, err := newTable(w.cloud.URL)
	if err != nil {
		return err
	}
	defer t.close()
	extract, store, err := f.runs(ctx, w, binary, "packaged", func(int) string { return largeDay }, t.environ())
	if err != nil {
		return err
	}
	f.add("extract, packaged", extract)
	f.add("store, packaged, a table that answers in 5 ms", store)
	asked := t.asked()
	all := float64(rows * medianOf)
	f.Row = perRow{
		Extract: f.Speeds[len(f.Speeds)-2].CPU / 1e6, Store: f.Speeds[len(f.Speeds)-1].CPU / 1e6,
		Writes: float64(asked.Writes) / all, Reads: float64(asked.Reads) / all, Item: float64(asked.Bytes) / float64(max(asked.Items, 1)),
	}
	return nil
}

// emulated measures the packaged program against the emulator alone.
func (f *figures) emulated(ctx context.Context, w *world, binary string) error {
	_, store, err := f.runs(ctx, w, binary, "emulated", smallDay, nil)
	if err == nil {
		f.add("store, packaged, the emulator", store)
	}
	return err
}

// runs takes the program through some runs, each time with new processes, and notes their memory.
func (f *figures) runs(ctx context.Context, w *world, binary, name string, day func(n int) string, environ []string) (extract, store []timing, err error) {
	var peaks [2]int64
	for n := range medianOf {
		var workers [3]*worker
		for i, handler := range []string{awslambda.HandlerControl, awslambda.HandlerPart, awslambda.HandlerPart} {
			if workers[i], err = startWorker(binary, handler, slices.Concat(w.places, environ)); err != nil {
				return nil, nil, err
			}
			defer func() { err = errors.Join(err, workers[i].close()) }()
		}
		m := machine{control: workers[0], extract: workers[1], store: workers[2], read: w.read}
		e, s, err := m.run(ctx, fmt.Sprintf("%s-%d", name, n), day(n))
		if err != nil {
			return nil, nil, err
		}
		extract, store = append(extract, e), append(store, s)
		for i := range peaks {
			peak, err := workers[i+1].peak()
			if err != nil {
				return nil, nil, err
			}
			peaks[i] = max(peaks[i], peak)
		}
	}
	if day(0) == largeDay {
		f.Memory = append(f.Memory, memory{fmt.Sprintf("a part that extracts %d rows", extract[0].rows), peaks[0]},
			memory{fmt.Sprintf("a part that stores %d rows", store[0].rows), peaks[1]})
	}
	return extract, store, nil
}

func (f *figures) add(what string, runs []timing) {
	var took, cpu []time.Duration
	for _, r := range runs {
		took, cpu = append(took, r.took), append(cpu, r.cpu)
	}
	rows := runs[0].rows
	f.Speeds = append(f.Speeds, speed{what, rows, float64(rows) / median(took).Seconds(), float64(median(cpu).Microseconds()) / float64(rows)})
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}

// broken returns an error for each bound that does not hold.
func (f *figures) broken() error {
	var problems []error
	for _, m := range f.Memory {
		if m.Bytes > memoryLimit {
			problems = append(problems, fmt.Errorf("%s takes %d MiB; at most %d are allowed", m.What, m.Bytes>>20, memoryLimit>>20))
		}
	}
	for _, p := range f.Packages {
		if p.Bytes > packageLimit {
			problems = append(problems, fmt.Errorf("the package for %s has %.1f MB; at most %.0f are allowed", p.Arch, float64(p.Bytes)/1e6, packageLimit/1e6))
		}
	}
	return errors.Join(problems...)
}

func loadAverage() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(data))
}

func (f *figures) print(to io.Writer) {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }
	say("load before: %s, after: %s", f.LoadBefore, f.LoadAfter)
	say("\nstep (median of %d)\trows\trows/s\tprocessor us/row", medianOf)
	for _, s := range f.Speeds {
		say("%s\t%d\t%.0f\t%.1f", s.What, s.Rows, s.Rate, s.CPU)
	}
	say("\nmemory (VmHWM, highest of %d)\tMiB\tlimit", medianOf)
	for _, m := range f.Memory {
		say("%s\t%d\t%d", m.What, m.Bytes>>20, memoryLimit>>20)
	}
	say("\npackage\tMB\tlimit")
	for _, p := range f.Packages {
		say("ceap-lambda-%s.zip\t%.2f\t%.0f", p.Arch, float64(p.Bytes)/1e6, packageLimit/1e6)
	}
	say("\nfrom exec to the first question for an event (median of 10): %.1f ms", f.ReadyMs)
	say("a new candidate: %.2f writes, %.2f keys read, item of %.0f bytes", f.Row.Writes, f.Row.Reads, f.Row.Item)
	_ = w.Flush() // to the terminal
	for _, p := range f.Projections {
		p.print(w)
		_ = w.Flush() // to the terminal
	}
}

func (p *projection) print(w io.Writer) {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }
	say("\n%s new candidates: $%.2f and %s beside the query (list prices of us-east-1: check before relying)", count(p.Rows), p.Dollars, span(p.Seconds))
	for _, l := range p.Lines {
		value := fmt.Sprintf("$%.2f", l.Dollars)
		if l.Seconds > 0 {
			value = span(l.Seconds)
		}
		say("%s\t%s\t%s", l.Item, value, l.How)
	}
	for _, n := range p.Notes {
		say("%s", n)
	}
}
