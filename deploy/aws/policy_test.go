package aws_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// statement is what one statement of a policy allows.
type statement struct {
	owner     string // the role's or policy's id
	sid       string
	actions   []string
	resources []string
	denies    bool
}

func (s statement) String() string { return s.owner + "." + s.sid }

// statements returns what the template's roles and managed policies say.
func statements(tp *template) []statement {
	var out []statement
	add := func(owner string, document any) {
		for _, s := range list(object(document)["Statement"]) {
			s := object(s)
			out = append(out, statement{
				owner: owner, sid: tp.text(s["Sid"]), denies: s["Effect"] == "Deny",
				actions: tp.texts(s["Action"]), resources: tp.texts(s["Resource"]),
			})
		}
	}
	for id, p := range tp.ofType("AWS::IAM::ManagedPolicy") {
		add(id, p["PolicyDocument"])
	}
	for id, r := range tp.ofType("AWS::IAM::Role") {
		for _, p := range list(r["Policies"]) {
			add(id, object(p)["PolicyDocument"])
		}
	}
	slices.SortFunc(out, func(a, b statement) int { return strings.Compare(a.String(), b.String()) })
	return out
}

// texts returns a value that is a text or a list of them.
func (tp *template) texts(v any) []string {
	if split, ok := object(v)["Fn::Split"].([]any); ok {
		return strings.Split(tp.text(split[1]), tp.text(split[0]))
	}
	if name, ok := object(v)["Ref"].(string); ok && object(tp.parameters[name])["Type"] == "CommaDelimitedList" {
		return strings.Split(tp.values[name], ",")
	}
	if many, ok := v.([]any); ok {
		var out []string
		for _, item := range many {
			out = append(out, tp.text(item))
		}
		return out
	}
	return []string{tp.text(v)}
}

// wild lists the resources with a * that policies may name, each with its reason.
func wild() map[string]string {
	return map[string]string{
		"StateMachineRole.DeliverLogs *": "the delivery of logs knows no resources",
		"StateMachineRole.FollowChildren arn:aws:states:us-east-1:123456789012:execution:CeapBatchIngestion-dev:*": "executions of this machine; their names are not known before",
		"StateMachineRole.FollowChildren arn:aws:states:us-east-1:123456789012:execution:CeapBatchIngestion-dev/*": "children of its Maps, likewise",
		"PartRole.Models arn:aws:sagemaker:us-east-1:123456789012:endpoint/ceap-*":                                 "programs name endpoints; the prefix is a parameter",
		"QueryPolicy.Tables arn:aws:glue:us-east-1:123456789012:table/ceap_data_dev/*":                             "programs name tables; the database is a parameter",
		"QueryPolicy.Results arn:aws:s3:::ceap-athena-results-dev/*":                                               "objects of one bucket; programs choose the prefix",
		"SourcePolicy.Objects arn:aws:s3:::ceap-athena-results-dev/*":                                              "objects of one bucket, likewise",
		"SourcePolicy.Objects arn:aws:s3:::your-data-bucket/*":                                                     "objects of one bucket, which is a parameter",
		"SourcePolicy.Objects arn:aws:s3:::another-bucket/*":                                                       "likewise",
		"StateMachineRole.ReadLists ${ArtifactsBucket.Arn}/runs/*":                                                 "the files of runs",
		"StateMachineRole.WriteResults ${ArtifactsBucket.Arn}/map-runs/*":                                          "the files of Maps",
		"ControlRole.Checkpoints ${ArtifactsBucket.Arn}/checkpoints/*":                                             "how far sources were read",
		"PartRole.Checkpoints ${ArtifactsBucket.Arn}/checkpoints/*":                                                "how far sources were read",
		"ControlRole.Files ${ArtifactsBucket.Arn}/runs/*":                                                          "the files of runs",
		"PartRole.Files ${ArtifactsBucket.Arn}/runs/*":                                                             "the files of runs",
	}
}

