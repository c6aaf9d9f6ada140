package dynamodb_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/awstest"
	"github.com/ceap-platform/ceap/store"
)

// writes picks the writes of items whose partition keys start so.
func writes(prefix string) func(*awstest.Call) bool {
	return func(c *awstest.Call) bool { return bytes.Contains(c.Body, []byte(`"PK":{"S":"`+prefix)) }
}

func customers(n int) []*ceap.Candidate {
	batch := make([]*ceap.Candidate, n)
	for i := range batch {
		batch[i] = candidate(fmt.Sprintf("c%03d", i), "1")
	}
	return batch
}

func count(outcomes []string) map[string]int {
	n := map[string]int{}
	for _, o := range outcomes {
		n[o]++
	}
	return n
}

func TestI34_UnprocessedKeysAreReadAgain(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles := s.open(t)
	batch := customers(40)
	upsert(t, roles, options("run-1"), batch...)
	f := s.cloud.Inject(awstest.Fault{On: "dynamodb.BatchGetItem", Times: 3, Do: awstest.Leave(30)})
	equal(t, "outcomes", map[string]int{"unchanged": 40}, count(upsert(t, roles, options("run-2"), batch...)))
	equal(t, "faults", 3, f.Hits())
}

func TestI34_ThrottledWrites(t *testing.T) {
	t.Parallel()
	t.Run("some are written again, by the SDK", func(t *testing.T) {
		t.Parallel()
		s := newStage(t)
		s.cloud.Inject(awstest.Fault{On: "dynamodb.PutItem", Times: 2, Do: awstest.Throttle()})
		equal(t, "outcomes", map[string]int{"created": 4}, count(upsert(t, s.open(t), options("run-1"), customers(4)...)))
	})
	t.Run("what is left over fails, and the run may be repeated (I7)", func(t *testing.T) {
		t.Parallel()
		s := newStage(t)
		roles := s.open(t)
		batch := customers(4)
		f := s.cloud.Inject(awstest.Fault{On: "dynamodb.PutItem", If: writes("CUST#c002"), Times: 3, Do: awstest.Throttle()}) // the SDK tries three times
		equal(t, "outcomes", []string{"created", "created", "failed THROTTLED", "created"}, upsert(t, roles, options("run-1"), batch...))
		equal(t, "faults", 3, f.Hits())
		equal(t, "again", map[string]int{"created": 4}, count(upsert(t, roles, options("run-1"), batch...)))
		for _, c := range batch {
			equal(t, "version", int64(1), get(t, roles, c.Key).Meta.Version)
		}
	})
	t.Run("reading too", func(t *testing.T) {
		t.Parallel()
		s := newStage(t)
		s.cloud.Inject(awstest.Fault{On: "dynamodb.BatchGetItem", Times: 3, Do: awstest.Throttle()})
		equal(t, "outcomes", map[string]int{"failed THROTTLED": 4}, count(upsert(t, s.open(t), options("run-1"), customers(4)...)))
	})
}

// TestI7_LostAnswers: writes that were carried out, but whose answers were lost, are
// recognised.
func TestI7_LostAnswers(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"CUST#", "MARK#"} {
		t.Run(prefix, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			roles := s.open(t)
			old, batch := customers(2), customers(6)
			upsert(t, roles, options("run-1"), old...)
			batch[0].Currency, batch[1].EventDate = "EUR", noon()
			f := s.cloud.Inject(awstest.Fault{On: "dynamodb.PutItem", If: writes(prefix), Times: 5, Do: awstest.LoseAnswer()})
			equal(t, "outcomes", map[string]int{"created": 4, "updated": 2}, count(upsert(t, roles, options("run-2"), batch...)))
			equal(t, "faults", 5, f.Hits())
			for i, c := range batch {
				equal(t, c.CustomerID, map[bool]int64{true: 2, false: 1}[i < 2], get(t, roles, c.Key).Meta.Version)
			}
		})
	}
	t.Run("closing", func(t *testing.T) {
		t.Parallel()
		s := newStage(t)
		roles := s.open(t)
		c := candidate("c", "1")
		upsert(t, roles, options("run-1"), c)
		f := s.cloud.Inject(awstest.Fault{On: "dynamodb.UpdateItem", If: writes("CUST#"), Times: 1, Do: awstest.LoseAnswer()})
		if err := roles.Candidates.Close(t.Context(), c.Key, store.Closing{Status: ceap.StatusConsumed, Channel: "email", At: noon()}); err != nil {
			t.Fatal(err)
		}
		equal(t, "faults", 1, f.Hits())
		equal(t, "version", int64(2), get(t, roles, c.Key).Meta.Version)
	})
}

