package dynamodb

import (
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
)

// candidates implements [store.Candidates] on one table. Its items:
//
//	PK = CUST#<customer>, SK = PROG#<program>#MKT#<marketplace>#SUBJ#<type>#<id>
//
// is a candidate (D1), and nothing else has a PK that starts with CUST#:
//
//	customerId, programId, marketplace, subjectType, subjectId   S
//	eventDate, deliveryDate                                      S, 2026-01-27T00:00:00.000000Z
//	timingWindow, currency                                       S
//	orderValue                                                   N, and orderValueText S where N would not give back its zeros
//	mediaEligible                                                BOOL
//	channels                                                     M, a BOOL for each channel that the row speaks of
//	extra                                                        M: S, N, BOOL or NULL; M {number: S} for other numbers
//	score                                                        N, missing if unscored
//	scores                                                       L of M {model, state, value, confidence, reason}
//	status                                                       S: open, sent, consumed
//	version                                                      N
//	createdAt, updatedAt, expiresAt, closedAt                    S, as above
//	closedChannel, connectorId, runId, createdRunId, correlationId  S
//	ttl                                                          N, expiresAt in seconds since 1970 (D3)
//	GSI1PK, GSI1SK                                               S, of open ones only: see rankText
//	GSI2PK, GSI2SK                                               S: see createdText
//
// What a candidate lacks is missing. An open candidate past its expiresAt counts
// as expired, whether or not DynamoDB has removed it.
//
//	PK = MARK#<keyed hash>, SK = MARK
//
// is a mark, which outlives the candidate; see mark.
//
//	PK = STORE, SK = MARKKEY           key B, the key of that hash
//	PK = SCOPES#<program>, SK = MKT#<marketplace>  shards N, see scope
type candidates Store

var _ store.Candidates = (*candidates)(nil)

// maxItem is DynamoDB's limit on the size of an item, in bytes.
const maxItem = 400 << 10

// encode returns the item of a candidate, indexed over so many shards.
func encode(c *ceap.Candidate, shards int) item {
	m := &c.Meta
	it := item{
		"PK": text(c.PK()), "SK": text(c.SK()),
		"customerId": text(c.CustomerID), "programId": text(c.ProgramID), "marketplace": text(c.Marketplace),
		"subjectType": text(c.SubjectType), "subjectId": text(c.SubjectID),
		"eventDate": instant(c.EventDate), "status": text(string(m.Status)), "version": integer(m.Version),
		"createdAt": instant(m.CreatedAt), "updatedAt": instant(m.UpdatedAt), "expiresAt": instant(m.ExpiresAt), "ttl": seconds(m.ExpiresAt),
		"runId": text(m.RunID), "createdRunId": text(m.CreatedRunID),
	}
	for name, value := range map[string]string{
		"timingWindow": c.TimingWindow, "currency": c.Currency, "connectorId": m.ConnectorID, "correlationId": m.CorrelationID,
	} {
		if value != "" {
			it[name] = text(value)
		}
	}
	if !c.DeliveryDate.IsZero() {
		it["deliveryDate"] = instant(c.DeliveryDate)
	}
	if !c.MediaEligible.IsNull() {
		it["mediaEligible"] = boolean(c.MediaEligible.Bool())
	}
	if c.Scored {
		it["score"] = float(c.Score)
	}
	encodeOrderValue(it, c.OrderValue)
	encodeLists(it, c)
	index(it, c, shards)
	return it
}

func encodeLists(it item, c *ceap.Candidate) {
	if len(c.Channels) > 0 {
		channels := item{}
		for _, f := range c.Channels {
			channels[f.Channel] = boolean(f.Eligible)
		}
		it["channels"] = &types.AttributeValueMemberM{Value: channels}
	}
	if len(c.Extra) > 0 {
		extra := item{}
		for _, a := range c.Extra {
			extra[a.Name] = encodeValue(a.Value)
		}
		it["extra"] = &types.AttributeValueMemberM{Value: extra}
	}
	if len(c.Scores) > 0 {
		scores := make([]types.AttributeValue, len(c.Scores))
		for i := range c.Scores {
			scores[i] = encodeScore(&c.Scores[i])
		}
		it["scores"] = &types.AttributeValueMemberL{Value: scores}
	}
}

func encodeScore(s *ceap.Score) types.AttributeValue {
	it := item{"model": text(s.ModelID), "state": text(string(s.State))}
	if s.State != ceap.ScoreUnscored {
		it["value"] = float(s.Value)
	}
	if s.HasConfidence {
		it["confidence"] = float(s.Confidence)
	}
	if s.Reason != "" {
		it["reason"] = text(s.Reason)
	}
	return &types.AttributeValueMemberM{Value: it}
}

