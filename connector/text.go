package connector

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ceap-platform/ceap"
)

const (
	// maxPK and maxSK are the longest keys in bytes of UTF-8, from the DynamoDB
	// quotas. They bind every store, so that a program has the same outcomes on
	// all of them (I9).
	maxPK = 2048
	maxSK = 1024
	// maxText bounds one text and maxExtras all extra attributes of a row, names
	// included, so that an item stays below the 400 KB of the DynamoDB quotas.
	maxText   = 64 << 10
	maxExtras = 256 << 10

	ruleID       = "an id is text or a whole number"
	ruleUTF8     = "text must be valid UTF-8"
	ruleText     = "it must be text"
	ruleTooLong  = "text may have at most 65536 bytes"
	ruleCurrency = "a currency has three letters, such as USD"
)

// readID returns v as an id, and the rule that v breaks or "". NULL and text of
// white space only give "". Other text is kept byte for byte, blanks around it
// included: two ids that differ are two customers (I12).
func readID(v ceap.Value) (id, rule string) {
	switch v.Kind() {
	case ceap.KindNull:
		return "", ""
	case ceap.KindString:
		text := v.Text()
		if text == "" || (text[0] <= ' ' || text[0] >= utf8.RuneSelf) && strings.TrimSpace(text) == "" {
			return "", ""
		}
		if !utf8.ValidString(text) {
			return "", ruleUTF8
		}
		return text, ""
	case ceap.KindInt:
		return strconv.FormatInt(v.Int(), 10), ""
	case ceap.KindDecimal:
		if !strings.Contains(v.Text(), ".") {
			return v.Text(), ""
		}
	default:
	}
	return "", ruleID
}

// readTimingWindow returns the window that v names, and the rule that v breaks
// or "". NULL and blank text give "" (D28).
func readTimingWindow(v ceap.Value) (window, rule string) {
	if isBlank(v) {
		return "", ""
	}
	text := trimBlank(v.Text())
	for _, known := range ceap.TimingWindows() {
		if v.Kind() == ceap.KindString && strings.EqualFold(text, known) {
			return known, ""
		}
	}
	return "", "a timing window is one of " + strings.Join(ceap.TimingWindows(), ", ")
}

// readCurrency returns the currency that v names in capitals, and the rule that
// v breaks or "". NULL and blank text give "" (D31).
func readCurrency(v ceap.Value) (code, rule string) {
	if isBlank(v) {
		return "", ""
	}
	text := trimBlank(v.Text())
	isLetter := func(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
	if v.Kind() != ceap.KindString || len(text) != 3 || !isLetter(text[0]) || !isLetter(text[1]) || !isLetter(text[2]) {
		return "", ruleCurrency
	}
	return strings.ToUpper(text), ""
}

// readExtra returns v as an extra attribute holds it, and the code and rule that
// v breaks or "". Times and dates become their ISO text.
func readExtra(v ceap.Value) (value ceap.Value, code, rule string) {
	switch v.Kind() {
	case ceap.KindString:
		if !utf8.ValidString(v.Text()) {
			return v, ceap.ReasonBadValue, ruleUTF8
		}
	case ceap.KindTime, ceap.KindLocal, ceap.KindDate:
		return ceap.String(v.String()), "", ""
	default:
	}
	if len(v.Text()) > maxText {
		return v, ceap.ReasonTooLong, ruleTooLong
	}
	return v, "", ""
}

// escapedLen returns how many bytes s has as part of a key, where "%" and "#"
// take three (D1).
func escapedLen(s string) int {
	return len(s) + 2*strings.Count(s, "%") + 2*strings.Count(s, "#")
}

// resized returns an empty slice with room for n, s's own room if that suffices.
func resized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, 0, n)
	}
	return s[:0]
}
