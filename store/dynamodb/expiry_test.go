package dynamodb_test

import (
	"testing"
	"time"

	awsdb "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/awstest"
	"github.com/ceap-platform/ceap/store"
	"github.com/ceap-platform/ceap/store/dynamodb"
)

// outlive removes the candidate's item as DynamoDB does some time after its ttl.
func (s *stage) outlive(t *testing.T, k ceap.Key) {
	t.Helper()
	if err := s.drop(t.Context(), "Candidates", k.PK(), k.SK()); err != nil {
		t.Fatal(err)
	}
}

func at(runID string, now time.Time, reopen time.Duration) store.UpsertOptions {
	return store.UpsertOptions{RunID: runID, Now: now, TTL: life, ReopenAfter: reopen}
}

func later(c *ceap.Candidate) *ceap.Candidate {
	c.EventDate = c.EventDate.Add(24 * time.Hour)
	return c
}

// TestI6_RemovedByDynamoDB: what DynamoDB has removed by itself stays away as what it
// was.
func TestI6_RemovedByDynamoDB(t *testing.T) {
	t.Parallel()
	expired := noon().Add(life)
	t.Run("an expired one stays away, and a later event opens it with a higher version (I32)", func(t *testing.T) {
		t.Parallel()
		s := newStage(t)
		roles := s.open(t)
		c := candidate("c", "1")
		upsert(t, roles, options("run-1"), c)
		c.Currency = "EUR"
		upsert(t, roles, options("run-2"), c)
		s.outlive(t, c.Key)
		equal(t, "the same event", []string{"rejected EXPIRED"}, upsert(t, roles, at("run-3", expired, 0), c))
		equal(t, "a later one", []string{"created"}, upsert(t, roles, at("run-4", expired, 0), later(candidate("c", "1"))))
		if v := get(t, roles, c.Key).Meta.Version; v <= 2 {
			t.Errorf("version %d comes after 2", v)
		}
	})
	t.Run("the last event counts", func(t *testing.T) {
		t.Parallel()
		s := newStage(t)
		roles := s.open(t)
		upsert(t, roles, options("run-1"), candidate("c", "1"))
		equal(t, "an update", []string{"updated"}, upsert(t, roles, options("run-2"), later(candidate("c", "1"))))
		s.outlive(t, candidate("c", "1").Key)
		equal(t, "the same event", []string{"rejected EXPIRED"}, upsert(t, roles, at("run-3", expired, 0), later(candidate("c", "1"))))
	})
	t.Run("a consumed one stays away as such", func(t *testing.T) {
		t.Parallel()
		s := newStage(t)
		roles := s.open(t)
		c := candidate("c", "1")
		upsert(t, roles, options("run-1"), c)
		if err := roles.Candidates.Close(t.Context(), c.Key, store.Closing{Status: ceap.StatusConsumed, At: noon()}); err != nil {
			t.Fatal(err)
		}
		s.outlive(t, c.Key)
		year := noon().Add(364 * 24 * time.Hour)
		equal(t, "never", []string{"rejected ALREADY_CONTACTED"}, upsert(t, roles, at("run-2", year, 0), later(candidate("c", "1"))))
		equal(t, "after a week", []string{"created"}, upsert(t, roles, at("run-3", year, 7*24*time.Hour), later(candidate("c", "1"))))
	})
	t.Run("versions grow over any number of updates (I32)", func(t *testing.T) {
		t.Parallel()
		s := newStage(t)
		roles := s.open(t)
		c := candidate("c", "1")
		for i := range 105 {
			c.OrderValue = ceap.Int(int64(i))
			upsert(t, roles, options("run-"+time.Duration(i).String()), c)
		}
		last := get(t, roles, c.Key).Meta.Version
		s.outlive(t, c.Key)
		upsert(t, roles, at("again", expired, 0), later(candidate("c", "1")))
		if v := get(t, roles, c.Key).Meta.Version; v <= last {
			t.Errorf("version %d comes after %d", v, last)
		}
	})
	t.Run("once its mark has gone it may come back", func(t *testing.T) {
		t.Parallel()
		s := newStage(t)
		roles := s.open(t)
		c := candidate("c", "1")
		upsert(t, roles, options("run-1"), c)
		s.outlive(t, c.Key)
		end := expired.Add(store.MarkLife)
		equal(t, "before", []string{"rejected EXPIRED"}, upsert(t, roles, at("run-2", end.Add(-time.Second), 0), c))
		equal(t, "after", []string{"created"}, upsert(t, roles, at("run-3", end, 0), c))
	})
}

// TestI7_DiedBetweenMarkAndItem: a run that ended in between two writes leaves no
// trace in what it writes when it is repeated.
func TestI7_DiedBetweenMarkAndItem(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles := s.open(t)
	c := candidate("c", "1")
	pk, err := dynamodb.MarkPK(t.Context(), roles, c.Key)
	if err != nil {
		t.Fatal(err)
	}
	f := s.cloud.Inject(awstest.Fault{On: "dynamodb.PutItem", If: writes("CUST#"), Times: 1, Do: awstest.Answer(400, "ResourceNotFoundException")})
	_, err = roles.Candidates.Upsert(t.Context(), []*ceap.Candidate{c}, options("run-1"))
	wantCode(t, err, ceap.CodeUnavailable)
	equal(t, "faults", 1, f.Hits())
	if len(s.items(t, "Candidates", pk)) != 1 || len(s.items(t, "Candidates", "CUST#")) != 0 {
		t.Fatal("it did not end between the mark and the item")
	}
	err = roles.Candidates.Close(t.Context(), c.Key, store.Closing{Status: ceap.StatusDeleted, At: noon()})
	wantCode(t, err, ceap.CodeNotFound)
	equal(t, "outcome", []string{"created"}, upsert(t, roles, options("run-1"), c))
	equal(t, "version", int64(1), get(t, roles, c.Key).Meta.Version)
}

// TestSweep_LeavesMarks: Sweep removes what DynamoDB would, and knows as much after.
func TestSweep_Marks(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles := s.open(t)
	upsert(t, roles, options("run-1"), candidate("a", "1"), candidate("b", "1"))
	for _, step := range []struct {
		now   time.Time
		swept int64
		marks int
	}{{noon().Add(life), 2, 2}, {noon().Add(life + store.MarkLife - time.Second), 0, 2}, {noon().Add(life + store.MarkLife), 0, 0}} {
		swept, err := roles.Candidates.Sweep(t.Context(), step.now)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "swept", step.swept, swept)
		equal(t, "marks", step.marks, len(s.items(t, "Candidates", "MARK#")))
	}
}

func TestTables(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for _, table := range dynamodb.Tables(s.config.Stage) {
		out, err := s.db.DescribeTable(t.Context(), &awsdb.DescribeTableInput{TableName: table.TableName})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, *table.TableName+" indexes", len(table.GlobalSecondaryIndexes), len(out.Table.GlobalSecondaryIndexes))
	}
}
