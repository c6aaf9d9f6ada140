package connector

import (
	"fmt"
	"strings"
	"time"

	"github.com/ceap-platform/ceap"
)

// Mapper is the shared default transform (D15 to D31). It is made once for the
// columns of a result and maps rows by position. It is safe for concurrent use.
type Mapper struct {
	width      int // of a row
	resolution Resolution
	sources    [targetCount]source
	flags      []flag             // sorted by channel
	defaults   []ceap.ChannelFlag // what the program says where a row's channelEligibility does not
	extras     []extra            // sorted by name
	extraSize  int                // bytes of the extras' names

	program, marketplace string
	currency             string // where a row names none
	sortKeySize          int    // bytes of a sort key without the subject's type and id
	zone                 *time.Location
	earliest, latest     int64 // microseconds since 1970, inclusive
}

// source is where a value comes from: a column, or the same for every row. A
// target without a source has the value NULL in every row.
type source struct {
	column   int // -1 if there is none
	constant ceap.Value
}

func (s *source) value(values []ceap.Value) ceap.Value {
	if s.column >= 0 {
		return values[s.column]
	}
	return s.constant
}

// present reports whether the target has a source.
func (s *source) present() bool { return s.column >= 0 || !s.constant.IsNull() }

// extra is an attribute with its source.
type extra struct {
	name   string
	source source
}

// Map fills c from the record: its key, its own fields, Channels and Extra, whose
// room it reuses. Scores and Meta stay as they are.
//
// Per value (D23 to D31):
//   - ids are text, kept byte for byte, or whole numbers; a required field that is
//     NULL or white space only is missing;
//   - numbers, booleans and dates in text may have blanks around them, and empty
//     text is none of them: it is invalid, while NULL is absent;
//   - a flag that is NULL means not eligible; a channel without any source is not
//     listed;
//   - eventDate and deliveryDate lie within the rules' dates, both inclusive;
//   - text is valid UTF-8 of at most 64 KiB, all extras together have at most 256
//     KiB, and keys are within what every store can hold.
//
// It returns an *[Invalid] that names everything that is wrong with the row, else
// a *[Mismatch] if the row belongs to another program or marketplace.
func (m *Mapper) Map(rec Record, c *ceap.Candidate) error {
	if len(rec.Values) != m.width {
		return &Invalid{
			Code:   ceap.ReasonBadValue,
			Reason: fmt.Sprintf("the row has %d values for %d columns", len(rec.Values), m.width),
		}
	}
	var bad faults
	m.read(rec.Values, c, &bad)
	if bad.any() {
		return bad.invalid()
	}
	if c.ProgramID != m.program {
		return mismatch(ceap.ReasonProgramMismatch, programID, c.ProgramID, m.program)
	}
	if c.Marketplace != m.marketplace {
		return mismatch(ceap.ReasonMarketplaceMismatch, marketplace, c.Marketplace, m.marketplace)
	}
	return nil
}

// mismatch returns the verdict on a row of another program or marketplace (D25).
func mismatch(code string, t target, got, want string) *Mismatch {
	return &Mismatch{Code: code, Reason: fmt.Sprintf("%s is %q; this run is for %q", t, cut(got), want)}
}

// Resolution says how each target was resolved: required targets first, then the
// optional ones, channels and extras by name.
func (m *Mapper) Resolution() Resolution { return m.resolution }

// read fills c as far as the values can be read and notes what is wrong.
func (m *Mapper) read(values []ceap.Value, c *ceap.Candidate, bad *faults) {
	c.CustomerID = m.readRequired(customerID, values, bad)
	c.SubjectType = m.readRequired(subjectType, values, bad)
	c.SubjectID = m.readRequired(subjectID, values, bad)
	if v := m.sources[eventDate].value(values); isBlank(v) {
		c.EventDate = time.Time{}
		bad.miss(eventDate)
	} else {
		c.EventDate = m.readDate(eventDate, v, bad)
	}
	c.ProgramID = m.readOwn(programID, m.program, values, bad)
	c.Marketplace = m.readOwn(marketplace, m.marketplace, values, bad)
	m.checkKey(c, bad)
	m.readOptional(values, c, bad)
	m.readChannels(values, c, bad)
	m.readExtras(values, c, bad)
}

func (m *Mapper) readRequired(t target, values []ceap.Value, bad *faults) string {
	v := m.sources[t].value(values)
	id, rule := readID(v)
	if rule != "" {
		bad.bad(t.String(), v, rule)
	} else if id == "" {
		bad.miss(t)
	}
	return id
}

