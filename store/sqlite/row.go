//go:build cgo

package sqlite

import (
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ceap-platform/ceap"
)

// The numbers of statuses in the tables.
const (
	statusOpen int64 = iota
	statusSent
	statusConsumed
	statusDeleted // in marks only
	statusExpired // in marks only
)

func statusOf(n int64) ceap.Status {
	return [...]ceap.Status{ceap.StatusOpen, ceap.StatusSent, ceap.StatusConsumed, ceap.StatusDeleted, ceap.StatusExpired}[n]
}

// columns are what scanRow reads.
const columns = `id, customer, scope, subject_type, subject_id, event_at, score, channel_set, status, version,
	created_at, updated_at, expires_at, closed_at, closed_channel, writer, creator, body`

// stored is a row of the table candidates.
type stored struct {
	id, scope, eventAt, channelSet, status, version int64
	createdAt, updatedAt, expiresAt                 int64
	writer, creator                                 int64
	customer, subjectType, subjectID                string
	score                                           sql.Null[float64]
	closedAt                                        sql.Null[int64]
	closedChannel                                   sql.Null[string]
	body                                            string
}

func (r *stored) targets() []any {
	return []any{
		&r.id, &r.customer, &r.scope, &r.subjectType, &r.subjectID, &r.eventAt, &r.score, &r.channelSet, &r.status, &r.version,
		&r.createdAt, &r.updatedAt, &r.expiresAt, &r.closedAt, &r.closedChannel, &r.writer, &r.creator, &r.body,
	}
}

// key returns the key of the row, which is of that scope.
func (r *stored) key(sc scope) ceap.Key {
	return ceap.Key{CustomerID: r.customer, ProgramID: sc.program, Marketplace: sc.marketplace, SubjectType: r.subjectType, SubjectID: r.subjectID}
}

// rank returns where the row stands if it is open.
func (r *stored) rank() entry { return newEntry(r.score.V, r.score.Valid, r.eventAt, r.id, r.version) }

// sameContent reports whether the row holds just what the candidate says.
func (r *stored) sameContent(c *ceap.Candidate, body string) bool {
	return r.eventAt == c.EventDate.UnixMicro() && r.score.Valid == c.Scored && (!c.Scored || r.score.V == c.Score) && r.body == body
}

// appendBody appends what has no column of its own, as JSON. Equal content gives
// equal text.
func appendBody(b []byte, c *ceap.Candidate) []byte {
	b = append(b, '{')
	start := len(b)
	field := func(name string) {
		if len(b) > start {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, name...)
		b = append(b, '"', ':')
	}
	if !c.DeliveryDate.IsZero() {
		field("deliveryDate")
		b = ceap.Time(c.DeliveryDate).AppendJSON(b)
	}
	if c.TimingWindow != "" {
		field("timingWindow")
		b = ceap.AppendJSONString(b, c.TimingWindow)
	}
	if !c.OrderValue.IsNull() {
		field("orderValue")
		b = c.OrderValue.AppendJSON(b)
	}
	if c.Currency != "" {
		field("currency")
		b = ceap.AppendJSONString(b, c.Currency)
	}
	if !c.MediaEligible.IsNull() {
		field("mediaEligible")
		b = c.MediaEligible.AppendJSON(b)
	}
	if len(c.Channels) > 0 {
		field("channels")
		b = appendFlags(b, c.Channels)
	}
	if len(c.Extra) > 0 {
		field("extra")
		b = appendExtra(b, c.Extra)
	}
	if len(c.Scores) > 0 {
		field("scores")
		b = appendScores(b, c.Scores)
	}
	return append(b, '}')
}

func appendFlags(b []byte, flags []ceap.ChannelFlag) []byte {
	for i, f := range flags {
		b = append(b, separator('{', i))
		b = ceap.AppendJSONString(b, f.Channel)
		b = append(b, ':')
		b = strconv.AppendBool(b, f.Eligible)
	}
	return append(b, '}')
}

func appendExtra(b []byte, extra []ceap.Attribute) []byte {
	for i := range extra {
		b = append(b, separator('{', i))
		b = ceap.AppendJSONString(b, extra[i].Name)
		b = append(b, ':')
		b = extra[i].Value.AppendJSON(b)
	}
	return append(b, '}')
}

func appendScores(b []byte, scores []ceap.Score) []byte {
	for i := range scores {
		s := &scores[i]
		b = append(b, separator('[', i))
		b = append(b, `{"model":`...)
		b = ceap.AppendJSONString(b, s.ModelID)
		if s.State != ceap.ScoreUnscored {
			b = append(b, `,"value":`...)
			b = strconv.AppendFloat(b, s.Value, 'g', -1, 64)
		}
		if s.HasConfidence {
			b = append(b, `,"confidence":`...)
			b = strconv.AppendFloat(b, s.Confidence, 'g', -1, 64)
		}
		if s.State != ceap.ScoreModel {
			b = append(b, `,"state":`...)
			b = ceap.AppendJSONString(b, string(s.State))
			b = append(b, `,"reason":`...)
			b = ceap.AppendJSONString(b, s.Reason)
		}
		b = append(b, '}')
	}
	return append(b, ']')
}

