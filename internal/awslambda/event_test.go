//go:build cgo

package awslambda_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/app"
	"github.com/ceap-platform/ceap/internal/pipeline"
	"github.com/ceap-platform/ceap/internal/stage"
)

// TestI66_ARunEndsWithAnEventAndMetrics also looks that neither holds what rows
// said, and that a batch that is sent again tells nothing twice.
func TestI66_ARunEndsWithAnEventAndMetrics(t *testing.T) { //nolint:paralleltest // the environment of the SDK belongs to the process
	w := onAWS(t, quickStart, "CEAP_RESULTS_BUCKET="+resultsBucket)
	orders(t, w, mixed()...)
	w.apply(t, shop(strings.Replace(allOrders, "value,", "CAST(value AS varchar) AS value,", 1), ""))
	for range 2 {
		if _, err := w.run(t, app.RunRequest{Input: pipeline.Input{RunInput: batch("shop", "b1", "2026-01-26", "2026-01-27")}}); err != nil {
			t.Fatal(err)
		}
	}
	events := w.cloud.Events()
	if len(events) != 1 || events[0].Source != stage.EventSource || events[0].DetailType != stage.EventType {
		t.Fatalf("events %+v", events)
	}
	var detail struct {
		Stage string `json:"stage"`
		ceap.RunResult
	}
	if err := json.Unmarshal([]byte(events[0].Detail), &detail); err != nil {
		t.Fatal(err)
	}
	if detail.Stage != w.stage || detail.Status != ceap.RunSucceeded || detail.Counts.Extracted != 38 || len(detail.InvalidReasons) == 0 {
		t.Errorf("%s", events[0].Detail)
	}
	written := strings.Split(strings.TrimSpace(w.metrics.String()), "\n")
	if len(written) != 1 || !strings.Contains(written[0], `"ceap_extracted_rows":38`) || !strings.Contains(written[0], `"Stage":"`+w.stage+`"`) {
		t.Errorf("metrics %q", written)
	}
	for _, text := range []string{events[0].Detail, written[0]} {
		if strings.Contains(text, "abc") || strings.Contains(text, "D-01") { // the value of an invalid row, and a customer
			t.Errorf("it tells what a row said: %s", text)
		}
	}
}
