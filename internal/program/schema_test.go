package program_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap/internal/program"
	"github.com/ceap-platform/ceap/plugin"
)

// rich is a document with every key that has a meaning, without errors.
const rich = `{
	"programId": "p", "programName": "P", "marketplaces": ["US"], "enabled": true, "candidateTTLDays": 30, "timezone": "UTC",
	"currency": "USD", "defaultEligibility": {"email": true, "sms": false}, "expectRows": false, "maxErrorRate": 0.1,
	"reopenAfterDays": 5, "dataQuality": {"minDate": "2020-01-01", "maxDate": "now+7d"},
	"dataConnectors": [{"connectorId": "c", "connectorType": "data-warehouse", "enabled": true, "sourceConfig": {
		"database": "d", "query": "{startDate}", "maxWaitSeconds": 10, "fieldMappings": {"a": "b"}}}],
	"filterChain": {"filters": [
		{"filterId": "e", "filterType": "eligibility", "order": 1, "parameters": {"requiredChannels": ["email"]}},
		{"filterId": "b", "filterType": "business-rule", "enabled": false, "parameters": {"rules": [{"expression": "a"}]}}]},
	"scoringModels": [{"modelId": "m", "modelType": "sagemaker", "weight": 1, "fallbackScore": 0.5, "scale": {"min": 0, "max": 1},
		"config": {"endpointName": "e"}}],
	"channels": [{"channelId": "x", "channelType": "email", "enabled": true, "mode": "shadow", "config": {
		"templateId": "t", "fromName": "n", "fromEmail": "a@example.com", "replyToEmail": "b@example.com"}}]
}`

// beyondSchema lists what messages say about problems that a schema cannot see.
func beyondSchema() []string {
	return []string{
		"is not a known time zone", "is not a mail address", "have the id", "this version has no provider", "outside the scale",
		"is not below max", "no enabled model has a weight", "is after maxDate", "is not a calendar date", "starts or ends with a space",
		"has a control character", "stands for the candidate's own score", "is given twice", "is not how the channel is spelled",
		"is not the name of a marketplace", "is no expression", "but marketplace says", "out of range",
	}
}

// TestJSONSchema_AgreesWithLoad damages a sound document in one to three places
// and compares the verdicts.
func TestJSONSchema_AgreesWithLoad(t *testing.T) {
	t.Parallel()
	schema := compileSchema(t, program.JSONSchema(fakes()))
	whole := parse(t, rich)
	if problems := program.Load("p.json", []byte(rich), options()).Problems; len(problems) > 0 {
		t.Fatalf("the sound document has problems: %v", problems)
	}
	seen := map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		damaged := whole
		for range rapid.IntRange(1, 3).Draw(t, "times") {
			damaged = mutated(t, damaged)
		}
		text, err := damaged.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("reading %s: %v", text, err)
		}
		verdict := schema.Validate(instance)
		errs := program.Load("p.json", text, options()).Problems.Errors()
		seen[len(errs) == 0]++
		for _, p := range errs {
			if verdict == nil && !slices.ContainsFunc(beyondSchema(), func(s string) bool { return strings.Contains(p.Message, s) }) {
				t.Fatalf("%s\nLoad says %v, the schema accepts it", text, p)
			}
		}
		if len(errs) == 0 && verdict != nil {
			t.Fatalf("%s\nLoad accepts it, the schema says %v", text, verdict)
		}
	})
	if seen[true] == 0 || seen[false] == 0 {
		t.Errorf("%d documents were sound and %d were not; the test shows nothing", seen[true], seen[false])
	}
}

// mutated returns the document with one value replaced, one key removed, added
// or renamed, or one entry removed or repeated.
func mutated(t *rapid.T, n *plugin.Node) *plugin.Node {
	children := len(n.Fields) + len(n.Items)
	if children == 0 || rapid.IntRange(0, 9).Draw(t, "here") == 0 {
		return parse(t, rapid.SampledFrom([]string{
			"null", "true", "1", "0", "-1", "1.5", "1e3", `""`, `"x"`, `"US"`, `"email"`, `"shadow"`, `"live"`, "[]", "{}", `["email"]`, `[1]`,
			`{"rules": []}`, `"business_rule"`, `"2026-01-26"`, `"now"`, "4000", `" "`,
		}).Draw(t, "value"))
	}
	c := *n
	c.Fields, c.Items = slices.Clone(n.Fields), slices.Clone(n.Items)
	i := rapid.IntRange(0, children-1).Draw(t, "child")
	switch operation := rapid.IntRange(0, 11).Draw(t, "operation"); {
	case n.Kind == plugin.NodeObject && operation == 0:
		c.Fields = slices.Delete(c.Fields, i, i+1)
	case n.Kind == plugin.NodeObject && operation == 1:
		c.Fields[i].Name += "X"
	case n.Kind == plugin.NodeObject && operation == 2 && n.Get("extra") == nil:
		c.Fields = append(c.Fields, plugin.Field{Name: "extra", Value: parse(t, "1")})
	case n.Kind == plugin.NodeObject:
		c.Fields[i].Value = mutated(t, n.Fields[i].Value)
	case operation == 0:
		c.Items = slices.Delete(c.Items, i, i+1)
	case operation == 1:
		c.Items = append(c.Items, n.Items[i])
	default:
		c.Items[i] = mutated(t, n.Items[i])
	}
	return &c
}

func TestJSONSchema_IsDeterministic(t *testing.T) {
	t.Parallel()
	want := program.JSONSchema(fakes())
	for range 20 {
		if !bytes.Equal(want, program.JSONSchema(fakes())) {
			t.Fatal("two calls gave two schemas")
		}
	}
}
