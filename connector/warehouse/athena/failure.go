package athena

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector/warehouse"
)

// maxAttempts is how often a query is tried for reasons that pass.
const maxAttempts = 3

// judge says what follows from a query that failed: the next attempt and how long
// it has to wait for, or the error that users see.
func (j *job) judge(ctx context.Context, x *execution) (next attempt, pause time.Duration, err error) {
	text, number, category, retryable := aws.ToString(x.status.StateChangeReason), int32(-1), int32(0), false
	if e := x.status.AthenaError; e != nil {
		if e.ErrorMessage != nil {
			text = *e.ErrorMessage
		}
		if e.ErrorType != nil {
			number = *e.ErrorType
		}
		category, retryable = aws.ToInt32(e.ErrorCategory), e.Retryable
	}
	next = attempt{Number: j.Number + 1, Mode: j.Mode}
	if x.status.State == types.QueryExecutionStateCancelled && number < 0 {
		number = 1014
	}
	if j.Mode == modeUnload {
		if reason := unloadRefusal(text); reason != "" {
			next.Mode, next.reason = modeSelect, slowly(reason)
			return next, 0, nil
		}
	}
	rule := ruleOf(number, category)
	if j.Number < maxAttempts && j.Mode == modeUnload && strings.Contains(text, "HIVE_PATH_ALREADY_EXISTS") {
		return next, 0, nil // what an attempt left that is not known any more
	}
	if !rule.retries(j.Number, retryable) {
		return next, 0, j.failure(ctx, x, rule, text)
	}
	return next, rule.pause(j.Number, j.fraction(-1)), nil
}

// retries reports whether the attempt with that number is followed by another.
func (r rule) retries(number int, retryable bool) bool {
	switch r.action {
	case again, later:
		return number < maxAttempts
	case once:
		return number < 2
	case flagged:
		return retryable && number < maxAttempts
	case give:
		return retryable && r.act != user && r.act != denied && number < maxAttempts
	default:
		return false
	}
}

// pause returns how long to wait before the next attempt: a random part, between
// 0 and 1, of a time that doubles; after throttling at least half a minute.
func (r rule) pause(number int, fraction float64) time.Duration {
	if r.action == later {
		return 30*time.Second + time.Duration(fraction*float64(30*time.Second))
	}
	return time.Duration(fraction * float64(2*time.Second<<number))
}

// slowly is what users are told of a query that cannot be unloaded.
func slowly(reason string) string {
	return "the query is read from one CSV file, which is slower, because " + reason
}

// unloadRefusal says why a query that was refused as UNLOAD may run as it is; ""
// if it may not.
func unloadRefusal(text string) string {
	for _, r := range []struct{ pattern, reason string }{
		{`MISSING_COLUMN_NAME|[Cc]olumn name not specified`, "a column has no name: write AS and a name after it"},
		{`DUPLICATE_COLUMN_NAME|specified more than once`, "two columns have the same name: write AS and another name after one of them"},
		{`Unsupported Hive type|Unsupported type`, "it has a column of a type that UNLOAD refuses: cast time and timestamp with time zone to VARCHAR or TIMESTAMP"},
		{`(?i)UNLOAD.*not supported|not supported.*UNLOAD|Queries of this type are not supported`, "Athena does not unload it"},
	} {
		if regexp.MustCompile(r.pattern).MatchString(text) {
			return r.reason
		}
	}
	return ""
}

// refusedUnload returns the attempt that follows an error of starting one.
func (j *job) refusedUnload(err error) (attempt, bool) {
	if j.Mode != modeUnload || ceap.ErrorCode(err) != ceap.CodeInvalid {
		return attempt{}, false
	}
	reason := unloadRefusal(err.Error())
	return attempt{Number: j.Number + 1, Mode: modeSelect, reason: slowly(reason)}, reason != ""
}

