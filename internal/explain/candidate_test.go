package explain_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/explain"
)

func TestViewOf(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 26, 0, 0, 0, 0, time.UTC)
	c := ceap.Candidate{
		Key:       key("CUST-1", "PROD-1"),
		EventDate: at, DeliveryDate: at, TimingWindow: "morning", OrderValue: ceap.Decimal("29.90"), Currency: "USD",
		MediaEligible: ceap.Bool(false),
		Channels:      []ceap.ChannelFlag{{Channel: "email", Eligible: true}, {Channel: "sms"}},
		Extra:         []ceap.Attribute{{Name: "order_id", Value: ceap.String("O-1")}, {Name: "rating", Value: ceap.Null()}},
		Score:         0.5, Scored: true,
		Scores: []ceap.Score{
			{ModelID: "a", Value: 0, Confidence: 0.9, HasConfidence: true, State: ceap.ScoreModel},
			{ModelID: "b", Value: 1, State: ceap.ScoreFallback, Reason: ceap.ReasonModelError},
			{ModelID: "c", Value: 7, State: ceap.ScoreUnscored, Reason: ceap.ReasonModelNotConfigured},
		},
		Meta: ceap.Meta{
			Status: ceap.StatusConsumed, CreatedAt: at, UpdatedAt: at, ExpiresAt: at.AddDate(0, 0, 30), Version: 2, ConnectorID: "deliveries",
			RunID: "r2", CreatedRunID: "r1", CorrelationID: "corr", ClosedAt: at, ClosedChannel: "email",
		},
	}
	for name, test := range map[string]struct {
		candidate ceap.Candidate
		want      string
	}{
		"with everything": {c, `{"customerId":"CUST-1",
			"context":[{"type":"program","id":"product-reviews"},{"type":"marketplace","id":"US"}],
			"subject":{"type":"product","id":"PROD-1"},"status":"consumed","score":0.5,
			"scores":{"a":{"value":0,"confidence":0.9},"b":{"value":1,"fallback":true,"reason":"MODEL_ERROR"},"c":{"value":null,"reason":"MODEL_NOT_CONFIGURED"}},
			"attributes":{"eventDate":"2026-01-26T00:00:00Z","deliveryDate":"2026-01-26T00:00:00Z","timingWindow":"morning","orderValue":29.90,"currency":"USD",
				"mediaEligible":false,"channelEligibility":{"email":true,"sms":false},"consumed":true,"consumedAt":"2026-01-26T00:00:00Z","consumedChannel":"email",
				"extra":{"order_id":"O-1","rating":null}},
			"metadata":{"createdAt":"2026-01-26T00:00:00Z","updatedAt":"2026-01-26T00:00:00Z","expiresAt":"2026-02-25T00:00:00Z","version":2,
				"sourceConnectorId":"deliveries","runId":"r2","createdRunId":"r1","correlationId":"corr","closedAt":"2026-01-26T00:00:00Z","closedChannel":"email"}}`},
		"with the least": {
			ceap.Candidate{Key: c.Key, EventDate: at, Meta: ceap.Meta{Status: ceap.StatusOpen, CreatedAt: at, UpdatedAt: at, ExpiresAt: at, Version: 1, RunID: "r1"}},
			`{"customerId":"CUST-1","context":[{"type":"program","id":"product-reviews"},{"type":"marketplace","id":"US"}],
			"subject":{"type":"product","id":"PROD-1"},"status":"open","scores":{},
			"attributes":{"eventDate":"2026-01-26T00:00:00Z","channelEligibility":{}},
			"metadata":{"createdAt":"2026-01-26T00:00:00Z","updatedAt":"2026-01-26T00:00:00Z","expiresAt":"2026-01-26T00:00:00Z","version":1,"sourceConnectorId":"","runId":"r1"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := json.Marshal(explain.ViewOf(test.candidate))
			if err != nil {
				t.Fatal(err)
			}
			var got, want any
			if err := json.Unmarshal(data, &got); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(test.want), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("JSON (-want +got):\n%s", diff)
			}
		})
	}
}
