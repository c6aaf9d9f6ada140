// Package dynamodb keeps candidates, programs, runs, opt-outs and cached scores
// in DynamoDB tables, and the files of runs in an S3 bucket: the store of a
// deployment on AWS. The tables are made by deploy/aws/template.yaml, whose
// outline [Tables] also returns.
//
// Everything is safe for concurrent use, by any number of processes.
package dynamodb

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/plugin"
	"github.com/ceap-platform/ceap/store"
)

// Config holds the store's settings.
type Config struct {
	Stage           string `json:"stage" ceap:"nonempty" doc:"The stage, which ends the tables' names, as in Candidates-dev. Default dev."`
	Region          string `json:"region,omitempty" doc:"The AWS region. Default: the environment's."`
	ArtifactsBucket string `json:"artifactsBucket,omitempty" doc:"The bucket of the runs' files, such as journals. Default ceap-artifacts-<stage>-<account>-<region>, as the template names it."`
	IndexShards     int    `json:"indexShards" ceap:"min=1,max=256" doc:"Partitions over which each index spreads the candidates of a program and marketplace, a power of two: about the peak of its writes a second divided by 500. It may grow at any time. Default 8."`
	Writers         int    `json:"writers" ceap:"min=1,max=1024" doc:"Candidates that one process writes at the same time. Default 64."`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config { return Config{Stage: "dev", IndexShards: 8, Writers: 64} }

// Validate returns what is wrong with the settings taken together.
func (c Config) Validate() ceap.Problems {
	if c.IndexShards&(c.IndexShards-1) != 0 {
		return ceap.Problems{{
			Path: "indexShards", Message: fmt.Sprintf("%d is not a power of two", c.IndexShards), Hint: "use 1, 2, 4, 8, 16, ...",
		}}
	}
	return nil
}

// Plugin describes the store.
func Plugin() plugin.Of[store.Roles] {
	return plugin.Define("dynamodb", "DynamoDB tables and an S3 bucket", DefaultConfig(),
		func(env plugin.Env, c Config) (store.Roles, error) { return New(env, c, awsapi.Lazy(c.Region)), nil })
}

// Store holds what the roles share.
type Store struct {
	config Config
	log    *slog.Logger
	now    func() time.Time
	newID  func() string
	load   func(context.Context) (aws.Config, error)

	mu     sync.Mutex
	client *dynamodb.Client // nil until it is first needed
	secret []byte           // of marks; nil until it is first needed
	scopes map[scope]bool   // those that are known to be registered
}

// New returns the roles. It has no effects; AWS is first called when a role is
// used. load returns the configuration of the SDK. IndexShards and Writers of 0 mean
// the defaults.
func New(env plugin.Env, c Config, load func(context.Context) (aws.Config, error)) store.Roles {
	c.IndexShards = cmp.Or(c.IndexShards, DefaultConfig().IndexShards)
	c.Writers = cmp.Or(c.Writers, DefaultConfig().Writers)
	s := &Store{config: c, log: env.Logger, now: env.Now, newID: env.NewID, load: load, scopes: map[scope]bool{}}
	runs, files := newRuns(s), &artifacts{Store: s}
	return store.Roles{
		Candidates: (*candidates)(s),
		Programs:   (*programs)(s),
		Runs:       runs,
		OptOuts:    (*optOuts)(s),
		Scores:     (*scores)(s),
		Artifacts:  files,
		Maintainer: &maintainer{Store: s, artifacts: files},
		Close:      runs.close,
	}
}

// db returns the client of DynamoDB. There is one, so that what its retryer
// learns of throttling slows all workers down.
func (s *Store) db(ctx context.Context) (*dynamodb.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != nil {
		return s.client, nil
	}
	c, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	s.client = dynamodb.NewFromConfig(c, func(o *dynamodb.Options) {
		if h, ok := o.HTTPClient.(*awshttp.BuildableClient); ok {
			// As many connections as workers: each more than the idle ones that are kept
			// would cost a handshake a request.
			o.HTTPClient = h.WithTransportOptions(func(t *http.Transport) {
				t.MaxIdleConns, t.MaxIdleConnsPerHost = 2*s.config.Writers, 2*s.config.Writers
			})
		}
	})
	return s.client, nil
}

// files returns the client of S3.
func (s *Store) files(ctx context.Context) (*s3.Client, error) {
	c, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	return awsapi.S3(c), nil
}

// table returns the name of a table of the stage.
func (s *Store) table(name string) string { return tableName(name, s.config.Stage) }