// encodeOrderValue keeps the number as one that others can add up. DynamoDB's
// numbers have no trailing zeros, and an order of 49.90 is to come back as that.
func encodeOrderValue(it item, v ceap.Value) {
	if v.IsNull() {
		return
	}
	if _, ok := v.Number(); ok && fitsNumber(v.String()) {
		it["orderValue"] = &types.AttributeValueMemberN{Value: v.String()}
	}
	if it["orderValue"] == nil || v.Kind() == ceap.KindDecimal {
		it["orderValueText"] = text(v.String())
	}
}

// encodeValue keeps a value so that an equal one comes back.
func encodeValue(v ceap.Value) types.AttributeValue {
	switch v.Kind() {
	case ceap.KindNull:
		return &types.AttributeValueMemberNULL{Value: true}
	case ceap.KindBool:
		return boolean(v.Bool())
	case ceap.KindInt, ceap.KindFloat:
		if fitsNumber(v.String()) {
			return &types.AttributeValueMemberN{Value: v.String()}
		}
		return &types.AttributeValueMemberM{Value: item{"number": text(v.String())}}
	case ceap.KindDecimal:
		return &types.AttributeValueMemberM{Value: item{"number": text(v.String())}}
	default:
		return text(v.String())
	}
}

// float returns a number that is not NaN or infinite; as text if DynamoDB has no
// such number.
func float(f float64) types.AttributeValue {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if fitsNumber(s) {
		return &types.AttributeValueMemberN{Value: s}
	}
	return text(s)
}

// fitsNumber reports whether DynamoDB keeps the number exactly: 38 digits, and a
// magnitude from 1e-130 to just below 1e126.
func fitsNumber(number string) bool {
	digits, _, _ := strings.Cut(strings.ToLower(number), "e")
	digits = strings.Trim(strings.NewReplacer("-", "", ".", "").Replace(digits), "0")
	f, err := strconv.ParseFloat(number, 64)
	abs := math.Abs(f)
	return err == nil && len(digits) <= 38 && (f == 0 || abs > 1e-129 && abs < 1e125)
}

// decode returns the candidate of an item. At now, unless it is zero, an open one
// past its expiry is expired.
func decode(it item, now time.Time) (ceap.Candidate, error) {
	f := fields{item: it}
	c := ceap.Candidate{
		Key: ceap.Key{
			CustomerID: f.text("customerId"), ProgramID: f.text("programId"), Marketplace: f.text("marketplace"),
			SubjectType: f.text("subjectType"), SubjectID: f.text("subjectId"),
		},
		EventDate: f.instant("eventDate"), DeliveryDate: f.instant("deliveryDate"), TimingWindow: f.text("timingWindow"), Currency: f.text("currency"),
		OrderValue: f.value("orderValue"), Channels: f.channels("channels"), Extra: f.extra("extra"), Scores: f.scores("scores"),
		Meta: ceap.Meta{
			Status: ceap.Status(f.text("status")), CreatedAt: f.instant("createdAt"), UpdatedAt: f.instant("updatedAt"), ExpiresAt: f.instant("expiresAt"),
			Version: f.integer("version"), ConnectorID: f.text("connectorId"), RunID: f.text("runId"), CreatedRunID: f.text("createdRunId"),
			CorrelationID: f.text("correlationId"), ClosedAt: f.instant("closedAt"), ClosedChannel: f.text("closedChannel"),
		},
	}
	if exact := f.text("orderValueText"); exact != "" {
		c.OrderValue = parseNumber(exact)
	}
	if it["mediaEligible"] != nil {
		c.MediaEligible = ceap.Bool(f.boolean("mediaEligible"))
	}
	if it["score"] != nil {
		c.Score, c.Scored = f.float("score"), true
	}
	expire(&c, now)
	return c, f.err
}

// parseNumber reads a number as encodeValue writes it, or as DynamoDB makes it.
func parseNumber(s string) ceap.Value {
	v := ceap.Decimal(s)
	if v.Kind() != ceap.KindString {
		return v
	}
	// With an exponent. A whole number must not lose digits on its way.
	if r, ok := new(big.Rat).SetString(s); ok && r.IsInt() && r.Num().IsInt64() {
		return ceap.Int(r.Num().Int64())
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return v
	}
	return ceap.Float(f)
}

