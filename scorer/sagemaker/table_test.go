package sagemaker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/awstest"
	"github.com/ceap-platform/ceap/plugin/plugintest"
	"github.com/ceap-platform/ceap/scorer"
	"github.com/ceap-platform/ceap/scorer/sagemaker"
	"github.com/ceap-platform/ceap/scorer/scorertest"
)

// featuresOf returns a model that takes features from the table.
func featuresOf(table string, more ...string) string {
	return "{" + strings.Join(append([]string{
		`"endpointName": "` + endpointName + `"`,
		`"features": [{"attribute": "ltv"}, {"attribute": "vip", "missing": 7}, {"attribute": "segment", "type": "text", "missing": "new"}]`,
		`"featureSource": {"type": "dynamodb", "table": "` + table + `", "keyAttribute": "customer_id"}`,
	}, more...), ", ") + "}"
}

// wires sends what is for DynamoDB to the emulator and the rest to the endpoint.
type wires struct {
	endpoint *endpoint
	dynamodb aws.HTTPClient

	mu    sync.Mutex
	calls int
	// partly, if set, leaves half of the keys of a call unprocessed; n counts calls
	// from 1.
	partly func(n int) bool
}

func (w *wires) Do(r *http.Request) (*http.Response, error) {
	if strings.HasPrefix(r.URL.Path, "/endpoints/") {
		return w.endpoint.Do(r)
	}
	if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".BatchGetItem") {
		return w.dynamodb.Do(r)
	}
	w.mu.Lock()
	w.calls++
	n := w.calls
	w.mu.Unlock()
	if w.partly == nil || !w.partly(n) {
		return w.dynamodb.Do(r)
	}
	return w.half(r)
}

// half answers for half of the keys.
func (w *wires) half(r *http.Request) (*http.Response, error) {
	type request struct {
		Keys                     []json.RawMessage
		ProjectionExpression     string
		ExpressionAttributeNames map[string]string
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var asked struct{ RequestItems map[string]request }
	if err := json.Unmarshal(body, &asked); err != nil {
		return nil, err
	}
	left := map[string]request{}
	for table, items := range asked.RequestItems {
		rest := items
		middle := len(items.Keys) / 2
		items.Keys, rest.Keys = items.Keys[:middle], items.Keys[middle:]
		asked.RequestItems[table], left[table] = items, rest
		if middle == 0 {
			delete(asked.RequestItems, table)
		}
	}
	answer := map[string]any{"Responses": map[string]any{}}
	if len(asked.RequestItems) > 0 {
		body, err = json.Marshal(asked)
		if err != nil {
			return nil, err
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		response, err := w.dynamodb.Do(r)
		if err != nil {
			return nil, err
		}
		defer func() { _ = response.Body.Close() }()
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			return nil, err
		}
	}
	answer["UnprocessedKeys"] = left
	if body, err = json.Marshal(answer); err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, Body: io.NopCloser(bytes.NewReader(body)), Request: r,
	}, nil
}

