//go:build cgo

// Command batch measures the main job: it generates a table with the nine columns
// of the guide, runs the guide's program over it with the ceap binary, and, in the
// same run, lets DuckDB alone filter the same rows and write them to Parquet. That
// is the floor: whatever reads the rows and keeps them somewhere takes at least as
// long.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	_ "github.com/duckdb/duckdb-go/v2" // generates the rows, and is the floor

	"github.com/ceap-platform/ceap"
)

func main() {
	rows := flag.Int64("rows", 1_000_000, "rows to generate")
	binary := flag.String("ceap", "bin/ceap", "the binary to measure")
	memory := flag.Int("duckdb-memory", 512, "DuckDB's memory_limit inside ceap, in MB")
	keep := flag.String("dir", "", "keep the files in this folder, and use the rows that are there; default a temporary one")
	flag.Parse()
	if err := measure(*rows, *binary, *memory, *keep); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func measure(rows int64, binary string, memory int, dir string) (err error) {
	binary, err = filepath.Abs(binary)
	if err != nil {
		return err
	}
	if dir == "" {
		if dir, err = os.MkdirTemp("", "ceap-bench-*"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	fmt.Printf("load before: %s", loadAverage())
	if err := project(dir, memory); err != nil {
		return err
	}
	generated, err := generate(dir, rows)
	if err != nil {
		return fmt.Errorf("generating rows: %w", err)
	}
	fmt.Printf("generated %d rows in %.1f s\n", rows, generated.Seconds())
	floor, kept, err := measureFloor(dir)
	if err != nil {
		return fmt.Errorf("measuring the floor: %w", err)
	}
	first, err := run(dir, binary, "bench-1")
	if err != nil {
		return err
	}
	again, err := run(dir, binary, "bench-2")
	if err != nil {
		return err
	}
	if first.result.Counts.Stored != kept {
		return fmt.Errorf("ceap stored %d candidates, DuckDB kept %d", first.result.Counts.Stored, kept)
	}
	report(rows, floor, memory, first, again)
	info, err := os.Stat(filepath.Join(dir, ".ceap", "ceap.db"))
	if err != nil {
		return err
	}
	fmt.Printf("store %.0f MB for %d candidates; load after: %s", float64(info.Size())/1e6, first.result.Counts.Stored, loadAverage())
	return nil
}

func loadAverage() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown\n"
	}
	return string(data)
}

// project writes the guide's program, with a rules model and without its LIMIT.
func project(dir string, memory int) error {
	files := map[string]string{
		"ceap.yaml": fmt.Sprintf("connectors:\n  data-warehouse:\n    engine: duckdb\n    path: warehouse\n    memoryLimit: %dMB\n", memory),
		"programs/product-reviews.json": `{
  "programId": "product-reviews", "programName": "Product Review Collection", "marketplace": "US", "candidateTTLDays": 30,
  "dataConnectors": [{
    "connectorId": "athena-product-deliveries", "connectorType": "data-warehouse",
    "sourceConfig": {
      "database": "ceap_data_dev",
      "query": "SELECT customer_id, product_id, order_id, delivery_date, order_value, product_category, marketplace, email_eligible, sms_eligible FROM product_deliveries WHERE delivery_date_partition BETWEEN '{startDate}' AND '{endDate}' AND marketplace = '{marketplace}'",
      "maxWaitSeconds": 3600,
      "fieldMappings": {
        "customerId": "customer_id", "subjectId": "product_id", "subjectType": "product", "eventDate": "delivery_date",
        "orderValue": "order_value", "marketplace": "marketplace", "emailEligible": "email_eligible", "smsEligible": "sms_eligible"
      }
    }
  }],
  "filterChain": {"filters": [{"filterId": "eligibility", "filterType": "eligibility", "order": 1, "parameters": {"requiredChannels": ["email"]}}]},
  "scoringModels": [{"modelId": "value", "modelType": "rules", "config": {"expression": "orderValue / (orderValue + 50)"}}],
  "channels": [{"channelType": "email", "config": {"templateId": "t", "fromName": "CEAP", "fromEmail": "reviews@example.com"}}]
}`,
	}
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return os.RemoveAll(filepath.Join(dir, ".ceap"))
}

// generate writes the table, two days of deliveries, unless it is there. Nine in
// ten customers may be reached by e-mail; customers come in no order, and some
// rows are the same candidate as another.
func generate(dir string, rows int64) (time.Duration, error) {
	table := filepath.Join(dir, "warehouse", "ceap_data_dev", "product_deliveries")
	if _, err := os.Stat(table); err == nil {
		return 0, nil
	}
	if err := os.MkdirAll(table, 0o750); err != nil {
		return 0, err
	}
	return timed(fmt.Sprintf(`COPY (
		SELECT printf('CUST-%%08d', hash(i) %% %d) AS customer_id, printf('PROD-%%06d', hash(i + 1) %% 100000) AS product_id,
			printf('ORD-%%09d', i) AS order_id, CASE WHEN i %% 2 = 0 THEN '2026-01-26' ELSE '2026-01-27' END AS delivery_date,
			(hash(i + 2) %% 20000)::DOUBLE / 100 AS order_value, ['books', 'electronics', 'garden', 'toys', 'music'][(1 + hash(i + 3) %% 5)::BIGINT] AS product_category,
			'US' AS marketplace, hash(customer_id) %% 10 < 9 AS email_eligible, hash(customer_id) %% 7 < 3 AS sms_eligible,
			CASE WHEN i %% 2 = 0 THEN '2026-01-26' ELSE '2026-01-27' END AS delivery_date_partition
		FROM range(%d) t(i)
	) TO '%s' (FORMAT parquet, PARTITION_BY (delivery_date_partition), OVERWRITE_OR_IGNORE)`, max(rows/3, 1), rows, table))
}

// measureFloor reads, filters and writes; it neither sorts nor drops duplicates.
// The number of candidates that ceap should store is counted apart from that.
func measureFloor(dir string) (took time.Duration, candidates int64, err error) {
	source := fmt.Sprintf(`FROM read_parquet('%s/warehouse/ceap_data_dev/product_deliveries/**/*.parquet', hive_partitioning = true)
		WHERE delivery_date_partition BETWEEN '2026-01-26' AND '2026-01-27' AND marketplace = 'US'`, dir)
	out := filepath.Join(dir, "floor.parquet")
	took, err = timed(fmt.Sprintf(`COPY (SELECT customer_id, product_id, order_id, delivery_date, order_value, product_category, marketplace,
		email_eligible, sms_eligible, order_value / (order_value + 50) AS score %s AND email_eligible) TO '%s' (FORMAT parquet)`, source, out))
	if err != nil {
		return 0, 0, err
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, db.Close(), os.Remove(out)) }()
	err = db.QueryRowContext(context.Background(), `SELECT count(*) FROM (SELECT DISTINCT customer_id, product_id `+source+` AND email_eligible)`).Scan(&candidates)
	return took, candidates, err
}

