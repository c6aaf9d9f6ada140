package awstest

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// The limits that AWS enforces and moto, or a handler of ours, does not. Each is
// documented under the quotas of its service.
const (
	maxBatchWrite    = 25        // requests in one BatchWriteItem
	maxBatchGet      = 100       // keys in one BatchGetItem
	maxTransact      = 100       // actions in one TransactWriteItems
	maxStateData     = 256 << 10 // bytes of input or result of a state of Step Functions
	maxRequest       = 6 << 20   // bytes of a synchronous invocation, and of an InvokeEndpoint
	maxAsyncRequest  = 1 << 20   // bytes of an asynchronous invocation
	maxResponse      = maxRequest + 100
	maxQuery         = 262144 // bytes of a query of Athena
	maxPage          = 1000   // rows of a page of GetQueryResults
	maxExecutions    = 50     // queries in one BatchGetQueryExecution
	minToken         = 32     // characters of a ClientRequestToken of Athena
	maxToken         = 128
	maxPutRecords    = 500    // records in one PutRecords of Kinesis
	maxGetRecords    = 10_000 // records of one GetRecords
	maxTransactToken = 36     // characters of a ClientRequestToken of DynamoDB
)

// violation is a request beyond a limit.
type violation struct {
	status  int
	code    string
	message string
}

// overLimit returns how AWS would refuse the call for its size, nil if it would not.
func overLimit(c *Call, r *http.Request) *violation {
	switch c.Operation {
	case "lambda.Invoke":
		return invocationLimit(c, r)
	case "sagemaker.InvokeEndpoint":
		if len(c.Body) > maxRequest {
			return invalid("Request %d bytes is too large; the limit is %d", len(c.Body), maxRequest)
		}
	case "dynamodb.BatchWriteItem":
		return batchWriteLimit(c.Body)
	case "dynamodb.BatchGetItem":
		return batchGetLimit(c.Body)
	case "dynamodb.TransactWriteItems":
		return transactLimit(c.Body)
	case "athena.StartQueryExecution", "athena.GetQueryResults", "athena.BatchGetQueryExecution":
		return athenaLimit(c.Body)
	case "states.StartExecution":
		return executionLimit(c.Body)
	case "kinesis.PutRecords", "kinesis.GetRecords":
		return kinesisLimit(c.Body)
	}
	return nil
}

func invalid(format string, values ...any) *violation {
	return &violation{http.StatusBadRequest, "ValidationException", fmt.Sprintf(format, values...)}
}

// fields decodes what a limit looks at; a body that does not decode is for the
// service to refuse.
func fields[T any](body []byte) T {
	var v T
	_ = json.Unmarshal(body, &v)
	return v
}

// invocationLimit bounds the payload: 6 MB when the caller waits, 1 MB when it does
// not, and 256 KiB for a state machine.
func invocationLimit(c *Call, r *http.Request) *violation {
	limit := maxRequest
	if r.Header.Get("X-Amz-Invocation-Type") == "Event" {
		limit = maxAsyncRequest
	}
	if len(c.Body) > limit {
		return &violation{
			http.StatusRequestEntityTooLarge, "RequestTooLargeException",
			fmt.Sprintf("Request must be smaller than %d bytes for the InvokeFunction operation", limit),
		}
	}
	return nil
}

// batchWrite is a request of BatchWriteItem.
type batchWrite struct {
	PutRequest    *struct{ Item map[string]any }
	DeleteRequest *struct{ Key map[string]any }
}

// key returns the key of the item, by the names that all tables here use, or else
// the whole of it.
func (b batchWrite) key() string {
	whole := map[string]any{}
	switch {
	case b.PutRequest != nil:
		whole = b.PutRequest.Item
	case b.DeleteRequest != nil:
		whole = b.DeleteRequest.Key
	}
	if whole["PK"] != nil {
		whole = map[string]any{"PK": whole["PK"], "SK": whole["SK"]}
	}
	text, _ := json.Marshal(whole) // it was JSON
	return string(text)
}

