package dynamodb

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
)

// mark is what keeps a candidate away once its item is gone (D5): a keyed hash of
// its key, and nothing of the customer. While there is an item, that counts.
//
// DynamoDB removes expired items by itself, at a time of its own choosing, and
// tells nobody. So a mark is written before its candidate: it says from the
// beginning that the candidate expires on its day. Whoever closes a candidate
// changes the mark first, and the candidate then.
//
// Marks change only from the revision that was read. An item says that it is its
// version that was read. Of two writers one loses either condition, reads both
// again and decides again.
type mark struct {
	status    ceap.Status // expired, sent, consumed or deleted
	eventDate time.Time
	closedAt  time.Time // from when on that is so; may lie ahead
	until     time.Time // when the mark goes
	version   int64     // of the candidate when the mark was written
	next      int64     // the version of a candidate that comes after the mark; higher than any before
	revision  int64     // 1 for the first
}

// versionStep is how many versions a mark foresees, so that not every update of a
// candidate has to change its mark too.
const versionStep = 100

// foreseen is the highest version that a candidate of that version may reach before
// its mark is written again.
func foreseen(version int64) int64 { return (version/versionStep + 1) * versionStep }

// birthMark is the mark of an open candidate: it will have expired.
func birthMark(c *ceap.Candidate) mark {
	at := c.Meta.ExpiresAt
	return mark{
		status: ceap.StatusExpired, eventDate: c.EventDate, closedAt: at, until: at.Add(store.MarkLife),
		version: c.Meta.Version, next: foreseen(c.Meta.Version) + 1,
	}
}

// closingMark is the mark of a candidate that is closed and reaches that version
// by it.
func closingMark(c *ceap.Candidate, status ceap.Status, at time.Time, version int64) mark {
	end := at
	if status != ceap.StatusDeleted && c.Meta.ExpiresAt.After(end) {
		end = c.Meta.ExpiresAt // its item stays until then
	}
	return mark{
		status: status, eventDate: c.EventDate, closedAt: micros(at), until: end.Add(store.MarkLife),
		version: version, next: version + 1,
	}
}

// pending reports whether the mark is of a candidate that would still be open: its
// creation was broken off before the item was written, or is under way.
func (m *mark) pending(now time.Time) bool {
	return m.status == ceap.StatusExpired && m.closedAt.After(now)
}

func (m *mark) item(pk string) item {
	it := key(pk, "MARK")
	it["status"], it["eventDate"], it["closedAt"] = text(string(m.status)), instant(m.eventDate), instant(m.closedAt)
	it["version"], it["nextVersion"], it["revision"] = integer(m.version), integer(m.next), integer(m.revision)
	it[TTLAttribute] = seconds(m.until)
	return it
}

// decodeMark returns the mark of an item; nil if there is no item.
func decodeMark(it item) (*mark, error) {
	if it == nil {
		return nil, nil //nolint:nilnil // there is none, and that is no error
	}
	f := fields{item: it}
	m := &mark{
		status: ceap.Status(f.text("status")), eventDate: f.instant("eventDate"), closedAt: f.instant("closedAt"),
		until: time.Unix(f.integer(TTLAttribute), 0).UTC(), version: f.integer("version"), next: f.integer("nextVersion"), revision: f.integer("revision"),
	}
	return m, f.err
}

// writeMark replaces the mark that was read, nil for none, and sets m's revision.
// Returns errLost if it has changed since.
func (s *Store) writeMark(ctx context.Context, db *dynamodb.Client, pk string, m, was *mark) error {
	condition := "attribute_not_exists(PK)"
	var values item
	m.revision = 1
	if was != nil {
		m.revision = was.revision + 1
		condition, values = "revision = :read", item{":read": integer(was.revision)}
	}
	_, err := db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: aws.String(s.table(candidateTable)), Item: m.item(pk),
		ConditionExpression: aws.String(condition), ExpressionAttributeValues: values,
	})
	return lost(err)
}

// markPK returns the partition key of a candidate's mark.
func markPK(secret []byte, k ceap.Key) string {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(k.PK()))
	h.Write([]byte{0})
	h.Write([]byte(k.SK()))
	return "MARK#" + hex.EncodeToString(h.Sum(nil))
}

// markSecret returns the key of the hash. It is made once, by whoever needs it
// first, and never leaves the table.
func (s *Store) markSecret(ctx context.Context, db *dynamodb.Client) ([]byte, error) {
	s.mu.Lock()
	secret := s.secret
	s.mu.Unlock()
	if secret != nil {
		return secret, nil
	}
	at := &dynamodb.GetItemInput{TableName: aws.String(s.table(candidateTable)), Key: key("STORE", "MARKKEY"), ConsistentRead: aws.Bool(true)}
	out, err := db.GetItem(ctx, at)
	if err != nil {
		return nil, err
	}
	if out.Item == nil {
		if err := s.makeSecret(ctx, db); err != nil {
			return nil, err
		}
		// Read even by whoever has written: the first one's key is the one.
		if out, err = db.GetItem(ctx, at); err != nil {
			return nil, err
		}
	}
	kept, ok := out.Item["key"].(*types.AttributeValueMemberB)
	if !ok || len(kept.Value) == 0 {
		return nil, ceap.Errorf(ceap.CodeInternal, "the item STORE MARKKEY has no key").WithHint("restore it from a backup: without it, what was deleted comes back")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secret = kept.Value
	return s.secret, nil
}

// makeSecret writes a key unless there is one.
func (s *Store) makeSecret(ctx context.Context, db *dynamodb.Client) error {
	fresh := make([]byte, 32)
	if _, err := rand.Read(fresh); err != nil {
		return err
	}
	it := key("STORE", "MARKKEY")
	it["key"] = &types.AttributeValueMemberB{Value: fresh}
	_, err := db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: aws.String(s.table(candidateTable)), Item: it, ConditionExpression: aws.String("attribute_not_exists(PK)"),
	})
	if err := lost(err); err != nil && !errors.Is(err, errLost) {
		return err
	}
	return nil
}
