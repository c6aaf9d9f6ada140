package telemetry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/telemetry"
)

// failer is what [testing.T] and [rapid.T] have in common here.
type failer interface {
	Helper()
	Fatal(args ...any)
}

func newLogger(t failer, format string, level slog.Level) (*slog.Logger, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	log, err := telemetry.NewLogger(&out, level, format)
	if err != nil {
		t.Fatal(err)
	}
	return log, &out
}

func TestI67_PersonalDataIsMasked(t *testing.T) {
	t.Parallel()
	const id = "CUST-4711"
	candidate := ceap.Candidate{Key: ceap.Key{CustomerID: id, ProgramID: "product-reviews"}}
	secrets := []string{id, "jane.doe@example.com", "+49 170 1234567"}
	for _, format := range []string{telemetry.FormatText, telemetry.FormatJSON} {
		for what, args := range map[string][]any{
			"key":             {"customer_id", id},
			"camel case":      {"customerId", id},
			"address":         {"email", "jane.doe@example.com", "phone", "+49 170 1234567"},
			"list under key":  {"customers", []string{id}},
			"struct":          {"candidate", candidate},
			"pointer":         {"candidate", &candidate},
			"map":             {"row", map[string]any{"nested": []any{map[string]string{"customer_id": id}}}},
			"group":           {slog.Group("row", "customer_id", id)},
			"address in text": {"reason", "no consent of jane.doe@example.com, +49 170 1234567"},
			"error":           {"error", fmt.Errorf("sending to jane.doe@example.com: %w", errors.New("refused"))},
			"opt-out":         {"wish", ceap.OptOut{CustomerID: id}},
		} {
			t.Run(format+" "+what, func(t *testing.T) {
				t.Parallel()
				log, out := newLogger(t, format, slog.LevelInfo)
				log.Info("looking at it", args...)
				log.With(args...).WithGroup("g").Info("again", args...)
				for _, secret := range secrets {
					if strings.Contains(out.String(), secret) {
						t.Errorf("the log shows %q:\n%s", secret, out)
					}
				}
				if !strings.Contains(out.String(), telemetry.Masked) {
					t.Errorf("the log does not show that something was masked:\n%s", out)
				}
			})
		}
	}
}

func TestI67_NoSpellingOfCustomerIDShows(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SampledFrom([]string{"customer_id", "customerId", "CustomerID", "CUSTOMER_ID", "customer-id"}).Draw(t, "key")
		id := rapid.StringMatching(`[A-Z]{4}-[0-9]{6}`).Draw(t, "id")
		depth := rapid.IntRange(0, 4).Draw(t, "depth")
		var value any = map[string]any{key: id}
		for range depth {
			value = []any{map[string]any{"inner": value}}
		}
		log, out := newLogger(t, telemetry.FormatJSON, slog.LevelInfo)
		log.Info("looking at it", "value", value)
		if strings.Contains(out.String(), id) {
			t.Fatalf("the log shows %q:\n%s", id, out)
		}
	})
}

func TestNewLogger(t *testing.T) {
	t.Parallel()
	t.Run("keeps what is not personal", func(t *testing.T) {
		t.Parallel()
		log, out := newLogger(t, telemetry.FormatJSON, slog.LevelInfo)
		log.Info("run ended", "run_id", "r-1", "extracted", 1234567890123, "ratio", 0.5, "range", "2026-01-26 to 2026-01-27",
			"counts", ceap.Counts{Extracted: 9007199254740993})
		var line struct {
			Msg       string      `json:"msg"`
			RunID     string      `json:"run_id"` //nolint:tagliatelle // log keys are snake_case
			Extracted int64       `json:"extracted"`
			Range     string      `json:"range"`
			Counts    ceap.Counts `json:"counts"`
		}
		if err := json.Unmarshal(out.Bytes(), &line); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		if line.Msg != "run ended" || line.RunID != "r-1" || line.Extracted != 1234567890123 ||
			line.Range != "2026-01-26 to 2026-01-27" || line.Counts.Extracted != 9007199254740993 {
			t.Errorf("line = %s", out)
		}
	})
	t.Run("drops lines below the level", func(t *testing.T) {
		t.Parallel()
		log, out := newLogger(t, telemetry.FormatText, slog.LevelWarn)
		log.Info("too low")
		if log.Enabled(t.Context(), slog.LevelInfo) || out.Len() > 0 {
			t.Errorf("out = %s", out)
		}
	})
	t.Run("refuses an unknown form", func(t *testing.T) {
		t.Parallel()
		if _, err := telemetry.NewLogger(nil, slog.LevelInfo, "xml"); err == nil {
			t.Error("no error")
		}
	})
}