// newFeatureTable makes a table with features of the customers CUST-0 to CUST-29 out of
// the 37 of the suites, and returns its name and the way to it.
func newFeatureTable(t *testing.T, e *endpoint) (name string, w *wires, load func(context.Context) (aws.Config, error)) {
	t.Helper()
	cloud := awstest.Start(t)
	name = "Features-" + strings.NewReplacer("/", "-", "_", "-").Replace(t.Name())
	client := dynamodb.NewFromConfig(cloud.Config)
	_, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("customer_id"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("customer_id"), KeyType: types.KeyTypeHash}},
	})
	if err != nil {
		t.Fatalf("creating the table: %v", err)
	}
	put := func(customer string, more map[string]types.AttributeValue) {
		t.Helper()
		more["customer_id"] = &types.AttributeValueMemberS{Value: customer}
		more["unread"] = &types.AttributeValueMemberS{Value: "not asked for"}
		if _, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &name, Item: more}); err != nil {
			t.Fatalf("putting %s: %v", customer, err)
		}
	}
	for i := range 30 {
		put(fmt.Sprintf("CUST-%d", i), map[string]types.AttributeValue{"ltv": &types.AttributeValueMemberN{Value: fmt.Sprint(i)}})
	}
	put("CUST-full", map[string]types.AttributeValue{
		"ltv": &types.AttributeValueMemberN{Value: "1.5E-9"}, "vip": &types.AttributeValueMemberBOOL{Value: true},
		"segment": &types.AttributeValueMemberS{Value: "gold"},
	})
	put("CUST-odd", map[string]types.AttributeValue{"ltv": &types.AttributeValueMemberS{Value: "high"}})
	put("CUST-list", map[string]types.AttributeValue{"ltv": &types.AttributeValueMemberL{}})
	put("CUST-null", map[string]types.AttributeValue{"ltv": &types.AttributeValueMemberNULL{Value: true}})

	w = &wires{endpoint: e, dynamodb: cloud.Config.HTTPClient}
	config := cloud.Config.Copy()
	config.HTTPClient = w
	return name, w, func(context.Context) (aws.Config, error) { return config, nil }
}

func customer(id string) *ceap.Candidate {
	c := plugintest.Candidate()
	c.CustomerID = id
	return c
}

func TestFeatureSource_Conformance(t *testing.T) {
	t.Parallel()
	name, _, load := newFeatureTable(t, &endpoint{})
	scorertest.Run(t, sagemaker.PluginWith(load), scorertest.Env(), featuresOf(name))
}

// Features come from the item of the candidate's customer; what is absent looks
// absent (I29).
func TestI29_featuresOfATable(t *testing.T) {
	t.Parallel()
	e := &endpoint{}
	name, w, load := newFeatureTable(t, e)
	s := plugintest.Open(t, sagemaker.PluginWith(load), scorertest.Env(), featuresOf(name, `"concurrency": 1`))
	for _, tc := range []struct{ customer, row, err string }{
		{"CUST-3", "3,7,new", ""},
		{"CUST-full", "1.5e-09,1,gold", ""},
		{"CUST-odd", "", `the attribute "ltv" of the table is no number, but text`},
		{"CUST-list", "", "the feature ltv has no value"},
		{"CUST-null", "", "the feature ltv has no value"},
		{"CUST-nobody", "", "the feature ltv has no value; set missing for this feature"},
		{"", "", "the feature ltv has no value"},
	} {
		before, calls := len(e.asked()), w.calls
		r := scorertest.Score(t, s, customer(tc.customer))[0]
		if (r.Err != nil) != (tc.err != "") || r.Err != nil && !strings.Contains(r.Err.Error(), tc.err) {
			t.Errorf("%q: %v, want %s", tc.customer, r.Err, tc.err)
		}
		if looked := w.calls > calls; looked == (tc.customer == "") { // DynamoDB refuses empty keys
			t.Errorf("%q: the table was asked: %t", tc.customer, looked)
		}
		var got []string
		for _, rows := range e.asked()[before:] {
			got = append(got, rows...)
		}
		if strings.Join(got, ";") != tc.row {
			t.Errorf("%q: the model was asked about %q, want %q", tc.customer, got, tc.row)
		}
	}
}

// The emulated account enforces SageMaker's limits on what is sent.
func TestScorer_Score_throughTheEmulator(t *testing.T) {
	t.Parallel()
	cloud, e := awstest.Start(t), &endpoint{}
	cloud.HandleEndpoint(endpointName, e)
	batch := plugintest.Candidates(300)
	s := plugintest.Open(t, sagemaker.PluginWith(cloud.Load), scorertest.Env(), config(`"batchRows": 100`))
	want := scorertest.Score(t, (&endpoint{}).open(t, scorertest.Env(), config()), batch...)
	for i, got := range scorertest.Score(t, s, batch...) {
		if got != want[i] || got.Err != nil {
			t.Errorf("candidate %d: %+v, want %+v", i, got, want[i])
		}
	}
	if len(e.asked()) != 3 {
		t.Errorf("%d requests", len(e.asked()))
	}
}