func timed(query string) (time.Duration, error) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return 0, err
	}
	defer func() { _ = db.Close() }() // in memory
	start := time.Now()
	_, err = db.ExecContext(context.Background(), query)
	return time.Since(start), err
}

// measured is one run of ceap.
type measured struct {
	result ceap.RunResult
	took   time.Duration
	rss    int64 // bytes, at its highest
	cpu    time.Duration
}

func run(dir, binary, batch string) (measured, error) {
	cmd := exec.Command(binary, "-C", dir, "run", "product-reviews", "--marketplace", "US", "--start", "2026-01-26", "--end", "2026-01-27", //nolint:gosec,noctx // the binary to measure
		"--batch-id", batch, "--as-of", "2026-01-28T00:00:00Z", "--json")
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return measured{}, fmt.Errorf("running ceap: %w\n%s", err, out.String())
	}
	m := measured{took: time.Since(start), cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		m.rss = usage.Maxrss << 10 // Linux counts in KiB
	}
	return m, json.Unmarshal([]byte(out.String()), &m.result)
}

func report(rows int64, floor time.Duration, memory int, runs ...measured) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(w, "what\ttime s\trows/s\tx floor\tCPU s\tpeak RSS MiB\tbeyond memory_limit\t")
	_, _ = fmt.Fprintf(w, "floor: DuckDB alone, filter and write Parquet\t%.1f\t%.0f\t1.0\t\t\t\t\n", floor.Seconds(), float64(rows)/floor.Seconds())
	for i, m := range runs {
		name := []string{"ceap run, all new", "ceap run again, all unchanged"}[i]
		_, _ = fmt.Fprintf(w, "%s\t%.1f\t%.0f\t%.1f\t%.1f\t%d\t%d\t\n", name, m.took.Seconds(), float64(rows)/m.took.Seconds(), m.took.Seconds()/floor.Seconds(),
			m.cpu.Seconds(), m.rss>>20, m.rss>>20-int64(memory)*1_000_000>>20)
	}
	_ = w.Flush() // to the terminal
	for i, m := range runs {
		fmt.Printf("run %d: %+v, stages:", i+1, m.result.Counts)
		for _, s := range m.result.Stages {
			fmt.Printf(" %s %.1f s", s.Stage, float64(s.DurationMs)/1000)
		}
		fmt.Println()
	}
}
