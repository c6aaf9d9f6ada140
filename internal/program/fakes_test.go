package program_test

import (
	"context"
	"strings"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/filter"
	"github.com/ceap-platform/ceap/internal/program"
	"github.com/ceap-platform/ceap/plugin"
	"github.com/ceap-platform/ceap/scorer"
)

// The fakes have the settings of the guide's plug-ins and do nothing.

type warehouseConfig struct {
	Database       string            `json:"database" ceap:"required,nonempty" doc:"The database."`
	Query          string            `json:"query" ceap:"required,nonempty" doc:"The SELECT."`
	ResultsBucket  string            `json:"resultsBucket" doc:"Where results go."`
	WorkGroup      string            `json:"workGroup" doc:"The workgroup."`
	MaxWaitSeconds int               `json:"maxWaitSeconds" ceap:"min=1,max=3600" doc:"How long to wait."`
	FieldMappings  map[string]string `json:"fieldMappings" doc:"The mapping."`
}

type warehouseSettings struct {
	Engine string `json:"engine" ceap:"enum=embedded|athena" doc:"The engine."`
}

type fakeConnector struct {
	config   warehouseConfig
	settings warehouseSettings
}

func (*fakeConnector) Extract(context.Context, connector.Request) (connector.Stream, error) {
	return nil, ceap.Errorf(ceap.CodeUnsupported, "a fake reads nothing")
}

func (*fakeConnector) Transform([]connector.Column, connector.Request) (connector.Transform, error) {
	return nil, ceap.Errorf(ceap.CodeUnsupported, "a fake maps nothing")
}

func (c *fakeConnector) Advise(req connector.Request) []string {
	if !strings.Contains(c.config.Query, "{startDate}") {
		return []string{"the query has no date placeholder: every run of " + req.ProgramID + " reads everything"}
	}
	return nil
}

type eligibilityConfig struct {
	RequiredChannels  []string `json:"requiredChannels" doc:"The channels."`
	CheckTimingWindow bool     `json:"checkTimingWindow" doc:"Whether a window is needed."`
}

type businessRuleConfig struct {
	Rules []expressionRule `json:"rules" ceap:"required,nonempty" doc:"What must hold."`
}

type expressionRule struct {
	Expression string `json:"expression" ceap:"required" doc:"The expression."`
}

type fakeFilter struct{}

func (fakeFilter) Apply(context.Context, []*ceap.Candidate, []filter.Verdict) error { return nil }

type sagemakerConfig struct {
	EndpointName string `json:"endpointName" doc:"The endpoint."`
}

type fakeScorer struct{ warning string }

func (fakeScorer) Score(context.Context, []*ceap.Candidate, []scorer.Result) error { return nil }

func (s fakeScorer) Advise() []string {
	if s.warning == "" {
		return nil
	}
	return []string{s.warning}
}

// fakes returns the plug-ins of the tests.
func fakes() plugin.Set {
	return plugin.Set{
		Connectors: []plugin.Of[connector.Connector]{
			plugin.Define("data-warehouse", "reads a query", warehouseConfig{MaxWaitSeconds: 300},
				func(env plugin.Env, c warehouseConfig) (connector.Connector, error) {
					settings, _ := env.Settings.(warehouseSettings)
					if settings.Engine == "absent" {
						return nil, &ceap.Error{
							Code: ceap.CodeUnsupported, Field: "connectors.data-warehouse.engine", Message: "the engine is not in this build", Hint: "use another",
						}
					}
					return &fakeConnector{c, settings}, nil
				}).WithSettings(warehouseSettings{Engine: "embedded"}),
		},
		Filters: []plugin.Of[filter.Filter]{
			plugin.Define("eligibility", "wants channels", eligibilityConfig{},
				func(plugin.Env, eligibilityConfig) (filter.Filter, error) { return fakeFilter{}, nil }),
			plugin.Define("business_rule", "wants expressions to hold", businessRuleConfig{}, openRules).WithAliases("business-rule"),
		},
		Scorers: []plugin.Of[scorer.Scorer]{
			plugin.Define("sagemaker", "asks an endpoint", sagemakerConfig{},
				func(env plugin.Env, c sagemakerConfig) (scorer.Scorer, error) {
					if c.EndpointName == "" {
						return fakeScorer{warning: "model " + env.ID + " has no endpointName"}, nil
					}
					return fakeScorer{}, nil
				}),
		},
	}
}

// openRules refuses expressions with a question mark.
func openRules(_ plugin.Env, c businessRuleConfig) (filter.Filter, error) {
	var problems ceap.Problems
	for i, r := range c.Rules {
		if strings.Contains(r.Expression, "?") {
			problems = append(problems, ceap.Problem{
				Path: plugin.PathIndex("rules", i) + ".expression", Message: "is no expression", Hint: "remove the question mark",
			})
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return fakeFilter{}, nil
}

func options() program.Options { return program.Options{Plugins: fakes()} }
