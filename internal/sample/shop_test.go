//go:build cgo

package sample_test

import (
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/builtin"
	"github.com/ceap-platform/ceap/internal/program"
	"github.com/ceap-platform/ceap/internal/sample"
)

// delivery is a row of product_deliveries, by the names of its columns.
type delivery struct {
	CustomerID     *string  `parquet:"customer_id,optional"`
	ProductID      string   `parquet:"product_id"`
	OrderID        string   `parquet:"order_id"`
	DeliveryDate   *string  `parquet:"delivery_date,optional"`
	OrderValue     *float64 `parquet:"order_value,optional"`
	Marketplace    string   `parquet:"marketplace"`
	EmailEligible  *bool    `parquet:"email_eligible,optional"`
	DeliveryStatus string   `parquet:"delivery_status"`
}

func TestShop(t *testing.T) {
	t.Parallel()

	t.Run("reports what it wrote", func(t *testing.T) {
		t.Parallel()
		dir, report := shop(t, sample.Options{Rows: 5_000})
		names := slices.Sorted(slices.Values(report.Files))
		if diff := cmp.Diff(tree(t, dir), names); diff != "" {
			t.Errorf("files on disk and files reported (-disk +reported):\n%s", diff)
		}
		for _, table := range report.Tables {
			rows, size, files := measure(t, dir, table.Name)
			got := sample.Table{Name: table.Name, Rows: rows, Bytes: size, Files: files}
			if diff := cmp.Diff(got, table); diff != "" {
				t.Errorf("table on disk and table reported (-disk +reported):\n%s", diff)
			}
			if rows == 0 {
				t.Errorf("table %s is empty", table.Name)
			}
		}
	})

	t.Run("has exactly as many deliveries as asked for", func(t *testing.T) {
		t.Parallel()
		for _, rows := range []int{1, 29, 1_000} {
			_, report := shop(t, sample.Options{Rows: rows})
			if got := table(t, report, "product_deliveries").Rows; got != int64(rows) {
				t.Errorf("Rows %d gave %d deliveries", rows, got)
			}
		}
	})

	t.Run("equal options give equal bytes, another seed others", func(t *testing.T) {
		t.Parallel()
		options := sample.Options{Rows: 3_000, Seed: 7}
		first, _ := shop(t, options)
		second, _ := shop(t, options)
		if diff := cmp.Diff(sums(t, first), sums(t, second)); diff != "" {
			t.Errorf("two shops of equal options differ:\n%s", diff)
		}
		options.Seed++
		other, _ := shop(t, options)
		if cmp.Equal(sums(t, first), sums(t, other)) {
			t.Error("another seed gave the same shop")
		}
	})

	t.Run("its programs and configuration are without fault", func(t *testing.T) {
		t.Parallel()
		dir, report := shop(t, sample.Options{Rows: 100})
		checkProject(t, dir, "product-reviews", "video-ratings", "service-surveys", "review-backlog", "quick-start")
		for _, run := range report.Runs {
			if _, err := loadProgram(t, dir, run.ProgramID).Program(run.Marketplace); err != nil {
				t.Errorf("the run of %s in %s: %v", run.ProgramID, run.Marketplace, err)
			}
			if err := run.DateRange.Validate(); err != nil {
				t.Error(err)
			}
		}
	})

	t.Run("its programs ask the guide's queries", func(t *testing.T) {
		t.Parallel()
		dir, _ := shop(t, sample.Options{Rows: 100})
		for id, snippet := range map[string]string{
			"product-reviews": "example-1.sql", "video-ratings": "example-2.sql", "service-surveys": "example-3.sql",
		} {
			p, err := loadProgram(t, dir, id).Program("US")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.TrimRight(guide(t, snippet), "\n"), p.Connectors[0].Config.Get("query").Text); diff != "" {
				t.Errorf("query of %s (-guide +program):\n%s", id, diff)
			}
		}
	})

	t.Run("tables have the columns that their schema declares", func(t *testing.T) {
		t.Parallel()
		dir, report := shop(t, sample.Options{Rows: 100})
		for _, table := range report.Tables {
			schema := read(t, dir, "warehouse", sample.Database, table.Name, "_schema.sql")
			schema, _, _ = strings.Cut(schema, "PARTITIONED BY")
			var declared []string
			for _, column := range columns(t, schema) {
				name, _, _ := strings.Cut(column, " ")
				declared = append(declared, name)
			}
			if diff := cmp.Diff(declared, parquetColumns(t, dataFiles(t, dir, table.Name)[0])); diff != "" {
				t.Errorf("columns of %s (-declared +written):\n%s", table.Name, diff)
			}
		}
		declared := columns(t, read(t, dir, "warehouse", sample.Database, "product_deliveries", "_schema.sql"))
		declared = slices.DeleteFunc(declared, func(c string) bool { return c == "email_opt_in BOOLEAN" || c == "delivery_status STRING" })
		if diff := cmp.Diff(columns(t, guide(t, "product_deliveries.sql")), declared); diff != "" {
			t.Errorf("columns of product_deliveries without the two of example 1 (-guide +shop):\n%s", diff)
		}
	})
}

