package connector

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// target is a field of a candidate that a mapping may name. The order is that of
// the resolution's notes and of lists of missing fields.
type target int

const (
	customerID target = iota
	subjectType
	subjectID
	eventDate
	programID
	marketplace
	orderValue
	currency
	deliveryDate
	timingWindow
	mediaEligible
	channelEligibility
	targetCount
)

// String returns the target as users write it.
func (t target) String() string {
	return [targetCount]string{
		"customerId", "subjectType", "subjectId", "eventDate", "programId", "marketplace",
		"orderValue", "currency", "deliveryDate", "timingWindow", "mediaEligible", "channelEligibility",
	}[t]
}

// required reports whether a row without the target is invalid (D24).
func (t target) required() bool { return t <= eventDate }

// neverConstant reports whether the target must come from data (D16).
func (t target) neverConstant() bool {
	return t == customerID || t == subjectID || t == eventDate
}

// mayBeBareConstant reports whether a bare text that is no column is a constant
// (D15).
func (t target) mayBeBareConstant() bool {
	return t == subjectType || t == programID || t == marketplace
}

// targetOf returns the target that users write as name.
func targetOf(name string) (target, bool) {
	for t := range targetCount {
		if t.String() == name {
			return t, true
		}
	}
	return 0, false
}

const (
	extraPrefix = "extra."
	flagSuffix  = "Eligible"
)

// isExtra reports whether the target is an attribute of the user's own.
func isExtra(name string) bool {
	return strings.HasPrefix(name, extraPrefix) && len(name) > len(extraPrefix)
}

// knownChannels returns the channels that CEAP has words for. A row may speak of
// any other.
func knownChannels() []string {
	return []string{"email", "in-app", "push", "sms", "voice", "webhook", "whatsapp"}
}

// channelOfTarget returns the channel of a target such as inAppEligible: letters
// and digits in camel case, then "Eligible". mediaEligible is about the content
// and not a channel (D30).
func channelOfTarget(name string) (string, bool) {
	prefix, ok := strings.CutSuffix(name, flagSuffix)
	if !ok || prefix == "" || name == mediaEligible.String() || !unicode.IsLower(firstRune(prefix)) {
		return "", false
	}
	isWord := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	if strings.ContainsFunc(prefix, func(r rune) bool { return !isWord(r) }) {
		return "", false
	}
	return channelID(prefix), true
}

// channelOfColumn returns the channel of a column such as in_app_eligible,
// inAppEligible or IN_APP_ELIGIBLE.
func channelOfColumn(name string) (string, bool) {
	last := len(name) - len(flagSuffix)
	if last <= 0 || !strings.EqualFold(name[last:], flagSuffix) {
		return "", false
	}
	channel := channelID(name[:last])
	return channel, channel != "" && plain(name) != plain(mediaEligible.String())
}

// channelID returns the id of a channel from its name in any spelling: words, cut
// at underscores, dashes, blanks and at capitals after small letters, are joined
// by dashes in lower case. A known channel is found however its words are cut,
// so "inapp" is "in-app".
func channelID(name string) string {
	var b strings.Builder
	afterSmall, gap := false, false
	for _, r := range name {
		if r == '_' || r == '-' || r == ' ' {
			gap = true
			continue
		}
		if b.Len() > 0 && (gap || afterSmall && unicode.IsUpper(r)) {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
		afterSmall, gap = !unicode.IsUpper(r), false
	}
	id := b.String()
	for _, known := range knownChannels() {
		if strings.ReplaceAll(id, "-", "") == strings.ReplaceAll(known, "-", "") {
			return known
		}
	}
	return id
}

// flagTarget returns the target of a channel: inAppEligible for "in-app".
func flagTarget(channel string) string {
	words := strings.Split(channel, "-")
	for i, word := range words[1:] {
		first, n := utf8.DecodeRuneInString(word)
		if n > 0 {
			words[i+1] = strings.ToUpper(string(first)) + word[n:]
		}
	}
	return strings.Join(words, "") + flagSuffix
}

// nearestTarget returns the known target that is most like name.
func nearestTarget(name string) string {
	var names []string
	for t := range targetCount {
		names = append(names, t.String())
	}
	for _, channel := range knownChannels() {
		names = append(names, flagTarget(channel))
	}
	return nearest(name, names)
}

// plain returns name as targets are compared with columns: without case and
// underscores (D20).
func plain(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }

func firstRune(s string) rune {
	r, _ := utf8.DecodeRuneInString(s)
	return r
}

// nearest returns the one of names that takes the fewest edits to become name,
// the first of several, ignoring case; "" if there are no names.
func nearest(name string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	return slices.MinFunc(names, func(a, b string) int { return edits(name, a) - edits(name, b) })
}

// edits returns how many letters must be added, dropped, replaced or swapped with
// their neighbour to turn a into b, ignoring case.
func edits(a, b string) int {
	from, to := []rune(strings.ToLower(a)), []rune(strings.ToLower(b))
	var before, above []int
	row := make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}
	for i := range from {
		before, above, row = above, row, make([]int, len(to)+1)
		row[0] = i + 1
		for j := range to {
			cost := 1
			if from[i] == to[j] {
				cost = 0
			}
			row[j+1] = min(above[j]+cost, above[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && from[i] == to[j-1] && from[i-1] == to[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(to)]
}
