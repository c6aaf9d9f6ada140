package dynamodb

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/plugin"
	"github.com/ceap-platform/ceap/store"
)

// programs keeps an item per program and marketplace in the form that the guide
// shows: the keys of the document are attributes beside PK, SK, createdAt and
// updatedAt. Sections are native lists and maps; items that hold them as JSON
// texts are read as well (D9), and what the texts say is for the reader of the
// document.
type programs Store

var _ store.Programs = (*programs)(nil)

const (
	programPrefix     = "PROGRAM#"
	marketplacePrefix = "MARKETPLACE#"
	baseConfig        = "CONFIG" // the sort key, and marketplace, of a base item (D11)

	createdAt = "createdAt"
	updatedAt = "updatedAt"
	// switchedOff is there, and true, if an operator has switched the program off.
	// The document's own enabled is another thing.
	switchedOff = "switchedOff"
)

// ownAttributes lists the attributes of an item that are no part of its document.
func ownAttributes() []string { return []string{"PK", "SK", createdAt, updatedAt, switchedOff} }

func programKey(programID, marketplace string) item {
	sort := baseConfig
	if marketplace != baseConfig {
		sort = marketplacePrefix + escape(marketplace)
	}
	return key(programPrefix+escape(programID), sort)
}

// Put implements [store.Programs]. Returns invalid if the document is no object,
// has keys that mark items, or numbers that DynamoDB cannot hold.
func (p *programs) Put(ctx context.Context, it ceap.ProgramItem) error {
	s := (*Store)(p)
	doing := fmt.Sprintf("storing program %q for %s in the table %s", it.ProgramID, it.Marketplace, s.table(programTable))
	attributes, err := programAttributes(it)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	db, err := s.db(ctx)
	if err != nil {
		return err
	}
	const attempts = 5 // each is lost only to another writer of the same item
	for range attempts {
		err = p.replace(ctx, db, attributes, it)
		if _, changed := refused(err); !changed {
			return awsapi.Error(ctx, doing, err)
		}
	}
	return ceap.Errorf(ceap.CodeConflict, "%s: others keep changing it", doing).WithHint("try again")
}

// replace writes the item in place of the one that it reads, whose createdAt it
// keeps as it is written.
func (p *programs) replace(ctx context.Context, db *dynamodb.Client, attributes item, it ceap.ProgramItem) error {
	table := aws.String((*Store)(p).table(programTable))
	old, err := db.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: table, Key: programKey(it.ProgramID, it.Marketplace), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return err
	}
	put := &dynamodb.PutItemInput{TableName: table, Item: attributes}
	switch created := old.Item[createdAt]; {
	case old.Item == nil:
		attributes[createdAt] = timestamp(it.CreatedAt)
		put.ConditionExpression = aws.String("attribute_not_exists(PK)")
	case created == nil:
		attributes[createdAt] = timestamp(it.CreatedAt)
		put.ConditionExpression = aws.String("attribute_exists(PK) AND attribute_not_exists(createdAt)")
	default:
		attributes[createdAt] = created
		put.ConditionExpression = aws.String("createdAt = :created")
		put.ExpressionAttributeValues = item{":created": created}
	}
	_, err = db.PutItem(ctx, put)
	return err
}

// programAttributes returns the attributes of an item but createdAt.
func programAttributes(it ceap.ProgramItem) (item, error) {
	document, err := plugin.FromJSON("", it.Document)
	if err != nil {
		return nil, &ceap.Error{Code: ceap.CodeInvalid, Err: err}
	}
	if document.Kind != plugin.NodeObject {
		return nil, ceap.Errorf(ceap.CodeInvalid, "the document is %s, not an object", document.Kind)
	}
	for _, name := range ownAttributes() {
		if document.Get(name) != nil {
			return nil, ceap.Errorf(ceap.CodeInvalid, "the document has the key %s, which is the item's own", name).WithHint("remove it")
		}
	}
	attributes, err := attributes(document)
	if err != nil {
		return nil, err
	}
	maps.Copy(attributes, programKey(it.ProgramID, it.Marketplace))
	attributes[updatedAt] = timestamp(it.UpdatedAt)
	if !it.Enabled {
		attributes[switchedOff] = boolean(true)
	}
	return attributes, nil
}

