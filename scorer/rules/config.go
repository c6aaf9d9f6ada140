package rules

import (
	"github.com/ceap-platform/ceap"
)

// Config holds the model's settings: exactly one of an expression, a list of
// cases and a table of points.
type Config struct {
	Expression string   `json:"expression" doc:"An expression that gives the score, such as clamp(orderValue / 100, 0, 1)."`
	Rules      []Case   `json:"rules" ceap:"nonempty" doc:"Cases, asked in this order; the first that holds gives the score."`
	Default    *float64 `json:"default" doc:"The score where none of the rules holds. Absent: the candidate is left without a score, as an error."`
	Points     []Points `json:"points" ceap:"nonempty" doc:"A table of points; those of all entries that hold are added to base. Declare the model's scale."`
	Base       float64  `json:"base" doc:"The points that every candidate has. Default 0."`
	Confidence *float64 `json:"confidence" ceap:"min=0,max=1" doc:"The confidence of every score, 0 to 1. Absent: unknown."`
}

// Case is a score for the candidates of which a condition holds.
type Case struct {
	When  string   `json:"when" ceap:"required,nonempty" doc:"A condition over the candidate, such as orderValue >= 100."`
	Score *float64 `json:"score" ceap:"required" doc:"The score of candidates for which it holds."`
}

// Points is an entry of a table of points.
type Points struct {
	When   string   `json:"when" ceap:"required,nonempty" doc:"A condition over the candidate, such as orderValue >= 100."`
	Points *float64 `json:"points" ceap:"required" doc:"The points of candidates for which it holds; may be negative."`
}

// Validate returns what is wrong with the settings together.
func (c Config) Validate() ceap.Problems {
	var problems ceap.Problems
	ways := 0
	for _, given := range []bool{c.Expression != "", len(c.Rules) > 0, len(c.Points) > 0} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		problems = append(problems, ceap.Problem{
			Message: "a rules model needs exactly one of expression, rules and points",
			Hint:    "give one of them, such as expression: eligible.email ? 0.8 : 0.2",
		})
	}
	if c.Default != nil && len(c.Rules) == 0 {
		problems = append(problems, ceap.Problem{Path: "default", Message: "default belongs to rules, which are missing", Hint: "remove it, or give rules"})
	}
	if c.Base != 0 && len(c.Points) == 0 {
		problems = append(problems, ceap.Problem{Path: "base", Message: "base belongs to points, which are missing", Hint: "remove it, or give points"})
	}
	for i, r := range c.Rules {
		if r.Score == nil {
			problems = append(problems, missingNumber("rules", i, "score"))
		}
	}
	for i, p := range c.Points {
		if p.Points == nil {
			problems = append(problems, missingNumber("points", i, "points"))
		}
	}
	return problems
}
