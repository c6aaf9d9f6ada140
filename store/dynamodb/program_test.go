package dynamodb_test

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/program"
	"github.com/ceap-platform/ceap/plugin"
	"github.com/ceap-platform/ceap/store"
	"github.com/ceap-platform/ceap/store/dynamodb"
)

// guideItem returns the item of the guide's put-item command.
func guideItem(t *testing.T) map[string]types.AttributeValue {
	t.Helper()
	data, err := os.ReadFile("../../internal/program/testdata/guide/put-item.json")
	if err != nil {
		t.Fatal(err)
	}
	var attributes map[string]map[string]any
	if err := json.Unmarshal(data, &attributes); err != nil {
		t.Fatal(err)
	}
	item := map[string]types.AttributeValue{}
	for name, attribute := range attributes {
		for kind, value := range attribute {
			switch kind {
			case "S":
				item[name] = &types.AttributeValueMemberS{Value: value.(string)}
			case "N":
				item[name] = &types.AttributeValueMemberN{Value: value.(string)}
			case "BOOL":
				item[name] = &types.AttributeValueMemberBOOL{Value: value.(bool)}
			default:
				t.Fatalf("%s is a %s", name, kind)
			}
		}
	}
	return item
}

func listPrograms(t *testing.T, roles store.Roles, programID string) []ceap.ProgramItem {
	t.Helper()
	items, err := roles.Programs.List(t.Context(), programID)
	if err != nil {
		t.Fatal(err)
	}
	return items
}

func putProgram(t *testing.T, roles store.Roles, it ceap.ProgramItem) {
	t.Helper()
	if err := roles.Programs.Put(t.Context(), it); err != nil {
		t.Fatal(err)
	}
}

func TestPrograms_GuideItem(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles := s.open(t)
	s.put(t, "ProgramConfig", guideItem(t))
	items := listPrograms(t, roles, "product-reviews")
	if len(items) != 1 {
		t.Fatalf("items %v", items)
	}
	it := items[0]
	midnight := time.Date(2026, 1, 27, 0, 0, 0, 0, time.UTC)
	if it.ProgramID != "product-reviews" || it.Marketplace != "US" || !it.Enabled || !it.CreatedAt.Equal(midnight) || !it.UpdatedAt.Equal(midnight) {
		t.Errorf("item %+v", it)
	}
	document, err := plugin.FromJSON("", it.Document)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"programName": `"Product Review Collection"`, "candidateTTLDays": "30", "enabled": "true", "PK": "null", "createdAt": "null",
	} {
		if got := string(document.Get(name).Canonical()); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	// The text of the connectors is the program reader's to understand (D9): without
	// plug-ins it gets as far as the connector's type.
	read := false
	for _, p := range program.LoadItems(items, program.Options{}).Problems {
		read = read || p.Path == "dataConnectors[0].connectorType" && strings.Contains(p.Message, "data-warehouse")
	}
	if !read {
		t.Errorf("the text of the connectors is not read: %s", it.Document)
	}
}

func TestPrograms_BrokenText(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles := s.open(t)
	item := guideItem(t)
	item["dataConnectors"] = &types.AttributeValueMemberS{Value: `[{"connectorId": "a",}, {]`}
	s.put(t, "ProgramConfig", item)
	loaded := program.LoadItems(listPrograms(t, roles, ""), program.Options{})
	wantCode(t, loaded.Err(), ceap.CodeInvalid,
		`attribute "dataConnectors" of item PROGRAM#product-reviews / MARKETPLACE#US`, "at line 1, column")
}

