package ceap

import "time"

// ScoreState says where a model's score came from.
type ScoreState string

// The states of a score. A score is never invented: without an answer and
// without a fallback in the program it stays unscored (I28, D58).
const (
	ScoreModel    ScoreState = "model"    // the model answered
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
	Key           string // what was asked: a hash of the model's version and the features
	Value         float64
	Confidence    float64 // meaningful only if HasConfidence
	HasConfidence bool
	At            time.Time // when the model answered; UTC
	ExpiresAt     time.Time // from when on it counts as gone; UTC
}
