package connector

import (
	"strings"

	"github.com/ceap-platform/ceap"
)

const ruleBoolean = "a boolean is true or false, t or f, yes or no, 1 or 0"

// readBool returns v as a boolean, and the rule that v breaks or "". NULL reads as
// false; callers to whom it means something else ask first.
func readBool(v ceap.Value) (bool, string) {
	switch v.Kind() {
	case ceap.KindNull:
		return false, ""
	case ceap.KindBool:
		return v.Bool(), ""
	case ceap.KindString:
		text := trimBlank(v.Text())
		if text == "" {
			return false, ruleEmpty
		}
		if b, ok := parseBool(text); ok {
			return b, ""
		}
	default:
		if f, ok := v.Number(); ok && (f == 0 || f == 1) {
			return f == 1, ""
		}
	}
	return false, ruleBoolean
}

func parseBool(s string) (value, ok bool) {
	switch s {
	case "true", "1", "t", "T":
		return true, true
	case "false", "0", "f", "F":
		return false, true
	}
	switch {
	case strings.EqualFold(s, "true"), strings.EqualFold(s, "yes"):
		return true, true
	case strings.EqualFold(s, "false"), strings.EqualFold(s, "no"):
		return false, true
	}
	return false, false
}