// value returns a value as encodeValue writes it; NULL if there is none.
func (f *fields) value(name string) ceap.Value {
	switch v := f.item[name].(type) {
	case nil, *types.AttributeValueMemberNULL:
	case *types.AttributeValueMemberBOOL:
		return ceap.Bool(v.Value)
	case *types.AttributeValueMemberN:
		return parseNumber(v.Value)
	case *types.AttributeValueMemberS:
		return ceap.String(v.Value)
	case *types.AttributeValueMemberM:
		return parseNumber(textOf(v.Value, "number"))
	default:
		f.wrong(name, "value of a candidate")
	}
	return ceap.Null()
}

func (f *fields) float(name string) float64 {
	var s string
	switch v := f.item[name].(type) {
	case *types.AttributeValueMemberN:
		s = v.Value
	case *types.AttributeValueMemberS:
		s = v.Value
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil {
		f.wrong(name, "number")
	}
	return n
}

// inner returns the fields of a map; none if it is missing.
func (f *fields) inner(name string) fields {
	switch v := f.item[name].(type) {
	case nil, *types.AttributeValueMemberNULL:
	case *types.AttributeValueMemberM:
		return fields{item: v.Value}
	default:
		f.wrong(name, "map")
	}
	return fields{}
}

func (f *fields) channels(name string) (flags []ceap.ChannelFlag) {
	in := f.inner(name)
	for channel := range in.item {
		flags = append(flags, ceap.ChannelFlag{Channel: channel, Eligible: in.boolean(channel)})
	}
	slices.SortFunc(flags, func(a, b ceap.ChannelFlag) int { return strings.Compare(a.Channel, b.Channel) })
	f.take(in.err)
	return flags
}

func (f *fields) extra(name string) (extra []ceap.Attribute) {
	in := f.inner(name)
	for column := range in.item {
		extra = append(extra, ceap.Attribute{Name: column, Value: in.value(column)})
	}
	slices.SortFunc(extra, func(a, b ceap.Attribute) int { return strings.Compare(a.Name, b.Name) })
	f.take(in.err)
	return extra
}

func (f *fields) scores(name string) (scores []ceap.Score) {
	list, ok := f.item[name].(*types.AttributeValueMemberL)
	if !ok {
		if f.item[name] != nil {
			f.wrong(name, "list")
		}
		return nil
	}
	for i, v := range list.Value {
		in := fields{item: item{strconv.Itoa(i): v}}
		in = in.inner(strconv.Itoa(i))
		s := ceap.Score{ModelID: in.text("model"), State: ceap.ScoreState(in.text("state")), Reason: in.text("reason")}
		if in.item["value"] != nil {
			s.Value = in.float("value")
		}
		if s.HasConfidence = in.item["confidence"] != nil; s.HasConfidence {
			s.Confidence = in.float("confidence")
		}
		f.take(in.err)
		scores = append(scores, s)
	}
	return scores
}

func (f *fields) take(err error) {
	if f.err == nil {
		f.err = err
	}
}

// sameContent reports whether two candidates say the same, as far as it is kept.
func sameContent(a, b *ceap.Candidate) bool {
	return a.EventDate.UnixMicro() == b.EventDate.UnixMicro() && a.DeliveryDate.UnixMicro() == b.DeliveryDate.UnixMicro() &&
		a.TimingWindow == b.TimingWindow && a.OrderValue == b.OrderValue && a.Currency == b.Currency && a.MediaEligible == b.MediaEligible &&
		slices.Equal(a.Channels, b.Channels) && slices.Equal(a.Extra, b.Extra) && slices.EqualFunc(a.Scores, b.Scores, sameScore) &&
		a.Scored == b.Scored && (!a.Scored || a.Score == b.Score)
}

func sameScore(a, b ceap.Score) bool {
	return a.ModelID == b.ModelID && a.State == b.State && a.Reason == b.Reason && (a.State == ceap.ScoreUnscored || a.Value == b.Value) &&
		a.HasConfidence == b.HasConfidence && (!a.HasConfidence || a.Confidence == b.Confidence)
}

// size returns about how many bytes DynamoDB counts for an item, and no fewer.
func size(it item) int {
	n := 0
	for name, v := range it {
		n += len(name) + sizeOf(v)
	}
	return n
}

// sizeOf counts an attribute: a number by two digits a byte, a list or map by
// three bytes and one for each element, as AWS documents.
func sizeOf(v types.AttributeValue) int {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return len(v.Value) + 1
	case *types.AttributeValueMemberN:
		return len(v.Value)/2 + 3
	case *types.AttributeValueMemberB:
		return len(v.Value) + 1
	case *types.AttributeValueMemberM:
		return 3 + len(v.Value) + size(v.Value)
	case *types.AttributeValueMemberL:
		n := 3 + len(v.Value)
		for _, e := range v.Value {
			n += sizeOf(e)
		}
		return n
	default:
		return 2
	}
}
