//go:build cgo

package sqlite_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store/sqlite"
)

func TestCandidates_SweepRemovesExpiredScores(t *testing.T) {
	t.Parallel()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ceap.db"), 8)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	roles := s.Roles()
	at := time.Date(2026, 1, 27, 12, 0, 0, 0, time.UTC)
	saved := []ceap.CachedScore{
		{Key: "old", Value: 0.1, At: at, ExpiresAt: at.Add(time.Hour)},
		{Key: "new", Value: 0.2, At: at, ExpiresAt: at.Add(2 * time.Hour)},
	}
	if err := roles.Scores.SaveScores(t.Context(), "m", saved); err != nil {
		t.Fatal(err)
	}
	if removed, err := roles.Candidates.Sweep(t.Context(), at.Add(time.Hour)); err != nil || removed != 0 {
		t.Fatalf("removed %d candidates, %v", removed, err)
	}
	left, err := roles.Scores.LoadScores(t.Context(), "m", []string{"old", "new"}, at)
	if err != nil {
		t.Fatal(err)
	}
	if _, there := left["new"]; len(left) != 1 || !there {
		t.Errorf("the sweep left %v", left)
	}
}