func TestShop_believable(t *testing.T) {
	t.Parallel()
	const rows = 20_000
	dir, report := shop(t, sample.Options{Rows: rows})
	deliveries := readAll[delivery](t, dir, "product_deliveries")

	t.Run("a few rows are dirty, each in a known way", func(t *testing.T) {
		t.Parallel()
		dirt := map[string]int{}
		orders := map[string]int{}
		for _, d := range deliveries {
			switch {
			case d.CustomerID == nil:
				dirt["no customer"]++
			case strings.TrimSpace(*d.CustomerID) == "":
				dirt["blank customer"]++
			case d.DeliveryDate == nil:
				dirt["no date"]++
			case badDate(*d.DeliveryDate):
				dirt["bad date"]++
			case d.OrderValue == nil:
				dirt["no value"]++
			case d.EmailEligible == nil:
				dirt["no consent"]++
			}
			if orders[d.OrderID]++; orders[d.OrderID] > 1 {
				dirt["repeated"]++
			}
		}
		for _, kind := range []string{"no customer", "blank customer", "no date", "bad date", "no value", "no consent", "repeated"} {
			if n := dirt[kind]; n < 1 || n > rows/50 {
				t.Errorf("%d of %d deliveries have %s; want some, and at most a fiftieth", n, rows, kind)
			}
		}
	})

	t.Run("several marketplaces, most in the US", func(t *testing.T) {
		t.Parallel()
		markets := map[string]int{}
		for _, d := range deliveries {
			markets[d.Marketplace]++
		}
		if len(markets) != 5 || markets["US"] < rows*4/10 || markets["US"] > rows*7/10 {
			t.Errorf("deliveries by marketplace: %v", markets)
		}
	})

	t.Run("some customers and products have far more than others", func(t *testing.T) {
		t.Parallel()
		customers, products := map[string]int{}, map[string]int{}
		for _, d := range deliveries {
			if d.CustomerID != nil {
				customers[*d.CustomerID]++
			}
			products[d.ProductID]++
		}
		if most := largest(customers); most < 20 || most > 200 {
			t.Errorf("the best customer got %d deliveries in 30 days", most)
		}
		if most := largest(products); most < rows/100 || most > rows/10 {
			t.Errorf("the best product was delivered %d times of %d", most, rows)
		}
	})

	t.Run("little is delivered on Sundays", func(t *testing.T) {
		t.Parallel()
		days := map[time.Weekday]int{}
		for _, d := range deliveries {
			if d.DeliveryDate == nil {
				continue
			}
			if day, err := ceap.ParseDate(*d.DeliveryDate); err == nil {
				days[day.In(time.UTC).Weekday()]++
			}
		}
		if days[time.Sunday] == 0 || days[time.Sunday]*2 > days[time.Monday] {
			t.Errorf("deliveries by day of the week: %v", days)
		}
	})

	t.Run("values are in cents and every review has a customer", func(t *testing.T) {
		t.Parallel()
		for _, d := range deliveries {
			if d.OrderValue != nil && (*d.OrderValue < 1 || *d.OrderValue*100-float64(int64(*d.OrderValue*100+0.5)) > 1e-6) {
				t.Fatalf("order %s is worth %v", d.OrderID, *d.OrderValue)
			}
		}
		type review struct {
			CustomerID string `parquet:"customer_id"`
			Rating     int32  `parquet:"rating"`
		}
		for _, r := range readAll[review](t, dir, "review_submissions") {
			if r.CustomerID == "" || r.Rating < 1 || r.Rating > 5 {
				t.Fatalf("a review of %q with %d stars", r.CustomerID, r.Rating)
			}
		}
	})

	t.Run("the other tables fit to the deliveries", func(t *testing.T) {
		t.Parallel()
		for name, want := range map[string]int64{"customers": rows / 5, "video_watch_history": rows * 3 / 5, "service_interactions": rows / 20} {
			if got := table(t, report, name).Rows; got != want {
				t.Errorf("%s has %d rows, want %d", name, got, want)
			}
		}
		if got := table(t, report, "review_submissions").Rows; got < rows/20 || got > rows/5 {
			t.Errorf("review_submissions has %d rows", got)
		}
	})
}

func TestShop_Progress(t *testing.T) {
	t.Parallel()
	last := map[string]int64{}
	var order []string
	_, report := shop(t, sample.Options{Rows: 10_000, Progress: func(done, total int64, what string) {
		if done <= last[what] || done > total {
			t.Errorf("%s: %d of %d after %d", what, done, total, last[what])
		}
		if last[what] == 0 {
			order = append(order, what)
		}
		last[what] = done
	}})
	for i, table := range report.Tables {
		if last[table.Name] != table.Rows || order[i] != table.Name {
			t.Errorf("%s: the last progress was %d of %d rows", table.Name, last[table.Name], table.Rows)
		}
	}
}

