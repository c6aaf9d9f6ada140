package explain

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ceap-platform/ceap"
)

// storedWords is how to say that a row of the run was stored.
func storedWords(result *ceap.RunResult) string {
	if result.DryRun {
		return "would be stored"
	}
	return "stored"
}

// rowSentence says in one sentence what became of the row.
func rowSentence(row *Row, stored string) string {
	switch row.Kind {
	case ceap.OutcomeCreated:
		return stored + ": a new candidate" + withScore(row.Score)
	case ceap.OutcomeUpdated:
		return stored + ": the candidate with this row's changes" + withScore(row.Score)
	case ceap.OutcomeUnchanged:
		return stored + ": the candidate as it already was" + withScore(row.Score)
	case ceap.OutcomeRejected:
		if row.FilterID == "" {
			return "rejected by CEAP's own rules: " + why(row.Outcome)
		}
		return fmt.Sprintf("rejected by filter %q: %s", row.FilterID, why(row.Outcome))
	case ceap.OutcomeInvalid:
		return fmt.Sprintf("invalid: row %d of connector %q could not become a candidate: %s", row.Row, row.ConnectorID, why(row.Outcome)+at(row.Outcome))
	case ceap.OutcomeDuplicate:
		return duplicateSentence(row)
	case ceap.OutcomeFailed:
		return "failed: " + why(row.Outcome) + "; run the same batch again to retry it"
	}
	return string(row.Kind) + ": " + why(row.Outcome)
}

func duplicateSentence(row *Row) string {
	text := fmt.Sprintf("duplicate: row %d of connector %q is the same candidate as another row", row.Row, row.ConnectorID)
	if row.Winner != nil {
		text = fmt.Sprintf("duplicate: row %d of connector %q was taken instead of row %d of connector %q",
			row.Winner.Row, row.Winner.ConnectorID, row.Row, row.ConnectorID)
	}
	if row.Reason != "" {
		text += ": " + row.Reason
	}
	return text
}

// why returns the code and the reason, as far as there are any.
func why(o ceap.Outcome) string {
	switch {
	case o.ReasonCode == "":
		return o.Reason
	case o.Reason == "":
		return o.ReasonCode
	default:
		return o.ReasonCode + ", " + o.Reason
	}
}

// at returns the field at fault with its value.
func at(o ceap.Outcome) string {
	switch {
	case o.Field == "":
		return ""
	case o.Value == "", strings.Contains(o.Reason, strconv.Quote(o.Value)):
		return " (" + o.Field + ")"
	default:
		return fmt.Sprintf(" (%s is %q)", o.Field, o.Value)
	}
}

func withScore(score *float64) string {
	if score == nil {
		return ", without a score"
	}
	return " with score " + number(*score)
}

// number returns a score as people read it.
func number(f float64) string { return strconv.FormatFloat(f, 'g', 4, 64) }

// standingOf says how a candidate stands at now.
func standingOf(c ceap.Candidate, wishes []ceap.OptOut, now time.Time) Standing {
	if c.Meta.Status == ceap.StatusOpen && !c.Meta.ExpiresAt.After(now) { // D3
		c.Meta.Status = ceap.StatusExpired
	}
	text := standingSentence(&c)
	covers := func(wish ceap.OptOut) bool { return wish.Covers(c.ProgramID) }
	if i := slices.IndexFunc(wishes, covers); i >= 0 {
		text += "; not contacted: " + wishSentence(wishes[i:i+1])
	}
	return Standing{Summary: SubjectView{c.SubjectType, c.SubjectID}.String() + ": " + text, Candidate: ViewOf(c)}
}

func standingSentence(c *ceap.Candidate) string {
	switch c.Meta.Status {
	case ceap.StatusSent:
		return "already contacted on " + day(c.Meta.ClosedAt) + through(c)
	case ceap.StatusConsumed:
		return "done since " + day(c.Meta.ClosedAt) + through(c)
	case ceap.StatusExpired:
		return "expired on " + day(c.Meta.ExpiresAt) + " without having been contacted"
	case ceap.StatusDeleted:
		return "deleted"
	case ceap.StatusOpen:
	}
	text := "open until " + day(c.Meta.ExpiresAt)
	if channels := c.EligibleChannels(); len(channels) > 0 {
		text += ", eligible for " + strings.Join(channels, ", ")
	} else {
		text += ", eligible for no channel"
	}
	if c.Scored {
		text += ", score " + number(c.Score)
	} else {
		text += ", without a score"
	}
	text += withoutModel(c.Scores)
	if c.Meta.CreatedRunID != "" && c.Meta.CreatedRunID != c.Meta.RunID {
		return text + fmt.Sprintf("; created by run %s, version %d by run %s", c.Meta.CreatedRunID, c.Meta.Version, c.Meta.RunID)
	}
	return text + "; created by run " + c.Meta.RunID
}

// withoutModel says which scores their models did not give, and why.
func withoutModel(scores []ceap.Score) string {
	var b strings.Builder
	for _, s := range scores {
		if s.State != ceap.ScoreModel {
			fmt.Fprintf(&b, " (model %q: %s, %s)", s.ModelID, s.State, s.Reason)
		}
	}
	return b.String()
}

func through(c *ceap.Candidate) string {
	if c.Meta.ClosedChannel == "" {
		return ""
	}
	return " through " + c.Meta.ClosedChannel
}

// wishSentence says which opt-outs are in force.
func wishSentence(wishes []ceap.OptOut) string {
	var parts []string
	for _, wish := range wishes {
		scope := "every program"
		if wish.ProgramID != "" {
			scope = fmt.Sprintf("program %q", wish.ProgramID)
		}
		channel := "every channel"
		if wish.Channel != "" {
			channel = wish.Channel
		}
		parts = append(parts, fmt.Sprintf("opted out of %s through %s since %s", scope, channel, day(wish.At)))
	}
	return strings.Join(parts, "; ")
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