func separator(first byte, i int) byte {
	if i == 0 {
		return first
	}
	return ','
}

// body is what appendBody writes.
type body struct {
	DeliveryDate  *time.Time            `json:"deliveryDate"`
	TimingWindow  string                `json:"timingWindow"`
	OrderValue    ceap.Value            `json:"orderValue"`
	Currency      string                `json:"currency"`
	MediaEligible ceap.Value            `json:"mediaEligible"`
	Channels      map[string]bool       `json:"channels"`
	Extra         map[string]ceap.Value `json:"extra"`
	Scores        []struct {
		Model      string          `json:"model"`
		Value      float64         `json:"value"`
		Confidence *float64        `json:"confidence"`
		State      ceap.ScoreState `json:"state"`
		Reason     string          `json:"reason"`
	} `json:"scores"`
}

// candidate turns the row into a candidate. An open one past its expiry by now
// is expired, swept or not.
func (r *stored) candidate(n *names, now time.Time) (ceap.Candidate, error) {
	n.mu.RLock()
	sc, okScope := n.scopeOf[r.scope]
	last, okWriter := n.writerOf[r.writer]
	first, okCreator := n.writerOf[r.creator]
	n.mu.RUnlock()
	if !okScope || !okWriter || !okCreator {
		return ceap.Candidate{}, errUnknownName
	}
	c := ceap.Candidate{
		Key:       r.key(sc),
		EventDate: fromMicros(r.eventAt), Score: r.score.V, Scored: r.score.Valid,
		Meta: ceap.Meta{
			Status: statusOf(r.status), CreatedAt: fromMicros(r.createdAt), UpdatedAt: fromMicros(r.updatedAt), ExpiresAt: fromMicros(r.expiresAt),
			Version: r.version, ConnectorID: last.connector, RunID: last.run, CreatedRunID: first.run, CorrelationID: last.correlation,
			ClosedChannel: r.closedChannel.V,
		},
	}
	if r.closedAt.Valid {
		c.Meta.ClosedAt = fromMicros(r.closedAt.V)
	}
	if r.status == statusOpen && !now.IsZero() && r.expiresAt <= now.UnixMicro() {
		c.Meta.Status = ceap.StatusExpired
	}
	return c, r.fill(&c)
}

// errUnknownName says that another process has added names since they were read.
var errUnknownName = fmt.Errorf("a candidate refers to an unknown name")

func (r *stored) fill(c *ceap.Candidate) error {
	var b body
	if err := json.Unmarshal([]byte(r.body), &b); err != nil {
		return fmt.Errorf("reading the content of candidate %d: %w", r.id, err)
	}
	if b.DeliveryDate != nil {
		c.DeliveryDate = b.DeliveryDate.UTC()
	}
	c.TimingWindow, c.OrderValue, c.Currency, c.MediaEligible = b.TimingWindow, b.OrderValue, b.Currency, b.MediaEligible
	for channel, eligible := range b.Channels {
		c.Channels = append(c.Channels, ceap.ChannelFlag{Channel: channel, Eligible: eligible})
	}
	slices.SortFunc(c.Channels, func(a, b ceap.ChannelFlag) int { return strings.Compare(a.Channel, b.Channel) })
	for name, value := range b.Extra {
		c.Extra = append(c.Extra, ceap.Attribute{Name: name, Value: value})
	}
	slices.SortFunc(c.Extra, func(a, b ceap.Attribute) int { return strings.Compare(a.Name, b.Name) })
	for _, s := range b.Scores {
		score := ceap.Score{ModelID: s.Model, Value: s.Value, State: s.State, Reason: s.Reason}
		if s.State == "" {
			score.State = ceap.ScoreModel
		}
		if s.Confidence != nil {
			score.HasConfidence, score.Confidence = true, *s.Confidence
		}
		c.Scores = append(c.Scores, score)
	}
	return nil
}

func fromMicros(n int64) time.Time { return time.UnixMicro(n).UTC() }

// markOf returns the hash that a closing mark keeps of a key.
func (s *Store) markOf(customer string, sc scope, subjectType, subjectID string) []byte {
	key := ceap.Key{CustomerID: customer, ProgramID: sc.program, Marketplace: sc.marketplace, SubjectType: subjectType, SubjectID: subjectID}
	h := hmac.New(sha256.New, s.markKey)
	h.Write([]byte(key.PK()))
	h.Write([]byte{0})
	h.Write([]byte(key.SK()))
	return h.Sum(nil)
}