// TestUpsert_HopelessErrors: what no row would survive is an error of the batch.
func TestUpsert_HopelessErrors(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]ceap.Code{
		"AccessDeniedException": ceap.CodeForbidden, "UnrecognizedClientException": ceap.CodeUnauthenticated, "ResourceNotFoundException": ceap.CodeUnavailable,
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			roles := s.open(t)
			upsert(t, roles, options("run-1"), candidate("other", "1"))
			s.cloud.Inject(awstest.Fault{On: "dynamodb.PutItem", Do: awstest.Answer(400, code)})
			_, err := roles.Candidates.Upsert(t.Context(), customers(100), options("run-1"))
			wantCode(t, err, want, "Candidates-"+s.config.Stage)
		})
	}
}

// TestI34_InternalErrors: what DynamoDB breaks at is one row.
func TestI34_InternalErrors(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.cloud.Inject(awstest.Fault{On: "dynamodb.PutItem", If: writes("CUST#c001"), Times: 3, Do: awstest.Answer(500, "InternalServerError")})
	equal(t, "outcomes", []string{"created", "failed STORE_ERROR", "created"}, upsert(t, s.open(t), options("run-1"), customers(3)...))
}

// TestI33_WritersOfTheSameBatch: of several processes that write the same new rows
// each row is created once, and each says so or finds it unchanged.
func TestI33_WritersOfTheSameBatch(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	const processes = 4
	outcomes := make([][]string, processes)
	var group sync.WaitGroup
	for i := range processes {
		roles := s.open(t)
		group.Go(func() { outcomes[i] = upsert(t, roles, options(fmt.Sprintf("run-%d", i)), customers(30)...) })
	}
	group.Wait()
	total := map[string]int{}
	for _, o := range outcomes {
		for kind, n := range count(o) {
			total[kind] += n
		}
	}
	equal(t, "outcomes", map[string]int{"created": 30, "unchanged": 30 * (processes - 1)}, total)
}

// TestI6_OptOutWhileWriting holds the write of a candidate back until the customer
// has opted out: whoever comes last removes it.
func TestI6_OptOutWhileWriting(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"", "product-reviews"} {
		s := newStage(t)
		roles := s.open(t)
		other := s.open(t)
		once := sync.OnceFunc(func() {
			removed, err := other.OptOuts.Put(context.WithoutCancel(t.Context()), ceap.OptOut{CustomerID: "c001", ProgramID: program, At: noon()})
			if err != nil || removed != 0 {
				t.Errorf("removed %d, %v", removed, err)
			}
		})
		s.cloud.Inject(awstest.Fault{On: "dynamodb.PutItem", If: func(c *awstest.Call) bool {
			if writes("CUST#c001")(c) {
				once()
				return true
			}
			return false
		}, Do: awstest.Slow(0)})
		equal(t, "outcomes", []string{"created", "rejected OPTED_OUT", "created"}, upsert(t, roles, options("run-1"), customers(3)...))
		_, err := roles.Candidates.Get(t.Context(), candidate("c001", "1").Key)
		wantCode(t, err, ceap.CodeNotFound)
		equal(t, "marks", 2, len(s.items(t, "Candidates", "MARK#")))
	}
}

// TestI6_DeletedWhileWriting lets another process create and delete the candidate
// between our writes of its mark and of its item.
func TestI6_DeletedWhileWriting(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles, other := s.open(t), s.open(t)
	c := candidate("c", "1")
	once := sync.OnceFunc(func() {
		equal(t, "the other's outcome", []string{"created"}, upsert(t, other, options("run-2"), candidate("c", "1")))
		if err := other.Candidates.Close(t.Context(), c.Key, store.Closing{Status: ceap.StatusDeleted, At: noon()}); err != nil {
			t.Error(err)
		}
	})
	s.cloud.Inject(awstest.Fault{On: "dynamodb.PutItem", If: func(call *awstest.Call) bool {
		if bytes.Contains(call.Body, []byte(`"runId":{"S":"run-1"}`)) {
			once()
			return true
		}
		return false
	}, Do: awstest.Slow(0)})
	equal(t, "outcome", []string{"rejected DELETED"}, upsert(t, roles, options("run-1"), c))
	_, err := roles.Candidates.Get(t.Context(), c.Key)
	wantCode(t, err, ceap.CodeNotFound)
}

// another is the stage as another process sees it, which no fault concerns.
func (s *stage) another(t *testing.T) *stage {
	t.Helper()
	o := *s
	o.cloud = awstest.Start(t)
	o.load = o.cloud.Load
	return &o
}

