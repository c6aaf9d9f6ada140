package explain

import (
	"time"

	"github.com/ceap-platform/ceap"
)

// CandidateView is a candidate as people and programs see it in JSON.
type CandidateView struct {
	CustomerID string           `json:"customerId"`
	Context    []ContextView    `json:"context"` // program and marketplace
	Subject    SubjectView      `json:"subject"`
	Status     ceap.Status      `json:"status"`
	Score      *float64         `json:"score,omitempty"` // absent if unscored
	Scores     map[string]Score `json:"scores"`          // by model id
	Attributes AttributesView   `json:"attributes"`
	Metadata   MetadataView     `json:"metadata"`
}

// ContextView is one part of a candidate's context.
type ContextView struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// SubjectView is what a candidate is about. Both parts are empty where a row did
// not say.
type SubjectView struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// String returns "product/PROD-123", in the form of [Readable].
func (s SubjectView) String() string {
	if s == (SubjectView{}) {
		return "an unknown subject"
	}
	return Readable(s.Type + "/" + s.ID)
}

// Score is what one model made of a candidate.
type Score struct {
	Value      *float64 `json:"value"` // null if unscored
	Confidence *float64 `json:"confidence,omitempty"`
	Fallback   bool     `json:"fallback,omitempty"` // the program's fallback stands in for the model
	Cached     bool     `json:"cached,omitempty"`   // an earlier answer to the same question stands in for the model
	Reason     string   `json:"reason,omitempty"`   // why there is a stand-in or no value
}

// AttributesView holds what the row said.
type AttributesView struct {
	EventDate          time.Time             `json:"eventDate,omitzero"`
	DeliveryDate       time.Time             `json:"deliveryDate,omitzero"`
	TimingWindow       string                `json:"timingWindow,omitempty"`
	OrderValue         *ceap.Value           `json:"orderValue,omitempty"`
	Currency           string                `json:"currency,omitempty"`
	MediaEligible      *ceap.Value           `json:"mediaEligible,omitempty"`
	ChannelEligibility map[string]bool       `json:"channelEligibility"` // a channel not listed is unknown
	Consumed           bool                  `json:"consumed,omitempty"`
	ConsumedAt         time.Time             `json:"consumedAt,omitzero"`
	ConsumedChannel    string                `json:"consumedChannel,omitempty"`
	Extra              map[string]ceap.Value `json:"extra,omitempty"`
}

// MetadataView holds what CEAP knows about the candidate.
type MetadataView struct {
	CreatedAt         time.Time `json:"createdAt"`
	UpdatedAt         time.Time `json:"updatedAt"`
	ExpiresAt         time.Time `json:"expiresAt"`
	Version           int64     `json:"version"`
	SourceConnectorID string    `json:"sourceConnectorId"`
	RunID             string    `json:"runId"`                  // the run that wrote it last
	CreatedRunID      string    `json:"createdRunId,omitempty"` // the run that created it
	CorrelationID     string    `json:"correlationId,omitempty"`
	ClosedAt          time.Time `json:"closedAt,omitzero"` // when it was sent or consumed
	ClosedChannel     string    `json:"closedChannel,omitempty"`
}

// ViewOf returns the view of a candidate, which shares nothing with it.
func ViewOf(c ceap.Candidate) CandidateView {
	view := CandidateView{
		CustomerID: c.CustomerID,
		Context:    []ContextView{{"program", c.ProgramID}, {"marketplace", c.Marketplace}},
		Subject:    SubjectView{c.SubjectType, c.SubjectID},
		Status:     c.Meta.Status,
		Scores:     make(map[string]Score, len(c.Scores)),
		Attributes: attributesOf(&c),
		Metadata: MetadataView{
			CreatedAt: c.Meta.CreatedAt, UpdatedAt: c.Meta.UpdatedAt, ExpiresAt: c.Meta.ExpiresAt,
			Version: c.Meta.Version, SourceConnectorID: c.Meta.ConnectorID, RunID: c.Meta.RunID,
			CreatedRunID: c.Meta.CreatedRunID, CorrelationID: c.Meta.CorrelationID,
			ClosedAt: c.Meta.ClosedAt, ClosedChannel: c.Meta.ClosedChannel,
		},
	}
	if c.Scored {
		view.Score = &c.Score
	}
	for _, s := range c.Scores {
		view.Scores[s.ModelID] = scoreOf(s)
	}
	return view
}

func scoreOf(s ceap.Score) Score {
	view := Score{Fallback: s.State == ceap.ScoreFallback, Cached: s.State == ceap.ScoreCached, Reason: s.Reason}
	if s.State == ceap.ScoreUnscored {
		return view
	}
	view.Value = &s.Value
	if s.HasConfidence {
		view.Confidence = &s.Confidence
	}
	return view
}

func attributesOf(c *ceap.Candidate) AttributesView {
	view := AttributesView{
		EventDate: c.EventDate, DeliveryDate: c.DeliveryDate, TimingWindow: c.TimingWindow, Currency: c.Currency,
		OrderValue: unlessNull(c.OrderValue), MediaEligible: unlessNull(c.MediaEligible),
		ChannelEligibility: make(map[string]bool, len(c.Channels)),
	}
	for _, flag := range c.Channels {
		view.ChannelEligibility[flag.Channel] = flag.Eligible
	}
	if c.Meta.Status == ceap.StatusConsumed {
		view.Consumed, view.ConsumedAt, view.ConsumedChannel = true, c.Meta.ClosedAt, c.Meta.ClosedChannel
	}
	if len(c.Extra) > 0 {
		view.Extra = make(map[string]ceap.Value, len(c.Extra))
		for _, attribute := range c.Extra {
			view.Extra[attribute.Name] = attribute.Value
		}
	}
	return view
}

func unlessNull(v ceap.Value) *ceap.Value {
	if v.IsNull() {
		return nil
	}
	return &v
}
