package aws_test

import (
	"slices"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ceap-platform/ceap/store/dynamodb"
)

// TestTemplate_TablesAreThoseOfTheStore compares the tables with those that the
// store makes on an emulator, so that both have the same keys and indexes.
func TestTemplate_TablesAreThoseOfTheStore(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	tables := template.ofType("AWS::DynamoDB::Table")
	byName := map[string]map[string]any{}
	for _, table := range tables {
		byName[template.text(table["TableName"])] = table
	}
	want := dynamodb.Tables("dev")
	if len(byName) != len(want) {
		t.Errorf("%d tables; the store has %d", len(byName), len(want))
	}
	for _, w := range want {
		name := sdk.ToString(w.TableName)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table := byName[name]
			if table["BillingMode"] != string(w.BillingMode) {
				t.Errorf("BillingMode = %v; want %s", table["BillingMode"], w.BillingMode)
			}
			if diff := cmp.Diff(attributes(w.AttributeDefinitions), pairs(table["AttributeDefinitions"], "AttributeName", "AttributeType")); diff != "" {
				t.Errorf("attributes (-store +template):\n%s", diff)
			}
			if diff := cmp.Diff(keys(w.KeySchema), pairs(table["KeySchema"], "AttributeName", "KeyType")); diff != "" {
				t.Errorf("keys (-store +template):\n%s", diff)
			}
			var stored, given []index
			for _, g := range w.GlobalSecondaryIndexes {
				stored = append(stored, index{sdk.ToString(g.IndexName), keys(g.KeySchema), string(g.Projection.ProjectionType), g.Projection.NonKeyAttributes})
			}
			for _, g := range list(table["GlobalSecondaryIndexes"]) {
				projection := object(object(g)["Projection"])
				given = append(given, index{
					template.text(object(g)["IndexName"]), pairs(object(g)["KeySchema"], "AttributeName", "KeyType"),
					template.text(projection["ProjectionType"]), texts(projection["NonKeyAttributes"]),
				})
			}
			if diff := cmp.Diff(stored, given, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("indexes (-store +template):\n%s", diff)
			}
			expires := object(table["TimeToLiveSpecification"])
			if slices.Contains(dynamodb.ExpiringTables("dev"), name) != (expires["AttributeName"] == dynamodb.TTLAttribute && expires["Enabled"] == true) {
				t.Errorf("TimeToLiveSpecification = %v", expires)
			}
		})
	}
}

// index is an index of a table, with its keys as name and type.
type index struct {
	Name       string
	Keys       [][2]string
	Projection string
	Attributes []string
}

func attributes(definitions []types.AttributeDefinition) (out [][2]string) {
	for _, d := range definitions {
		out = append(out, [2]string{sdk.ToString(d.AttributeName), string(d.AttributeType)})
	}
	return out
}

func keys(schema []types.KeySchemaElement) (out [][2]string) {
	for _, k := range schema {
		out = append(out, [2]string{sdk.ToString(k.AttributeName), string(k.KeyType)})
	}
	return out
}

func pairs(v any, first, second string) (out [][2]string) {
	for _, item := range list(v) {
		a, _ := object(item)[first].(string)
		b, _ := object(item)[second].(string)
		out = append(out, [2]string{a, b})
	}
	return out
}

func texts(v any) (out []string) {
	for _, item := range list(v) {
		text, _ := item.(string)
		out = append(out, text)
	}
	return out
}
