package plugin

import (
	"math"
	"strconv"
	"strings"
)

// IsNumber reports whether text is a number as JSON writes it.
func IsNumber(text string) bool {
	mantissa, exponent, hasExponent := cutExponent(strings.TrimPrefix(text, "-"))
	whole, fraction, hasPoint := strings.Cut(mantissa, ".")
	switch {
	case !isDigits(whole) || (len(whole) > 1 && whole[0] == '0'):
		return false
	case hasPoint && !isDigits(fraction):
		return false
	case !hasExponent:
		return true
	default:
		if exponent != "" && (exponent[0] == '+' || exponent[0] == '-') {
			exponent = exponent[1:]
		}
		return isDigits(exponent)
	}
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func cutExponent(text string) (mantissa, exponent string, ok bool) {
	i := strings.IndexAny(text, "eE")
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+1:], true
}

// number is the exact value of a JSON number: digits * 10^exponent, where
// digits has no zeros at either end. Zero has no digits and exponent 0.
type number struct {
	negative bool
	digits   string
	exponent int
}

// parseNumber reads what [IsNumber] accepts. Exponents beyond 32 bits are cut
// to that.
func parseNumber(text string) number {
	var n number
	unsigned, negative := strings.CutPrefix(text, "-")
	mantissa, exponent, _ := cutExponent(unsigned)
	whole, fraction, _ := strings.Cut(mantissa, ".")
	n.digits = strings.TrimLeft(whole+fraction, "0")
	if n.digits == "" {
		return number{}
	}
	n.negative = negative
	e, _ := strconv.ParseInt(strings.TrimPrefix(exponent, "+"), 10, 32) // out of range gives the bound
	trimmed := strings.TrimRight(n.digits, "0")
	n.exponent = int(e) - len(fraction) + len(n.digits) - len(trimmed)
	n.digits = trimmed
	return n
}

// String returns the one text of all numbers of that value: plain as long as
// that is short, else with an exponent.
func (n number) String() string {
	const longest = 30 // digits, zeros included
	sign := ""
	if n.negative {
		sign = "-"
	}
	switch point := len(n.digits) + n.exponent; {
	case n.digits == "":
		return "0"
	case n.exponent >= 0 && point <= longest:
		return sign + n.digits + strings.Repeat("0", n.exponent)
	case n.exponent < 0 && point > 0:
		return sign + n.digits[:point] + "." + n.digits[point:]
	case n.exponent < 0 && -n.exponent <= longest:
		return sign + "0." + strings.Repeat("0", -point) + n.digits
	default:
		return sign + n.digits + "e" + strconv.Itoa(n.exponent)
	}
}

// wholeNumber returns the digits of a number without a fraction, however it is
// written: "1e3" and "1000.0" are 1000. Numbers too long for any integer give
// digits that are out of every range.
func wholeNumber(text string) (digits string, ok bool) {
	n := parseNumber(text)
	if n.exponent < 0 {
		return "", false
	}
	if len(n.digits)+n.exponent > len(strconv.FormatUint(math.MaxUint64, 10)) {
		n.digits, n.exponent = strings.Repeat("9", 30), 0
	}
	return n.String(), true
}
