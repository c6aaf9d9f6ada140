package athena

import (
	"fmt"
	"net/http"
)

// apiError is an answer that refuses a call.
type apiError struct {
	status  int
	Type    string `json:"__type"`                    //nolint:tagliatelle // the protocol's name
	Message string `json:"Message"`                   //nolint:tagliatelle // the protocol's name
	Code    string `json:"AthenaErrorCode,omitempty"` //nolint:tagliatelle // the protocol's name
	Reason  string `json:"Reason,omitempty"`          //nolint:tagliatelle // the protocol's name
}

func (e *apiError) Error() string { return e.Type + ": " + e.Message }

// invalid is an InvalidRequestException.
func invalid(code, format string, args ...any) *apiError {
	return &apiError{status: http.StatusBadRequest, Type: "InvalidRequestException", Message: fmt.Sprintf(format, args...), Code: code}
}

// Fault is why a query fails, as Athena's field AthenaError says it. The numbers
// are those of Athena's error catalogue.
type Fault struct {
	Category  int32 // 1 system, 2 user, 3 other
	Type      int32
	Retryable bool
	Message   string // also the query's StateChangeReason
	Partial   bool   // an UNLOAD has written its first file by then
}

func (f *Fault) Error() string { return f.Message }

// Types of errors, from Athena's error catalogue.
const (
	typeInternal  = 100
	typeResults   = 401  // writing the results
	typeUser      = 1000 // the user's error, of no type of its own
	typeData      = 1001
	typeDDL       = 1003
	typeSyntax    = 1006
	typeRejected  = 1008
	typeCancelled = 1014
	typePath      = 1109
	typeTable     = 1110
	typeFeature   = 1200
	typeBucket    = 1306
)

// userFault is an error that the user has to mend.
func userFault(number int32, format string, args ...any) *Fault {
	return &Fault{Category: 2, Type: number, Message: fmt.Sprintf(format, args...)}
}