// Any number of customers is read, and what DynamoDB leaves unprocessed is asked
// for again.
func TestFeatureSource_unprocessedKeys(t *testing.T) {
	t.Parallel()
	e := &endpoint{}
	name, w, load := newFeatureTable(t, e)
	batch := make([]*ceap.Candidate, 0, 330)
	for i := range 330 {
		batch = append(batch, customer(fmt.Sprintf("CUST-%d", i%250)))
	}
	want := scorertest.Score(t, plugintest.Open(t, sagemaker.PluginWith(load), scorertest.Env(), featuresOf(name)), batch...)
	if w.calls != 3 {
		t.Errorf("250 customers took %d calls", w.calls)
	}
	w.partly = func(n int) bool { return n%3 != 0 }
	got := scorertest.Score(t, plugintest.Open(t, sagemaker.PluginWith(load), scorertest.Env(), featuresOf(name)), batch...)
	for i := range want {
		if known := i%250 < 30; (want[i].Err == nil) != known || got[i].Value != want[i].Value || (got[i].Err == nil) != known {
			t.Errorf("%s: %+v, then %+v", batch[i].CustomerID, want[i], got[i])
		}
	}
	if w.calls <= 6 {
		t.Errorf("%d calls", w.calls)
	}
}

// The key may be any expression over the candidate.
func TestFeatureSource_key(t *testing.T) {
	t.Parallel()
	e := &endpoint{}
	name, _, load := newFeatureTable(t, e)
	config := strings.Replace(featuresOf(name), `"keyAttribute"`, `"key": "'CUST-' + subjectId", "keyAttribute"`, 1)
	c := plugintest.Candidate()
	c.SubjectID = "4"
	if r := scorertest.Score(t, plugintest.Open(t, sagemaker.PluginWith(load), scorertest.Env(), config), c)[0]; r.Err != nil || r.Value != scoreOf("4,7,new") {
		t.Errorf("%+v", r)
	}
}

// Without its features nobody is scored, and the reason names the fix.
func TestFeatureSource_failures(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		code    string // "" for no answer at all
		want    string
		missing bool
	}{
		"no table":      {"ResourceNotFoundException", `there is no table "t" with features`, true},
		"no permission": {"AccessDeniedException", `the permission dynamodb:BatchGetItem on the table "t" is missing`, true},
		"wrong key":     {"ValidationException", `reading features from the table "t": ValidationException`, false},
		"slow":          {"", "took longer than timeoutSeconds", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, _ := (&endpoint{}).load(t.Context())
				c.HTTPClient = refuser(tc.code)
				load := func(context.Context) (aws.Config, error) { return c, nil }
				s := plugintest.Open(t, sagemaker.PluginWith(load), scorertest.Env(), featuresOf("t"))
				for _, r := range scorertest.Score(t, s, plugintest.Candidates(3)...) {
					_, missing := errors.AsType[*scorer.NotConfigured](r.Err)
					if r.Err == nil || r.Value != 0 || missing != tc.missing || !strings.Contains(r.Err.Error(), tc.want) {
						t.Errorf("%+v, want %s", r, tc.want)
					}
				}
			})
		})
	}
}

// refuser is a DynamoDB that refuses everything with a code, or answers never.
type refuser string

func (code refuser) Do(r *http.Request) (*http.Response, error) {
	if code == "" {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	body := fmt.Sprintf(`{"__type": "com.amazonaws.dynamodb.v20120810#%s", "message": "no"}`, string(code))
	return &http.Response{
		StatusCode: http.StatusBadRequest, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body: io.NopCloser(strings.NewReader(body)), Request: r,
	}, nil
}
