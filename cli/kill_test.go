//go:build cgo && unix

package cli_test

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3" // looks into the store past CEAP

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/journal"
	"github.com/ceap-platform/ceap/internal/sample"
	"github.com/ceap-platform/ceap/store/sqlite"
)

var (
	killRows = flag.Int("kill-rows", 40_000, "deliveries of the shop in TestKill; a run reads somewhat less than half of them")
	killings = flag.Int("kills", 10, "how often TestKill kills a run")
)

// TestKill_ARunThatWasKilledEndsAsOneThatWasNot kills a run with SIGKILL at
// random moments, runs it again to its end, and compares the store and the
// journal with those of a run that nothing disturbed (I7).
func TestKill_ARunThatWasKilledEndsAsOneThatWasNot(t *testing.T) {
	if testing.Short() {
		t.Skip("TestKill is left out by -short")
	}
	t.Parallel()
	binary := buildBinary(t)
	quiet, killed := killShop(t), killShop(t)

	start := time.Now()
	want := killRun(t, binary, quiet)
	whole := time.Since(start)
	if want.Status != ceap.RunSucceeded || want.Counts.Stored == 0 {
		t.Fatalf("undisturbed: %s %+v", want.Status, want.Counts)
	}
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 0))
	interrupted := 0
	for n := range *killings {
		// Points spread over the run, with some play. Taking up what is stored already
		// is quicker than storing it, so the points lie in the first half of the time
		// that the undisturbed run took.
		after := time.Duration((float64(n) + rng.Float64()) / float64(*killings) * float64(whole) / 2)
		cmd := killCommand(binary, killed)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		if err := cmd.Wait(); err != nil {
			interrupted++
		}
		timer.Stop()
	}
	if interrupted == 0 {
		t.Fatal("no run was killed before its end")
	}
	got := killRun(t, binary, killed)
	t.Logf("seed %d: %d of %d runs killed, in %s each; then %+v", seed, interrupted, *killings, whole.Round(time.Millisecond), got.Counts)
	if got.Counts != want.Counts || got.ResultHash != want.ResultHash || got.Status != want.Status {
		t.Errorf("result after kills: %s %+v %s\nundisturbed: %s %+v %s", got.Status, got.Counts, got.ResultHash, want.Status, want.Counts, want.ResultHash)
	}
	if a, b := dumpStore(t, quiet), dumpStore(t, killed); a != b {
		t.Errorf("the stores differ: %s and %s", a, b)
	}
	if a, b := dumpJournal(t, quiet, want.RunID), dumpJournal(t, killed, got.RunID); a != b {
		t.Errorf("the journals differ: %s and %s", a, b)
	}
	if left, err := filepath.Glob(filepath.Join(killed, "tmp", "ceap-spool-*")); err != nil || len(left) > 0 {
		t.Errorf("killed runs left temporary files: %v, %v", left, err)
	}
}

func buildBinary(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "ceap")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../cmd/ceap").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	return binary
}

func killShop(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "shop")
	if _, err := sample.Shop(t.Context(), dir, sample.Options{Rows: *killRows, Seed: 7}); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	program := `{
  "programId": "kill", "programName": "Kill", "marketplace": "US",
  "dataConnectors": [{"connectorId": "deliveries", "connectorType": "data-warehouse", "sourceConfig": {
    "database": "ceap_data_dev",
    "query": "SELECT customer_id, product_id, delivery_date, order_value, marketplace, email_eligible, sms_eligible FROM product_deliveries WHERE delivery_date_partition BETWEEN '{startDate}' AND '{endDate}' AND marketplace = '{marketplace}'",
    "fieldMappings": {"customerId": "customer_id", "subjectId": "product_id", "subjectType": "product", "eventDate": "delivery_date"}}}],
  "filterChain": {"filters": [{"filterId": "eligibility", "filterType": "eligibility", "order": 1, "parameters": {"requiredChannels": ["email"]}},
    {"filterId": "best", "filterType": "capacity", "order": 2, "parameters": {"maxPerCustomer": 20}}]},
  "scoringModels": [{"modelId": "value", "modelType": "rules", "config": {"expression": "orderValue / (orderValue + 50)"}}]
}`
	if err := os.WriteFile(filepath.Join(dir, "programs", "kill.json"), []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func killCommand(binary, dir string) *exec.Cmd {
	cmd := exec.Command(binary, "-C", dir, "run", "kill", "--start", "2025-12-01", "--end", "2026-01-31", //nolint:noctx // it is killed by hand
		"--batch-id", "b", "--as-of", "2026-01-28T00:00:00Z", "--json")
	cmd.Env = append(os.Environ(), "TMPDIR="+filepath.Join(dir, "tmp"))
	return cmd
}

func killRun(t *testing.T, binary, dir string) ceap.RunResult {
	t.Helper()
	cmd := killCommand(binary, dir)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("running: %v\n%s%s", err, out, stderr.String())
	}
	var res ceap.RunResult
	if err := json.Unmarshal(out, &res); err != nil {
		t.Fatal(err)
	}
	return res
}

// dumpStore returns the number of candidates and a hash of all that is stored of
// them, apart from numbers that only the store itself gives.
func dumpStore(t *testing.T, dir string) string {
	t.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(dir, ".ceap", "ceap.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var check string
	if err := db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&check); err != nil || check != "ok" {
		t.Fatalf("integrity_check of %s: %s, %v", dir, check, err)
	}
	rows, err := db.QueryContext(t.Context(), `SELECT customer, subject_type, subject_id, event_at, score, status, version,
		created_at, updated_at, expires_at, channels, connector, body FROM candidates
		JOIN channel_sets s ON s.id = channel_set JOIN writers w ON w.id = writer ORDER BY 1, 2, 3`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	sum := sha256.New()
	n := 0
	values := make([]any, 13)
	targets := make([]any, len(values))
	for i := range values {
		targets[i] = &values[i]
	}
	for ; rows.Next(); n++ {
		if err := rows.Scan(targets...); err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprintf(sum, "%q\n", values)
	}
	if rows.Err() != nil {
		t.Fatal(rows.Err())
	}
	return fmt.Sprintf("%d candidates, %s", n, hex.EncodeToString(sum.Sum(nil)))
}

func dumpJournal(t *testing.T, dir, runID string) string {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(dir, ".ceap", "ceap.db"), 8)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	j, err := journal.Open(t.Context(), s.Roles().Artifacts, runID)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	n := 0
	for o, err := range j.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		data, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		sum.Write(data)
	}
	return fmt.Sprintf("%d rows, complete %v, %s", n, j.Manifest().Complete, hex.EncodeToString(sum.Sum(nil)))
}
