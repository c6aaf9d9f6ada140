package stage

import (
	"encoding/json"

	"github.com/ceap-platform/ceap"
)

// The types of errors that functions return. The state machine retries
// ErrorTransient; the others need somebody to act. The last three are those of
// executions whose run has ended without success.
const (
	ErrorTransient = "CeapTransient"
	ErrorInvalid   = "CeapInvalid"
	ErrorNotFound  = "CeapNotFound"
	ErrorConflict  = "CeapConflict"
	ErrorForbidden = "CeapForbidden"

	ErrorFailed    = "CeapFailed"
	ErrorPartial   = "CeapPartial"
	ErrorCancelled = "CeapCancelled"
)

// ErrorType returns the type of an error of that code.
func ErrorType(code ceap.Code) string {
	switch code {
	case ceap.CodeInvalid:
		return ErrorInvalid
	case ceap.CodeNotFound:
		return ErrorNotFound
	case ceap.CodeConflict:
		return ErrorConflict
	case ceap.CodeUnauthenticated, ceap.CodeForbidden:
		return ErrorForbidden
	case ceap.CodeRateLimited, ceap.CodeUnavailable:
		return ErrorTransient
	case ceap.CodeCancelled:
		return ErrorCancelled
	default: // what this build lacks, and CEAP's own faults
		return ErrorFailed
	}
}

// ErrorCode returns the code of an error by its type, also of those that Lambda
// and Step Functions give themselves.
func ErrorCode(kind string) ceap.Code {
	switch kind {
	case ErrorInvalid:
		return ceap.CodeInvalid
	case ErrorNotFound:
		return ceap.CodeNotFound
	case ErrorConflict:
		return ceap.CodeConflict
	case ErrorForbidden:
		return ceap.CodeForbidden
	case ErrorCancelled:
		return ceap.CodeCancelled
	case ErrorTransient, "States.Timeout", "Sandbox.Timedout", "Lambda.TooManyRequestsException", "Lambda.ServiceException":
		return ceap.CodeUnavailable
	default:
		return ceap.CodeInternal
	}
}

// CauseText returns the words in the cause of a failure: the message of a
// function, or the cause as it is.
func CauseText(cause string) string {
	var answer struct {
		Message string `json:"errorMessage"`
	}
	if json.Unmarshal([]byte(cause), &answer) == nil && answer.Message != "" {
		return answer.Message
	}
	return cause
}
