package expression

import (
	"slices"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"

	"github.com/ceap-platform/ceap"
)

// activation hands the values of a candidate to an evaluation, each when it is
// asked for. It belongs to one evaluation at a time.
type activation struct {
	candidate *ceap.Candidate
	now       ref.Val
	eligible  table
	extra     table
	scores    table
}

func newActivation(now types.Timestamp) *activation {
	a := &activation{now: now}
	a.eligible = table{activation: a, find: findEligible, keys: eligibleKeys}
	a.extra = table{activation: a, find: findExtra, keys: extraKeys}
	a.scores = table{activation: a, find: findScoreValue, keys: scoreKeys}
	return a
}

// ResolveName returns the value of a variable.
func (a *activation) ResolveName(name string) (any, bool) {
	v := a.resolve(name)
	return v, v != nil
}

// Parent returns nil: there are no other variables.
func (a *activation) Parent() interpreter.Activation { return nil }

// resolve returns the value of a variable, or nil for an unknown one.
func (a *activation) resolve(name string) ref.Val {
	c := a.candidate
	switch name {
	case "customerId":
		return types.String(c.CustomerID)
	case "subjectType":
		return types.String(c.SubjectType)
	case "subjectId":
		return types.String(c.SubjectID)
	case "programId":
		return types.String(c.ProgramID)
	case "marketplace":
		return types.String(c.Marketplace)
	case "currency":
		return types.String(c.Currency)
	case "timingWindow":
		return types.String(c.TimingWindow)
	case "eventDate":
		return types.Timestamp{Time: c.EventDate}
	case "now":
		return a.now
	case "deliveryDate":
		if c.DeliveryDate.IsZero() {
			return types.NullValue
		}
		return types.Timestamp{Time: c.DeliveryDate}
	case "orderValue":
		return attributeValue(c.OrderValue)
	case "mediaEligible":
		return attributeValue(c.MediaEligible)
	case "score":
		if !c.Scored {
			return types.NullValue
		}
		return types.Double(c.Score)
	case "eligible":
		return &a.eligible
	case "extra":
		return &a.extra
	case "scores":
		return &a.scores
	default:
		return nil
	}
}

// attributeValue returns v as expressions see it: every number is a double, and
// dates are text.
func attributeValue(v ceap.Value) ref.Val {
	switch v.Kind() {
	case ceap.KindNull:
		return types.NullValue
	case ceap.KindBool:
		return types.Bool(v.Bool())
	case ceap.KindInt, ceap.KindFloat, ceap.KindDecimal:
		n, _ := v.Number()
		return types.Double(n)
	default:
		return types.String(v.String())
	}
}

func findEligible(c *ceap.Candidate, channel string) (value ref.Val, present bool) {
	eligible, known := c.Eligible(channel)
	return types.Bool(eligible), known
}

func eligibleKeys(c *ceap.Candidate) []string {
	keys := make([]string, len(c.Channels))
	for i, flag := range c.Channels {
		keys[i] = flag.Channel
	}
	return keys
}

func findExtra(c *ceap.Candidate, name string) (value ref.Val, present bool) {
	attribute, ok := c.Attribute(name)
	if !ok {
		return nil, false
	}
	return attributeValue(attribute), !attribute.IsNull()
}

func extraKeys(c *ceap.Candidate) []string {
	var keys []string
	for _, attribute := range c.Extra {
		if !attribute.Value.IsNull() {
			keys = append(keys, attribute.Name)
		}
	}
	return keys
}

// findScore returns what a model said of the candidate, or nil if it was not
// asked.
func findScore(c *ceap.Candidate, id string) *ceap.Score {
	i := slices.IndexFunc(c.Scores, func(s ceap.Score) bool { return s.ModelID == id })
	if i < 0 {
		return nil
	}
	return &c.Scores[i]
}

func scoreValue(s *ceap.Score) ref.Val {
	if s.State == ceap.ScoreUnscored {
		return types.NullValue
	}
	return types.Double(s.Value)
}

func findScoreValue(c *ceap.Candidate, id string) (value ref.Val, present bool) {
	score := findScore(c, id)
	if score == nil {
		return nil, false
	}
	return scoreValue(score), score.State != ceap.ScoreUnscored
}

func scoreKeys(c *ceap.Candidate) []string {
	var keys []string
	for _, score := range c.Scores {
		if score.State != ceap.ScoreUnscored {
			keys = append(keys, score.ModelID)
		}
	}
	return keys
}
