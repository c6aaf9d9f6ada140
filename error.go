package ceap

import (
	"errors"
	"fmt"
	"strings"
)

// Code classifies an error by who has to act. Front doors translate codes into
// exit statuses, HTTP statuses and Lambda outcomes; nothing else does.
type Code string

// The codes. An error without a code counts as CodeInternal.
const (
	CodeInvalid         Code = "invalid"         // the input is wrong; the caller mends it
	CodeNotFound        Code = "not_found"       // what the input names does not exist
	CodeConflict        Code = "conflict"        // the input contradicts what is stored or running
	CodeUnauthenticated Code = "unauthenticated" // the caller is not known
	CodeForbidden       Code = "forbidden"       // the caller may not do this
	CodeUnsupported     Code = "unsupported"     // this build or deployment cannot do it
	CodeRateLimited     Code = "rate_limited"    // later will work
	CodeUnavailable     Code = "unavailable"     // a dependency is missing, unreachable or full
	CodeCancelled       Code = "cancelled"       // the caller stopped it
	CodeInternal        Code = "internal"        // CEAP's own fault
)

// Error says what is wrong, where, and what to do.
type Error struct {
	Code    Code
	Message string // what is wrong; lower case, no full stop; may be empty if Err says it
	Hint    string // what to do; may be empty
	Field   string // the path of the setting or field at fault; may be empty
	Err     error  // the cause; may be nil
}

// Error returns the message, the cause and the hint on one line.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Field != "" {
		b.WriteString(e.Field + ": ")
	}
	b.WriteString(e.Message)
	if e.Err != nil {
		if e.Message != "" {
			b.WriteString(": ")
		}
		b.WriteString(e.Err.Error())
	}
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an [Error] whose text is formatted as by [fmt.Errorf], %w
// included.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Err: fmt.Errorf(format, args...)}
}

// WithHint returns a copy of e that says what to do.
func (e *Error) WithHint(format string, args ...any) *Error {
	c := *e
	c.Hint = fmt.Sprintf(format, args...)
	return &c
}

// ErrorCode returns the code of the outermost [Error] in err's chain, "" for
// nil, [CodeInvalid] for [Problems] and [CodeInternal] for any other error.
func ErrorCode(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok && e.Code != "" {
		return e.Code
	}
	if _, ok := errors.AsType[Problems](err); ok {
		return CodeInvalid
	}
	return CodeInternal
}
