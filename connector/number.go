package connector

import (
	"math"
	"strconv"
	"strings"

	"github.com/ceap-platform/ceap"
)

const (
	ruleNumber    = "a number has digits and at most one point, no thousands separators"
	ruleEmpty     = "empty text is no value; return NULL where there is none"
	ruleIsANumber = "it must be a number"
)

// readNumber returns v as a number, or NULL for NULL, and the rule that v breaks
// or "". Equal numbers become equal Values, so that text "29.90" and the number
// 29.9 are the same whichever engine they come from.
func readNumber(v ceap.Value) (ceap.Value, string) {
	switch v.Kind() {
	case ceap.KindNull, ceap.KindInt, ceap.KindFloat:
		return v, ""
	case ceap.KindDecimal, ceap.KindString:
		text := trimBlank(v.Text())
		if text == "" {
			return ceap.Null(), ruleEmpty
		}
		if n, ok := parseNumber(text); ok {
			return n, ""
		}
		return ceap.Null(), ruleNumber
	default:
		return ceap.Null(), ruleIsANumber
	}
}

// parseNumber reads a finite number: a sign, digits with at most one point, and
// an exponent, as Athena writes large ones. Without an exponent the number is
// kept exactly.
func parseNumber(s string) (ceap.Value, bool) {
	if v, ok := parseShortNumber(s); ok {
		return v, true
	}
	exponent, ok := scanNumber(s)
	if !ok {
		return ceap.Null(), false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return ceap.Null(), false // beyond the largest float64
	}
	if exponent {
		return ceap.Float(f), true
	}
	text := shortestDecimal(s)
	v := ceap.Decimal(text)
	if v.Kind() == ceap.KindDecimal && strconv.FormatFloat(f, 'f', -1, 64) == text {
		return ceap.Float(f), true
	}
	return v, true
}

// parseShortNumber reads digits with at most one point and at most 15 digits.
// Such a number is a quotient of two exact float64, so one division rounds it
// correctly, and its shortest text is the one it was read from.
func parseShortNumber(s string) (ceap.Value, bool) {
	digits := s
	if s != "" && s[0] == '-' {
		digits = s[1:]
	}
	if len(digits) == 0 || len(digits) > 16 {
		return ceap.Null(), false
	}
	var n int64
	point := -1
	for i := range len(digits) {
		switch c := digits[i]; {
		case c >= '0' && c <= '9':
			n = n*10 + int64(c-'0')
		case c == '.' && point < 0:
			point = i
		default:
			return ceap.Null(), false
		}
	}
	fraction := 0
	if point >= 0 {
		fraction = len(digits) - point - 1
	}
	if len(digits) == 1 && point == 0 || point < 0 && len(digits) > 15 {
		return ceap.Null(), false
	}
	if len(digits) != len(s) {
		n = -n
	}
	if fraction == 0 {
		return ceap.Int(n), true
	}
	return ceap.Float(float64(n) / math.Pow10(fraction)), true
}

// scanNumber reports whether s has the form of a number, and whether it has an
// exponent.
func scanNumber(s string) (exponent, ok bool) {
	mantissa := strings.TrimLeft(s, "+-")
	if len(s)-len(mantissa) > 1 {
		return false, false
	}
	if i := strings.IndexAny(mantissa, "eE"); i >= 0 {
		power := mantissa[i+1:]
		if power != "" && (power[0] == '+' || power[0] == '-') {
			power = power[1:]
		}
		if power == "" || !isDigits(power) {
			return false, false
		}
		mantissa, exponent = mantissa[:i], true
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	return exponent, whole+fraction != "" && isDigits(whole) && isDigits(fraction)
}

// shortestDecimal returns a number without exponent without its plus sign and its
// needless zeros.
func shortestDecimal(s string) string {
	sign := ""
	if s[0] == '-' {
		sign = "-"
	}
	whole, fraction, _ := strings.Cut(strings.TrimLeft(s, "+-"), ".")
	if whole = strings.TrimLeft(whole, "0"); whole == "" {
		whole = "0"
	}
	if fraction = strings.TrimRight(fraction, "0"); fraction != "" {
		fraction = "." + fraction
	}
	return sign + whole + fraction
}

// isDigits reports whether s holds nothing but digits.
func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// trimBlank returns s without the blanks, tabs and line ends around it.
func trimBlank(s string) string {
	for s != "" && isSpace(s[0]) {
		s = s[1:]
	}
	for s != "" && isSpace(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