// TestI6_DeletedBeforeWriting lets another process create and delete the candidate
// after we have read that there is none.
func TestI6_DeletedBeforeWriting(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles, other := s.open(t), s.another(t).open(t)
	c := candidate("c", "1")
	once := sync.OnceFunc(func() {
		equal(t, "the other's outcome", []string{"created"}, upsert(t, other, options("run-2"), candidate("c", "1")))
		if err := other.Candidates.Close(t.Context(), c.Key, store.Closing{Status: ceap.StatusDeleted, At: noon()}); err != nil {
			t.Error(err)
		}
	})
	s.cloud.Inject(awstest.Fault{On: "dynamodb.PutItem", If: func(call *awstest.Call) bool {
		if writes("MARK#")(call) {
			once()
			return true
		}
		return false
	}, Do: awstest.Slow(0)})
	equal(t, "outcome", []string{"rejected DELETED"}, upsert(t, roles, options("run-1"), c))
	_, err := roles.Candidates.Get(t.Context(), c.Key)
	wantCode(t, err, ceap.CodeNotFound)
}

// TestI43_FoundInAnOldIndex closes one candidate and gives another a lower rank,
// after they were found in the index and before they are read.
func TestI43_FoundInAnOldIndex(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles, other := s.open(t), s.another(t).open(t)
	batch := customers(5)
	for i, c := range batch {
		c.Score, c.Scored = 1-float64(i)/10, true
	}
	upsert(t, roles, options("run-1"), batch...)
	once := sync.OnceFunc(func() {
		if err := other.Candidates.Close(t.Context(), batch[1].Key, store.Closing{Status: ceap.StatusConsumed, At: noon()}); err != nil {
			t.Error(err)
		}
		lower := *batch[0]
		lower.Score = 0.65
		upsert(t, other, options("run-2"), &lower)
	})
	s.cloud.Inject(awstest.Fault{On: "dynamodb.BatchGetItem", If: func(*awstest.Call) bool { once(); return true }, Do: awstest.Slow(0)})
	q := store.Query{ProgramID: "product-reviews", Channel: "email", Limit: 2, Now: noon()}
	var found []string
	for more := true; more; more = q.Cursor != "" {
		page, err := roles.Candidates.Find(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page.Candidates {
			found = append(found, c.CustomerID)
		}
		q.Cursor = page.Next
	}
	equal(t, "best first", []string{"c002", "c003", "c000", "c004"}, found)
}

// TestI34_DamagedItems: an item that someone has damaged fails its row, with what to
// do, and is named where it is read.
func TestI34_DamagedItems(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles := s.open(t)
	batch := customers(3)
	upsert(t, roles, options("run-1"), batch[1])
	it := s.items(t, "Candidates", "CUST#")[0]
	it["version"] = &types.AttributeValueMemberS{Value: "one"}
	s.put(t, "Candidates", it)
	results, err := roles.Candidates.Upsert(t.Context(), batch, options("run-2"))
	if err != nil {
		t.Fatal(err)
	}
	if results[0].Kind != ceap.OutcomeCreated || results[1].Code != ceap.ReasonStoreError || results[2].Kind != ceap.OutcomeCreated {
		t.Errorf("%+v", results)
	}
	if !strings.Contains(results[1].Reason, "CUST#c001") || !strings.Contains(results[1].Reason, "version") {
		t.Errorf("the reason does not name item and attribute: %s", results[1].Reason)
	}
	_, err = roles.Candidates.Get(t.Context(), batch[1].Key)
	wantCode(t, err, ceap.CodeInternal, "CUST#c001", "version", "mend")
}

// TestI68_LostAnswers: the number of removed candidates is the true one.
func TestI68_LostAnswers(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles := s.open(t)
	upsert(t, roles, options("run-1"), candidate("a", "1"), candidate("a", "2"), candidate("b", "1"))
	f := s.cloud.Inject(awstest.Fault{On: "dynamodb.DeleteItem", Times: 2, Do: awstest.LoseAnswer()})
	out := ceap.OptOut{CustomerID: "a", At: noon()}
	removed, err := roles.OptOuts.Put(t.Context(), out)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "faults", 2, f.Hits())
	equal(t, "removed", int64(2), removed)
	if removed, err = roles.OptOuts.Put(t.Context(), out); err != nil || removed != 0 {
		t.Errorf("then removed %d, %v", removed, err)
	}
	equal(t, "items", 1, len(s.items(t, "Candidates", "CUST#")))
	equal(t, "marks", 1, len(s.items(t, "Candidates", "MARK#")))
}

// TestOptOuts_Item: nothing is kept of a customer without wishes.
func TestOptOuts_Item(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles := s.open(t)
	for _, channel := range []string{"email", "s#m%s"} {
		if _, err := roles.OptOuts.Put(t.Context(), ceap.OptOut{CustomerID: "a#b", ProgramID: "p", Channel: channel, At: noon()}); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "items", 1, len(s.items(t, "OptOuts", "CUST#a%23b")))
	for _, channel := range []string{"email", "s#m%s"} {
		if err := roles.OptOuts.Withdraw(t.Context(), "a#b", "p", channel); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "items", 0, len(s.items(t, "OptOuts", "CUST#")))
}
