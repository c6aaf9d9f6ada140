package filter

import (
	"fmt"
	"slices"

	"github.com/ceap-platform/ceap"
)

// CodeCapacity is the reason code of candidates beyond a [Limit].
const CodeCapacity = "CAPACITY_REACHED"

func limitReason(l Limit, group string) string {
	if group == "" {
		return fmt.Sprintf("not among the best %d of the %s", l.Max, l.Per)
	}
	return fmt.Sprintf("not among the best %d of the %s %q", l.Max, l.Per, group)
}

// ApplyLimits sets the verdicts of a batch that is a whole run.
func ApplyLimits(limits []Limit, batch []*ceap.Candidate, verdicts []Verdict) {
	order := make([]int, len(batch))
	for i := range batch {
		order[i], verdicts[i] = i, Verdict{}
	}
	slices.SortFunc(order, func(a, b int) int { return ceap.CompareRank(batch[a], batch[b]) })
	for _, limit := range limits {
		kept := map[string]int{}
		for _, i := range order {
			if !verdicts[i].Passed() {
				continue
			}
			group, err := limit.Group(batch[i])
			switch {
			case err != nil:
				verdicts[i] = Verdict{Err: err}
			case kept[group] >= limit.Max:
				verdicts[i] = Verdict{Code: CodeCapacity, Reason: limit.Reason(group)}
			default:
				kept[group]++
			}
		}
	}
}
