package journal_test

import "context"

// failer is what testing and rapid have in common.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
	Context() context.Context
}