// batchWriteLimit bounds the number of items, and refuses one that comes twice: moto
// sees that only if both are written alike.
func batchWriteLimit(body []byte) *violation {
	count := 0
	for _, writes := range fields[struct{ RequestItems map[string][]batchWrite }](body).RequestItems {
		count += len(writes)
		seen := map[string]bool{}
		for _, w := range writes {
			key := w.key()
			if seen[key] {
				return invalid("Provided list of item keys contains duplicates")
			}
			seen[key] = true
		}
	}
	if count == 0 || count > maxBatchWrite {
		return invalid("1 validation error detected: Value at 'requestItems' failed to satisfy constraint: Map value must satisfy constraint: "+
			"[Member must have length less than or equal to %d, Member must have length greater than or equal to 1]", maxBatchWrite)
	}
	return nil
}

func batchGetLimit(body []byte) *violation {
	type keys struct{ Keys []json.RawMessage }
	count := 0
	for _, table := range fields[struct{ RequestItems map[string]keys }](body).RequestItems {
		count += len(table.Keys)
	}
	if count > maxBatchGet {
		return invalid("Too many items requested for the BatchGetItem call")
	}
	return nil
}

func transactLimit(body []byte) *violation {
	request := fields[struct {
		TransactItems      []json.RawMessage
		ClientRequestToken string
	}](body)
	if count := len(request.TransactItems); count > maxTransact {
		return invalid("1 validation error detected: Value at 'transactItems' failed to satisfy constraint: "+
			"Member must have length less than or equal to %d", maxTransact)
	}
	if len(request.ClientRequestToken) > maxTransactToken {
		return invalid("1 validation error detected: Value at 'clientRequestToken' failed to satisfy constraint: "+
			"Member must have length less than or equal to %d", maxTransactToken)
	}
	return nil
}

func athenaLimit(body []byte) *violation {
	request := fields[struct {
		QueryString        string
		ClientRequestToken *string
		MaxResults         *int
		QueryExecutionIds  []string //nolint:revive // as the JSON of Athena spells it
	}](body)
	refused := func(format string, values ...any) *violation {
		return &violation{http.StatusBadRequest, "InvalidRequestException", fmt.Sprintf(format, values...)}
	}
	if len(request.QueryString) > maxQuery {
		return refused("queryString has %d bytes; the limit is %d", len(request.QueryString), maxQuery)
	}
	if token := request.ClientRequestToken; token != nil && (len(*token) < minToken || len(*token) > maxToken) {
		return refused("clientRequestToken must have %d to %d characters", minToken, maxToken)
	}
	if rows := request.MaxResults; rows != nil && (*rows < 1 || *rows > maxPage) {
		return refused("MaxResults is more than maximum allowed length %d", maxPage)
	}
	if count := len(request.QueryExecutionIds); count > maxExecutions {
		return refused("queryExecutionIds has %d members; the limit is %d", count, maxExecutions)
	}
	return nil
}

func executionLimit(body []byte) *violation {
	if input := fields[struct{ Input string }](body).Input; len(input) > maxStateData {
		return invalid("1 validation error detected: Value at 'input' failed to satisfy constraint: "+
			"Member must have length less than or equal to %d", maxStateData)
	}
	return nil
}

func kinesisLimit(body []byte) *violation {
	request := fields[struct {
		Records []json.RawMessage
		Limit   int
	}](body)
	if len(request.Records) > maxPutRecords {
		return invalid("1 validation error detected: Value at 'records' failed to satisfy constraint: "+
			"Member must have length less than or equal to %d", maxPutRecords)
	}
	if request.Limit > maxGetRecords {
		return invalid("1 validation error detected: Value at 'limit' failed to satisfy constraint: "+
			"Member must have value less than or equal to %d", maxGetRecords)
	}
	return nil
}
