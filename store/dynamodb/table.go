package dynamodb

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// The names of the tables, before the stage.
const (
	programTable   = "ProgramConfig"
	candidateTable = "Candidates"
	runTable       = "Runs"
	optOutTable    = "OptOuts"
	scoreTable     = "Scores"
)

// The indexes of the candidates, each spread over Config.IndexShards partitions
// of a program and marketplace.
const (
	rankIndex    = "GSI1" // the open ones, best first
	createdIndex = "GSI2" // all, oldest first
)

// The indexes of the records of runs, by the time of their start.
const (
	startedIndex        = "GSI1" // all
	programStartedIndex = "GSI2" // those of a program
)

// TTLAttribute is the attribute from whose time on, in seconds since 1970,
// DynamoDB may remove an item. It is switched on for the tables that
// [ExpiringTables] names.
const TTLAttribute = "ttl"

// Tables returns what creates the tables of a stage: they are charged by use, and
// their keys are the strings PK and SK.
func Tables(stage string) []*dynamodb.CreateTableInput {
	candidates := table(candidateTable, stage)
	// The base table is read for the rest: an index that holds little is written
	// cheaply, and its answer may be out of date.
	addIndex(candidates, rankIndex, &types.Projection{
		ProjectionType:   types.ProjectionTypeInclude,
		NonKeyAttributes: []string{"channels", "subjectType", "subjectId", "expiresAt"},
	})
	addIndex(candidates, createdIndex, &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly})
	runs := table(runTable, stage)
	addIndex(runs, startedIndex, &types.Projection{ProjectionType: types.ProjectionTypeAll})
	addIndex(runs, programStartedIndex, &types.Projection{ProjectionType: types.ProjectionTypeAll})
	return []*dynamodb.CreateTableInput{
		table(programTable, stage), candidates, runs, table(optOutTable, stage), table(scoreTable, stage),
	}
}

// ExpiringTables returns the names of the tables of a stage that have a
// [TTLAttribute].
func ExpiringTables(stage string) []string {
	return []string{tableName(candidateTable, stage), tableName(runTable, stage), tableName(scoreTable, stage)}
}

func tableName(name, stage string) string { return name + "-" + stage }

func table(name, stage string) *dynamodb.CreateTableInput {
	return &dynamodb.CreateTableInput{
		TableName:            aws.String(tableName(name, stage)),
		BillingMode:          types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{textAttribute("PK"), textAttribute("SK")},
		KeySchema:            keySchema("PK", "SK"),
	}
}

// addIndex adds an index whose keys are the strings <name>PK and <name>SK.
func addIndex(in *dynamodb.CreateTableInput, name string, projection *types.Projection) {
	in.AttributeDefinitions = append(in.AttributeDefinitions, textAttribute(name+"PK"), textAttribute(name+"SK"))
	in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, types.GlobalSecondaryIndex{
		IndexName: aws.String(name), KeySchema: keySchema(name+"PK", name+"SK"), Projection: projection,
	})
}

func textAttribute(name string) types.AttributeDefinition {
	return types.AttributeDefinition{AttributeName: aws.String(name), AttributeType: types.ScalarAttributeTypeS}
}

func keySchema(partition, sort string) []types.KeySchemaElement {
	return []types.KeySchemaElement{
		{AttributeName: aws.String(partition), KeyType: types.KeyTypeHash},
		{AttributeName: aws.String(sort), KeyType: types.KeyTypeRange},
	}
}
