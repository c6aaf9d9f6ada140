// Package sagemaker stands for models behind Amazon SageMaker endpoints. This
// build cannot ask them: programs that name one load, and each of their
// candidates is left without a score of that model, with words that say what to
// do (D58). No score is ever made up.
//
// The scorer is safe for concurrent use.
package sagemaker

import (
	"context"
	"fmt"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/plugin"
	"github.com/ceap-platform/ceap/scorer"
)

// Config holds the model's settings.
type Config struct {
	EndpointName string `json:"endpointName" doc:"The name of the SageMaker endpoint. Absent: the deployment must name a stand-in for the model."`
	Region       string `json:"region" doc:"The AWS region of the endpoint. Absent: the deployment's."`
}

// LaterKeys names the settings of calls to an endpoint.
func (Config) LaterKeys() []string {
	return []string{
		"contentType", "acceptType", "timeout", "maxRetries", "batchSize", "inferenceComponentName", "customAttributes", "featureConfig",
	}
}

// Plugin describes the model.
func Plugin() plugin.Of[scorer.Scorer] {
	return plugin.Define("sagemaker", "a model behind a SageMaker endpoint; not in this build, which needs a stand-in", Config{},
		func(env plugin.Env, c Config) (scorer.Scorer, error) { return New(c, env.ID), nil })
}

// Scorer says of every candidate that the model is not configured.
type Scorer struct {
	need string
}

var _ scorer.Scorer = (*Scorer)(nil)

// New returns the model of that id.
func New(config Config, modelID string) *Scorer {
	rest := fmt.Sprintf("name a stand-in for %q under models in ceap.yaml, or set the model's fallbackScore", modelID)
	if config.EndpointName == "" {
		return &Scorer{need: fmt.Sprintf("model %q has no endpointName: set it in the model's config for a build that can ask SageMaker, %s", modelID, rest)}
	}
	return &Scorer{need: fmt.Sprintf("model %q is the SageMaker endpoint %q, and SageMaker endpoints are not in this build: %s",
		modelID, config.EndpointName, rest)}
}

// Score returns a *[scorer.NotConfigured]: the model answers for no candidate.
func (s *Scorer) Score(context.Context, []*ceap.Candidate, []scorer.Result) error {
	return &scorer.NotConfigured{Need: s.need}
}
