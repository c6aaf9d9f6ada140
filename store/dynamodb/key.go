package dynamodb

import (
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// scopeKey is the partition key of what a program and marketplace have one of.
func scopeKey(program, marketplace string) string {
	return "PROG#" + escape(program) + "#MKT#" + escape(marketplace)
}

// refused reports whether the condition of a write did not hold, and returns the
// item that stood against it if the request asked for it.
func refused(err error) (old item, ok bool) {
	e, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
	if !ok {
		return nil, false
	}
	return e.Item, true
}
