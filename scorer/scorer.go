// Package scorer is the contract of models: each gives every candidate a score.
// Weights, scales, fallbacks and the moment of scoring are the engine's
// (internal/pipeline).
//
// scorertest is the conformance suite.
package scorer

import (
	"context"
	"time"

	"github.com/ceap-platform/ceap"
)

// Scorer is one model. It is safe for concurrent use and does not change the
// candidates.
type Scorer interface {
	// Score sets results[i] for batch[i], for every i; both have one length. An
	// error of a single candidate goes into its result. A returned error means
	// that the model answered for none.
	Score(ctx context.Context, batch []*ceap.Candidate, results []Result) error
}

// Result is what a model says of one candidate. A kept answer that is still
// fresh is as good as one just given, and is not marked (I27).
type Result struct {
	Value         float64 // in the model's own scale, 0..1 unless the program declares one (D56)
	Confidence    float64 // 0..1; meaningful only if HasConfidence
	HasConfidence bool
	Err           error // why the model gave no value
	Cached        bool  // beside an Err: Value is an earlier answer to the same question, which was kept (I28)
}

// NotConfigured is an error of [Scorer.Score]: the deployment lacks what the
// model needs (D58).
type NotConfigured struct {
	Need string // what is missing and where to set it
}

// Error returns what is missing.
func (e *NotConfigured) Error() string { return e.Need }

// Cache is what a model may keep between runs, and read when it cannot be asked
// (I27, I28). The store's role of that name implements it.
type Cache interface {
	// LoadScores returns the answers that are kept for the model and not past
	// their ExpiresAt at now, by key.
	LoadScores(ctx context.Context, modelID string, keys []string, now time.Time) (map[string]ceap.CachedScore, error)
	// SaveScores keeps answers, each in place of the one of its key.
	SaveScores(ctx context.Context, modelID string, scores []ceap.CachedScore) error
}
