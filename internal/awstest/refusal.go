package awstest

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/google/uuid"
)

// Refuse answers a request to a service with an AWS error of the code given, for
// handlers of endpoints and of Athena.
func Refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("X-Amzn-Errortype", code)
	w.Header().Set("X-Amzn-Requestid", uuid.NewString()) // moto's state machines look for it
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	writeJSON(w, map[string]string{"__type": code, "message": message, "Message": message, "Type": "User"})
}

// refuse answers in the protocol of the service called: S3 speaks XML, as STS does,
// the others JSON.
func (c *Call) refuse(w http.ResponseWriter, status int, code, message string) {
	if c.service != "s3" && c.service != "sts" {
		Refuse(w, status, code, message)
		return
	}
	type failure struct {
		XMLName       xml.Name `xml:"Error"`
		Code, Message string
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	text, err := xml.Marshal(failure{Code: code, Message: message})
	if err != nil {
		panic(err) // two strings can be written
	}
	if c.service == "sts" {
		text = fmt.Appendf(nil, "<ErrorResponse>%s</ErrorResponse>", text)
	}
	_, _ = w.Write(text)
}

// throttled returns how the service called asks to slow down.
func (c *Call) throttled() (status int, code string) {
	switch {
	case c.service == "s3":
		return http.StatusServiceUnavailable, "SlowDown"
	case c.service == "lambda":
		return http.StatusTooManyRequests, "TooManyRequestsException"
	case c.service == "athena":
		return http.StatusBadRequest, "TooManyRequestsException"
	case c.service == "dynamodb" || strings.HasPrefix(c.Operation, "kinesis.Get") || strings.HasPrefix(c.Operation, "kinesis.Put"):
		return http.StatusBadRequest, "ProvisionedThroughputExceededException"
	default:
		return http.StatusBadRequest, "ThrottlingException"
	}
}

// writeJSON writes a value of ours, which always can be written.
func writeJSON(w io.Writer, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	_, _ = w.Write(text)
}
