package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
)

// Keep is how long rows are kept unless the deployment says otherwise.
const Keep = 7 * 24 * time.Hour

// List returns the manifests of all journals, sorted by run id, swept ones
// included. Journals whose manifest cannot be read are missing, and the error
// names them all.
func List(ctx context.Context, artifacts store.Artifacts) ([]Manifest, error) {
	names, err := artifacts.List(ctx, "runs/")
	if err != nil {
		return nil, fmt.Errorf("listing journals: %w", err)
	}
	var (
		manifests []Manifest
		errs      []error
	)
	for _, name := range names {
		runID, ok := runOf(name)
		if !ok {
			continue
		}
		switch manifest, err := readManifest(ctx, artifacts, runID); {
		case err == nil:
			manifests = append(manifests, manifest)
		case ceap.ErrorCode(err) != ceap.CodeNotFound: // removed since
			errs = append(errs, err)
		}
	}
	return manifests, errors.Join(errs...)
}

// Sweep removes the rows of journals that were written longer than keep before
// now, and returns their manifests, which stay and say when. A keep of 0 means
// [Keep]. Journals that cannot be swept are left, and the error names them all.
func Sweep(ctx context.Context, artifacts store.Artifacts, now time.Time, keep time.Duration) ([]Manifest, error) {
	if keep <= 0 {
		keep = Keep
	}
	manifests, err := List(ctx, artifacts)
	errs := []error{err}
	var swept []Manifest
	for _, manifest := range manifests {
		if now.Sub(manifest.WrittenAt) <= keep || !manifest.SweptAt.IsZero() {
			continue
		}
		if err := manifest.sweep(ctx, artifacts, now); err != nil {
			errs = append(errs, err)
			continue
		}
		swept = append(swept, manifest)
	}
	return swept, errors.Join(errs...)
}

// sweep removes the rows. The manifest is last: a sweep that dies is repeated,
// and until then the journal counts as damaged.
func (m *Manifest) sweep(ctx context.Context, artifacts store.Artifacts, now time.Time) error {
	dir, err := folder(m.RunID)
	if err != nil {
		return err
	}
	for _, rows := range []string{attemptFolder(dir, m.Attempt), dir + sectionsFolder} {
		if err := artifacts.Remove(ctx, rows); err != nil {
			return fmt.Errorf("sweeping the journal of run %q: %w", m.RunID, err)
		}
	}
	m.Files, m.SweptAt = []File{}, now.UTC()
	return m.write(ctx, artifacts)
}
