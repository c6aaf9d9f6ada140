package journal_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/journal"
)

const (
	manifestName = "runs/run-1/journal/manifest.json"
	partName     = "runs/run-1/journal/attempt-1/part-00001.parquet"
)

func create(t failer, artifacts *memory, attempt int) *journal.Writer {
	t.Helper()
	w, err := journal.Create(t.Context(), artifacts, noon, head(attempt))
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	return w
}

func TestWriter_AnAttemptThatDiesLeavesTheEarlierJournal(t *testing.T) {
	t.Parallel()
	artifacts := newMemory()
	earlier := sample(3000)
	write(t, artifacts, 1, 1000, earlier)

	// The second attempt dies after a part was closed and before its manifest,
	// under the same number, as after a crash before the run's record was saved.
	died := errors.New("died")
	w := create(t, artifacts, 1)
	artifacts.refuse = func(operation, name string) error {
		if operation == "remove" || operation == "create" && name == manifestName {
			return died
		}
		return nil
	}
	if err := w.Write(sample(5000)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Close(true); !errors.Is(err, died) {
		t.Fatalf("Close returns %v, want %v", err, died)
	}
	artifacts.refuse = nil
	if got := artifacts.names(); len(got) != 3 {
		t.Fatalf("files are %q, want the earlier journal and the new part", got)
	}
	if diff := cmp.Diff(earlier, all(t, open(t, artifacts))); diff != "" {
		t.Errorf("after the crash (-earlier +read):\n%s", diff)
	}

	// The third removes what the second left, and replaces the first.
	later := sample(200)
	m := write(t, artifacts, 2, 100, later)
	if diff := cmp.Diff(later, all(t, open(t, artifacts))); diff != "" {
		t.Errorf("after the third attempt (-written +read):\n%s", diff)
	}
	want := []string{"runs/run-1/journal/attempt-2/part-00001.parquet", manifestName}
	if diff := cmp.Diff(want, artifacts.names()); diff != "" || m.Attempt != 2 {
		t.Errorf("files of attempt %d (-want +got):\n%s", m.Attempt, diff)
	}
}

func TestWriter_AFirstAttemptThatDiesLeavesATrace(t *testing.T) {
	t.Parallel()
	artifacts := newMemory()
	w := create(t, artifacts, 1)
	if err := w.Write(sample(5000)); err != nil {
		t.Fatal(err)
	}
	j := open(t, artifacts)
	if m := j.Manifest(); m.Complete || m.Rows != 0 || !m.WrittenAt.Equal(noon()) || m.ProgramID != "product-reviews" {
		t.Errorf("the manifest is %+v, want an empty, incomplete one", m)
	}
	if got := all(t, j); len(got) != 0 {
		t.Errorf("All yields %d outcomes, want none", len(got))
	}
}

func TestWriter_Close(t *testing.T) {
	t.Parallel()
	t.Run("an incomplete journal is readable and says so", func(t *testing.T) {
		t.Parallel()
		artifacts := newMemory()
		w := create(t, artifacts, 1)
		if err := w.Write(sample(10)); err != nil {
			t.Fatal(err)
		}
		m, err := w.Close(false)
		if err != nil || m.Complete {
			t.Fatalf("Close returns %+v, %v", m, err)
		}
		j := open(t, artifacts)
		if diff := cmp.Diff(m, j.Manifest()); diff != "" {
			t.Errorf("manifest (-returned +stored):\n%s", diff)
		}
		if diff := cmp.Diff(sample(10), all(t, j)); diff != "" {
			t.Errorf("rows (-written +read):\n%s", diff)
		}
	})
	t.Run("an incomplete journal never replaces a complete one", func(t *testing.T) {
		t.Parallel()
		artifacts := newMemory()
		first := write(t, artifacts, 1, 10, sample(10))
		w := create(t, artifacts, 2)
		if err := w.Write(sample(5)); err != nil {
			t.Fatal(err)
		}
		m, err := w.Close(false)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, m); diff != "" {
			t.Errorf("manifest (-first +returned):\n%s", diff)
		}
		if diff := cmp.Diff([]string{partName, manifestName}, artifacts.names()); diff != "" {
			t.Errorf("files (-want +got):\n%s", diff)
		}
	})
	t.Run("an incomplete journal replaces an incomplete one", func(t *testing.T) {
		t.Parallel()
		artifacts := newMemory()
		for attempt := range 2 {
			w := create(t, artifacts, attempt+1)
			if err := w.Write(sample(attempt + 1)); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Close(false); err != nil {
				t.Fatal(err)
			}
		}
		if m := open(t, artifacts).Manifest(); m.Rows != 2 || m.Attempt != 2 {
			t.Errorf("the manifest is %+v, want that of the second attempt", m)
		}
	})
	t.Run("a run without rows has a complete, empty journal", func(t *testing.T) {
		t.Parallel()
		artifacts := newMemory()
		m, err := create(t, artifacts, 1).Close(true)
		if err != nil || !m.Complete || m.Rows != 0 || len(m.Files) != 0 {
			t.Errorf("Close returns %+v, %v", m, err)
		}
		if got := all(t, open(t, artifacts)); len(got) != 0 {
			t.Errorf("All yields %d outcomes", len(got))
		}
	})
	t.Run("works after the run was cancelled", func(t *testing.T) {
		t.Parallel()
		artifacts := newMemory()
		ctx, cancel := context.WithCancel(t.Context())
		w, err := journal.Create(ctx, artifacts, noon, head(1))
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := w.Write(sample(2000)); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Close(false); err != nil {
			t.Fatal(err)
		}
		if m := open(t, artifacts).Manifest(); m.Rows != 2000 {
			t.Errorf("the journal has %d rows, want 2000", m.Rows)
		}
	})
	t.Run("a second time is an error", func(t *testing.T) {
		t.Parallel()
		w := create(t, newMemory(), 1)
		if _, err := w.Close(true); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Close(true); err == nil {
			t.Error("Close returns no error")
		}
		if err := w.Discard(); err != nil {
			t.Errorf("Discard after Close returns %v", err)
		}
	})
}

