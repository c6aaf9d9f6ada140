package dynamodb_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/awstest"
)

func answers(n int) (saved []ceap.CachedScore, keys []string) {
	for i := range n {
		key := fmt.Sprintf("key-%d", i)
		saved = append(saved, ceap.CachedScore{Key: key, Value: float64(i) / float64(n), At: noon(), ExpiresAt: noon().Add(time.Hour)})
		keys = append(keys, key)
	}
	return saved, keys
}

func TestScores_LeftOver(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles := s.open(t)
	saved, keys := answers(130)
	s.cloud.Inject(awstest.Fault{On: "dynamodb.BatchWriteItem", Times: 6, Do: awstest.Leave(7)})
	s.cloud.Inject(awstest.Fault{On: "dynamodb.BatchGetItem", Times: 3, Do: awstest.Leave(60)})
	if err := roles.Scores.SaveScores(t.Context(), "m", saved); err != nil {
		t.Fatal(err)
	}
	got, err := roles.Scores.LoadScores(t.Context(), "m", keys, noon())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]ceap.CachedScore{}
	for _, score := range saved {
		want[score.Key] = score
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("scores (-want +got):\n%s", diff)
	}
}

func TestScores_NothingMoves(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles := s.open(t)
	saved, keys := answers(3)
	s.cloud.Inject(awstest.Fault{On: "dynamodb.BatchWriteItem", Times: 1, Do: awstest.Throttle()})
	left := s.cloud.Inject(awstest.Fault{On: "dynamodb.BatchWriteItem", Do: awstest.Leave(2)})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	go func() { // until what was left has been asked for again
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for ctx.Err() == nil && left.Hits() < 2 {
			<-ticker.C
		}
		cancel()
	}()
	wantCode(t, roles.Scores.SaveScores(ctx, "m", saved), ceap.CodeCancelled, `keeping scores of "m" in the table Scores-`)
	if left.Hits() < 2 {
		t.Errorf("what was left was asked for %d times", left.Hits())
	}
	got, err := roles.Scores.LoadScores(t.Context(), "m", keys, noon())
	if err != nil || len(got) != 1 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestScores_Item(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	roles := s.open(t)
	expires := noon().Add(time.Hour + time.Microsecond)
	if err := roles.Scores.SaveScores(t.Context(), "a#b", []ceap.CachedScore{{Key: "k", Value: 0.1, At: noon(), ExpiresAt: expires}}); err != nil {
		t.Fatal(err)
	}
	want := map[string]types.AttributeValue{
		"PK": &types.AttributeValueMemberS{Value: "MODEL#a%23b#k"}, "SK": &types.AttributeValueMemberS{Value: "SCORE"},
		"modelId": &types.AttributeValueMemberS{Value: "a#b"}, "key": &types.AttributeValueMemberS{Value: "k"},
		"value": &types.AttributeValueMemberN{Value: "0.1"},
		"at":    &types.AttributeValueMemberS{Value: "2026-01-27T12:00:00.000000Z"}, "expiresAt": &types.AttributeValueMemberS{Value: "2026-01-27T13:00:00.000001Z"},
		// Not before the score has expired.
		"ttl": &types.AttributeValueMemberN{Value: fmt.Sprint(noon().Add(time.Hour).Unix() + 1)},
	}
	if diff := cmp.Diff(want, s.items(t, "Scores", "MODEL#")[0], attributes()); diff != "" {
		t.Errorf("item (-want +got):\n%s", diff)
	}
}

func TestScores_DamagedItem(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.put(t, "Scores", map[string]types.AttributeValue{
		"PK": &types.AttributeValueMemberS{Value: "MODEL#m#k"}, "SK": &types.AttributeValueMemberS{Value: "SCORE"},
		"key": &types.AttributeValueMemberS{Value: "k"}, "value": &types.AttributeValueMemberBOOL{Value: true},
	})
	_, err := s.open(t).Scores.LoadScores(t.Context(), "m", []string{"k"}, noon())
	wantCode(t, err, ceap.CodeInternal, `"MODEL#m#k"`, "value")
}
