// Package sagemaker is a model behind an Amazon SageMaker endpoint. It gathers
// the features of each candidate, asks the endpoint in batches, and reads the
// answer row by row. Whatever is no number of exactly one candidate leaves that
// candidate without a score; none is ever made up.
//
// A model without an endpoint is not asked: programs that name one load, and the
// model says what it needs (D58). SageMaker's Feature Store is not read;
// features that are not of the candidate come from a DynamoDB table.
//
// The scorer is safe for concurrent use.
package sagemaker

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/plugin"
	"github.com/ceap-platform/ceap/scorer"
)

// Plugin describes the model. The AWS configuration is the environment's.
func Plugin() plugin.Of[scorer.Scorer] { return PluginWith(nil) }

// PluginWith describes the model with an AWS configuration that load returns,
// such as that of an emulator; nil stands for the environment's.
func PluginWith(load func(context.Context) (aws.Config, error)) plugin.Of[scorer.Scorer] {
	return plugin.Define("sagemaker", "a model behind a SageMaker endpoint", defaults(),
		func(env plugin.Env, c Config) (scorer.Scorer, error) { return New(c, env, load) }).
		WithSettings(Settings{})
}

// Scorer scores candidates by what an endpoint answers.
type Scorer struct {
	config   Config
	modelID  string
	need     string // what is missing; "" if the model can be asked
	columns  []column
	table    *table // nil if there is none
	endpoint *endpoint
	keeper   *keeper
	slots    chan struct{} // one for each request under way
	log      *slog.Logger
}

var _ scorer.Scorer = (*Scorer)(nil)

// New returns the model. The environment's settings are [Settings] or nil. load
// returns the AWS configuration when it is first needed; nil stands for the
// environment's. The error is a [ceap.Problems] that names what is wrong with
// the expressions.
func New(config Config, env plugin.Env, load func(context.Context) (aws.Config, error)) (*Scorer, error) {
	settings, _ := env.Settings.(Settings)
	c := config.in(settings, env.ID)
	if load == nil {
		load = awsapi.Lazy(c.Region)
	}
	keeper, err := newKeeper(&c, env.Scores, env.ID, env.Now, env.Logger)
	if err != nil {
		return nil, err
	}
	s := &Scorer{
		config: c, modelID: env.ID, need: need(&c, env.ID), table: newTable(&c, load), keeper: keeper,
		endpoint: &endpoint{config: c, load: load, log: env.Logger, breaker: &breaker{now: env.Now}},
		slots:    make(chan struct{}, c.Concurrency), log: env.Logger,
	}
	return s, s.compile(env.AsOf)
}

// need says what the model lacks and where to set it; "" if it has all.
func need(c *Config, modelID string) string {
	switch {
	case c.EndpointName == "":
		return fmt.Sprintf("model %[1]q has no endpointName: set it in the model's config, or for %[1]q under scorers.sagemaker.endpoints in ceap.yaml; or name a stand-in for %[1]q under models in ceap.yaml, or set the model's fallbackScore", modelID)
	case len(c.Features) == 0:
		return fmt.Sprintf("model %q is the SageMaker endpoint %q, but has no features: list them in the model's config, in the order that the endpoint expects; or name a stand-in for %[1]q under models in ceap.yaml, or set the model's fallbackScore", modelID, c.EndpointName)
	default:
		return ""
	}
}

// Score scores the candidates. Returns a *[scorer.NotConfigured] if there is no
// endpoint to ask. What keeps the endpoint from answering for some candidates is
// the error of their results, with an earlier answer if one is kept.
func (s *Scorer) Score(ctx context.Context, batch []*ceap.Candidate, results []scorer.Result) error {
	if s.need != "" {
		return &scorer.NotConfigured{Need: s.need}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	clear(results)
	questions := s.questions(ctx, batch, results)
	open := s.keeper.recall(ctx, questions)
	s.ask(ctx, open)
	if ctx.Err() != nil {
		return awsapi.Error(ctx, s.endpoint.doing(), context.Cause(ctx))
	}
	s.keeper.remember(ctx, open)
	s.standIn(ctx, open)
	for _, q := range questions {
		for _, i := range q.asked {
			results[i] = q.answer
		}
	}
	return nil
}

// questions returns what the endpoint is to be asked, each question once. All
// features are fetched first (I29); why a candidate cannot be asked about is the
// error of its result.
func (s *Scorer) questions(ctx context.Context, batch []*ceap.Candidate, results []scorer.Result) []*question {
	items, errs, err := s.table.fetch(ctx, batch)
	if err != nil {
		for i := range results {
			results[i].Err = err
		}
		s.log.WarnContext(ctx, "a model's features cannot be read", "model_id", s.modelID, "candidates", len(batch), "error", err)
		return nil
	}
	var questions []*question
	byKey, keyOf := make(map[string]*question, len(batch)), s.keeper.keys()
	for i, c := range batch {
		values, err := []ceap.Value(nil), errs[i]
		if err == nil {
			values, err = s.features(c, items[i])
		}
		if err != nil {
			results[i].Err = err
			continue
		}
		row := s.row(c, values)
		key := keyOf(row)
		q, known := byKey[key]
		if !known {
			q = &question{key: key, row: row}
			byKey[key] = q
			questions = append(questions, q)
		}
		q.asked = append(q.asked, i)
	}
	return questions
}

// ask answers the questions, several requests at a time.
func (s *Scorer) ask(ctx context.Context, questions []*question) {
	var group sync.WaitGroup
	defer group.Wait()
	for _, request := range s.config.requests(questions) {
		select {
		case s.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		group.Go(func() {
			defer func() { <-s.slots }()
			s.request(ctx, request)
		})
	}
}

func (s *Scorer) request(ctx context.Context, questions []*question) {
	reply, err := s.endpoint.invoke(ctx, s.config.body(questions))
	var answers []scorer.Result
	if err == nil {
		answers, err = s.config.read(reply, len(questions))
	}
	for i, q := range questions {
		if q.answer.Err = err; err == nil {
			q.answer = answers[i]
		}
	}
}

// standIn puts kept answers in the place of those that the model did not give
// (I28), and logs what it failed at.
func (s *Scorer) standIn(ctx context.Context, asked []*question) {
	var failed, kept int
	var first error
	for _, q := range asked {
		if q.answer.Err == nil {
			continue
		}
		failed += len(q.asked)
		if first == nil {
			first = q.answer.Err
		}
		if q.standBy != nil {
			kept += len(q.asked)
			q.standBy.Err, q.standBy.Cached = q.answer.Err, true
			q.answer = *q.standBy
		}
	}
	if failed == 0 {
		return
	}
	s.log.WarnContext(ctx, "a model gave no answer", "model_id", s.modelID, "endpoint", s.config.EndpointName,
		"candidates", failed, "kept_answers", kept, "error", first)
}
