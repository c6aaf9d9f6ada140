// Package eligibility rejects candidates that may not be reached through the
// channels the program requires, or whose row names no contact time. It only
// reads what the row said; opt-outs are another filter.
//
// The filter is safe for concurrent use.
package eligibility

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/filter"
	"github.com/ceap-platform/ceap/plugin"
)

// The reason codes.
const (
	CodeChannel      = "CHANNEL_INELIGIBLE"
	CodeTimingWindow = "TIMING_WINDOW_MISSING"
)

// Config holds the filter's parameters.
type Config struct {
	RequiredChannels     []string `json:"requiredChannels" ceap:"nonempty" doc:"Channels the customer must be reachable through, such as email. Empty: none is required."`
	RequiredChannelsMode string   `json:"requiredChannelsMode" ceap:"enum=all|any" doc:"Whether all of the channels are required, or any one of them. Default all."`
	CheckTimingWindow    bool     `json:"checkTimingWindow" doc:"Whether the row must name a timingWindow; any counts as one. Default false."`
}

// Validate returns what is wrong with the names of channels: one that no row can
// ever have would reject everybody.
func (c Config) Validate() ceap.Problems {
	var problems ceap.Problems
	for i, name := range c.RequiredChannels {
		if !regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`).MatchString(name) {
			problems = append(problems, ceap.Problem{
				Path: plugin.PathIndex("requiredChannels", i), Message: fmt.Sprintf("%q is not the name of a channel", name),
				Hint: "write words in lower case joined by -, such as email or in-app",
			})
		}
	}
	return problems
}

// Plugin describes the filter.
func Plugin() plugin.Of[filter.Filter] {
	return plugin.Define("eligibility", "keeps customers who may be reached through the required channels",
		Config{RequiredChannelsMode: "all"},
		func(_ plugin.Env, c Config) (filter.Filter, error) { return New(c), nil })
}

// Filter rejects candidates that may not be reached.
type Filter struct {
	config   Config
	channels []channel
}

// channel is a required channel with the words of its rejections, which millions
// of rows may share.
type channel struct {
	name       string
	ineligible string
	unknown    string
}

var _ filter.Filter = (*Filter)(nil)

// New returns the filter.
func New(config Config) *Filter {
	f := &Filter{config: config}
	for _, name := range config.RequiredChannels {
		if slices.ContainsFunc(f.channels, func(c channel) bool { return c.name == name }) {
			continue
		}
		f.channels = append(f.channels, channel{
			name:       name,
			ineligible: fmt.Sprintf("the customer is not eligible for %s", name),
			unknown: fmt.Sprintf("the row said nothing about %s; select a column %s or set defaultEligibility for it",
				name, flagName(name)),
		})
	}
	return f
}

// Apply judges the candidates.
func (f *Filter) Apply(ctx context.Context, batch []*ceap.Candidate, verdicts []filter.Verdict) error {
	return filter.ApplyEach(ctx, batch, verdicts, f.judge)
}

func (f *Filter) judge(c *ceap.Candidate) filter.Verdict {
	if reason := f.missing(c); reason != "" {
		return filter.Verdict{Code: CodeChannel, Reason: reason}
	}
	if f.config.CheckTimingWindow && c.TimingWindow == "" {
		return filter.Verdict{Code: CodeTimingWindow, Reason: "the row names no timingWindow, and checkTimingWindow demands one"}
	}
	return filter.Verdict{}
}

// missing returns why the candidate lacks required channels, or "".
func (f *Filter) missing(c *ceap.Candidate) string {
	var first string
	var others []string
	for i := range f.channels {
		reason := f.channels[i].reason(c)
		switch {
		case reason == "" && f.config.RequiredChannelsMode == "any":
			return ""
		case reason == "":
		case first == "":
			first = reason
		default:
			others = append(others, reason)
		}
	}
	if len(others) == 0 {
		return first
	}
	return first + "; " + strings.Join(others, "; ")
}

// reason returns why the candidate may not be reached through the channel, or
// "" if it may (D29).
func (ch *channel) reason(c *ceap.Candidate) string {
	switch eligible, known := c.Eligible(ch.name); {
	case eligible:
		return ""
	case known:
		return ch.ineligible
	default:
		return ch.unknown
	}
}

// flagName returns the column that speaks of a channel: inAppEligible of in-app.
func flagName(channel string) string {
	var b strings.Builder
	for i, word := range strings.Split(channel, "-") {
		if i > 0 && word != "" {
			word = strings.ToUpper(word[:1]) + word[1:]
		}
		b.WriteString(word)
	}
	return b.String() + "Eligible"
}
