package storetest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
)

type tests = map[string]func(*testing.T, store.Roles)

func equal(t *testing.T, what string, want, got any) {
	t.Helper()
	opt := gocmp.Comparer(func(a, b ceap.Value) bool { return a == b })
	if diff := gocmp.Diff(want, got, opt); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func upsertTests() tests {
	return tests{
		"what is stored is read back equal (I30)": func(t *testing.T, roles store.Roles) {
			c := full()
			equal(t, "outcome", []string{"created"}, upsert(t, roles, options("run-1"), c))
			want := *c
			want.Meta = ceap.Meta{
				Status: ceap.StatusOpen, CreatedAt: noon(), UpdatedAt: noon(), ExpiresAt: noon().Add(life), Version: 1,
				ConnectorID: "deliveries", RunID: "run-1", CreatedRunID: "run-1", CorrelationID: "corr-1",
			}
			equal(t, "candidate", want, get(t, roles, c.Key))
		},
		"an equal candidate is unchanged and not written (D4, I4)": func(t *testing.T, roles store.Roles) {
			upsert(t, roles, options("run-1"), full())
			before := get(t, roles, full().Key)
			later := options("run-2")
			later.Now = noon().Add(time.Hour)
			equal(t, "outcome", []string{"unchanged"}, upsert(t, roles, later, full()))
			equal(t, "candidate", before, get(t, roles, full().Key))
		},
		"a different one is updated, keeping its creation and expiry (D4, I32, I35)": func(t *testing.T, roles store.Roles) {
			upsert(t, roles, options("run-1"), full())
			c := full()
			c.OrderValue = ceap.Int(50)
			later := options("run-2")
			later.Now = noon().Add(time.Hour)
			equal(t, "outcome", []string{"updated"}, upsert(t, roles, later, c))
			got := get(t, roles, c.Key)
			equal(t, "value", ceap.Int(50), got.OrderValue)
			equal(t, "meta", ceap.Meta{
				Status: ceap.StatusOpen, CreatedAt: noon(), UpdatedAt: noon().Add(time.Hour), ExpiresAt: noon().Add(life), Version: 2,
				ConnectorID: "deliveries", RunID: "run-2", CreatedRunID: "run-1", CorrelationID: "corr-1",
			}, got.Meta)
		},
		"each part of the content makes a difference": func(t *testing.T, roles store.Roles) {
			changes := []func(*ceap.Candidate){
				func(c *ceap.Candidate) { c.EventDate = c.EventDate.Add(time.Microsecond) },
				func(c *ceap.Candidate) { c.DeliveryDate = time.Time{} },
				func(c *ceap.Candidate) { c.TimingWindow = "" },
				func(c *ceap.Candidate) { c.OrderValue = ceap.Null() },
				func(c *ceap.Candidate) { c.Currency = "USD" },
				func(c *ceap.Candidate) { c.MediaEligible = ceap.Null() },
				func(c *ceap.Candidate) { c.Channels = slices.Clone(c.Channels); c.Channels[0].Eligible = false },
				func(c *ceap.Candidate) { c.Channels = c.Channels[:2] },
				func(c *ceap.Candidate) { c.Extra = slices.Clone(c.Extra); c.Extra[0].Value = ceap.Null() },
				func(c *ceap.Candidate) { c.Extra = c.Extra[1:] },
				func(c *ceap.Candidate) { c.Scores = slices.Clone(c.Scores); c.Scores[0].Value = 0.26 },
				func(c *ceap.Candidate) { c.Score = 0.5 },
				func(c *ceap.Candidate) { c.Score, c.Scored = 0, false },
			}
			upsert(t, roles, options("run-0"), full())
			for i, change := range changes {
				c := full()
				change(c)
				opts := options(fmt.Sprintf("run-%d", i+1))
				if got := upsert(t, roles, opts, c); got[0] != "updated" {
					t.Errorf("change %d: %v", i, got)
				}
				got := get(t, roles, c.Key)
				got.Meta, c.Meta = ceap.Meta{}, ceap.Meta{}
				equal(t, fmt.Sprintf("change %d", i), *c, got)
				opts.RunID += "-back"
				upsert(t, roles, opts, full())
			}
		},
		"a batch has one result each, in order (I34)": func(t *testing.T, roles store.Roles) {
			upsert(t, roles, options("run-1"), candidate("b", "1"), candidate("d", "1"))
			changed := candidate("d", "1")
			changed.Currency = "GBP"
			got := upsert(t, roles, options("run-2"), candidate("e", "1"), changed, candidate("a", "1"), candidate("b", "1"))
			equal(t, "outcomes", []string{"created", "updated", "created", "unchanged"}, got)
		},
		"a cancelled batch is not written": func(t *testing.T, roles store.Roles) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := roles.Candidates.Upsert(ctx, []*ceap.Candidate{candidate("a", "1")}, options("run-1"))
			wantCode(t, err, ceap.CodeCancelled)
			_, err = roles.Candidates.Get(t.Context(), candidate("a", "1").Key)
			wantCode(t, err, ceap.CodeNotFound)
		},
		"an empty batch": func(t *testing.T, roles store.Roles) {
			equal(t, "outcomes", []string(nil), upsert(t, roles, options("run-1")))
		},
		"a run that is repeated keeps its outcomes (I7)": func(t *testing.T, roles store.Roles) {
			upsert(t, roles, options("run-1"), candidate("old", "1"), candidate("same", "1"))
			changed := func() *ceap.Candidate { c := candidate("old", "1"); c.Currency = "GBP"; return c }
			want := []string{"created", "updated", "unchanged"}
			for range 3 {
				equal(t, "outcomes", want, upsert(t, roles, options("run-2"), candidate("new", "1"), changed(), candidate("same", "1")))
			}
			equal(t, "version of the created", int64(1), get(t, roles, candidate("new", "1").Key).Meta.Version)
			equal(t, "version of the updated", int64(2), get(t, roles, changed().Key).Meta.Version)
		},
		"a dry run tells the outcomes and writes nothing": func(t *testing.T, roles store.Roles) {
			upsert(t, roles, options("run-1"), candidate("a", "1"), candidate("b", "1"))
			changed := candidate("b", "1")
			changed.Currency = "GBP"
			dry := options("run-2")
			dry.DryRun = true
			equal(t, "outcomes", []string{"unchanged", "updated", "created"}, upsert(t, roles, dry, candidate("a", "1"), changed, candidate("c", "1")))
			_, err := roles.Candidates.Get(t.Context(), candidate("c", "1").Key)
			wantCode(t, err, ceap.CodeNotFound)
			equal(t, "version", int64(1), get(t, roles, changed.Key).Meta.Version)
		},
		"two keys that differ in any part are two candidates (I12)": func(t *testing.T, roles store.Roles) {
			var batch []*ceap.Candidate
			for _, id := range []string{"a", "A", " a", "a ", "a\x00", "\x00a", "a#b", "a%23b", "a%b", "é", "e\u0301", "😀", "1", "01", "a\nb", "'; DROP TABLE candidates; --"} {
				batch = append(batch, candidate(id, "1"), candidate("x", id))
				other := candidate("x", "1")
				other.SubjectType = id
				batch = append(batch, other)
			}
			slices.SortFunc(batch, func(a, b *ceap.Candidate) int { return a.Compare(b.Key) })
			for i, got := range upsert(t, roles, options("run-1"), batch...) {
				if got != "created" {
					t.Errorf("%s: %s", batch[i].Key, got)
				}
			}
			for _, c := range batch {
				equal(t, "key", c.Key, get(t, roles, c.Key).Key)
			}
		},
		"writers at the same time lose nothing (I33)": func(t *testing.T, roles store.Roles) {
			const writers, rounds = 8, 5
			var group sync.WaitGroup
			for w := range writers {
				group.Go(func() {
					for r := range rounds {
						c := candidate("shared", "1")
						c.OrderValue = ceap.Int(int64(w*rounds + r))
						opts := options(fmt.Sprintf("run-%d-%d", w, r))
						results, err := roles.Candidates.Upsert(t.Context(), []*ceap.Candidate{c}, opts)
						if err != nil || !results[0].Kind.Stored() {
							t.Errorf("writer %d: %+v, %v", w, results, err)
						}
					}
				})
			}
			group.Wait()
			equal(t, "version", int64(writers*rounds), get(t, roles, candidate("shared", "1").Key).Meta.Version)
		},
	}
}