// readOwn reads the program or marketplace of a row, which is the run's own if
// the row names none or the same.
func (m *Mapper) readOwn(t target, own string, values []ceap.Value, bad *faults) string {
	v := m.sources[t].value(values)
	if v.IsNull() {
		return own
	}
	id, rule := readID(v)
	if rule != "" {
		bad.bad(t.String(), v, rule)
		return own
	}
	if id == "" || strings.TrimSpace(id) == own {
		return own
	}
	return id
}

// readDate reads a date that is not NULL.
func (m *Mapper) readDate(t target, v ceap.Value, bad *faults) time.Time {
	micros, rule := readDate(v, m.zone)
	if rule != "" {
		bad.bad(t.String(), v, rule)
		return time.Time{}
	}
	if micros < m.earliest || micros > m.latest {
		bad.add(t.String(), ceap.ReasonDateOutOfRange, v, "dates from "+instant(m.earliest)+" to "+instant(m.latest)+" are accepted")
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

func instant(micros int64) string { return time.UnixMicro(micros).UTC().Format(time.RFC3339Nano) }

// checkKey checks the lengths of the candidate's keys. It counts escapes only
// where they could matter.
func (m *Mapper) checkKey(c *ceap.Candidate, bad *faults) {
	const prefix, widest = len("CUST#"), len("%25")
	if n := len(c.CustomerID); prefix+widest*n > maxPK {
		if size := prefix + escapedLen(c.CustomerID); size > maxPK {
			bad.add(customerID.String(), ceap.ReasonTooLong, ceap.String(c.CustomerID),
				fmt.Sprintf("it makes a key of %d bytes, and %d are possible", size, maxPK))
		}
	}
	if n := len(c.SubjectType) + len(c.SubjectID); m.sortKeySize+widest*n > maxSK {
		size := m.sortKeySize + escapedLen(c.SubjectType) + escapedLen(c.SubjectID)
		field, id := subjectID, c.SubjectID
		if len(c.SubjectType) > len(c.SubjectID) {
			field, id = subjectType, c.SubjectType
		}
		if size > maxSK {
			bad.add(field.String(), ceap.ReasonTooLong, ceap.String(id),
				fmt.Sprintf("with program, marketplace and subject it makes a key of %d bytes, and %d are possible", size, maxSK))
		}
	}
}

func (m *Mapper) readOptional(values []ceap.Value, c *ceap.Candidate, bad *faults) {
	var rule string
	v := m.sources[orderValue].value(values)
	if len(v.Text()) > maxText {
		bad.add(orderValue.String(), ceap.ReasonTooLong, v, ruleTooLong)
	} else if c.OrderValue, rule = readNumber(v); rule != "" {
		bad.bad(orderValue.String(), v, rule)
	}

	v = m.sources[currency].value(values)
	if c.Currency, rule = readCurrency(v); rule != "" {
		bad.bad(currency.String(), v, rule)
	}
	if c.Currency == "" {
		c.Currency = m.currency
	}

	c.DeliveryDate = time.Time{}
	if delivery := &m.sources[deliveryDate]; delivery.column == m.sources[eventDate].column && !c.EventDate.IsZero() {
		c.DeliveryDate = c.EventDate // one column feeds both in the guide's program (D21); reading it once is enough
	} else if v = delivery.value(values); !v.IsNull() {
		c.DeliveryDate = m.readDate(deliveryDate, v, bad)
	}

	v = m.sources[timingWindow].value(values)
	if c.TimingWindow, rule = readTimingWindow(v); rule != "" {
		bad.bad(timingWindow.String(), v, rule)
	}

	c.MediaEligible = ceap.Null()
	if v = m.sources[mediaEligible].value(values); !v.IsNull() {
		eligible, rule := readBool(v)
		if rule != "" {
			bad.bad(mediaEligible.String(), v, rule)
			return
		}
		c.MediaEligible = ceap.Bool(eligible)
	}
}

func (m *Mapper) readExtras(values []ceap.Value, c *ceap.Candidate, bad *faults) {
	c.Extra = resized(c.Extra, len(m.extras))
	size := m.extraSize
	for i := range m.extras {
		e := &m.extras[i]
		v, code, rule := readExtra(e.source.value(values))
		if rule != "" {
			bad.add(extraPrefix+e.name, code, v, rule)
			continue
		}
		size += len(v.Text())
		c.Extra = append(c.Extra, ceap.Attribute{Name: e.name, Value: v})
	}
	if size > maxExtras {
		bad.others = append(bad.others, fault{
			field: "extra", code: ceap.ReasonTooLong,
			reason: fmt.Sprintf("the columns that no field uses have %d bytes together, and %d are possible", size, maxExtras),
		})
	}
}

var _ Transform = (*Mapper)(nil)
