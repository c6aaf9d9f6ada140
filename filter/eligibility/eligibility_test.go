package eligibility_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/filter"
	"github.com/ceap-platform/ceap/filter/eligibility"
	"github.com/ceap-platform/ceap/filter/filtertest"
	"github.com/ceap-platform/ceap/plugin/plugintest"
)

func TestFilter_Conformance(t *testing.T) {
	t.Parallel()
	filtertest.Run(t, eligibility.Plugin(), filtertest.Env(), "",
		`{"requiredChannels": ["email"], "checkTimingWindow": false}`,
		`{"requiredChannels": ["email", "push", "in-app"], "requiredChannelsMode": "any", "checkTimingWindow": true}`)
}

func TestFilter_Apply(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, config string
		change       func(*ceap.Candidate)
		code         string
		reason       string
	}{
		{"nothing is required", ``, nil, "", ""},
		{"eligible", `{"requiredChannels": ["email"]}`, nil, "", ""},
		{"not eligible", `{"requiredChannels": ["sms"]}`, nil, eligibility.CodeChannel, "the customer is not eligible for sms"},
		{
			"the row said nothing", `{"requiredChannels": ["in-app"]}`, nil, eligibility.CodeChannel,
			"the row said nothing about in-app; select a column inAppEligible or set defaultEligibility for it",
		},
		{"all means all", `{"requiredChannels": ["email", "sms"]}`, nil, eligibility.CodeChannel, "not eligible for sms"},
		{"any means one", `{"requiredChannels": ["sms", "email"], "requiredChannelsMode": "any"}`, nil, "", ""},
		{
			"all that is missing is named", `{"requiredChannels": ["sms", "push"], "requiredChannelsMode": "any"}`, nil,
			eligibility.CodeChannel, "not eligible for sms; the row said nothing about push",
		},
		{"a named timing window", `{"checkTimingWindow": true}`, nil, "", ""},
		{"any is a timing window", `{"checkTimingWindow": true}`, func(c *ceap.Candidate) { c.TimingWindow = "any" }, "", ""},
		{
			"no timing window", `{"checkTimingWindow": true}`, func(c *ceap.Candidate) { c.TimingWindow = "" },
			eligibility.CodeTimingWindow, "the row names no timingWindow, and checkTimingWindow demands one",
		},
		{"no timing window is fine by default", `{}`, func(c *ceap.Candidate) { c.TimingWindow = "" }, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := filtertest.Candidate()
			if tc.change != nil {
				tc.change(c)
			}
			filtertest.Expect(t, eligibility.Plugin(), tc.config, c, tc.code, tc.reason)
		})
	}
}

func TestPlugin_refusesNamesOfNoChannel(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		`{"requiredChannels": ["email", "inApp"]}`: `requiredChannels[1]: "inApp" is not the name of a channel`,
		`{"requiredChannels": [""]}`:               `requiredChannels[0]`,
		`{"requiredChannels": []}`:                 `requiredChannels`,
		`{"requiredChannelsMode": "some"}`:         `requiredChannelsMode`,
	} {
		if got := plugintest.Problems(t, eligibility.Plugin(), config); !strings.Contains(got, want) {
			t.Errorf("the problems of %s do not say %q: %s", config, want, got)
		}
	}
}

// A candidate that passes is eligible for all of the channels, or for any of
// them; one that does not pass is not.
func TestI25_WhoPassesIsEligible(t *testing.T) {
	t.Parallel()
	names := []string{"email", "in-app", "push", "sms"}
	rapid.Check(t, func(t *rapid.T) {
		required := rapid.SliceOfN(rapid.SampledFrom(names), 1, 4).Draw(t, "required")
		mode := rapid.SampledFrom([]string{"all", "any"}).Draw(t, "mode")
		c := &ceap.Candidate{}
		for _, name := range names {
			switch rapid.SampledFrom([]string{"yes", "no", "unknown"}).Draw(t, name) {
			case "yes":
				c.Channels = append(c.Channels, ceap.ChannelFlag{Channel: name, Eligible: true})
			case "no":
				c.Channels = append(c.Channels, ceap.ChannelFlag{Channel: name})
			}
		}
		eligible := c.EligibleChannels()
		want := !slices.ContainsFunc(required, func(name string) bool { return !slices.Contains(eligible, name) })
		if mode == "any" {
			want = slices.ContainsFunc(required, func(name string) bool { return slices.Contains(eligible, name) })
		}
		f := eligibility.New(eligibility.Config{RequiredChannels: required, RequiredChannelsMode: mode})
		verdicts := make([]filter.Verdict, 1)
		if err := f.Apply(t.Context(), []*ceap.Candidate{c}, verdicts); err != nil {
			t.Fatal(err)
		}
		if verdicts[0].Passed() != want {
			t.Fatalf("%s of %v with %v: verdict %+v", mode, required, c.Channels, verdicts[0])
		}
	})
}

func BenchmarkFilter_Apply(b *testing.B) {
	f := eligibility.New(eligibility.Config{RequiredChannels: []string{"email"}, RequiredChannelsMode: "all"})
	batch := plugintest.Candidates(1000)
	verdicts := make([]filter.Verdict, len(batch))
	b.ReportAllocs()
	for b.Loop() {
		if err := f.Apply(b.Context(), batch, verdicts); err != nil {
			b.Fatal(err)
		}
	}
}

func TestFilter_Apply_doesNotAllocate(t *testing.T) {
	f := eligibility.New(eligibility.Config{RequiredChannels: []string{"email"}, RequiredChannelsMode: "all"})
	batch := plugintest.Candidates(1000)
	verdicts := make([]filter.Verdict, len(batch))
	if n := testing.AllocsPerRun(10, func() { _ = f.Apply(t.Context(), batch, verdicts) }); n > 2 {
		t.Errorf("%v allocations for %d candidates", n, len(batch))
	}
}
