package telemetry

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ceap-platform/ceap"
)

// MetricNamespace is where CloudWatch keeps the metrics.
const MetricNamespace = "CEAP"

// The dimensions of metrics.
const (
	DimensionStage       = "Stage"
	DimensionProgramID   = "ProgramId"
	DimensionMarketplace = "Marketplace"
)

// The units of metrics, as CloudWatch writes them.
const (
	unitCount   = "Count"
	unitSeconds = "Seconds"
	unitBytes   = "Bytes"
)

// Metric is a metric by its name and CloudWatch's word for its unit.
type Metric struct {
	Name string
	Unit string
}

// RunMetrics returns the metrics that finished runs publish, each in every one
// of the [DimensionSets]. A run publishes the rows, the duration and the bytes,
// and of the metrics that count runs only that of its own status, so that a
// status that never occurs costs nothing.
func RunMetrics() []Metric {
	var out []Metric
	for _, s := range samples(Metrics{}) {
		out = append(out, s.Metric)
	}
	for _, status := range []ceap.RunStatus{
		ceap.RunSucceeded, ceap.RunEmpty, ceap.RunPartial, ceap.RunFailed, ceap.RunSkipped, ceap.RunCancelled,
	} {
		out = append(out, runsWith(status))
	}
	return out
}

// DimensionSets returns the sets of dimensions by which each metric can be asked
// for: a stage, which alarms watch, and a program in a marketplace of it, which
// the dashboard shows.
func DimensionSets() [][]string {
	return [][]string{
		{DimensionStage},
		{DimensionStage, DimensionProgramID, DimensionMarketplace},
	}
}

// Metrics is what a finished run publishes (I66): totals, and nothing of any
// customer.
type Metrics struct {
	Stage       string // of the deployment, such as dev
	ProgramID   string
	Marketplace string

	RunID         string // with CorrelationID, to find the run of a point; not dimensions
	CorrelationID string

	At           time.Time // when the run ended
	Status       ceap.RunStatus
	Counts       ceap.Counts
	Duration     time.Duration
	BytesScanned int64 // by all queries of the run
}

// MetricsOf returns what a run of the stage publishes. A replayed result is that
// of an earlier run and is not to be published again.
func MetricsOf(stage string, r *ceap.RunResult) Metrics {
	m := Metrics{
		Stage: stage, ProgramID: r.ProgramID, Marketplace: r.Marketplace,
		RunID: r.RunID, CorrelationID: r.CorrelationID,
		At: r.EndedAt, Status: r.Status, Counts: r.Counts,
		Duration: time.Duration(r.DurationMs) * time.Millisecond,
	}
	for _, q := range r.Queries {
		m.BytesScanned += q.BytesScanned
	}
	return m
}

// WriteMetrics writes the metrics to w as one line of JSON in the embedded metric
// format, in one call: what a Lambda function writes so to its standard output,
// CloudWatch turns into metrics.
func WriteMetrics(w io.Writer, m Metrics) error {
	type definition struct {
		Name string
		Unit string
	}
	type directive struct {
		Namespace  string
		Dimensions [][]string
		Metrics    []definition
	}
	line := map[string]any{
		DimensionStage:       dimension(m.Stage),
		DimensionProgramID:   dimension(m.ProgramID),
		DimensionMarketplace: dimension(m.Marketplace),
		"run_id":             m.RunID,
		"correlation_id":     m.CorrelationID,
	}
	d := directive{Namespace: MetricNamespace, Dimensions: DimensionSets()}
	for _, s := range append(samples(m), sample{runsWith(m.Status), 1}) {
		d.Metrics = append(d.Metrics, definition(s.Metric))
		line[s.Name] = s.value
	}
	line["_aws"] = map[string]any{"Timestamp": m.At.UnixMilli(), "CloudWatchMetrics": []directive{d}}
	data, err := json.Marshal(line)
	if err == nil {
		_, err = w.Write(append(data, '\n'))
	}
	if err != nil {
		return fmt.Errorf("writing the metrics of run %s: %w", m.RunID, err)
	}
	return nil
}

// sample is the value of a metric.
type sample struct {
	Metric
	value float64
}

// samples returns what a run publishes, besides that it has ended.
func samples(m Metrics) []sample {
	rows := func(kind string, n int64) sample {
		return sample{Metric{"ceap_" + kind + "_rows", unitCount}, float64(n)}
	}
	return []sample{
		rows("extracted", m.Counts.Extracted),
		rows("invalid", m.Counts.Invalid),
		rows("duplicate", m.Counts.Duplicate),
		rows("rejected", m.Counts.Rejected),
		rows("created", m.Counts.Created),
		rows("updated", m.Counts.Updated),
		rows("unchanged", m.Counts.Unchanged),
		rows("failed", m.Counts.Failed),
		{Metric{"ceap_duration_seconds", unitSeconds}, m.Duration.Seconds()},
		{Metric{"ceap_scanned_bytes", unitBytes}, float64(m.BytesScanned)},
	}
}

// runsWith returns the metric that counts the runs of a status, such as
// ceap_failed_runs.
func runsWith(status ceap.RunStatus) Metric {
	return Metric{"ceap_" + strings.ToLower(string(status)) + "_runs", unitCount}
}

// dimension returns text as CloudWatch takes it for a dimension's value: 1 to
// 1024 printable ASCII characters, of which not all are spaces. It drops the
// whole line for any other.
func dimension(text string) string {
	const most = 1024
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '_'
		}
		return r
	}, text)
	if text = strings.TrimSpace(text); text == "" {
		return "none"
	}
	return text[:min(len(text), most)]
}
