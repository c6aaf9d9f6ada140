//go:build cgo

package sqlite_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
	"github.com/ceap-platform/ceap/store/sqlite"
)

func command(t *testing.T, job, path string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], path)
	cmd.Env = append(os.Environ(), otherProcess+"="+job)
	cmd.Stderr = os.Stderr
	return cmd
}

func TestI33_TwoProcessesLoseNothing(t *testing.T) {
	t.Parallel()
	s, path := openAt(t)
	if _, err := s.Roles().Candidates.Upsert(t.Context(), many(1, 0), options("run-0")); err != nil {
		t.Fatal(err)
	}
	other := command(t, "write", path)
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	if err := writeShared(t.Context(), s.Roles(), "DE"); err != nil {
		t.Error(err)
	}
	if err := other.Wait(); err != nil {
		t.Fatalf("the other process: %v", err)
	}
	shared, err := s.Roles().Candidates.Get(t.Context(), sample(0, 0).Key)
	if err != nil {
		t.Fatal(err)
	}
	if want := int64(1 + 2*sharedRounds); shared.Meta.Version != want {
		t.Errorf("the shared candidate has version %d, want %d", shared.Meta.Version, want)
	}
	for _, marketplace := range []string{"UK", "DE"} { // names of the other process and our own
		page, err := s.Roles().Candidates.Find(t.Context(), store.Query{ProgramID: "p", Channel: "only-" + marketplace, Now: clock()})
		if err != nil || len(page.Candidates) != sharedRounds {
			t.Errorf("found %d candidates of %s, %v", len(page.Candidates), marketplace, err)
		}
	}
	if err := s.CheckRanks(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestStore_SurvivesKill(t *testing.T) {
	t.Parallel()
	s, path := openAt(t)
	if _, err := s.Roles().Candidates.Upsert(t.Context(), many(10, 1), options("run-0")); err != nil {
		t.Fatal(err)
	}
	other := command(t, "hang", path)
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "in the midst\n" {
		t.Fatalf("%q, %v", line, err)
	}

	if _, _, err := s.Roles().Runs.Begin(t.Context(), newRun("run-hang")); ceap.ErrorCode(err) != ceap.CodeConflict {
		t.Errorf("while the other process lives, beginning its run: %v", err)
	}
	if err := s.Exec(t.Context(), "PRAGMA busy_timeout = 1"); err != nil {
		t.Fatal(err)
	}
	_, err = s.Roles().Candidates.Upsert(t.Context(), many(1, 2), options("run-1"))
	if ceap.ErrorCode(err) != ceap.CodeUnavailable || !strings.Contains(err.Error(), "another process is writing") {
		t.Errorf("while the other process writes: %v", err)
	}

	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait() // it was killed
	if got, err := s.Text(t.Context(), "PRAGMA integrity_check"); err != nil || got != "ok" {
		t.Errorf("%s, %v", got, err)
	}
	if got, err := s.Text(t.Context(), "SELECT COUNT(*) FROM candidates"); err != nil || got != "10" {
		t.Errorf("%s candidates, %v; want the 10 from before", got, err)
	}
	prior, claim, err := s.Roles().Runs.Begin(t.Context(), newRun("run-other"))
	if err != nil || claim == nil || prior == nil || prior.RunID != "run-hang" {
		t.Fatalf("beginning the killed run again: %v, %v, %v", prior, claim, err)
	}
	if err := claim.Release(); err != nil {
		t.Error(err)
	}
	if _, err := s.Roles().Candidates.Upsert(t.Context(), many(1000, 0), options("run-hang")); err != nil {
		t.Error(err)
	}
	if err := s.CheckRanks(t.Context()); err != nil {
		t.Error(err)
	}
}

func openAt(t *testing.T) (s *sqlite.Store, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "ceap.db")
	s, err := sqlite.Open(t.Context(), path, 8)
	if err != nil {
		t.Fatalf("opening: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return s, path
}
