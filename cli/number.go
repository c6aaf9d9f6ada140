package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// thousands writes a whole number with commas: 1,234,567.
func thousands(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return sign + b.String()
}

// plural writes a number with its noun: "1 row", "2,000 rows".
func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return thousands(n) + " " + noun + "s"
}

// took writes a duration as people say it: 340ms, 4.2s, 3m07s, 2h05m.
func took(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Truncate(100*time.Millisecond).Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	default:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
}

// share writes part as a percentage of whole; "" if there is no whole. What is
// not all is never shown as 100%, and what is not nothing never as 0%.
func share(part, whole int64) string {
	switch {
	case whole <= 0:
		return ""
	case part <= 0:
		return "0%"
	case part >= whole:
		return "100%"
	}
	percent := 100 * float64(part) / float64(whole)
	return fmt.Sprintf("%.1f%%", min(max(percent, 0.1), 99.9))
}

// bar draws part of whole as at most width cells, to an eighth of a cell.
func bar(part, whole int64, width int) string {
	if whole <= 0 || part <= 0 {
		return ""
	}
	eighths := int(float64(min(part, whole)) / float64(whole) * float64(width) * 8)
	if eighths == 0 {
		eighths = 1
	}
	b := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		b += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return b
}

// stamp writes an instant in UTC, to the second; "-" for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}
