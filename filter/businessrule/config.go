package businessrule

import (
	"fmt"
	"regexp"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/plugin"
)

// Config holds the filter's parameters. At least one must be given.
type Config struct {
	MinOrderValue       *float64 `json:"minOrderValue" doc:"The lowest orderValue that passes, in the row's currency; rows without one do not pass. Absent: not asked."`
	MaxDaysSinceEvent   *float64 `json:"maxDaysSinceEvent" ceap:"min=0" doc:"The highest age of the event that passes, in days before the run's clock. Absent: not asked."`
	RequireDeliveryDate bool     `json:"requireDeliveryDate" doc:"Whether the row must have a deliveryDate. Default false."`
	Rules               []Rule   `json:"rules" ceap:"nonempty" doc:"Rules that must hold, asked in this order; the first that does not hold gives the reason."`
}

// Rule is one rule of a program.
type Rule struct {
	Expression string `json:"expression" ceap:"required,nonempty" doc:"A condition over the candidate, such as orderValue >= 20 && eligible.email. It must be true for the candidate to pass."`
	ReasonCode string `json:"reasonCode" ceap:"required,nonempty" doc:"The code of candidates that do not pass: capitals, digits and _, such as ORDER_TOO_SMALL."`
	Reason     string `json:"reason" doc:"Why they do not pass, in words. Absent: the expression itself. The values that decided are added."`
}

// Validate returns what is wrong with the parameters together.
func (c Config) Validate() ceap.Problems {
	if c.MinOrderValue == nil && c.MaxDaysSinceEvent == nil && !c.RequireDeliveryDate && len(c.Rules) == 0 {
		return ceap.Problems{{
			Message: "the filter has no rule, so everybody would pass",
			Hint:    "set minOrderValue, maxDaysSinceEvent, requireDeliveryDate or rules, or remove the filter",
		}}
	}
	var problems ceap.Problems
	code := regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)
	for i, r := range c.Rules {
		path := plugin.PathIndex("rules", i) + ".reasonCode"
		switch {
		case !code.MatchString(r.ReasonCode):
			problems = append(problems, ceap.Problem{
				Path: path, Message: fmt.Sprintf("%q is not a reason code", r.ReasonCode),
				Hint: "write up to 64 capitals, digits and _, beginning with a capital, such as ORDER_TOO_SMALL",
			})
		case r.ReasonCode == ceap.ReasonFilterError:
			problems = append(problems, ceap.Problem{
				Path: path, Message: r.ReasonCode + " is the code of filters that break", Hint: "choose another one",
			})
		}
	}
	return problems
}
