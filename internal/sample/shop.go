package sample

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ceap-platform/ceap"
)

// Database is the database that the shop's tables lie in: the guide's.
const Database = "ceap_data_dev"

// Options say what shop to make. Equal options give equal bytes.
type Options struct {
	// Rows is the number of rows of product_deliveries; the other tables follow
	// from it. At least 1, at most 100 million. 0 means 100,000.
	Rows int
	// Seed chooses one of many such shops.
	Seed uint64
	// Progress, if not nil, is told of every few thousand rows: how many of a
	// table's rows are done, how many it will have, and its name. It is called
	// from the goroutine that called [Shop].
	Progress func(done, total int64, what string)
}

// maxRows keeps ids at eight digits.
const maxRows = 100_000_000

// Report says what was made.
type Report struct {
	Files  []string `json:"files"`  // relative to the folder, with slashes, in the order of writing
	Tables []Table  `json:"tables"` // in the order of writing
	Runs   []Run    `json:"runs"`   // that show something, the most telling first
}

// Table is a table that was made.
type Table struct {
	Name  string `json:"name"` // without the database
	Rows  int64  `json:"rows"`
	Bytes int64  `json:"bytes"` // of its data files
	Files int    `json:"files"` // data files
}

// Run is a run that makes sense with the shop's data.
type Run struct {
	ProgramID   string         `json:"programId"`
	Marketplace string         `json:"marketplace"`
	DateRange   ceap.DateRange `json:"dateRange"`
	Why         string         `json:"why"` // what it shows, in words
}

// Rows returns the number of rows of all tables.
func (r Report) Rows() int64 {
	var n int64
	for _, t := range r.Tables {
		n += t.Rows
	}
	return n
}

// Bytes returns the size of all data files.
func (r Report) Bytes() int64 {
	var n int64
	for _, t := range r.Tables {
		n += t.Bytes
	}
	return n
}

// Shop writes a project folder with the data of an invented shop over the 30 days
// that end on 2026-01-27: customers, deliveries, reviews, watched videos and
// service calls, as Parquet, and programs that read them. Like real data it is
// skewed, has its dirty rows, and has several marketplaces; see the README in the
// folder.
//
// It makes dir if need be and overwrites nothing: an error of
// [ceap.CodeConflict] names what is in the way. After any error, which may be
// that of ctx, it removes what it wrote.
func Shop(ctx context.Context, dir string, options Options) (Report, error) {
	if options.Rows == 0 {
		options.Rows = 100_000
	}
	if options.Rows < 1 || options.Rows > maxRows {
		return Report{}, ceap.Errorf(ceap.CodeInvalid, "%d rows; a shop has 1 to %d", options.Rows, maxRows)
	}
	own, shared := list("shop"), sharedFiles()
	f := folder{root: dir}
	if err := f.free(slices.Concat(own, shared, tableFolders())); err != nil {
		return Report{}, err
	}
	g := newGenerator(&f, options)
	err := g.tables(ctx)
	if err == nil {
		err = f.copyAll("project", shared)
	}
	if err == nil { // with ceap.yaml, which makes the folder a project
		err = f.copyAll("shop", own)
	}
	if err != nil {
		f.undo()
		return Report{}, err
	}
	return Report{Files: slices.Concat(g.files, shared, own), Tables: g.written, Runs: runs()}, nil
}

// sharedFiles returns the files of [InitProject] that the shop has too: the quick
// start and the template.
func sharedFiles() []string {
	return slices.DeleteFunc(list("project"), func(name string) bool {
		for _, shared := range []string{".gitignore", "programs/quick-start.json", "templates/", "warehouse/quick_start/"} {
			if strings.HasPrefix(name, shared) {
				return false
			}
		}
		return true
	})
}

func tableFolders() []string {
	var names []string
	for _, table := range []string{customerTable, deliveryTable, reviewTable, videoTable, serviceTable} {
		names = append(names, tableFolder(table))
	}
	return names
}

func tableFolder(table string) string { return "warehouse/" + Database + "/" + table }

// runs returns the runs that make sense with every shop.
func runs() []Run {
	lastTwo := ceap.DateRange{Start: lastDay().AddDays(-1), End: lastDay()}
	all := ceap.DateRange{Start: firstDay(), End: lastDay()}
	return []Run{
		{"product-reviews", "US", lastTwo, "the guide's first example: deliveries that have no review yet"},
		{"video-ratings", "US", lastTwo, "the guide's second example: videos that were watched to the end"},
		{"service-surveys", "US", lastTwo, "the guide's third example, with at most one survey per customer"},
		{"quick-start", "US", lastTwo, "the guide's three rows"},
		{"review-backlog", "US", all, "all deliveries of the 30 days, with trust and fraud checks"},
		{"review-backlog", "DE", all, "the same program in another marketplace"},
	}
}

// The days of the shop's data. The last one is the guide's.
const days = 30

func lastDay() ceap.Date { return ceap.DateOf(guideDay()) }

func firstDay() ceap.Date { return lastDay().AddDays(1 - days) }

// tables writes all tables. Customers come first, since the others choose among
// them; reviews follow from deliveries.
func (g *generator) tables(ctx context.Context) error {
	for _, step := range []struct {
		table string
		write func(context.Context) error
	}{
		{customerTable, g.customers},
		{deliveryTable, g.deliveries},
		{reviewTable, g.reviews},
		{videoTable, g.videos},
		{serviceTable, g.services},
	} {
		g.written = append(g.written, Table{Name: step.table})
		if err := step.write(ctx); err != nil {
			return fmt.Errorf("making table %q: %w", step.table, err)
		}
	}
	return nil
}
