// Package dynamodb keeps candidates, programs, runs, opt-outs and cached scores
// in DynamoDB tables, and the files of runs in an S3 bucket: the store of a
// deployment on AWS. The tables are made by deploy/aws/template.yaml, whose
// outline [Tables] also returns.
//
// Everything is safe for concurrent use, by any number of processes.
package dynamodb

import (
	"context"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/plugin"
	"github.com/ceap-platform/ceap/store"
)

// Config holds the store's settings.
type Config struct {
	Stage           string `json:"stage" ceap:"nonempty" doc:"The stage, which ends the tables' names, as in Candidates-dev. Default dev."`
	Region          string `json:"region,omitempty" doc:"The AWS region. Default: the environment's."`
	ArtifactsBucket string `json:"artifactsBucket,omitempty" doc:"The bucket of the runs' files, such as journals. Default ceap-artifacts-<stage>-<account>-<region>, as the template names it."`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config { return Config{Stage: "dev"} }

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
}

// New returns the roles. It has no effects; AWS is first called when a role is
// used. load returns the configuration of the SDK.
func New(env plugin.Env, c Config, load func(context.Context) (aws.Config, error)) store.Roles {
	s := &Store{config: c, log: env.Logger, now: env.Now, newID: env.NewID, load: load}
	return store.Roles{
		Close: s.close,
	}
}

// db returns the client of DynamoDB.
func (s *Store) db(ctx context.Context) (*dynamodb.Client, error) {
	c, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	return dynamodb.NewFromConfig(c), nil
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
func (s *Store) table(name string) string { return name + "-" + s.config.Stage }

func (s *Store) close() error { return nil }