// TestPolicies_NameTheirResources fails for a resource with a * that has no reason,
// and for a reason that nothing needs any more.
func TestPolicies_NameTheirResources(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	unused := maps.Clone(wild())
	found := statements(template)
	if len(found) < 20 {
		t.Fatalf("only %d statements were found", len(found))
	}
	for _, s := range found {
		if s.denies || s.sid == "" || len(s.actions) == 0 {
			t.Errorf("%s: name it, and let it allow something", s)
		}
		for _, action := range s.actions {
			if strings.Contains(action, "*") {
				t.Errorf("%s allows %s", s, action)
			}
		}
		for _, resource := range s.resources {
			if strings.Contains(resource, "map[") || resource == "" {
				t.Errorf("%s: the test cannot read the resource %s", s, resource)
			}
			delete(unused, fmt.Sprintf("%s %s", s, resource))
			if strings.Contains(resource, "*") && wild()[fmt.Sprintf("%s %s", s, resource)] == "" {
				t.Errorf("%s names %s without a reason", s, resource)
			}
		}
	}
	for resource := range unused {
		t.Errorf("nothing needs %s any more", resource)
	}
}

// TestPolicies_SeparateTheFunctions asserts who may write what: extracting alone
// stores nothing, and only parts touch candidates.
func TestPolicies_SeparateTheFunctions(t *testing.T) {
	t.Parallel()
	writes := map[string][]string{}
	for _, s := range statements(readTemplate(t)) {
		for _, action := range s.actions {
			verb, isTable := strings.CutPrefix(action, "dynamodb:")
			if !isTable || slices.Contains([]string{"GetItem", "BatchGetItem", "Query", "Scan"}, verb) {
				continue
			}
			for _, resource := range s.resources {
				if !slices.Contains(writes[s.owner], resource) {
					writes[s.owner] = append(writes[s.owner], resource)
				}
			}
		}
	}
	want := map[string][]string{
		"ControlRole": {"${RunsTable.Arn}"},
		"PartRole":    {"${CandidatesTable.Arn}", "${RunsTable.Arn}", "${ScoresTable.Arn}"},
	}
	for owner, tables := range writes {
		slices.Sort(tables)
		if !slices.Equal(tables, want[owner]) {
			t.Errorf("%s writes to %v; want %v", owner, tables, want[owner])
		}
	}
	if len(writes) != len(want) {
		t.Errorf("%d roles write; want %d", len(writes), len(want))
	}
}

// TestPolicies_CanInvokeWhatTheyTarget asserts that the state machine and schedules
// may invoke the aliases that they name, and not the functions beside them.
func TestPolicies_CanInvokeWhatTheyTarget(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	invokes := map[string][]string{}
	for _, s := range statements(template) {
		if slices.Contains(s.actions, "lambda:InvokeFunction") {
			invokes[s.owner] = append(invokes[s.owner], s.resources...)
		}
	}
	given := object(template.resource(t, "StateMachine")["DefinitionSubstitutions"])
	for _, name := range []string{"ControlFunctionArn", "PartFunctionArn"} {
		if target := template.text(given[name]); !slices.Contains(invokes["StateMachineRole"], target) {
			t.Errorf("the state machine invokes %s, and may invoke %v", target, invokes["StateMachineRole"])
		}
	}
	if target := template.text(object(template.outputs["ControlFunctionArn"])["Value"]); !slices.Equal(invokes["SchedulerRole"], []string{target}) {
		t.Errorf("schedules are told to invoke %s, and may invoke %v", target, invokes["SchedulerRole"])
	}
}

// TestPolicies_LetNothingGetLost asserts that what nobody waits for, a scheduled
// run that cannot begin, ends in the queue, which the function and the scheduler
// may write to.
func TestPolicies_LetNothingGetLost(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	const queue = "${DeadLetters.Arn}"
	failed := object(object(object(template.resource(t, "ControlFunction")["EventInvokeConfig"])["DestinationConfig"])["OnFailure"])
	if got := template.text(failed["Destination"]); got != queue {
		t.Errorf("invocations that fail go to %s", got)
	}
	if got := template.text(object(template.outputs["DeadLettersArn"])["Value"]); got != queue {
		t.Errorf("schedules are told to use %s", got)
	}
	if template.resource(t, "DeadLetters")["SqsManagedSseEnabled"] != true {
		t.Error("the queue is not encrypted")
	}
	var senders []string
	for _, s := range statements(template) {
		if slices.Contains(s.actions, "sqs:SendMessage") && slices.Equal(s.resources, []string{queue}) {
			senders = append(senders, s.owner)
		}
	}
	if want := []string{"ControlRole", "SchedulerRole"}; !slices.Equal(senders, want) {
		t.Errorf("%v may send; want %v", senders, want)
	}
}