func TestPrograms_WrittenNatively(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles := s.open(t)
	const document = `{"candidateTTLDays":30,"dataConnectors":[{"connectorId":"a","enabled":true,"sourceConfig":{"query":""}}],` +
		`"maxErrorRate":0.05,"scoringModels":[{"fallbackScore":null,"modelId":"m","weight":12345678901234567890.123456789}]}`
	putProgram(t, roles, ceap.ProgramItem{ProgramID: "p", Marketplace: "US", Document: []byte(document), Enabled: true, CreatedAt: noon(), UpdatedAt: noon()})
	item := s.items(t, "ProgramConfig", "PROGRAM#p")[0]
	want := map[string]types.AttributeValue{
		"PK": &types.AttributeValueMemberS{Value: "PROGRAM#p"}, "SK": &types.AttributeValueMemberS{Value: "MARKETPLACE#US"},
		"createdAt": &types.AttributeValueMemberS{Value: "2026-01-27T12:00:00Z"}, "updatedAt": &types.AttributeValueMemberS{Value: "2026-01-27T12:00:00Z"},
		"candidateTTLDays": &types.AttributeValueMemberN{Value: "30"}, "maxErrorRate": &types.AttributeValueMemberN{Value: "0.05"},
		"dataConnectors": &types.AttributeValueMemberL{Value: []types.AttributeValue{&types.AttributeValueMemberM{Value: map[string]types.AttributeValue{
			"connectorId":  &types.AttributeValueMemberS{Value: "a"},
			"enabled":      &types.AttributeValueMemberBOOL{Value: true},
			"sourceConfig": &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"query": &types.AttributeValueMemberS{Value: ""}}},
		}}}},
		"scoringModels": &types.AttributeValueMemberL{Value: []types.AttributeValue{&types.AttributeValueMemberM{Value: map[string]types.AttributeValue{
			"fallbackScore": &types.AttributeValueMemberNULL{Value: true},
			"modelId":       &types.AttributeValueMemberS{Value: "m"},
			"weight":        &types.AttributeValueMemberN{Value: "12345678901234567890.123456789"},
		}}}},
	}
	if diff := cmp.Diff(want, item, attributes()); diff != "" {
		t.Errorf("item (-want +got):\n%s", diff)
	}
	if got := string(listPrograms(t, roles, "p")[0].Document); got != document {
		t.Errorf("document is read back as %s", got)
	}
}

// attributes compares attributes with what the SDK embeds in them.
func attributes() cmp.Option { return cmp.Exporter(func(reflect.Type) bool { return true }) }

// Whatever people put into an item becomes a document, in which the reader of
// programs finds what is wrong.
func TestPrograms_AnyAttribute(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.put(t, "ProgramConfig", map[string]types.AttributeValue{
		"PK": &types.AttributeValueMemberS{Value: "PROGRAM#p"}, "SK": &types.AttributeValueMemberS{Value: "CONFIG"},
		"createdAt": &types.AttributeValueMemberN{Value: "5"}, "updatedAt": &types.AttributeValueMemberS{Value: "yesterday"},
		"marketplaces": &types.AttributeValueMemberSS{Value: []string{"UK"}}, "numbers": &types.AttributeValueMemberNS{Value: []string{"1.50"}},
		"bytes": &types.AttributeValueMemberB{Value: []byte{0, 255}}, "many": &types.AttributeValueMemberBS{Value: [][]byte{{1}}},
		"null": &types.AttributeValueMemberNULL{Value: true}, "off": &types.AttributeValueMemberBOOL{Value: false},
		"list": &types.AttributeValueMemberL{Value: []types.AttributeValue{&types.AttributeValueMemberM{Value: map[string]types.AttributeValue{}}}},
	})
	want := []ceap.ProgramItem{{ProgramID: "p", Marketplace: "CONFIG", Enabled: true, Document: []byte(
		`{"bytes":"AP8=","list":[{}],"many":["AQ=="],"marketplaces":["UK"],"null":null,"numbers":[1.5],"off":false}`)}}
	if diff := cmp.Diff(want, listPrograms(t, s.open(t), "p")); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
}

func TestPrograms_Replace(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles := s.open(t)
	item := guideItem(t)
	item["createdAt"] = &types.AttributeValueMemberS{Value: "2025-12-31"} // as a person may have written it
	s.put(t, "ProgramConfig", item)
	later := noon().Add(time.Hour)
	putProgram(t, roles, ceap.ProgramItem{ProgramID: "product-reviews", Marketplace: "US", Document: []byte(`{"enabled":true}`), CreatedAt: later, UpdatedAt: later})
	items := s.items(t, "ProgramConfig", "PROGRAM#")
	if len(items) != 1 {
		t.Fatalf("items %v", items)
	}
	if diff := cmp.Diff(item["createdAt"], items[0]["createdAt"], attributes()); diff != "" {
		t.Errorf("createdAt (-want +got):\n%s", diff)
	}
	if items[0]["dataConnectors"] != nil {
		t.Error("what the new document lacks is still there")
	}
	it := listPrograms(t, roles, "")[0]
	// The operator's switch is not the document's enabled.
	if it.Enabled || string(it.Document) != `{"enabled":true}` || !it.UpdatedAt.Equal(later) {
		t.Errorf("item %+v", it)
	}
	it.Enabled = true
	putProgram(t, roles, it)
	if it = listPrograms(t, roles, "")[0]; !it.Enabled {
		t.Error("the switch stays off")
	}
}

