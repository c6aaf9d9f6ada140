package ceap

import "time"

// ScoreState says where a model's score came from.
type ScoreState string

// The states of a score. A score is never invented: without an answer, now or
// kept, and without a fallback in the program it stays unscored (I28, D58). An
// answer that was kept and is still fresh is the model's (I27).
const (
	ScoreModel    ScoreState = "model"    // the model answered
	ScoreCached   ScoreState = "cached"   // the model failed; an earlier answer to the same question stands in
	ScoreFallback ScoreState = "fallback" // the program's fallbackScore stands in for an answer
	ScoreUnscored ScoreState = "unscored" // there is no value
)

// Score is what one model made of one candidate.
type Score struct {
	ModelID       string
	Value         float64 // 0..1 (D56); meaningless if State is ScoreUnscored
	Confidence    float64 // 0..1; meaningful only if HasConfidence
	HasConfidence bool
	State         ScoreState
	Reason        string // a code such as MODEL_NOT_CONFIGURED, unless the model answered
	Detail        string // the reason in words; not stored
}

// CachedScore is an answer of a model that is kept.
type CachedScore struct {
	Key           string  // what was asked: a hash of the model's version and the features
	Value         float64 // in the model's own scale
	Confidence    float64 // 0..1; meaningful only if HasConfidence
	HasConfidence bool
	At            time.Time // when the model answered; UTC
	ExpiresAt     time.Time // from when on it counts as gone; UTC
}