// failure returns the error of a query that failed for good.
func (j *job) failure(ctx context.Context, x *execution, r rule, text string) error {
	_, shift := j.Mode.wrap("", "")
	offset, text := locate(text, j.s.SQL, j.Mode, shift)
	message := cleaned(text)
	if r.meaning != "" {
		message = r.meaning + ": " + message
	}
	code := map[who]ceap.Code{user: ceap.CodeInvalid, operator: ceap.CodeUnavailable, nobody: ceap.CodeUnavailable, denied: ceap.CodeForbidden}[r.act]
	remedy := r.remedy
	if action, where := missingPermission(text); action != "" {
		code, remedy = ceap.CodeForbidden, "allow "+action+where+" for the role or user that CEAP runs as"
	} else if hint := j.hint(ctx, text); hint != "" {
		remedy = hint
	}
	failure := j.s.Failed(code, offset, message)
	failure.Message += fmt.Sprintf(" [query %s, attempt %d, %d bytes scanned]", x.id, j.Number, j.scanned+x.scanned)
	failure.Hint = remedy
	return failure
}

// refused returns the error of a query whose text Athena refuses.
func (a *Athena) refused(ctx context.Context, s warehouse.Statement, p place, m mode, text string) error {
	_, shift := m.wrap("", "")
	at, text := locate(text, s.SQL, m, shift)
	failure := s.Failed(ceap.CodeInvalid, at, cleaned(text))
	failure.Hint = (&job{Athena: a, s: s, place: p}).hint(ctx, text)
	return failure
}

// locate takes a place such as "line 1:8: " out of a message, and returns which
// byte of the user's SQL it names, or -1.
func locate(text, sql string, m mode, shift int) (offset int, rest string) {
	found := regexp.MustCompile(`(?:line )?\b(\d+):(\d+): `).FindStringSubmatchIndex(text)
	if found == nil {
		return -1, text
	}
	rest = text[:found[0]] + text[found[1]:]
	line, _ := strconv.Atoi(text[found[2]:found[3]])
	column, _ := strconv.Atoi(text[found[4]:found[5]])
	wrapped, _ := m.wrap(sql, "")
	start := 0
	for range line - 1 {
		next := strings.IndexByte(wrapped[start:], '\n')
		if next < 0 {
			return -1, rest
		}
		start += next + 1
	}
	for range column - 1 {
		if start >= len(wrapped) || wrapped[start] == '\n' {
			break
		}
		_, size := utf8.DecodeRuneInString(wrapped[start:])
		start += size
	}
	if start -= shift; start < 0 || start > len(sql) {
		return -1, rest
	}
	return start, rest
}

// cleaned returns a message on one line, without its code in capitals and without
// advice that CEAP makes needless.
func cleaned(text string) string {
	for _, cut := range []string{". You may need to manually clean the data", " This query ran against the "} {
		text, _, _ = strings.Cut(text, cut)
	}
	text = regexp.MustCompile(`^[A-Z]+(_[A-Z]+)+: `).ReplaceAllString(text, "")
	return strings.TrimSuffix(strings.Join(strings.Fields(text), " "), ".")
}

// missingPermission returns the action that a message says is missing, and where.
func missingPermission(text string) (action, where string) {
	if m := regexp.MustCompile(`perform: ([a-zA-Z0-9-]+:[A-Za-z]+)(?: on resource: (\S+))?`).FindStringSubmatch(text); m != nil {
		if m[2] != "" {
			where = " on " + strings.TrimRight(m[2], ".,;)")
		}
		return m[1], where
	}
	lower := strings.ToLower(text)
	switch {
	case strings.Contains(lower, "access denied") && strings.Contains(lower, "s3"):
		return "s3:GetObject and s3:ListBucket", " on the table's location and s3:PutObject on that of the results"
	case strings.Contains(lower, "insufficient permission") || strings.Contains(lower, "access denied") || strings.Contains(lower, "access_denied"):
		return "what the message names", " (for Lake Formation: SELECT on the table, and lakeformation:GetDataAccess)"
	default:
		return "", ""
	}
}