func reopenTests() tests {
	expired := noon().Add(life)
	at := func(runID string, now time.Time, reopen time.Duration) store.UpsertOptions {
		return store.UpsertOptions{RunID: runID, Now: now, TTL: life, ReopenAfter: reopen}
	}
	newer := func() *ceap.Candidate {
		c := candidate("c", "1")
		c.EventDate = c.EventDate.Add(time.Hour)
		return c
	}
	return tests{
		"an expired one stays away (D3, D5)": func(t *testing.T, roles store.Roles) {
			upsert(t, roles, options("run-1"), candidate("c", "1"))
			equal(t, "outcome", []string{"rejected EXPIRED"}, upsert(t, roles, at("run-2", expired, 0), candidate("c", "1")))
		},
		"a later event opens an expired one (D5)": func(t *testing.T, roles store.Roles) {
			upsert(t, roles, options("run-1"), candidate("c", "1"))
			equal(t, "outcome", []string{"created"}, upsert(t, roles, at("run-2", expired, 0), newer()))
			got := get(t, roles, newer().Key).Meta
			equal(t, "version", int64(2), got.Version)
			equal(t, "created", expired, got.CreatedAt)
			equal(t, "expires", expired.Add(life), got.ExpiresAt)
			equal(t, "outcome again", []string{"created"}, upsert(t, roles, at("run-2", expired, 0), newer()))
		},
		"an expired one that was swept stays away, a later event opens it": func(t *testing.T, roles store.Roles) {
			upsert(t, roles, options("run-1"), candidate("c", "1"))
			swept, err := roles.Candidates.Sweep(t.Context(), expired)
			if err != nil || swept != 1 {
				t.Fatalf("swept %d, %v", swept, err)
			}
			equal(t, "outcome", []string{"rejected EXPIRED"}, upsert(t, roles, at("run-2", expired, 0), candidate("c", "1")))
			equal(t, "outcome", []string{"created"}, upsert(t, roles, at("run-3", expired, 0), newer()))
		},
		"a sent or consumed one stays away (I6)": func(t *testing.T, roles store.Roles) {
			for _, status := range []ceap.Status{ceap.StatusSent, ceap.StatusConsumed} {
				c := candidate(string(status), "1")
				upsert(t, roles, options("run-1"), c)
				closeCandidate(t, roles, c.Key, status)
				later := candidate(string(status), "1")
				later.EventDate = later.EventDate.Add(time.Hour)
				equal(t, "outcome", []string{"rejected ALREADY_CONTACTED"}, upsert(t, roles, options("run-2"), later))
				equal(t, "status", status, get(t, roles, c.Key).Meta.Status)
			}
		},
		"a consumed one comes back after reopenAfterDays with a later event": func(t *testing.T, roles store.Roles) {
			upsert(t, roles, options("run-1"), candidate("c", "1"))
			closeCandidate(t, roles, candidate("c", "1").Key, ceap.StatusConsumed)
			week := 7 * 24 * time.Hour
			before := noon().Add(week - time.Second)
			equal(t, "too early", []string{"rejected ALREADY_CONTACTED"}, upsert(t, roles, at("run-2", before, week), newer()))
			equal(t, "same event", []string{"rejected ALREADY_CONTACTED"}, upsert(t, roles, at("run-3", noon().Add(week), week), candidate("c", "1")))
			equal(t, "outcome", []string{"created"}, upsert(t, roles, at("run-4", noon().Add(week), week), newer()))
			equal(t, "status", ceap.StatusOpen, get(t, roles, newer().Key).Meta.Status)
		},
		"a deleted one stays away, for as long as its mark lives (D5)": func(t *testing.T, roles store.Roles) {
			upsert(t, roles, options("run-1"), candidate("c", "1"))
			closeCandidate(t, roles, candidate("c", "1").Key, ceap.StatusDeleted)
			equal(t, "outcome", []string{"rejected DELETED"}, upsert(t, roles, options("run-2"), newer()))
			year := noon().Add(366 * 24 * time.Hour)
			if _, err := roles.Candidates.Sweep(t.Context(), year); err != nil {
				t.Fatal(err)
			}
			equal(t, "after its mark's life", []string{"created"}, upsert(t, roles, at("run-3", year, 0), newer()))
		},
		"a run that is repeated keeps the outcome of what was consumed since": func(t *testing.T, roles store.Roles) {
			upsert(t, roles, options("run-1"), candidate("c", "1"))
			closeCandidate(t, roles, candidate("c", "1").Key, ceap.StatusConsumed)
			equal(t, "outcome", []string{"created"}, upsert(t, roles, options("run-1"), candidate("c", "1")))
			equal(t, "status", ceap.StatusConsumed, get(t, roles, candidate("c", "1").Key).Meta.Status)
		},
	}
}

