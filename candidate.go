package ceap

import (
	"slices"
	"strings"
	"time"
)

// Key identifies a candidate: one customer, one subject, in one program and
// marketplace. The ids may hold any characters. Keys are comparable.
type Key struct {
	CustomerID  string `json:"customerId"`
	ProgramID   string `json:"programId"`
	Marketplace string `json:"marketplace"`
	SubjectType string `json:"subjectType"`
	SubjectID   string `json:"subjectId"`
}

// Compare orders keys by customer, program, marketplace, subject type and
// subject id, each by its bytes.
func (k Key) Compare(other Key) int {
	for _, pair := range [...][2]string{
		{k.CustomerID, other.CustomerID},
		{k.ProgramID, other.ProgramID},
		{k.Marketplace, other.Marketplace},
		{k.SubjectType, other.SubjectType},
		{k.SubjectID, other.SubjectID},
	} {
		if c := strings.Compare(pair[0], pair[1]); c != 0 {
			return c
		}
	}
	return 0
}

// PK returns the partition key of the candidate's item (D1): CUST#<customer>.
func (k Key) PK() string { return "CUST#" + escapePart(k.CustomerID) }

// SK returns the sort key of the candidate's item (D1):
// PROG#<program>#MKT#<marketplace>#SUBJ#<type>#<id>.
func (k Key) SK() string {
	return "PROG#" + escapePart(k.ProgramID) + "#MKT#" + escapePart(k.Marketplace) +
		"#SUBJ#" + escapePart(k.SubjectType) + "#" + escapePart(k.SubjectID)
}

// String returns "CUST-001 product/PROD-123 (product-reviews, US)".
func (k Key) String() string {
	return k.CustomerID + " " + k.SubjectType + "/" + k.SubjectID + " (" + k.ProgramID + ", " + k.Marketplace + ")"
}

// ParseKey reads the partition and sort key that [Key.PK] and [Key.SK] return.
// It returns an error of [CodeInvalid] for any other text.
func ParseKey(pk, sk string) (Key, error) {
	customer, ok := strings.CutPrefix(pk, "CUST#")
	parts := strings.Split(sk, "#")
	if !ok || len(parts) != 7 || parts[0] != "PROG" || parts[2] != "MKT" || parts[4] != "SUBJ" || strings.Contains(customer, "#") {
		return Key{}, Errorf(CodeInvalid, "%q with %q is not the key of a candidate", pk, sk)
	}
	key := Key{
		CustomerID: unescapePart(customer), ProgramID: unescapePart(parts[1]), Marketplace: unescapePart(parts[3]),
		SubjectType: unescapePart(parts[5]), SubjectID: unescapePart(parts[6]),
	}
	if key.PK() != pk || key.SK() != sk {
		return Key{}, Errorf(CodeInvalid, "%q with %q is not the key of a candidate: only %%25 and %%23 are escapes", pk, sk)
	}
	return key, nil
}

func escapePart(s string) string {
	if !strings.ContainsAny(s, "%#") {
		return s
	}
	return strings.NewReplacer("%", "%25", "#", "%23").Replace(s)
}

func unescapePart(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	return strings.NewReplacer("%25", "%", "%23", "#").Replace(s)
}

// Status says where a stored candidate stands in its life.
type Status string

// The statuses. An open candidate past its ExpiresAt counts as expired, whether
// or not the store has swept it (D3).
const (
	StatusOpen     Status = "open"
	StatusSent     Status = "sent"     // the first message of its plan has left
	StatusConsumed Status = "consumed" // its last step is done, or the customer converted
	StatusExpired  Status = "expired"
	StatusDeleted  Status = "deleted"
)

// Attribute is a named value of a candidate beyond the fields CEAP knows.
type Attribute struct {
	Name  string
	Value Value
}

// ChannelFlag says whether the customer may be reached through a channel.
type ChannelFlag struct {
	Channel  string
	Eligible bool
}

// Candidate is one customer paired with one subject: what a row of the source
// becomes, and what is filtered, scored, stored and served.
type Candidate struct {
	Key

	EventDate     time.Time     // when the event occurred; UTC
	DeliveryDate  time.Time     // UTC; zero if absent
	TimingWindow  string        // one of TimingWindows; "" if absent, which means any (D28)
	OrderValue    Value         // a number, or NULL if absent
	Currency      string        // ISO 4217
	MediaEligible Value         // a boolean, or NULL if absent; about the content, not a channel
	Channels      []ChannelFlag // sorted by channel; a channel not listed is unknown (D29)
	Extra         []Attribute   // the unmapped columns, sorted by name (D22); NULL, booleans, numbers and text only

	Scores []Score // one per model of the program, in its order
	Score  float64 // the candidate's score, 0..1; meaningful only if Scored
	Scored bool
	Meta   Meta
}

// Meta is what CEAP itself knows about a candidate.
type Meta struct {
	Status        Status
	CreatedAt     time.Time // UTC, like all times here
	UpdatedAt     time.Time
	ExpiresAt     time.Time
	Version       int64 // 1 when created, one higher with each change
	ConnectorID   string
	RunID         string // the run that wrote it last
	CreatedRunID  string // the run that created it
	CorrelationID string
	ClosedAt      time.Time // when it was sent, consumed or deleted; zero while open
	ClosedChannel string    // the channel it was consumed through; "" if none
}

// TimingWindows lists the preferred contact times that a row may name (D28).
func TimingWindows() []string {
	return []string{"morning", "afternoon", "evening", "night", "business", "any"}
}

// Eligible reports whether the candidate may be reached through the channel,
// and whether its row said anything about it (D29).
func (c *Candidate) Eligible(channel string) (eligible, known bool) {
	for i := range c.Channels {
		if c.Channels[i].Channel == channel {
			return c.Channels[i].Eligible, true
		}
	}
	return false, false
}

// EligibleChannels returns the channels that the candidate is eligible for,
// sorted.
func (c *Candidate) EligibleChannels() []string {
	var channels []string
	for _, flag := range c.Channels {
		if flag.Eligible {
			channels = append(channels, flag.Channel)
		}
	}
	return channels
}

// Attribute returns the extra attribute of that name, and whether the row had
// such a column.
func (c *Candidate) Attribute(name string) (Value, bool) {
	i, ok := slices.BinarySearchFunc(c.Extra, name, func(a Attribute, name string) int { return strings.Compare(a.Name, name) })
	if !ok {
		return Value{}, false
	}
	return c.Extra[i].Value, true
}

// CompareRank orders candidates from best to worst: scored before unscored,
// higher score, newer event, then key, so that ties never move.
func CompareRank(a, b *Candidate) int {
	switch {
	case a.Scored != b.Scored:
		if a.Scored {
			return -1
		}
		return 1
	case a.Scored && a.Score != b.Score:
		if a.Score > b.Score {
			return -1
		}
		return 1
	}
	if c := b.EventDate.Compare(a.EventDate); c != 0 {
		return c
	}
	return a.Compare(b.Key)
}
