package sagemaker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/scorer"
)

// keeper keeps answers between runs. A cache that fails costs questions, never a
// score: its errors are logged.
type keeper struct {
	cache    scorer.Cache
	modelID  string
	fresh    time.Duration // for how long a kept answer is the model's (I27)
	keep     time.Duration // for how long it may stand in (I28)
	now      func() time.Time
	log      *slog.Logger
	identity []byte // of everything but the row that an answer depends on
}

func newKeeper(c *Config, cache scorer.Cache, modelID string, now func() time.Time, log *slog.Logger) (*keeper, error) {
	identity, err := c.identity(modelID)
	if err != nil {
		return nil, err
	}
	k := &keeper{modelID: modelID, now: now, log: log, identity: identity}
	if c.Cache != nil && cache != nil {
		k.cache = cache
		k.fresh, k.keep = hours(c.Cache.TTLHours), hours(c.Cache.KeepHours)
	}
	return k, nil
}

func hours(n float64) time.Duration { return time.Duration(n * float64(time.Hour)) }

// identity returns what the answers depend on, save for the rows.
func (c *Config) identity(modelID string) ([]byte, error) {
	data, err := json.Marshal([]string{
		modelID, c.EndpointName, c.Region, c.TargetVariant, c.TargetModel, c.TargetContainerHostname, c.InferenceComponentName, c.CustomAttributes,
		c.ModelVersion, c.ContentType, c.AcceptType, c.CSVAnswer, fmt.Sprint(c.ScoreColumn), c.ScoreField, c.ConfidenceField,
	})
	if err != nil {
		return nil, fmt.Errorf("naming the model: %w", err)
	}
	return data, nil
}

// keys returns a function that names what a row asks. It is for one goroutine.
func (k *keeper) keys() func(row []byte) string {
	h := sha256.New()
	sum := make([]byte, 0, sha256.Size)
	return func(row []byte) string {
		h.Reset()
		_, _ = h.Write(k.identity) // a hash takes everything
		_, _ = h.Write([]byte{0})  // which JSON does not hold
		_, _ = h.Write(row)
		sum = h.Sum(sum[:0])
		return hex.EncodeToString(sum)
	}
}

// recall answers what is fresh, puts the other kept answers by, and returns the
// questions that are left.
func (k *keeper) recall(ctx context.Context, questions []*question) []*question {
	if k.cache == nil {
		return questions
	}
	keys := make([]string, len(questions))
	for i, q := range questions {
		keys[i] = q.key
	}
	now := k.now().UTC()
	kept, err := k.cache.LoadScores(ctx, k.modelID, keys, now)
	if err != nil {
		k.log.WarnContext(ctx, "the kept answers of a model cannot be read", "model_id", k.modelID, "error", err)
		return questions
	}
	var open []*question
	for _, q := range questions {
		score, ok := kept[q.key]
		answer := scorer.Result{Value: score.Value, Confidence: score.Confidence, HasConfidence: score.HasConfidence}
		switch {
		case ok && now.Before(score.At.Add(k.fresh)):
			q.answer = answer
			continue
		case ok && now.Before(score.ExpiresAt):
			q.standBy = &answer
		}
		open = append(open, q)
	}
	return open
}

// remember keeps the answers of questions that the model was asked.
func (k *keeper) remember(ctx context.Context, asked []*question) {
	if k.cache == nil {
		return
	}
	now := k.now().UTC()
	var scores []ceap.CachedScore
	for _, q := range asked {
		if a := q.answer; a.Err == nil {
			scores = append(scores, ceap.CachedScore{
				Key: q.key, Value: a.Value, Confidence: a.Confidence, HasConfidence: a.HasConfidence, At: now, ExpiresAt: now.Add(k.keep),
			})
		}
	}
	if len(scores) == 0 {
		return
	}
	if err := k.cache.SaveScores(ctx, k.modelID, scores); err != nil {
		k.log.WarnContext(ctx, "the answers of a model cannot be kept", "model_id", k.modelID, "error", err)
	}
}
