//go:build cgo

package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
	"github.com/ceap-platform/ceap/store/sqlite"
	"github.com/ceap-platform/ceap/store/storetest"
)

func TestStore_Conformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Roles {
		t.Helper()
		s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "store", "ceap.db"), 8)
		if err != nil {
			t.Fatalf("opening: %v", err)
		}
		t.Cleanup(func() {
			if err := s.CheckRanks(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
			if err := s.Close(); err != nil {
				t.Errorf("closing: %v", err)
			}
		})
		return s.Roles()
	})
}

// TestStore_SQLite holds the library to a version without the corruption of
// write-ahead logs that its release notes of 3.51.3 tell of.
func TestStore_SQLite(t *testing.T) {
	t.Parallel()
	s, _ := openAt(t)
	text, err := s.Text(t.Context(), "SELECT sqlite_version()")
	if err != nil {
		t.Fatal(err)
	}
	var got [3]int
	if _, err := fmt.Sscanf(text, "%d.%d.%d", &got[0], &got[1], &got[2]); err != nil {
		t.Fatal(err)
	}
	if slices.Compare(got[:], []int{3, 51, 3}) < 0 {
		t.Errorf("SQLite is %s; at least 3.51.3 is needed", text)
	}
}

func TestI31_BestFirstOverManyPages(t *testing.T) {
	t.Parallel()
	s, _ := openAt(t)
	all := many(3000, 0)
	for i, c := range all { // every kind of tie, some over several pages
		c.Score, c.Scored = float64(i%3)/2, i%5 > 0
		if !c.Scored {
			c.Score = 0
		}
		c.Scores = nil
	}
	for start, size := 0, 1; start < len(all); size = size*2%900 + 1 {
		end := min(start+size, len(all))
		if _, err := s.Roles().Candidates.Upsert(t.Context(), all[start:end], options("run-1")); err != nil {
			t.Fatal(err)
		}
		start = end
	}
	for i := 0; i < len(all); i += 7 { // one by one, so that small pages are rewritten
		all[i].Score, all[i].Scored = 0.75, true
		if _, err := s.Roles().Candidates.Upsert(t.Context(), all[i:i+1], options("run-2")); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.CheckRanks(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, pages, err := s.Entries(t.Context()); err != nil || pages > 100 {
		t.Errorf("%d pages, %v", pages, err)
	}
	slices.SortFunc(all, ceap.CompareRank)
	for _, limit := range []int{97, 1000} {
		q := store.Query{ProgramID: "p", Channel: "email", Now: clock(), Limit: limit}
		for i := 0; ; {
			page, err := s.Roles().Candidates.Find(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range page.Candidates {
				if i >= len(all) || c.Key != all[i].Key {
					t.Fatalf("by %d: the candidate at %d is %s", limit, i, c.Key)
				}
				i++
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				if i != len(all) {
					t.Errorf("by %d: found %d candidates", limit, i)
				}
				break
			}
		}
	}
}

// TestI4_SparseBatches reads groups of rows between which others lie.
func TestI4_SparseBatches(t *testing.T) {
	t.Parallel()
	s, _ := openAt(t)
	all := many(4000, 0)
	var batch []*ceap.Candidate
	for i, c := range all {
		if i%2 == 0 {
			batch = append(batch, c)
		}
	}
	if _, err := s.Roles().Candidates.Upsert(t.Context(), batch, options("run-0")); err != nil {
		t.Fatal(err)
	}
	for run, step := range []int{4, 9, 10, 21} { // of even steps all are stored, of odd ones every other
		var batch []*ceap.Candidate
		var want []ceap.OutcomeKind
		for i := 0; i < len(all); i += step {
			batch = append(batch, all[i])
			if i%2 == 0 {
				want = append(want, ceap.OutcomeUnchanged)
			} else {
				want = append(want, ceap.OutcomeCreated)
			}
		}
		opts := options(fmt.Sprintf("run-%d", run+1))
		for _, opts.DryRun = range []bool{true, step%2 == 1} { // new rows are never written, so that each step finds the same
			results, err := s.Roles().Candidates.Upsert(t.Context(), batch, opts)
			if err != nil {
				t.Fatal(err)
			}
			for i := range results {
				if results[i].Kind != want[i] {
					t.Fatalf("by %d: %s is %+v, want %s", step, batch[i].Key, results[i], want[i])
				}
			}
		}
	}
}

func TestStore_ManyUpdatesDoNotPileUp(t *testing.T) {
	t.Parallel()
	s, _ := openAt(t)
	const candidates = 5000
	for i := range 50 {
		if _, err := s.Roles().Candidates.Upsert(t.Context(), many(candidates, i%2), options(fmt.Sprintf("run-%d", i))); err != nil {
			t.Fatal(err)
		}
		if i%10 < 9 {
			continue
		}
		if n, err := s.Roles().Candidates.Sweep(t.Context(), clock()); err != nil || n != 0 {
			t.Fatalf("swept %d, %v", n, err)
		}
		if entries, _, err := s.Entries(t.Context()); err != nil || entries > 2*candidates {
			t.Errorf("after %d updates of %d candidates: %d entries, %v", i, candidates, entries, err)
		}
	}
	if err := s.CheckRanks(t.Context()); err != nil {
		t.Error(err)
	}
	expired := clock().Add(options("").TTL)
	if n, err := s.Roles().Candidates.Sweep(t.Context(), expired); err != nil || n != candidates {
		t.Errorf("swept %d, %v", n, err)
	}
	if entries, pages, err := s.Entries(t.Context()); err != nil || entries+pages != 0 {
		t.Errorf("of nothing: %d entries in %d pages, %v", entries, pages, err)
	}
}

func TestStore_CancelledUpsertWritesNothing(t *testing.T) {
	t.Parallel()
	s, _ := openAt(t)
	ctx := &steps{Context: t.Context(), at: 5, then: func() error { return context.Canceled }}
	_, err := s.Roles().Candidates.Upsert(ctx, many(1000, 0), options("run-1"))
	if ceap.ErrorCode(err) != ceap.CodeCancelled {
		t.Errorf("%v", err)
	}
	ctx.Context = t.Context()
	if n := ctx.asked.Load(); n != ctx.at {
		t.Errorf("the context was asked %d times; want no more after its end", n)
	}
	if got, err := s.Text(t.Context(), "SELECT COUNT(*) FROM candidates"); err != nil || got != "0" {
		t.Errorf("%s candidates, %v", got, err)
	}
	if _, err := s.Roles().Candidates.Upsert(t.Context(), many(1000, 0), options("run-1")); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestStore_DiskFull(t *testing.T) {
	t.Parallel()
	s, _ := openAt(t)
	if _, err := s.Roles().Candidates.Upsert(t.Context(), many(500, 0), options("run-1")); err != nil {
		t.Fatal(err)
	}
	if err := s.Exec(t.Context(), "PRAGMA max_page_count = 64"); err != nil {
		t.Fatal(err)
	}
	_, err := s.Roles().Candidates.Upsert(t.Context(), many(5000, 0), options("run-2"))
	if ceap.ErrorCode(err) != ceap.CodeUnavailable || !strings.Contains(err.Error(), "the disk is full; free space") {
		t.Errorf("writing: %v", err)
	}
	if page, err := s.Roles().Candidates.Find(t.Context(), store.Query{ProgramID: "p", Channel: "*", Limit: 1000}); err != nil || len(page.Candidates) != 500 {
		t.Errorf("found %d candidates, %v; want the 500 from before", len(page.Candidates), err)
	}
	if err := s.Exec(t.Context(), "PRAGMA max_page_count = 1000000"); err != nil {
		t.Fatal(err)
	}
	results, err := s.Roles().Candidates.Upsert(t.Context(), many(5000, 0), options("run-2"))
	if err != nil || results[0].Kind != ceap.OutcomeUnchanged || results[4999].Kind != ceap.OutcomeCreated {
		t.Errorf("once there is space: %v, %v", results, err)
	}
	if err := s.CheckRanks(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestStore_BackupWhileWriting(t *testing.T) {
	t.Parallel()
	s, path := openAt(t)
	const size = 1000
	write := func(i int) {
		batch := many((i+1)*size, 0)[i*size:]
		if _, err := s.Roles().Candidates.Upsert(t.Context(), batch, options("run-1")); err != nil {
			t.Error(err)
		}
	}
	write(0)
	var group sync.WaitGroup
	group.Go(func() {
		for i := range 10 {
			write(i + 1)
		}
	})
	copied := path + ".copy"
	if err := s.Roles().Maintainer.Backup(t.Context(), copied); err != nil {
		t.Error(err)
	}
	group.Wait()
	if err := s.Roles().Maintainer.Backup(t.Context(), copied); ceap.ErrorCode(err) != ceap.CodeConflict {
		t.Errorf("over a file: %v", err)
	}
	c, err := sqlite.Open(t.Context(), copied, 8)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if got, err := c.Text(t.Context(), "PRAGMA integrity_check"); err != nil || got != "ok" {
		t.Errorf("%s, %v", got, err)
	}
	if got, err := c.Text(t.Context(), fmt.Sprintf("SELECT COUNT(*) > 0 AND COUNT(*) %% %d = 0 FROM candidates", size)); err != nil || got != "1" {
		t.Errorf("the copy holds a part of a transaction: %s, %v", got, err)
	}
	if err := c.CheckRanks(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestOpen_Refuses(t *testing.T) {
	t.Parallel()
	t.Run("a newer schema", func(t *testing.T) {
		t.Parallel()
		s, path := openAt(t)
		if err := s.Exec(t.Context(), "PRAGMA user_version = 99"); err != nil {
			t.Fatal(err)
		}
		_, err := sqlite.Open(t.Context(), path, 8)
		if ceap.ErrorCode(err) != ceap.CodeUnsupported || !strings.Contains(err.Error(), "schema version 99") {
			t.Errorf("%v", err)
		}
	})
	t.Run("a file of something else", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "ceap.db")
		if err := os.WriteFile(path, []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := sqlite.Open(t.Context(), path, 8)
		if ceap.ErrorCode(err) != ceap.CodeUnavailable || !strings.Contains(err.Error(), "not a store of CEAP") {
			t.Errorf("%v", err)
		}
	})
	t.Run("a folder", func(t *testing.T) {
		t.Parallel()
		_, err := sqlite.Open(t.Context(), t.TempDir(), 8)
		if ceap.ErrorCode(err) != ceap.CodeUnavailable || !strings.Contains(err.Error(), "may open") {
			t.Errorf("%v", err)
		}
	})
}

// TestOpen_LeavesTheDatabasesOfOthersAlone opens a file that another application
// has made.
func TestOpen_LeavesTheDatabasesOfOthersAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "other.db")
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE bookmarks (url TEXT); INSERT INTO bookmarks VALUES ('x')"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = sqlite.Open(t.Context(), path, 8)
	if ceap.ErrorCode(err) != ceap.CodeUnavailable || !strings.Contains(err.Error(), "another application") {
		t.Errorf("opened: %v", err)
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file was changed (%v)", err)
	}
}
