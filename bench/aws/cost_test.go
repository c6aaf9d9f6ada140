//go:build cgo

package main

import (
	"math"
	"strings"
	"testing"
)

// TestProject holds the projection to sums made by hand.
func TestProject(t *testing.T) {
	t.Parallel()
	row := perRow{Extract: 20e-6, Store: 100e-6, Writes: 2, Reads: 5, Item: 900}
	for rows, want := range map[float64]map[string]float64{
		10e6: {
			"Athena": 0.006, "DynamoDB writes": 25, "DynamoDB reads": 6.25,
			"Step Functions": 0.01575, // 630 transitions
			"S3 GET":         0.004,   // 100 parts x 100 shards
		},
		1e9: {
			"Athena": 0.6, "DynamoDB writes": 2500, "DynamoDB reads": 625,
			"Step Functions": 0.15075, // 1,000 parts of a million rows, not 10,000 parts
			"S3 GET":         3.2,     // eight pieces of 48 MiB for a million rows of 400 bytes
		},
	} {
		p := project(rows, row)
		var sum float64
		got := map[string]float64{}
		for _, l := range p.Lines {
			sum += l.Dollars
			got[l.Item] = l.Dollars
		}
		if math.Abs(sum-p.Dollars) > 1e-6 {
			t.Errorf("%s rows: the lines add up to $%f, the total is $%f", count(rows), sum, p.Dollars)
		}
		for item, dollars := range want {
			if math.Abs(got[item]-dollars) > 1e-6 {
				t.Errorf("%s rows: %s costs $%f, want $%f", count(rows), item, got[item], dollars)
			}
		}
	}
}

// TestProject_Bounds wants a word about parts that would not be done in time.
func TestProject_Bounds(t *testing.T) {
	t.Parallel()
	row := perRow{Extract: 20e-6, Store: 100e-6, Writes: 2, Reads: 5, Item: 900}
	told := func(rows float64) bool {
		return strings.Contains(strings.Join(project(rows, row).Notes, "\n"), "PartConcurrency")
	}
	if told(10e6) {
		t.Error("100,000 rows a part are done in time at 40,000 writes a second")
	}
	if !told(1e9) {
		t.Error("a million rows a part, 50 at a time, take 2,500 s at 40,000 writes a second; nobody says so")
	}
}

// TestBroken wants an error for each bound.
func TestBroken(t *testing.T) {
	t.Parallel()
	f := figures{Memory: []memory{{"a", memoryLimit}, {"b", memoryLimit + 1}}, Packages: []size{{"x", packageLimit}, {"y", packageLimit + 1}}}
	err := f.broken()
	if err == nil || strings.Count(err.Error(), "\n") != 1 || !strings.Contains(err.Error(), "b takes") || !strings.Contains(err.Error(), "for y") {
		t.Errorf("got %v, want one error for b and one for y", err)
	}
}
