package connector

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/ceap-platform/ceap"
)

const ruleChannels = `it must be a JSON object of channels with true or false, such as {"email": true}`

// flag is a channel with the source of its eligibility.
type flag struct {
	channel string
	field   string // the target, for reports
	source  source
}

// readChannels fills c.Channels, sorted by channel.
//
// Where a flag and channelEligibility speak of one channel, both must say yes:
// no statement against contact is ever overruled. The program's
// defaultEligibility speaks where neither has a say; a channelEligibility that
// is NULL has a say, and it is no (D29).
func (m *Mapper) readChannels(values []ceap.Value, c *ceap.Candidate, bad *faults) {
	c.Channels = resized(c.Channels, len(m.flags))
	for i := range m.flags {
		f := &m.flags[i]
		v := f.source.value(values)
		eligible, rule := readBool(v)
		if rule != "" {
			bad.bad(f.field, v, rule)
			continue
		}
		c.Channels = append(c.Channels, ceap.ChannelFlag{Channel: f.channel, Eligible: eligible})
	}
	if m.sources[channelEligibility].present() {
		m.mergeChannels(values, c, bad)
	}
}

// mergeChannels adds what channelEligibility and then the program's defaults say.
func (m *Mapper) mergeChannels(values []ceap.Value, c *ceap.Candidate, bad *faults) {
	v := m.sources[channelEligibility].value(values)
	named, code, rule := readChannelObject(v)
	if rule != "" {
		bad.add(channelEligibility.String(), code, v, rule)
		return
	}
	for _, f := range named {
		c.Channels = addFlag(c.Channels, f)
	}
	for _, f := range m.defaults {
		if _, known := c.Eligible(f.Channel); !known {
			f.Eligible = f.Eligible && !v.IsNull()
			c.Channels = append(c.Channels, f)
		}
	}
	slices.SortFunc(c.Channels, func(a, b ceap.ChannelFlag) int { return strings.Compare(a.Channel, b.Channel) })
}

// addFlag adds f, or takes away eligibility that f denies.
func addFlag(flags []ceap.ChannelFlag, f ceap.ChannelFlag) []ceap.ChannelFlag {
	i := slices.IndexFunc(flags, func(have ceap.ChannelFlag) bool { return have.Channel == f.Channel })
	if i < 0 {
		return append(flags, f)
	}
	flags[i].Eligible = flags[i].Eligible && f.Eligible
	return flags
}

// readChannelObject returns the channels that v, the text of a JSON object, names,
// and the code and rule that v breaks or "". The values are null, which means not
// eligible, and the forms of booleans (D23). NULL names no channel.
func readChannelObject(v ceap.Value) (named []ceap.ChannelFlag, code, rule string) {
	switch {
	case v.IsNull():
		return nil, "", ""
	case len(v.Text()) > maxText:
		return nil, ceap.ReasonTooLong, ruleTooLong
	case v.Kind() != ceap.KindString:
		return nil, ceap.ReasonBadValue, ruleChannels
	}
	named, err := parseChannelObject(v.Text())
	if err != nil {
		return nil, ceap.ReasonBadValue, ruleChannels
	}
	return named, "", ""
}

var errNotChannels = errors.New("not an object of channels")

func parseChannelObject(text string) ([]ceap.ChannelFlag, error) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if token, err := dec.Token(); err != nil || token != json.Delim('{') {
		return nil, errNotChannels
	}
	var named []ceap.ChannelFlag
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, err
		}
		token, err := dec.Token()
		if err != nil {
			return nil, err
		}
		eligible, ok := tokenBool(token)
		channel := channelID(name.(string)) // the decoder refuses keys that are not text
		if !ok || channel == "" || channel == "media" {
			return nil, errNotChannels
		}
		named = addFlag(named, ceap.ChannelFlag{Channel: channel, Eligible: eligible})
	}
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errNotChannels
	}
	return named, nil
}

func tokenBool(token json.Token) (value, ok bool) {
	var v ceap.Value
	switch t := token.(type) {
	case nil:
	case bool:
		v = ceap.Bool(t)
	case string:
		v = ceap.String(t)
	case json.Number:
		v = ceap.Decimal(t.String())
	default:
		return false, false
	}
	b, rule := readBool(v)
	return b, rule == ""
}
