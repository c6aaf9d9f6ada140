package dynamodb_test

import (
	"slices"
	"testing"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
)

// TestI31_MoreShards: what was written with fewer shards, or with more, is found.
func TestI31_MoreShards(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	batch := customers(40)
	for i, c := range batch {
		c.Score, c.Scored = float64(i%7)/7, true
	}
	roles := []store.Roles{s.open(t)}
	for i, shards := range []int{1, 8, 2} {
		s.config.IndexShards = shards
		roles = append(roles, s.open(t))
		upsert(t, roles[i+1], options("run-1"), batch[i*10:i*10+20]...)
	}
	slices.SortFunc(batch, ceap.CompareRank)
	day := ceap.DateOf(noon())
	for _, r := range roles {
		for _, limit := range []int{3, 100} {
			q := store.Query{ProgramID: "product-reviews", Channel: "email", Limit: limit, Now: noon()}
			var got, want []ceap.Key
			for more := true; more; more = q.Cursor != "" {
				page, err := r.Candidates.Find(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				for _, c := range page.Candidates {
					got = append(got, c.Key)
				}
				q.Cursor = page.Next
			}
			for _, c := range batch {
				want = append(want, c.Key)
			}
			equal(t, "best first", want, got)
		}
		page, err := r.Candidates.Find(t.Context(), store.Query{ProgramID: "product-reviews", CreatedFrom: &day, CreatedTo: &day})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "created on the day", len(batch), len(page.Candidates))
	}
}

func TestFind_Cursors(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles := s.open(t)
	upsert(t, roles, options("run-1"), customers(5)...)
	day := ceap.DateOf(noon())
	best := store.Query{ProgramID: "product-reviews", Channel: "email", Limit: 2}
	created := store.Query{ProgramID: "product-reviews", CreatedFrom: &day, CreatedTo: &day, Limit: 2}
	page, err := roles.Candidates.Find(t.Context(), best)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("of another form is refused", func(t *testing.T) {
		t.Parallel()
		q := created
		q.Cursor = page.Next
		_, err := roles.Candidates.Find(t.Context(), q)
		wantCode(t, err, ceap.CodeInvalid, "cursor")
	})
	t.Run("of another day is at its end", func(t *testing.T) {
		t.Parallel()
		first, err := roles.Candidates.Find(t.Context(), created)
		if err != nil {
			t.Fatal(err)
		}
		q, before := created, day.AddDays(-9)
		q.CreatedFrom, q.CreatedTo, q.Cursor = &before, &before, first.Next
		if page, err := roles.Candidates.Find(t.Context(), q); err != nil || len(page.Candidates) > 0 {
			t.Errorf("%v, %v", page, err)
		}
	})
	t.Run("stays good while candidates come and go", func(t *testing.T) {
		t.Parallel()
		upsert(t, roles, options("run-2"), candidate("c0005", "1"))
		q := best
		q.Cursor = page.Next
		page, err := roles.Candidates.Find(t.Context(), q)
		if err != nil || len(page.Candidates) != 2 || page.Candidates[0].CustomerID != "c002" {
			t.Errorf("%v, %v", page, err)
		}
	})
}