func TestShop_errors(t *testing.T) {
	t.Parallel()

	t.Run("overwrites nothing", func(t *testing.T) {
		t.Parallel()
		for _, name := range []string{"ceap.yaml", "warehouse/ceap_data_dev/customers/mine.csv", "programs/quick-start.json"} {
			dir := t.TempDir()
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, dir, name, "mine")
			if _, err := sample.Shop(t.Context(), dir, sample.Options{Rows: 10}); ceap.ErrorCode(err) != ceap.CodeConflict {
				t.Errorf("Shop over %s = %v, want a conflict", name, err)
			}
			if diff := cmp.Diff([]string{name}, tree(t, dir)); diff != "" {
				t.Errorf("files afterwards (-want +got):\n%s", diff)
			}
		}
	})

	t.Run("a cancelled one leaves nothing", func(t *testing.T) {
		t.Parallel()
		parent := t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		_, err := sample.Shop(ctx, filepath.Join(parent, "shop"), sample.Options{Rows: 50_000, Progress: func(_, _ int64, what string) {
			if what == "video_watch_history" {
				cancel()
			}
		}})
		if ceap.ErrorCode(err) != ceap.CodeCancelled {
			t.Errorf("Shop = %v, want cancelled", err)
		}
		left, err := os.ReadDir(parent)
		if err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})

	t.Run("an impossible number of rows is invalid", func(t *testing.T) {
		t.Parallel()
		for _, rows := range []int{-1, 100_000_001} {
			if _, err := sample.Shop(t.Context(), t.TempDir(), sample.Options{Rows: rows}); ceap.ErrorCode(err) != ceap.CodeInvalid {
				t.Errorf("Shop with %d rows = %v, want invalid", rows, err)
			}
		}
	})
}

func BenchmarkShop(b *testing.B) {
	for b.Loop() {
		if _, err := sample.Shop(b.Context(), filepath.Join(b.TempDir(), "shop"), sample.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func shop(t *testing.T, options sample.Options) (string, sample.Report) {
	t.Helper()
	dir := t.TempDir()
	report, err := sample.Shop(t.Context(), dir, options)
	if err != nil {
		t.Fatalf("Shop: %v", err)
	}
	return dir, report
}

func table(t *testing.T, report sample.Report, name string) sample.Table {
	t.Helper()
	i := slices.IndexFunc(report.Tables, func(table sample.Table) bool { return table.Name == name })
	if i < 0 {
		t.Fatalf("the report has no table %s", name)
	}
	return report.Tables[i]
}

func loadProgram(t *testing.T, dir, id string) program.Loaded {
	t.Helper()
	for _, ending := range []string{".yaml", ".json"} {
		name := filepath.Join(dir, "programs", id+ending)
		if _, err := os.Stat(name); err == nil {
			return program.Load(name, []byte(read(t, name)), program.Options{Plugins: builtin.All()})
		}
	}
	t.Fatalf("no program %s", id)
	return program.Loaded{}
}

func dataFiles(t *testing.T, dir, table string) []string {
	t.Helper()
	root := filepath.Join(dir, "warehouse", sample.Database, table)
	var found []string
	for _, name := range tree(t, root) {
		if strings.HasSuffix(name, ".parquet") {
			found = append(found, filepath.Join(root, name))
		}
	}
	return found
}

func readAll[T any](t *testing.T, dir, table string) []T {
	t.Helper()
	var all []T
	for _, name := range dataFiles(t, dir, table) {
		rows, err := parquet.ReadFile[T](name)
		if err != nil {
			t.Fatalf("reading %s: %v", name, err)
		}
		all = append(all, rows...)
	}
	return all
}

// measure counts a table's rows, bytes and files.
func measure(t *testing.T, dir, table string) (rows, size int64, files int) {
	t.Helper()
	for _, name := range dataFiles(t, dir, table) {
		file := openParquet(t, name)
		rows += file.NumRows()
		size += file.Size()
		files++
	}
	return rows, size, files
}

func openParquet(t *testing.T, name string) *parquet.File {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	file, err := parquet.OpenFile(f, info.Size())
	if err != nil {
		t.Fatalf("opening %s: %v", name, err)
	}
	return file
}

func parquetColumns(t *testing.T, name string) []string {
	t.Helper()
	var names []string
	for _, field := range openParquet(t, name).Schema().Fields() {
		names = append(names, field.Name())
	}
	return names
}

// sums returns the hash of every file.
func sums(t *testing.T, dir string) map[string][sha256.Size]byte {
	t.Helper()
	out := map[string][sha256.Size]byte{}
	for _, name := range tree(t, dir) {
		out[name] = sha256.Sum256([]byte(read(t, dir, name)))
	}
	return out
}

func badDate(text string) bool {
	date, err := ceap.ParseDate(text)
	return err != nil || date.In(time.UTC).Year() > 2026
}

func largest(counts map[string]int) int {
	most := 0
	for _, n := range counts {
		most = max(most, n)
	}
	return most
}