func TestPrograms_Keys(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles := s.open(t)
	var want []string
	for _, id := range []string{"a", "a#MARKETPLACE", "a%23"} {
		for _, marketplace := range []string{"%", "*", "CONFIG", "US#1"} {
			putProgram(t, roles, ceap.ProgramItem{ProgramID: id, Marketplace: marketplace, Document: []byte(`{}`), CreatedAt: noon(), UpdatedAt: noon()})
			want = append(want, id+" "+marketplace)
		}
	}
	s.put(t, "ProgramConfig", map[string]types.AttributeValue{
		"PK": &types.AttributeValueMemberS{Value: "PROGRAM#typo"}, "SK": &types.AttributeValueMemberS{Value: "MARKETPLACE:US"},
	})
	var got []string
	for _, it := range listPrograms(t, roles, "") {
		got = append(got, it.ProgramID+" "+it.Marketplace)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
	if !strings.Contains(s.log.String(), "MARKETPLACE:US") {
		t.Errorf("the item that is no program's is not named: %s", s.log)
	}
	for _, line := range want {
		id, marketplace, _ := strings.Cut(line, " ")
		if n := len(listPrograms(t, roles, id)); n == 0 {
			t.Errorf("program %q is not found", id)
		}
		if err := roles.Programs.Delete(t.Context(), id, marketplace); err != nil {
			t.Error(err)
		}
	}
	if left := listPrograms(t, roles, ""); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestPrograms_Refused(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles := s.open(t)
	for document, word := range map[string]string{
		`[]`:                            "not an object",
		`{"a":`:                         "reading JSON",
		`{"createdAt":"x"}`:             "createdAt",
		`{"filterChain":{"x":[1e126]}}`: "filterChain.x[0]",
		`{"a":123456789012345678901234567890123456789}`: "38 digits",
	} {
		err := roles.Programs.Put(t.Context(), ceap.ProgramItem{ProgramID: "p", Marketplace: "US", Document: []byte(document)})
		wantCode(t, err, ceap.CodeInvalid, word, `program "p" for US`)
	}
	if left := listPrograms(t, roles, ""); len(left) > 0 {
		t.Errorf("stored: %v", left)
	}
	missing := bareStage(t).open(t)
	_, err := missing.Programs.List(t.Context(), "")
	wantCode(t, err, ceap.CodeUnavailable, "ProgramConfig-t", "deploy the template")
}

func TestRoundTrip_Document(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		document := drawNode(t, 3).Canonical()
		got, err := dynamodb.RoundTrip(document)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(document) {
			t.Errorf("%s is read back as %s", document, got)
		}
	})
}

func drawNode(t *rapid.T, depth int) *plugin.Node {
	kinds := []plugin.NodeKind{plugin.NodeNull, plugin.NodeBool, plugin.NodeNumber, plugin.NodeString}
	if depth > 0 {
		kinds = append(kinds, plugin.NodeList, plugin.NodeObject)
	}
	n := &plugin.Node{Kind: rapid.SampledFrom(kinds).Draw(t, "kind")}
	switch n.Kind {
	case plugin.NodeBool:
		n.Text = fmt.Sprint(rapid.Bool().Draw(t, "bool"))
	case plugin.NodeNumber:
		n.Text = rapid.StringMatching(`-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?([eE][+-]?[0-9]{1,2})?`).Draw(t, "number")
	case plugin.NodeString:
		n.Text = rapid.String().Draw(t, "text")
	case plugin.NodeList:
		for range rapid.IntRange(0, 3).Draw(t, "length") {
			n.Items = append(n.Items, drawNode(t, depth-1))
		}
	case plugin.NodeObject:
		for _, name := range rapid.SliceOfNDistinct(rapid.String(), 0, 3, rapid.ID).Draw(t, "keys") {
			n.Fields = append(n.Fields, plugin.Field{Name: name, Value: drawNode(t, depth-1)})
		}
	case plugin.NodeNull:
	}
	return n
}
