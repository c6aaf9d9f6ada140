package cli

import "github.com/ceap-platform/ceap"

// The exit statuses. Each says who has to act, so that a script, a scheduler or
// a person knows what to do next.
const (
	exitOK          = 0 // it is done
	exitFailed      = 1 // CEAP did not finish, or finished in part
	exitInput       = 2 // what you gave is wrong: arguments, program, data source as named
	exitEnvironment = 3 // something around CEAP is missing, full or unreachable
	exitSkipped     = 4 // the program is disabled; nothing was done
)

// exitOfCode is the one table from error codes to exit statuses.
func exitOfCode(code ceap.Code) int {
	switch code {
	case "":
		return exitOK
	case ceap.CodeInvalid, ceap.CodeNotFound, ceap.CodeConflict:
		return exitInput
	case ceap.CodeUnauthenticated, ceap.CodeForbidden, ceap.CodeUnsupported, ceap.CodeRateLimited, ceap.CodeUnavailable:
		return exitEnvironment
	case ceap.CodeCancelled, ceap.CodeInternal:
		return exitFailed
	default:
		return exitFailed
	}
}

// exitOfRun returns the exit status of a run that ended so, with err as the
// reason if there is one: a missing table is the user's to mend, a full disk the
// operator's.
func exitOfRun(status ceap.RunStatus, err error) int {
	switch status {
	case ceap.RunSucceeded, ceap.RunEmpty:
		return exitOfCode(ceap.ErrorCode(err))
	case ceap.RunSkipped:
		return exitSkipped
	case ceap.RunFailed:
		if err != nil {
			return exitOfCode(ceap.ErrorCode(err))
		}
		return exitFailed
	case ceap.RunRunning, ceap.RunPartial, ceap.RunCancelled:
		return exitFailed
	default:
		return exitFailed
	}
}
