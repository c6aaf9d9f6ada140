package dynamodb_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsdb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/internal/awstest"
	"github.com/ceap-platform/ceap/plugin"
	"github.com/ceap-platform/ceap/store"
	"github.com/ceap-platform/ceap/store/dynamodb"
)

// stages counts the stages of this process, which share an emulator.
var stages atomic.Int64 //nolint:gochecknoglobals // names must be unique in the process

// stage is a stage of its own in an emulated account, with a clock and a log.
type stage struct {
	cloud  *awstest.Cloud
	load   func(context.Context) (aws.Config, error)
	config dynamodb.Config
	db     *awsdb.Client
	s3     *s3.Client
	clock  *clock
	log    *lines
}

// newStage returns an empty stage with tables and bucket.
func newStage(tb testing.TB) *stage {
	tb.Helper()
	s := bareStage(tb)
	s.deploy(tb)
	return s
}

// deploy makes tables and bucket.
func (s *stage) deploy(tb testing.TB) {
	tb.Helper()
	for _, table := range dynamodb.Tables(s.config.Stage) {
		if _, err := s.db.CreateTable(tb.Context(), table); err != nil {
			tb.Fatal(err)
		}
	}
	if _, err := s.s3.CreateBucket(tb.Context(), &s3.CreateBucketInput{Bucket: &s.config.ArtifactsBucket}); err != nil {
		tb.Fatal(err)
	}
}

// bareStage returns a stage that nothing was deployed to.
func bareStage(tb testing.TB) *stage {
	tb.Helper()
	cloud := awstest.Start(tb)
	config := dynamodb.DefaultConfig()
	config.IndexShards = 2 // moto takes its time for each query
	config.Stage = fmt.Sprintf("t%d", stages.Add(1))
	config.ArtifactsBucket = "artifacts-" + config.Stage
	return &stage{
		cloud: cloud, load: cloud.Load, config: config, db: awsdb.NewFromConfig(cloud.Config), s3: awsapi.S3(cloud.Config),
		clock: &clock{now: noon()}, log: &lines{},
	}
}

// open opens the stage's store, as one process of several would.
func (s *stage) open(tb testing.TB) store.Roles {
	tb.Helper()
	var ids atomic.Int64
	env := plugin.Env{
		Logger: slog.New(slog.NewTextHandler(s.log, nil)), Now: s.clock.Now,
		NewID: func() string { return fmt.Sprintf("id-%d", ids.Add(1)) },
	}
	roles := dynamodb.New(env, s.config, s.load)
	tb.Cleanup(func() {
		if err := roles.Close(); err != nil {
			tb.Error(err)
		}
	})
	return roles
}

func (s *stage) put(t *testing.T, table string, item map[string]types.AttributeValue) {
	t.Helper()
	if _, err := s.db.PutItem(t.Context(), &awsdb.PutItemInput{TableName: aws.String(table + "-" + s.config.Stage), Item: item}); err != nil {
		t.Fatal(err)
	}
}

// items returns all items of a table whose partition keys start so.
func (s *stage) items(t *testing.T, table, prefix string) []map[string]types.AttributeValue {
	t.Helper()
	out, err := s.db.Scan(t.Context(), &awsdb.ScanInput{
		TableName: aws.String(table + "-" + s.config.Stage), FilterExpression: aws.String("begins_with(PK, :p)"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":p": &types.AttributeValueMemberS{Value: prefix}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Items
}

func noon() time.Time { return time.Date(2026, 1, 27, 12, 0, 0, 0, time.UTC) }

// clock stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// lines is a log in memory.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func wantCode(t *testing.T, err error, want ceap.Code, words ...string) {
	t.Helper()
	if got := ceap.ErrorCode(err); got != want {
		t.Fatalf("error %v has code %q, want %q", err, got, want)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %v does not say %q", err, word)
		}
	}
}

// noise returns text that hardly compresses, the same each time.
func noise(size int) string {
	random := rand.New(rand.NewPCG(1, uint64(size)))
	b := make([]byte, size)
	for i := range b {
		b[i] = byte('!' + random.IntN(90))
	}
	return string(b)
}
