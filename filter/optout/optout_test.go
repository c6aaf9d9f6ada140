package optout_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/filter"
	"github.com/ceap-platform/ceap/filter/filtertest"
	"github.com/ceap-platform/ceap/filter/optout"
	"github.com/ceap-platform/ceap/plugin/plugintest"
)

func at(day int) time.Time { return time.Date(2026, 1, day, 9, 0, 0, 0, time.UTC) }

func TestFilter_Conformance(t *testing.T) {
	t.Parallel()
	filtertest.Run(t, optout.Plugin(), filtertest.Env(), "")
	env := filtertest.Env()
	env.OptOuts = filtertest.OptOuts{
		{CustomerID: "CUST-1", At: at(1)},
		{CustomerID: "CUST-2", ProgramID: plugintest.ProgramID, At: at(2)},
		{CustomerID: "CUST-3", Channel: "email", At: at(3)},
		{CustomerID: "CUST-3", Channel: "sms", At: at(4)},
	}
	filtertest.Run(t, optout.Plugin(), env, "")
}

func TestFilter_Apply(t *testing.T) {
	t.Parallel()
	const customer = "CUST-001"
	twoChannels := filtertest.Candidate()
	twoChannels.Channels = []ceap.ChannelFlag{{Channel: "email", Eligible: true}, {Channel: "push", Eligible: true}}
	none := filtertest.Candidate()
	none.Channels = nil
	for _, tc := range []struct {
		name      string
		wishes    filtertest.OptOuts
		candidate *ceap.Candidate
		reason    string
	}{
		{"no wish", nil, filtertest.Candidate(), ""},
		{"another customer's", filtertest.OptOuts{{CustomerID: "CUST-0011", At: at(1)}}, filtertest.Candidate(), ""},
		{"another program's", filtertest.OptOuts{{CustomerID: customer, ProgramID: "video-ratings", At: at(1)}}, filtertest.Candidate(), ""},
		{"of everything", filtertest.OptOuts{{CustomerID: customer, At: at(20)}}, filtertest.Candidate(), "the customer opted out of every program on 2026-01-20"},
		{"of the program", filtertest.OptOuts{{CustomerID: customer, ProgramID: plugintest.ProgramID, At: at(20)}}, filtertest.Candidate(), "the customer opted out of the program product-reviews on 2026-01-20"},
		{
			"the first of several",
			filtertest.OptOuts{{CustomerID: customer, At: at(20)}, {CustomerID: customer, ProgramID: plugintest.ProgramID, At: at(3)}},
			filtertest.Candidate(), "of the program product-reviews on 2026-01-03",
		},
		{"of its only channel", filtertest.OptOuts{{CustomerID: customer, Channel: "email", At: at(5)}}, filtertest.Candidate(), "every channel the candidate is eligible for: email of every program on 2026-01-05"},
		{"of a channel it is not eligible for", filtertest.OptOuts{{CustomerID: customer, Channel: "sms", At: at(5)}}, filtertest.Candidate(), ""},
		{"of one channel of two", filtertest.OptOuts{{CustomerID: customer, Channel: "email", At: at(5)}}, twoChannels, ""},
		{
			"of both channels",
			filtertest.OptOuts{{CustomerID: customer, Channel: "email", At: at(5)}, {CustomerID: customer, Channel: "push", ProgramID: plugintest.ProgramID, At: at(6)}},
			twoChannels, "email of every program on 2026-01-05, push of the program product-reviews on 2026-01-06",
		},
		{"of another program's channel", filtertest.OptOuts{{CustomerID: customer, Channel: "email", ProgramID: "other", At: at(5)}}, filtertest.Candidate(), ""},
		{"of a channel, with none left anyway", filtertest.OptOuts{{CustomerID: customer, Channel: "email", At: at(5)}}, none, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			v := filtertest.Apply(t, optout.New(tc.wishes), tc.candidate)[0]
			if v.Passed() != (tc.reason == "") || !strings.Contains(v.Reason, tc.reason) {
				t.Errorf("verdict %+v, want the reason %q", v, tc.reason)
			}
			if tc.reason != "" && v.Code != ceap.ReasonOptedOut {
				t.Errorf("code %q", v.Code)
			}
		})
	}
}

// lookup counts how often it is asked, and breaks if told so.
type lookup struct {
	asked [][]string
	err   error
}

func (l *lookup) OptOutsOf(_ context.Context, customerIDs []string) (map[string][]ceap.OptOut, error) {
	l.asked = append(l.asked, slices.Clone(customerIDs))
	return nil, l.err
}

func TestFilter_Apply_asksOncePerBatch(t *testing.T) {
	t.Parallel()
	l := &lookup{}
	filtertest.Apply(t, optout.New(l), plugintest.Candidates(200)...)
	if len(l.asked) != 1 || len(l.asked[0]) != 37 {
		t.Errorf("%d lookups, the first of %d customers; want one of 37", len(l.asked), len(l.asked[0]))
	}
	filtertest.Apply(t, optout.New(l))
	if len(l.asked) != 1 {
		t.Error("an empty batch is looked up")
	}
}

func TestFilter_Apply_failsClosed(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk is gone")
	batch := []*ceap.Candidate{filtertest.Candidate()}
	err := optout.New(&lookup{err: broken}).Apply(t.Context(), batch, make([]filter.Verdict, 1))
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "reading opt-outs") {
		t.Errorf("error %v", err)
	}
	err = optout.New(nil).Apply(t.Context(), batch, make([]filter.Verdict, 1))
	if ceap.ErrorCode(err) != ceap.CodeUnavailable {
		t.Errorf("error %v of a deployment without opt-outs", err)
	}
}

// Whoever has opted out of the program, of everything, or of each channel that
// is left does not pass; everybody else does.
func TestI55_OptedOutDoNotPass(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := filtertest.Candidate()
		c.Channels = nil
		for _, name := range []string{"email", "push", "sms"} {
			c.Channels = append(c.Channels, ceap.ChannelFlag{Channel: name, Eligible: rapid.Bool().Draw(t, name)})
		}
		wishes := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) ceap.OptOut {
			return ceap.OptOut{
				CustomerID: rapid.SampledFrom([]string{c.CustomerID, "CUST-002"}).Draw(t, "customer"),
				ProgramID:  rapid.SampledFrom([]string{"", c.ProgramID, "other"}).Draw(t, "program"),
				Channel:    rapid.SampledFrom([]string{"", "email", "push", "sms"}).Draw(t, "channel"),
				At:         at(rapid.IntRange(1, 28).Draw(t, "day")),
			}
		}), 0, 5).Draw(t, "wishes")
		reachable, eligible, all := 0, 0, false
		for _, flag := range c.Channels {
			left := flag.Eligible
			for _, w := range wishes {
				if w.CustomerID == c.CustomerID && w.ProgramID != "other" {
					all = all || w.Channel == ""
					left = left && w.Channel != flag.Channel
				}
			}
			if flag.Eligible {
				eligible++
			}
			if left {
				reachable++
			}
		}
		want := !all && (eligible == 0 || reachable > 0)
		verdicts := make([]filter.Verdict, 1)
		if err := optout.New(filtertest.OptOuts(wishes)).Apply(t.Context(), []*ceap.Candidate{c}, verdicts); err != nil {
			t.Fatal(err)
		}
		if verdicts[0].Passed() != want {
			t.Fatalf("verdict %+v with %v and %v", verdicts[0], c.Channels, wishes)
		}
	})
}
