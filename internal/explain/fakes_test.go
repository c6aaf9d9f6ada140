package explain_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/explain"
	"github.com/ceap-platform/ceap/internal/journal"
	"github.com/ceap-platform/ceap/store"
)

func now() time.Time { return time.Date(2026, 1, 30, 9, 0, 0, 0, time.UTC) }

// world is all that an Explainer reads, in memory.
type world struct {
	candidates []ceap.Candidate
	runs       []ceap.Run // latest first
	optOuts    []ceap.OptOut
	files      map[string][]byte
	openErr    error // of every artefact
	pageSize   int   // of candidates; 0 means all at once
}

func newWorld() *world { return &world{files: map[string][]byte{}} }

func (w *world) explainer() *explain.Explainer {
	return explain.New(explain.Readers{
		Candidates: candidates{w}, Runs: runs{w}, OptOuts: optOuts{w}, Artifacts: artifacts{w},
	}, now)
}

func (w *world) why(t *testing.T, q explain.Question) explain.Answer {
	t.Helper()
	answer, err := w.explainer().Why(t.Context(), q)
	if err != nil {
		t.Fatalf("Why: %v", err)
	}
	return answer
}

// run adds a run, later than those before, with the journal of the outcomes.
func (w *world) run(t *testing.T, result ceap.RunResult, outcomes ...ceap.Outcome) {
	t.Helper()
	w.record(result)
	w.journal(t, result.RunID, true, outcomes)
}

// record adds a run without a journal.
func (w *world) record(result ceap.RunResult) {
	result.StartedAt = now().Add(time.Duration(len(w.runs)) * time.Minute)
	w.runs = slices.Insert(w.runs, 0, ceap.Run{RunID: result.RunID, Result: result})
}

func (w *world) journal(t *testing.T, runID string, complete bool, outcomes []ceap.Outcome) {
	t.Helper()
	written := func() time.Time { return time.Date(2026, 1, 20, 0, 0, 0, 0, time.UTC) }
	writer, err := journal.Create(t.Context(), artifacts{w}, written, journal.Head{RunID: runID, Attempt: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Write(outcomes); err != nil {
		t.Fatal(err)
	}
	if _, err := writer.Close(complete); err != nil {
		t.Fatal(err)
	}
}

type candidates struct{ *world }

func (w candidates) Find(_ context.Context, q store.Query) (store.Page, error) {
	var found []ceap.Candidate
	for _, c := range w.candidates {
		if c.CustomerID == q.CustomerID && (q.ProgramID == "" || c.ProgramID == q.ProgramID) &&
			(q.Marketplace == "" || c.Marketplace == q.Marketplace) && (q.SubjectType == "" || c.SubjectType == q.SubjectType) &&
			(q.SubjectID == "" || c.SubjectID == q.SubjectID) && (q.IncludeClosed || c.Meta.Status == ceap.StatusOpen) {
			found = append(found, c)
		}
	}
	start := len(q.Cursor)
	if w.pageSize == 0 || start+w.pageSize >= len(found) {
		return store.Page{Candidates: found[start:]}, nil
	}
	return store.Page{Candidates: found[start : start+w.pageSize], Next: strings.Repeat("x", start+w.pageSize)}, nil
}

type runs struct{ *world }

func (w runs) Find(_ context.Context, q store.RunQuery) ([]ceap.Run, error) {
	var found []ceap.Run
	for _, r := range w.runs {
		if (q.ProgramID == "" || r.Result.ProgramID == q.ProgramID) && (q.Marketplace == "" || r.Result.Marketplace == q.Marketplace) && len(found) < q.Limit {
			found = append(found, r)
		}
	}
	return found, nil
}

type optOuts struct{ *world }

func (w optOuts) OptOutsOf(_ context.Context, customerIDs []string) (map[string][]ceap.OptOut, error) {
	found := map[string][]ceap.OptOut{}
	for _, o := range w.optOuts {
		if slices.Contains(customerIDs, o.CustomerID) {
			found[o.CustomerID] = append(found[o.CustomerID], o)
		}
	}
	return found, nil
}

type artifacts struct{ *world }

func (w artifacts) Create(_ context.Context, name string) (store.ArtifactWriter, error) {
	return &artifactWriter{world: w.world, name: name}, nil
}

func (w artifacts) Open(_ context.Context, name string) (store.ArtifactReader, error) {
	if w.openErr != nil {
		return nil, w.openErr
	}
	data, ok := w.files[name]
	if !ok {
		return nil, ceap.Errorf(ceap.CodeNotFound, "there is no %s", name)
	}
	return artifactReader{bytes.NewReader(data)}, nil
}

func (w artifacts) List(_ context.Context, prefix string) ([]string, error) {
	var names []string
	for name := range w.files {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func (w artifacts) Remove(_ context.Context, prefix string) error {
	for name := range w.files {
		if strings.HasPrefix(name, prefix) {
			delete(w.files, name)
		}
	}
	return nil
}

type artifactWriter struct {
	bytes.Buffer
	world *world
	name  string
}

func (w *artifactWriter) Close() error {
	w.world.files[w.name] = w.Bytes()
	return nil
}

func (w *artifactWriter) Discard() error { return nil }

type artifactReader struct{ *bytes.Reader }

func (artifactReader) Close() error { return nil }