func TestWriter_AStoreThatFails(t *testing.T) {
	t.Parallel()
	full := errors.New("the disk is full")
	for _, failing := range []string{"create", "close"} {
		t.Run(failing+" of a part", func(t *testing.T) {
			t.Parallel()
			artifacts := newMemory()
			write(t, artifacts, 1, 10, sample(10))
			w := create(t, artifacts, 2)
			artifacts.refuse = func(operation, name string) error {
				if operation == failing && strings.Contains(name, "attempt-2") {
					return full
				}
				return nil
			}
			err := w.Write(sample(2000))
			if failing == "create" && !errors.Is(err, full) {
				t.Errorf("Write returns %v, want %v", err, full)
			}
			if _, err := w.Close(true); !errors.Is(err, full) || !strings.Contains(err.Error(), "attempt-2/part-00001.parquet") {
				t.Errorf("Close returns %v, want %v with the file's name", err, full)
			}
			artifacts.refuse = nil
			if got := all(t, open(t, artifacts)); len(got) != 10 {
				t.Errorf("the journal has %d rows, want the 10 of the first attempt", len(got))
			}
		})
	}
	t.Run("opening the manifest", func(t *testing.T) {
		t.Parallel()
		artifacts := newMemory()
		write(t, artifacts, 1, 10, sample(10))
		unreachable := ceap.Errorf(ceap.CodeUnavailable, "no connection")
		artifacts.refuse = func(operation, _ string) error {
			if operation == "open" {
				return unreachable
			}
			return nil
		}
		if _, err := journal.Create(t.Context(), artifacts, noon, head(2)); !errors.Is(err, unreachable) {
			t.Errorf("Create returns %v, want %v", err, unreachable)
		}
		artifacts.refuse = nil
		if got := all(t, open(t, artifacts)); len(got) != 10 {
			t.Errorf("the journal has %d rows, want the 10 it had", len(got))
		}
	})
}