func closeCandidate(t *testing.T, roles store.Roles, key ceap.Key, status ceap.Status) {
	t.Helper()
	if err := roles.Candidates.Close(t.Context(), key, store.Closing{Status: status, Channel: "email", At: noon()}); err != nil {
		t.Fatalf("closing %s as %s: %v", key, status, err)
	}
}

func closeTests() tests {
	return tests{
		"consuming records when and where": func(t *testing.T, roles store.Roles) {
			c := candidate("c", "1")
			upsert(t, roles, options("run-1"), c)
			for range 2 {
				closeCandidate(t, roles, c.Key, ceap.StatusConsumed)
			}
			got := get(t, roles, c.Key).Meta
			equal(t, "status", ceap.StatusConsumed, got.Status)
			equal(t, "closed at", noon(), got.ClosedAt)
			equal(t, "channel", "email", got.ClosedChannel)
			equal(t, "version", int64(2), got.Version)
		},
		"what was sent can still be consumed, not the reverse": func(t *testing.T, roles store.Roles) {
			c := candidate("c", "1")
			upsert(t, roles, options("run-1"), c)
			closeCandidate(t, roles, c.Key, ceap.StatusSent)
			closeCandidate(t, roles, c.Key, ceap.StatusConsumed)
			closeCandidate(t, roles, c.Key, ceap.StatusSent)
			equal(t, "status", ceap.StatusConsumed, get(t, roles, c.Key).Meta.Status)
		},
		"a deleted one is not found (I36), and deleting again is harmless": func(t *testing.T, roles store.Roles) {
			c := candidate("c", "1")
			upsert(t, roles, options("run-1"), c)
			for range 2 {
				closeCandidate(t, roles, c.Key, ceap.StatusDeleted)
			}
			_, err := roles.Candidates.Get(t.Context(), c.Key)
			wantCode(t, err, ceap.CodeNotFound)
			page, err := roles.Candidates.Find(t.Context(), store.Query{CustomerID: "c", Now: noon(), IncludeClosed: true})
			if err != nil || len(page.Candidates) > 0 {
				t.Errorf("found %v, %v", page, err)
			}
		},
		"an unknown one is not found": func(t *testing.T, roles store.Roles) {
			_, err := roles.Candidates.Get(t.Context(), candidate("c", "1").Key)
			wantCode(t, err, ceap.CodeNotFound)
			err = roles.Candidates.Close(t.Context(), candidate("c", "1").Key, store.Closing{Status: ceap.StatusConsumed, At: noon()})
			wantCode(t, err, ceap.CodeNotFound)
		},
		"sweeping removes the expired and nothing else": func(t *testing.T, roles store.Roles) {
			upsert(t, roles, options("run-1"), candidate("a", "1"), candidate("b", "1"))
			late := options("run-2")
			late.Now = noon().Add(time.Hour)
			upsert(t, roles, late, candidate("c", "1"))
			for _, step := range []struct {
				now  time.Time
				want int64
			}{{noon().Add(life - time.Second), 0}, {noon().Add(life), 2}, {noon().Add(life), 0}} {
				if got, err := roles.Candidates.Sweep(t.Context(), step.now); err != nil || got != step.want {
					t.Errorf("at %s: swept %d, %v, want %d", step.now, got, err, step.want)
				}
			}
			get(t, roles, candidate("c", "1").Key)
		},
	}
}

