package logistic

import (
	"fmt"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/plugin"
)

// Config holds the model's settings: the coefficients of a logistic regression,
// as a training program prints them.
type Config struct {
	Intercept  float64    `json:"intercept" doc:"The sum to which features and categories are added. Default 0."`
	Features   []Feature  `json:"features" ceap:"nonempty" doc:"Numbers that the model looks at."`
	Categories []Category `json:"categories" ceap:"nonempty" doc:"Texts that the model looks at, each with a coefficient per value."`
	Confidence *float64   `json:"confidence" ceap:"min=0,max=1" doc:"The confidence of every score, 0 to 1. Absent: unknown."`
}

// Feature is a number that the model looks at.
type Feature struct {
	Name        string   `json:"name" doc:"What the feature is called in explanations. Absent: its expression."`
	Expression  string   `json:"expression" ceap:"required,nonempty" doc:"An expression that gives the number, such as orderValue or daysSince(eventDate). True is 1 and false is 0 by x ? 1 : 0."`
	Coefficient float64  `json:"coefficient" ceap:"required" doc:"What one unit of the prepared number adds to the sum."`
	Missing     *float64 `json:"missing" doc:"The number that stands in where the expression gives null. Absent: such a candidate has no score."`
	Min         *float64 `json:"min" doc:"Smaller numbers count as this one. Absent: no bound."`
	Max         *float64 `json:"max" doc:"Larger numbers count as this one. Absent: no bound."`
	Transform   string   `json:"transform" ceap:"enum=none|log1p" doc:"What is then done with the number: log1p is the natural logarithm of one more. Default none."`
	Mean        float64  `json:"mean" doc:"What is then taken away from it. Default 0."`
	Std         float64  `json:"std" doc:"By what it is then divided; above 0. Default 1."`
}

// SetDefaults fills in the defaults of a new feature.
func (f *Feature) SetDefaults() { f.Transform, f.Std = "none", 1 }

// Category is a text that the model looks at.
type Category struct {
	Name       string             `json:"name" doc:"What the category is called in explanations. Absent: its expression."`
	Expression string             `json:"expression" ceap:"required,nonempty" doc:"An expression that gives the text, such as extra.category; numbers and booleans count as their text."`
	Values     map[string]float64 `json:"values" ceap:"required,nonempty" doc:"What each value adds to the sum."`
	Other      float64            `json:"other" doc:"What any other value adds, and null. Default 0."`
}

// Validate returns what is wrong with the settings together.
func (c Config) Validate() ceap.Problems {
	var problems ceap.Problems
	if len(c.Features)+len(c.Categories) == 0 {
		problems = append(problems, ceap.Problem{
			Message: "the model looks at nothing, so every score would be the same",
			Hint:    "give features or categories, or use a model of type static",
		})
	}
	for i, f := range c.Features {
		path := plugin.PathIndex("features", i)
		if !(f.Std > 0) { // NaN too
			problems = append(problems, ceap.Problem{Path: path + ".std", Message: fmt.Sprintf("std is %v", f.Std), Hint: "use a number above 0"})
		}
		if f.Min != nil && f.Max != nil && *f.Min > *f.Max {
			problems = append(problems, ceap.Problem{Path: path + ".min", Message: fmt.Sprintf("min %v is above max %v", *f.Min, *f.Max), Hint: "swap them"})
		}
	}
	return problems
}
