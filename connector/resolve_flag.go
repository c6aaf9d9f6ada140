package connector

import (
	"maps"
	"slices"
	"strings"

	"github.com/ceap-platform/ceap"
)

// resolveFlags finds the source of each channel's flag: first the mapped ones,
// then columns by their names (D30), then the program's defaults (D29).
func (r *resolver) resolveFlags() {
	found := map[string]flag{}
	var mapped []string
	for name := range r.mappings {
		if _, ok := channelOfTarget(name); ok {
			mapped = append(mapped, name)
		}
	}
	slices.Sort(mapped)
	first := len(r.notes)
	for _, name := range mapped {
		channel, _ := channelOfTarget(name)
		found[channel] = flag{channel: channel, field: name, source: r.resolveMapping(name, r.mappings[name], false)}
		r.warnChannel(name, channel)
	}
	r.findFlags(found)
	r.addDefaults(found)
	for _, channel := range slices.Sorted(maps.Keys(found)) {
		r.m.flags = append(r.m.flags, found[channel])
	}
	slices.SortStableFunc(r.notes[first:], func(a, b ceap.MappingNote) int { return strings.Compare(a.Target, b.Target) })
}

// findFlags adds the flags that columns supply by their names.
func (r *resolver) findFlags(found map[string]flag) {
	named := map[string]bool{}
	for i, c := range r.columns {
		channel, ok := channelOfColumn(c.Name)
		if !ok || r.mapped[i] && !slices.Contains(knownChannels(), channel) {
			continue
		}
		if _, mapped := found[channel]; !mapped {
			named[channel] = true
		}
	}
	for _, channel := range slices.Sorted(maps.Keys(named)) {
		name := flagTarget(channel)
		column := r.only(name, func(c Column) bool {
			other, ok := channelOfColumn(c.Name)
			return ok && other == channel
		})
		if column >= 0 {
			found[channel] = flag{channel: channel, field: name, source: r.useColumn(name, column, "by its name")}
		}
		r.warnChannel(name, channel)
	}
}

// addDefaults adds the program's word for channels of which rows cannot speak,
// and notes the channels of the guide that are then still unknown.
func (r *resolver) addDefaults(found map[string]flag) {
	hasObject := r.m.sources[channelEligibility].present()
	channels := []string{"email", "push", "sms"}
	for channel := range r.req.Rules.DefaultEligibility {
		channels = append(channels, channel)
	}
	slices.Sort(channels)
	for _, channel := range slices.Compact(channels) {
		if _, ok := found[channel]; ok {
			continue
		}
		eligible, ok := r.req.Rules.DefaultEligibility[channel]
		switch {
		case ok && hasObject:
			r.m.defaults = append(r.m.defaults, ceap.ChannelFlag{Channel: channel, Eligible: eligible})
		case ok:
			found[channel] = flag{channel: channel, field: flagTarget(channel), source: source{column: -1, constant: ceap.Bool(eligible)}}
		}
		r.note(flagTarget(channel), "", howAbsent, defaultNote(eligible, ok, hasObject))
	}
}

func defaultNote(eligible, hasDefault, hasObject bool) string { //nolint:revive // the facts that it words
	note := "no customer counts as eligible"
	switch {
	case eligible:
		note = "every customer counts as eligible, by the program's defaultEligibility"
	case hasDefault:
		note += ", by the program's defaultEligibility"
	}
	if hasObject {
		note += ", unless channelEligibility names the channel"
	}
	return note
}

// warnChannel warns about a channel that is probably a slip of the pen.
func (r *resolver) warnChannel(target, channel string) {
	known := nearest(channel, knownChannels())
	if channel != known && edits(channel, known) == 1 {
		r.warning(target, "it is about a channel %q; the channel %q is one letter away", channel, known)
	}
}

// checkDefaults refuses to take consent for granted where it must be visible in
// the query or the mapping (D29).
func (r *resolver) checkDefaults() {
	for _, channel := range []string{"push", "sms", "voice", "whatsapp"} {
		if r.req.Rules.DefaultEligibility[channel] {
			r.problems = append(r.problems, ceap.Problem{
				Path:    "defaultEligibility." + channel,
				Message: "consent to " + channel + " cannot be assumed",
				Hint:    "select a column " + strings.ToLower(channel) + "_eligible, or map " + flagTarget(channel),
			})
		}
	}
}