func findTests() tests {
	return tests{
		"by customer, exactly that one (I40)": func(t *testing.T, roles store.Roles) {
			upsert(t, roles, options("run-1"), candidate("c", "2"), candidate("c", "1"), candidate("c1", "1"), candidate("C", "1"), candidate("c#", "1"))
			other := candidate("c", "1")
			other.ProgramID, other.Marketplace = "video-ratings", "UK"
			upsert(t, roles, options("run-2"), other)
			equal(t, "all", []ceap.Key{candidate("c", "1").Key, candidate("c", "2").Key, other.Key}, keys(find(t, roles, store.Query{CustomerID: "c"}, 1)))
			equal(t, "one program", []ceap.Key{other.Key}, keys(find(t, roles, store.Query{CustomerID: "c", ProgramID: "video-ratings"}, 10)))
			equal(t, "one marketplace", []ceap.Key{other.Key}, keys(find(t, roles, store.Query{CustomerID: "c", Marketplace: "UK"}, 10)))
			equal(t, "one subject", []ceap.Key{candidate("c", "2").Key}, keys(find(t, roles, store.Query{CustomerID: "c", SubjectType: "product", SubjectID: "2"}, 10)))
			equal(t, "nobody", []ceap.Key(nil), keys(find(t, roles, store.Query{CustomerID: "nobody"}, 10)))
		},
		"by channel, best first, on every page size (D2, I31)": func(t *testing.T, roles store.Roles) {
			all := ranked()
			batch := slices.Clone(all)
			slices.SortFunc(batch, func(a, b *ceap.Candidate) int { return a.Compare(b.Key) })
			upsert(t, roles, options("run-1"), batch[:len(batch)/2]...)
			upsert(t, roles, options("run-2"), batch[len(batch)/2:]...)
			slices.SortFunc(all, ceap.CompareRank)
			for _, channel := range []string{"email", "sms", "push", "*"} {
				var want []ceap.Key
				for _, c := range all {
					if ok, _ := c.Eligible(channel); ok || channel == "*" {
						want = append(want, c.Key)
					}
				}
				for _, limit := range []int{1, 7, 1000} {
					got := keys(find(t, roles, store.Query{ProgramID: "product-reviews", Channel: channel}, limit))
					equal(t, fmt.Sprintf("%s by %d", channel, limit), want, got)
				}
			}
			got := keys(find(t, roles, store.Query{ProgramID: "product-reviews", Channel: "email", Marketplace: "UK"}, 3))
			if len(got) == 0 || slices.ContainsFunc(got, func(k ceap.Key) bool { return k.Marketplace != "UK" }) {
				t.Errorf("one marketplace: %v", got)
			}
			equal(t, "another program", []ceap.Key(nil), keys(find(t, roles, store.Query{ProgramID: "product", Channel: "email"}, 10)))
		},
		"by channel, best first, however they were written (I31)": func(t *testing.T, roles store.Roles) {
			all := ranked()
			for i, c := range all { // one by one, then some again with another score or other channels, and one closed
				upsert(t, roles, options(fmt.Sprintf("run-a%d", i)), c)
			}
			for i := 0; i < len(all); i += 2 {
				c := all[i]
				if i%4 == 0 {
					c.Score, c.Scored = float64(i%3)/2, true
				} else {
					c.Channels = []ceap.ChannelFlag{{Channel: "email", Eligible: i%8 == 2}, {Channel: "sms", Eligible: true}}
				}
				upsert(t, roles, options(fmt.Sprintf("run-b%d", i)), c)
			}
			closeCandidate(t, roles, all[5].Key, ceap.StatusConsumed)
			all = slices.Delete(all, 5, 6)
			if _, err := roles.Candidates.Sweep(t.Context(), noon()); err != nil {
				t.Fatal(err)
			}
			slices.SortFunc(all, ceap.CompareRank)
			for _, channel := range []string{"email", "sms", "*"} {
				var want []ceap.Key
				for _, c := range all {
					if ok, _ := c.Eligible(channel); ok || channel == "*" {
						want = append(want, c.Key)
					}
				}
				got := keys(find(t, roles, store.Query{ProgramID: "product-reviews", Channel: channel}, 9))
				equal(t, channel, want, got)
			}
			subject := store.Query{ProgramID: "product-reviews", Channel: "*", SubjectType: "product", SubjectID: "s7"}
			equal(t, "one subject", 1, len(find(t, roles, subject, 9)))
		},
		"by the date of creation (I39)": func(t *testing.T, roles store.Roles) {
			for i, day := range []int{0, 0, 1, 3} {
				opts := options(fmt.Sprintf("run-%d", i))
				opts.Now = noon().AddDate(0, 0, day)
				upsert(t, roles, opts, candidate(fmt.Sprintf("c%d", 9-i), "1"))
			}
			from, to := ceap.DateOf(noon()), ceap.DateOf(noon()).AddDays(1)
			found := find(t, roles, store.Query{ProgramID: "product-reviews", CreatedFrom: &from, CreatedTo: &to}, 2)
			slices.SortStableFunc(found[:2], func(a, b ceap.Candidate) int { return a.Compare(b.Key) }) // of one instant
			got := keys(found)
			equal(t, "keys", []ceap.Key{candidate("c8", "1").Key, candidate("c9", "1").Key, candidate("c7", "1").Key}, got)
		},
		"the expired and closed are left out unless asked for (D3, I43)": func(t *testing.T, roles store.Roles) {
			upsert(t, roles, options("run-1"), candidate("a", "1"), candidate("a", "2"), candidate("a", "3"))
			closeCandidate(t, roles, candidate("a", "1").Key, ceap.StatusConsumed)
			for _, q := range []store.Query{{CustomerID: "a"}, {ProgramID: "product-reviews", Channel: "email"}} {
				equal(t, "open", []ceap.Key{candidate("a", "2").Key, candidate("a", "3").Key}, keys(find(t, roles, q, 10)))
				q.IncludeClosed = true
				equal(t, "all", 3, len(find(t, roles, q, 10)))
				q.Now = noon().Add(life)
				for _, c := range find(t, roles, q, 10) {
					if c.Meta.Status == ceap.StatusOpen {
						t.Errorf("%s is open past its expiry", c.Key)
					}
				}
				q.IncludeClosed = false
				equal(t, "expired", 0, len(find(t, roles, q, 10)))
			}
		},
		"a bad query is invalid": func(t *testing.T, roles store.Roles) {
			for _, q := range []store.Query{{}, {CustomerID: "c", Cursor: "rubbish"}, {CustomerID: "c", Limit: 1001}, {CustomerID: "c", Limit: -1}} {
				_, err := roles.Candidates.Find(t.Context(), q)
				wantCode(t, err, ceap.CodeInvalid)
			}
		},
	}
}

