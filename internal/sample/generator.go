package sample

import (
	"context"
	"io"
	"path"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/snappy"

	"github.com/ceap-platform/ceap"
)

// guideDay is the last day of the guide's range.
func guideDay() time.Time { return time.Date(2026, 1, 27, 0, 0, 0, 0, time.UTC) }

// The shape of files and work.
const (
	batchRows    = 1 << 12 // rows between two looks at the context
	rowGroupRows = 1 << 17 // DuckDB reads row groups in parallel and suggests at least 100,000 rows
)

// generator makes the tables of one shop.
type generator struct {
	folder  *folder
	options Options

	people   []person
	catalog  []product
	reviewed []reviewRow // by the deliveries, in their order

	written []Table // the last one is being written
	files   []string
}

func newGenerator(f *folder, options Options) *generator {
	g := &generator{folder: f, options: options}
	g.people = makePeople(newDice(options.Seed, streamPeople), max(40, options.Rows/5))
	g.catalog = makeCatalog(newDice(options.Seed, streamCatalog), min(20_000, 20+options.Rows/50))
	return g
}

func (g *generator) dice(s stream) dice { return newDice(g.options.Seed, s) }

// progress tells how many of total rows of the current table are done.
func (g *generator) progress(total int) {
	if g.options.Progress != nil {
		table := &g.written[len(g.written)-1]
		g.options.Progress(table.Rows, int64(total), table.Name)
	}
}

// writeFile adds a Parquet file of n rows to the current table, which will have
// total rows. fill sets row i; the row still holds an earlier one.
func writeFile[T any](ctx context.Context, g *generator, name string, n, total int, fill func(i int, row *T)) error {
	table := &g.written[len(g.written)-1]
	name = path.Join(tableFolder(table.Name), name)
	file, err := g.folder.create(name)
	if err != nil {
		return err
	}
	counted := &counter{to: file}
	w := parquet.NewGenericWriter[T](counted, parquet.Compression(&snappy.Codec{}),
		parquet.MaxRowsPerRowGroup(rowGroupRows), parquet.CreatedBy("ceap", "", ""))
	err = writeRows(ctx, g, w, n, total, fill)
	if closing := w.Close(); err == nil {
		err = g.folder.done(name, closing)
	}
	if closing := file.Close(); err == nil {
		err = g.folder.done(name, closing)
	}
	table.Files++
	table.Bytes += counted.n
	g.files = append(g.files, name)
	return err
}

func writeRows[T any](ctx context.Context, g *generator, w *parquet.GenericWriter[T], n, total int, fill func(i int, row *T)) error {
	table := &g.written[len(g.written)-1]
	rows := make([]T, min(n, batchRows))
	for done := 0; done < n; {
		if ctx.Err() != nil {
			return ceap.Errorf(ceap.CodeCancelled, "making the shop: %w", context.Cause(ctx))
		}
		batch := rows[:min(len(rows), n-done)]
		for i := range batch {
			fill(done+i, &batch[i])
		}
		if _, err := w.Write(batch); err != nil {
			return g.folder.done(tableFolder(table.Name), err)
		}
		done += len(batch)
		table.Rows += int64(len(batch))
		g.progress(total)
	}
	return nil
}

// counter counts the bytes that it passes on.
type counter struct {
	to io.Writer
	n  int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.n += int64(n)
	return n, err
}
