//go:build cgo

package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
)

type scores Store

var _ store.Scores = (*scores)(nil)

// LoadScores implements [store.Scores].
func (c *scores) LoadScores(ctx context.Context, modelID string, keys []string, now time.Time) (map[string]ceap.CachedScore, error) {
	s := (*Store)(c)
	out := map[string]ceap.CachedScore{}
	for some := range slices.Chunk(keys, 1000) { // well within SQLite's 32,766 parameters
		args := []any{modelID, now.UnixMicro()}
		for _, key := range some {
			args = append(args, key)
		}
		query := "SELECT key, value, confidence, at, expires_at FROM scores WHERE model = ? AND expires_at > ? AND key IN (?" + strings.Repeat(",?", len(some)-1) + ")"
		var score ceap.CachedScore
		var confidence sql.Null[float64]
		var at, expires int64
		err := each(ctx, s.read, query, args, []any{&score.Key, &score.Value, &confidence, &at, &expires}, func() error {
			score.Confidence, score.HasConfidence = confidence.V, confidence.Valid
			score.At, score.ExpiresAt = fromMicros(at), fromMicros(expires)
			out[score.Key] = score
			return nil
		})
		if err != nil {
			return nil, storeError("reading scores", s.path, err)
		}
	}
	return out, nil
}

// SaveScores implements [store.Scores]. Power loss may take what was saved last,
// which is then asked for again.
func (c *scores) SaveScores(ctx context.Context, modelID string, saved []ceap.CachedScore) error {
	s := (*Store)(c)
	if len(saved) == 0 {
		return nil
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	tx, err := s.bulk.BeginTx(ctx, nil)
	if err != nil {
		return storeError("keeping scores", s.path, err)
	}
	defer func() { _ = tx.Rollback() }() // harmless after Commit
	if err := insertScores(ctx, tx, modelID, saved); err != nil {
		return storeError("keeping scores", s.path, err)
	}
	if err := tx.Commit(); err != nil {
		return storeError("keeping scores", s.path, err)
	}
	return nil
}

func insertScores(ctx context.Context, tx *sql.Tx, modelID string, saved []ceap.CachedScore) error {
	insert, err := tx.PrepareContext(ctx, "INSERT OR REPLACE INTO scores (model, key, value, confidence, at, expires_at) VALUES (?, ?, ?, ?, ?, ?)")
	if err != nil {
		return err
	}
	defer func() { _ = insert.Close() }() // the transaction ends it, too
	for _, score := range saved {
		confidence := sql.Null[float64]{V: score.Confidence, Valid: score.HasConfidence}
		if _, err := insert.ExecContext(ctx, modelID, score.Key, score.Value, confidence, score.At.UnixMicro(), score.ExpiresAt.UnixMicro()); err != nil {
			return err
		}
	}
	return nil
}