// ranked returns candidates with all kinds of ties.
func ranked() []*ceap.Candidate {
	var all []*ceap.Candidate
	for i := range 60 {
		c := candidate(fmt.Sprintf("c%d", i%20), fmt.Sprintf("s%d", i))
		c.EventDate = c.EventDate.Add(time.Duration(i%3) * time.Hour)
		c.Score, c.Scored = float64(i%5)/4, i%7 != 0
		if !c.Scored {
			c.Score = 0
		}
		if i%11 == 0 {
			c.Marketplace = "UK"
		}
		c.Channels = []ceap.ChannelFlag{{Channel: "email", Eligible: i%2 == 0}, {Channel: "sms", Eligible: i%3 == 0}}
		all = append(all, c)
	}
	return all
}

// find reads all pages.
func find(t *testing.T, roles store.Roles, q store.Query, limit int) []ceap.Candidate {
	t.Helper()
	q.Limit, q.Now = limit, cmp.Or(q.Now, noon())
	var all []ceap.Candidate
	for pages := 0; ; pages++ {
		page, err := roles.Candidates.Find(t.Context(), q)
		if err != nil {
			t.Fatalf("finding %+v: %v", q, err)
		}
		if len(page.Candidates) > limit || pages > 1000 {
			t.Fatalf("page %d has %d candidates; the limit is %d", pages, len(page.Candidates), limit)
		}
		all = append(all, page.Candidates...)
		if page.Next == "" {
			return all
		}
		q.Cursor = page.Next
	}
}

func keys(candidates []ceap.Candidate) []ceap.Key {
	var out []ceap.Key
	for _, c := range candidates {
		out = append(out, c.Key)
	}
	return out
}
