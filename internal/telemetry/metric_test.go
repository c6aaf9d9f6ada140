package telemetry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/telemetry"
)

// embedded is a line in the embedded metric format.
type embedded struct {
	AWS struct {
		Timestamp         int64
		CloudWatchMetrics []struct {
			Namespace  string
			Dimensions [][]string
			Metrics    []telemetry.Metric
		}
	} `json:"_aws"` //nolint:tagliatelle // AWS names it
	values map[string]any
}

func write(t failer, m telemetry.Metrics) embedded {
	t.Helper()
	var out bytes.Buffer
	if err := telemetry.WriteMetrics(&out, m); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n") {
		t.Fatal("not one line: ", text)
	}
	var line embedded
	if err := errors.Join(json.Unmarshal(out.Bytes(), &line), json.Unmarshal(out.Bytes(), &line.values)); err != nil {
		t.Fatal(err)
	}
	if len(line.AWS.CloudWatchMetrics) != 1 {
		t.Fatal("not one directive: ", out.String())
	}
	return line
}

func TestWriteMetrics(t *testing.T) {
	t.Parallel()
	m := telemetry.MetricsOf("dev", &ceap.RunResult{
		RunID: "r-1", CorrelationID: "c-1", ProgramID: "product-reviews", Marketplace: "US", Status: ceap.RunPartial,
		Counts:  ceap.Counts{Extracted: 36, Invalid: 1, Duplicate: 2, Rejected: 3, Stored: 15, Created: 4, Updated: 5, Unchanged: 6, Failed: 15},
		EndedAt: time.UnixMilli(1_769_500_000_123), DurationMs: 1500,
		Queries: []ceap.QueryNote{{BytesScanned: 10_000_000}, {BytesScanned: 5}},
	})
	line := write(t, m)
	want := map[string]any{
		"Stage": "dev", "ProgramId": "product-reviews", "Marketplace": "US", "run_id": "r-1", "correlation_id": "c-1",
		"ceap_extracted_rows": 36., "ceap_invalid_rows": 1., "ceap_duplicate_rows": 2., "ceap_rejected_rows": 3.,
		"ceap_created_rows": 4., "ceap_updated_rows": 5., "ceap_unchanged_rows": 6., "ceap_failed_rows": 15.,
		"ceap_duration_seconds": 1.5, "ceap_scanned_bytes": 10_000_005., "ceap_partial_runs": 1.,
	}
	delete(line.values, "_aws")
	if diff := cmp.Diff(want, line.values); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	if line.AWS.Timestamp != 1_769_500_000_123 {
		t.Errorf("Timestamp = %d; want milliseconds", line.AWS.Timestamp)
	}
	d := line.AWS.CloudWatchMetrics[0]
	if d.Namespace != telemetry.MetricNamespace {
		t.Errorf("Namespace = %q", d.Namespace)
	}
	if diff := cmp.Diff(telemetry.DimensionSets(), d.Dimensions); diff != "" {
		t.Errorf("Dimensions (-want +got):\n%s", diff)
	}
}

func TestI66_MetricsKeepTheFormatsRules(t *testing.T) {
	t.Parallel()
	statuses := []ceap.RunStatus{ceap.RunSucceeded, ceap.RunEmpty, ceap.RunPartial, ceap.RunFailed, ceap.RunSkipped, ceap.RunCancelled}
	rapid.Check(t, func(t *rapid.T) {
		line := write(t, telemetry.Metrics{
			Stage: rapid.String().Draw(t, "stage"), ProgramID: rapid.String().Draw(t, "program"), Marketplace: rapid.String().Draw(t, "marketplace"),
			At: time.UnixMilli(rapid.Int64Range(0, 1<<42).Draw(t, "at")), Status: rapid.SampledFrom(statuses).Draw(t, "status"),
			Counts: ceap.Counts{Extracted: rapid.Int64Min(0).Draw(t, "extracted")},
		})
		d := line.AWS.CloudWatchMetrics[0]
		// 100 metrics and 30 dimensions: the bounds of the embedded metric format.
		if len(d.Metrics) > 100 {
			t.Fatalf("%d metrics", len(d.Metrics))
		}
		known := telemetry.RunMetrics()
		for _, m := range d.Metrics {
			if !slices.Contains(known, m) {
				t.Fatalf("RunMetrics does not name %v", m)
			}
			if _, ok := line.values[m.Name].(float64); !ok {
				t.Fatalf("%s has no number", m.Name)
			}
		}
		for _, set := range d.Dimensions {
			if len(set) > 30 {
				t.Fatalf("%d dimensions", len(set))
			}
			for _, name := range set {
				value, ok := line.values[name].(string)
				if !ok || strings.TrimSpace(value) == "" || len(value) > 1024 ||
					strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
					t.Fatalf("%s is %q, which CloudWatch refuses", name, value)
				}
			}
		}
	})
}

func TestRunMetrics(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, m := range telemetry.RunMetrics() {
		if seen[m.Name] {
			t.Errorf("%s is named twice", m.Name)
		}
		seen[m.Name] = true
		if !strings.HasPrefix(m.Name, "ceap_") || m.Unit == "" {
			t.Errorf("metric = %+v", m)
		}
	}
}

// broken is a writer that takes nothing.
type broken struct{ err error }

func (b broken) Write([]byte) (int, error) { return 0, b.err }

func TestWriteMetrics_SaysWhenItDidNot(t *testing.T) {
	t.Parallel()
	full := errors.New("no space")
	if err := telemetry.WriteMetrics(broken{full}, telemetry.Metrics{RunID: "r-1"}); !errors.Is(err, full) {
		t.Errorf("err = %v", err)
	}
}