// timestamp returns a time as the guide writes it: 2026-01-27T00:00:00Z.
func timestamp(t time.Time) types.AttributeValue { return text(t.UTC().Format(time.RFC3339Nano)) }

// timeOf returns the time of an attribute that people write, too; zero if it is none.
func timeOf(it item, name string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, textOf(it, name))
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// List implements [store.Programs]. Items of the table whose keys are not those of
// a program are left out, with a warning in the log that names them.
func (p *programs) List(ctx context.Context, programID string) ([]ceap.ProgramItem, error) {
	s := (*Store)(p)
	found, err := p.read(ctx, programID)
	if err != nil {
		return nil, awsapi.Error(ctx, "reading the table "+s.table(programTable), err)
	}
	var out []ceap.ProgramItem
	for _, attributes := range found {
		it, ok := programOf(attributes)
		if !ok {
			s.log.WarnContext(ctx, "an item of the program table is not a program's: write PROGRAM# and the programId, and MARKETPLACE# and the marketplace or CONFIG",
				"table", s.table(programTable), "pk", textOf(attributes, "PK"), "sk", textOf(attributes, "SK"))
			continue
		}
		out = append(out, it)
	}
	slices.SortFunc(out, func(a, b ceap.ProgramItem) int {
		if c := strings.Compare(a.ProgramID, b.ProgramID); c != 0 {
			return c
		}
		return strings.Compare(a.Marketplace, b.Marketplace)
	})
	return out, nil
}

// read returns the items of a program, or all for "". The table holds nothing but
// programs, so that reading the whole of it is no waste.
func (p *programs) read(ctx context.Context, programID string) ([]item, error) {
	s := (*Store)(p)
	db, err := s.db(ctx)
	if err != nil {
		return nil, err
	}
	var found []item
	if programID == "" {
		pages := dynamodb.NewScanPaginator(db, &dynamodb.ScanInput{TableName: aws.String(s.table(programTable)), ConsistentRead: aws.Bool(true)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, err
			}
			found = append(found, page.Items...)
		}
		return found, nil
	}
	pages := dynamodb.NewQueryPaginator(db, &dynamodb.QueryInput{
		TableName: aws.String(s.table(programTable)), ConsistentRead: aws.Bool(true),
		KeyConditionExpression:    aws.String("PK = :program"),
		ExpressionAttributeValues: item{":program": text(programPrefix + escape(programID))},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		found = append(found, page.Items...)
	}
	return found, nil
}

// programOf reads an item; ok is false if its keys are not a program's.
func programOf(attributes item) (it ceap.ProgramItem, ok bool) {
	program, ok := strings.CutPrefix(textOf(attributes, "PK"), programPrefix)
	if !ok || program == "" {
		return it, false
	}
	marketplace := textOf(attributes, "SK")
	if marketplace != baseConfig {
		if marketplace, ok = strings.CutPrefix(marketplace, marketplacePrefix); !ok || marketplace == "" {
			return it, false
		}
	}
	off, _ := attributes[switchedOff].(*types.AttributeValueMemberBOOL)
	it = ceap.ProgramItem{
		ProgramID: unescape(program), Marketplace: unescape(marketplace), Enabled: off == nil || !off.Value,
		CreatedAt: timeOf(attributes, createdAt), UpdatedAt: timeOf(attributes, updatedAt),
	}
	for _, name := range ownAttributes() {
		delete(attributes, name)
	}
	it.Document = object(attributes).Canonical()
	return it, true
}

// Delete implements [store.Programs].
func (p *programs) Delete(ctx context.Context, programID, marketplace string) error {
	s := (*Store)(p)
	db, err := s.db(ctx)
	if err != nil {
		return err
	}
	_, err = db.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: aws.String(s.table(programTable)), Key: programKey(programID, marketplace),
		ConditionExpression: aws.String("attribute_exists(PK)"),
	})
	if _, missing := refused(err); missing {
		return ceap.Errorf(ceap.CodeNotFound, "the store has no program %q for %s", programID, marketplace)
	}
	return awsapi.Error(ctx, fmt.Sprintf("deleting program %q for %s from the table %s", programID, marketplace, s.table(programTable)), err)
}