func TestWriter_Discard(t *testing.T) {
	t.Parallel()
	artifacts := newMemory()
	w := create(t, artifacts, 1)
	if err := w.Write(sample(2000)); err != nil {
		t.Fatal(err)
	}
	if err := w.Discard(); err != nil {
		t.Fatal(err)
	}
	if got := artifacts.names(); len(got) != 0 {
		t.Errorf("files are %q, want none", got)
	}
	if err := w.Write(sample(1)); err == nil {
		t.Error("Write after Discard returns no error")
	}
	if _, err := journal.Open(t.Context(), artifacts, "run-1"); ceap.ErrorCode(err) != ceap.CodeNotFound {
		t.Errorf("Open returns %v, want not_found", err)
	}
}

func TestCreate_RefusesIdsThatAreNoPart(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", ".", "..", "a/b", "../x", `a\b`, "a\x00"} {
		_, err := journal.Create(t.Context(), newMemory(), noon, journal.Head{RunID: id})
		if ceap.ErrorCode(err) != ceap.CodeInvalid {
			t.Errorf("Create(%q) returns %v, want invalid", id, err)
		}
		if _, err := journal.Open(t.Context(), newMemory(), id); ceap.ErrorCode(err) != ceap.CodeInvalid {
			t.Errorf("Open(%q) returns %v, want invalid", id, err)
		}
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	artifacts := newMemory()
	write(t, artifacts, 1, 10, sample(10))
	artifacts.files["runs/run-1/other.txt"] = nil
	artifacts.files["runs/run-0/journal/manifest.json"] = []byte("{")

	swept, err := journal.Sweep(t.Context(), artifacts, noon().Add(7*day), 0)
	if len(swept) != 0 || !journal.IsDamaged(err) || !strings.Contains(err.Error(), "runs/run-0/journal/manifest.json") {
		t.Errorf("Sweep after 7 days returns %+v, %v; want none and the damaged manifest", swept, err)
	}
	if got := all(t, open(t, artifacts)); len(got) != 10 {
		t.Errorf("the journal has %d rows after 7 days, want 10", len(got))
	}

	delete(artifacts.files, "runs/run-0/journal/manifest.json")
	at := noon().Add(7*day + time.Second)
	swept, err = journal.Sweep(t.Context(), artifacts, at, 0)
	if err != nil || len(swept) != 1 || swept[0].RunID != "run-1" {
		t.Fatalf("Sweep returns %+v, %v; want run-1", swept, err)
	}
	j := open(t, artifacts)
	if m := j.Manifest(); !m.SweptAt.Equal(at) || m.Rows != 10 || !m.Complete {
		t.Errorf("the manifest is %+v, want swept at %s with its 10 rows", m, at)
	}
	if got, err := j.Find(t.Context(), journal.Query{}); err != nil || len(got) != 0 {
		t.Errorf("Find returns %v, %v; want nothing", got, err)
	}
	if diff := cmp.Diff([]string{manifestName, "runs/run-1/other.txt"}, artifacts.names()); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if again, err := journal.Sweep(t.Context(), artifacts, at.Add(30*day), day); err != nil || len(again) != 0 {
		t.Errorf("a second Sweep returns %+v, %v; want nothing", again, err)
	}

	// A run that is taken up again gets a journal again, complete or not.
	w := create(t, artifacts, 2)
	if err := w.Write(sample(3)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Close(false); err != nil {
		t.Fatal(err)
	}
	if m := open(t, artifacts).Manifest(); m.Rows != 3 || !m.SweptAt.IsZero() || m.Attempt != 2 {
		t.Errorf("the manifest is %+v, want 3 rows", m)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	artifacts := newMemory()
	for _, id := range []string{"run-2", "run-1", "run-10"} {
		w, err := journal.Create(t.Context(), artifacts, noon, journal.Head{RunID: id, Attempt: 1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Close(true); err != nil {
			t.Fatal(err)
		}
	}
	manifests, err := journal.List(t.Context(), artifacts)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range manifests {
		got = append(got, m.RunID)
	}
	if diff := cmp.Diff([]string{"run-1", "run-10", "run-2"}, got); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
}
