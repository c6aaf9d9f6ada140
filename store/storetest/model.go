package storetest

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
)

const (
	modelLife   = 5 * 24 * time.Hour
	modelReopen = 2 * 24 * time.Hour
)

// Modelled is an empty store for one round of [RunModel].
type Modelled struct {
	Roles store.Roles
	// Check, if not nil, looks at the store after each step: its candidates are as
	// many as given, and swept tells whether the step was a sweep.
	Check func(candidates int, swept bool) error
	Close func()
}

// RunModel does random things to a store and to a model of it, and compares what
// they answer (I4, I6, I31, I32, I36). 0 rounds are as many as the flags of rapid
// say; a slow store takes fewer.
func RunModel(t *testing.T, rounds int, open func(*testing.T) Modelled) {
	t.Helper()
	done, failed := 0, false
	rapid.Check(t, func(rt *rapid.T) {
		if rounds > 0 && done >= rounds && !failed { // while rapid looks for a smaller failure there is no end
			return
		}
		s := open(t)
		defer s.Close()
		m := &modelTest{t: t, store: s, roles: s.Roles, model: model{
			now: noon(), rows: map[ceap.Key]ceap.Candidate{},
			marks: map[ceap.Key]ceap.Meta{}, outs: map[[2]string]bool{},
		}}
		before := failed
		failed = true // unless this round ends
		rt.Repeat(map[string]func(*rapid.T){
			"upsert": m.upsert, "close": m.closeOne, "optOut": m.optOut, "sweep": m.sweep, "wait": m.wait, "find": m.find,
			"": func(rt *rapid.T) { m.check(rt, false) },
		})
		failed = before
		done++
	})
}

// model is a store of candidates in a few maps: what package store says, written
// down in the plainest way.
type model struct {
	now   time.Time
	rows  map[ceap.Key]ceap.Candidate
	marks map[ceap.Key]ceap.Meta // status, version, closedAt; CreatedAt is the event's date
	outs  map[[2]string]bool     // customer, program
	runs  int
}

type modelTest struct {
	model

	t     *testing.T
	store Modelled
	roles store.Roles
}

func (m *modelTest) check(rt *rapid.T, swept bool) {
	if m.store.Check == nil {
		return
	}
	if err := m.store.Check(len(m.rows), swept); err != nil {
		rt.Fatal(err)
	}
}

func drawKey(rt *rapid.T) ceap.Key {
	return ceap.Key{
		CustomerID:  rapid.SampledFrom([]string{"a", "a\x00", "b", "c"}).Draw(rt, "customer"),
		ProgramID:   rapid.SampledFrom([]string{"p", "q"}).Draw(rt, "program"),
		Marketplace: rapid.SampledFrom([]string{"UK", "US"}).Draw(rt, "marketplace"),
		SubjectType: "product",
		SubjectID:   rapid.SampledFrom([]string{"1", "2", "3", "4", "5"}).Draw(rt, "subject"),
	}
}

func drawCandidate(rt *rapid.T, now time.Time) *ceap.Candidate {
	c := &ceap.Candidate{Key: drawKey(rt)}
	c.EventDate = now.AddDate(0, 0, -rapid.IntRange(0, 2).Draw(rt, "age")).Truncate(24 * time.Hour)
	if c.Scored = rapid.Bool().Draw(rt, "scored"); c.Scored {
		c.Score = rapid.SampledFrom([]float64{0, 0.25, 1}).Draw(rt, "score")
	}
	for _, channel := range []string{"email", "sms"} {
		c.Channels = append(c.Channels, ceap.ChannelFlag{Channel: channel, Eligible: rapid.Bool().Draw(rt, channel)})
	}
	c.Currency = rapid.SampledFrom([]string{"EUR", "USD"}).Draw(rt, "currency")
	c.Meta.ConnectorID = "rows"
	return c
}

func (m *modelTest) upsert(rt *rapid.T) {
	batch := rapid.SliceOfNDistinct(rapid.Custom(func(rt *rapid.T) *ceap.Candidate { return drawCandidate(rt, m.now) }), 1, 60,
		func(c *ceap.Candidate) ceap.Key { return c.Key }).Draw(rt, "batch")
	if rapid.Bool().Draw(rt, "sorted") {
		slices.SortFunc(batch, func(a, b *ceap.Candidate) int { return a.Compare(b.Key) })
	}
	if m.runs == 0 || rapid.IntRange(0, 4).Draw(rt, "new run") > 0 {
		m.runs++
	}
	opts := store.UpsertOptions{RunID: "run-" + strconv.Itoa(m.runs), Now: m.now, TTL: modelLife, ReopenAfter: modelReopen}
	opts.DryRun = rapid.IntRange(0, 4).Draw(rt, "dry") == 0
	for _, c := range batch {
		c.Meta.RunID = opts.RunID
	}
	got, err := m.roles.Candidates.Upsert(m.t.Context(), batch, opts)
	if err != nil {
		rt.Fatal(err)
	}
	for i, c := range batch {
		kind, code := m.write(*c, opts)
		if got[i].Kind != kind || got[i].Code != code {
			rt.Fatalf("%s: %+v, want %s %s", c.Key, got[i], kind, code)
		}
	}
}

// write is Upsert of one candidate.
func (m *model) write(c ceap.Candidate, opts store.UpsertOptions) (kind ceap.OutcomeKind, code string) {
	if m.outs[[2]string{c.CustomerID, ""}] || m.outs[[2]string{c.CustomerID, c.ProgramID}] {
		return ceap.OutcomeRejected, ceap.ReasonOptedOut
	}
	was, stored := m.rows[c.Key]
	closed, event := was.Meta, was.EventDate
	if !stored {
		mark, marked := m.marks[c.Key]
		if !marked {
			return m.open(c, opts, 1)
		}
		closed, event = mark, mark.CreatedAt
	}
	if stored && was.Meta.RunID == opts.RunID {
		if !sameContent(was, c) && was.Meta.Status == ceap.StatusOpen {
			m.change(c, opts)
		}
		if was.Meta.CreatedRunID == opts.RunID {
			return ceap.OutcomeCreated, ""
		}
		return ceap.OutcomeUpdated, ""
	}
	if closed.Status == ceap.StatusOpen && !closed.ExpiresAt.After(opts.Now) {
		closed.Status = ceap.StatusExpired
	}
	later := c.EventDate.After(event)
	switch closed.Status {
	case ceap.StatusDeleted:
		return ceap.OutcomeRejected, ceap.ReasonDeleted
	case ceap.StatusExpired:
		if !later {
			return ceap.OutcomeRejected, ceap.ReasonExpired
		}
		return m.open(c, opts, closed.Version+1)
	case ceap.StatusOpen:
	case ceap.StatusSent, ceap.StatusConsumed:
		if !later || opts.Now.Before(closed.ClosedAt.Add(opts.ReopenAfter)) {
			return ceap.OutcomeRejected, ceap.ReasonAlreadyContacted
		}
		return m.open(c, opts, closed.Version+1)
	}
	if sameContent(was, c) {
		return ceap.OutcomeUnchanged, ""
	}
	m.change(c, opts)
	return ceap.OutcomeUpdated, ""
}

func sameContent(a, b ceap.Candidate) bool {
	a.Meta, b.Meta = ceap.Meta{}, ceap.Meta{}
	return gocmp.Equal(a, b, gocmp.Comparer(func(a, b ceap.Value) bool { return a == b }))
}

func (m *model) open(c ceap.Candidate, opts store.UpsertOptions, version int64) (ceap.OutcomeKind, string) {
	if opts.DryRun {
		return ceap.OutcomeCreated, ""
	}
	updated := opts.Now
	if was, ok := m.rows[c.Key]; ok && was.Meta.UpdatedAt.After(updated) {
		updated = was.Meta.UpdatedAt
	}
	c.Meta = ceap.Meta{
		Status: ceap.StatusOpen, CreatedAt: opts.Now, UpdatedAt: updated, ExpiresAt: opts.Now.Add(opts.TTL), Version: version,
		ConnectorID: c.Meta.ConnectorID, RunID: opts.RunID, CreatedRunID: opts.RunID,
	}
	m.rows[c.Key] = c
	delete(m.marks, c.Key)
	return ceap.OutcomeCreated, ""
}

func (m *model) change(c ceap.Candidate, opts store.UpsertOptions) {
	if opts.DryRun {
		return
	}
	was := m.rows[c.Key].Meta
	was.Version++
	was.RunID, was.ConnectorID = opts.RunID, c.Meta.ConnectorID
	if opts.Now.After(was.UpdatedAt) {
		was.UpdatedAt = opts.Now
	}
	c.Meta = was
	m.rows[c.Key] = c
}

func (m *modelTest) closeOne(rt *rapid.T) {
	key := drawKey(rt)
	status := rapid.SampledFrom([]ceap.Status{ceap.StatusSent, ceap.StatusConsumed, ceap.StatusDeleted}).Draw(rt, "status")
	err := m.roles.Candidates.Close(m.t.Context(), key, store.Closing{Status: status, Channel: "email", At: m.now})
	row, stored := m.rows[key]
	want := ceap.Code("")
	switch {
	case !stored:
		if mark, ok := m.marks[key]; !ok || mark.Status != ceap.StatusDeleted || status != ceap.StatusDeleted {
			want = ceap.CodeNotFound
		}
	case status == ceap.StatusDeleted:
		m.bury(row, status, m.now)
	case row.Meta.Status == ceap.StatusOpen || row.Meta.Status == ceap.StatusSent && status == ceap.StatusConsumed:
		row.Meta.Status, row.Meta.ClosedAt, row.Meta.ClosedChannel = status, m.now, "email"
		row.Meta.UpdatedAt = m.now
		row.Meta.Version++
		m.rows[key] = row
	}
	if got := ceap.ErrorCode(err); got != want {
		rt.Fatalf("closing %s as %s: %v, want %q", key, status, err, want)
	}
}

func (m *model) bury(row ceap.Candidate, status ceap.Status, at time.Time) {
	delete(m.rows, row.Key)
	m.marks[row.Key] = ceap.Meta{Status: status, ClosedAt: at, Version: row.Meta.Version, CreatedAt: row.EventDate}
}

func (m *modelTest) optOut(rt *rapid.T) {
	key := drawKey(rt)
	if rapid.IntRange(0, 3).Draw(rt, "all programs") == 0 {
		key.ProgramID = ""
	}
	if m.outs[[2]string{key.CustomerID, key.ProgramID}] {
		if err := m.roles.OptOuts.Withdraw(m.t.Context(), key.CustomerID, key.ProgramID, ""); err != nil {
			rt.Fatal(err)
		}
		delete(m.outs, [2]string{key.CustomerID, key.ProgramID})
		return
	}
	m.outs[[2]string{key.CustomerID, key.ProgramID}] = true
	out := ceap.OptOut{CustomerID: key.CustomerID, ProgramID: key.ProgramID, At: m.now}
	var want int64
	for k := range m.rows {
		if k.CustomerID == out.CustomerID && out.Covers(k.ProgramID) {
			delete(m.rows, k)
			want++
		}
	}
	if got, err := m.roles.OptOuts.Put(m.t.Context(), out); err != nil || got != want {
		rt.Fatalf("opting out removed %d, %v, want %d", got, err, want)
	}
}

func (m *modelTest) wait(rt *rapid.T) {
	hours := rapid.SampledFrom([]int{1, 24, 50, 121, 9000}).Draw(rt, "hours")
	if hours < 9000 {
		m.now = m.now.Add(time.Duration(hours) * time.Hour)
		return
	}
	// Longer than a closing mark lives. A store is swept more often than that: when a
	// mark goes that nobody has swept is up to the store.
	const first = 121
	for _, hours := range []int{first, hours - first} {
		m.now = m.now.Add(time.Duration(hours) * time.Hour)
		m.sweep(rt)
	}
}

func (m *modelTest) sweep(rt *rapid.T) {
	for key, mark := range m.marks {
		if !mark.ClosedAt.After(m.now.Add(-store.MarkLife)) {
			delete(m.marks, key)
		}
	}
	var want int64
	for _, row := range m.rows {
		if row.Meta.ExpiresAt.After(m.now) {
			continue
		}
		status, at := row.Meta.Status, row.Meta.ClosedAt
		if status == ceap.StatusOpen {
			status, at = ceap.StatusExpired, row.Meta.ExpiresAt
		}
		m.bury(row, status, at)
		want++
	}
	if got, err := m.roles.Candidates.Sweep(m.t.Context(), m.now); err != nil || got != want {
		rt.Fatalf("swept %d, %v, want %d", got, err, want)
	}
	m.check(rt, true)
}

func (m *modelTest) find(rt *rapid.T) {
	q := store.Query{Now: m.now, Limit: rapid.SampledFrom([]int{1, 2, 7, 100}).Draw(rt, "limit")}
	q.IncludeClosed = rapid.IntRange(0, 3).Draw(rt, "closed too") == 0
	q.Marketplace = rapid.SampledFrom([]string{"", "US"}).Draw(rt, "marketplace")
	var want []ceap.Candidate
	if rapid.Bool().Draw(rt, "by channel") {
		q.ProgramID = "p"
		q.Channel = rapid.SampledFrom([]string{"email", "sms", "push", "*"}).Draw(rt, "channel")
		want = m.matching(q)
		slices.SortFunc(want, func(a, b ceap.Candidate) int { return ceap.CompareRank(&a, &b) })
	} else {
		q.CustomerID = "a"
		want = m.matching(q)
		slices.SortFunc(want, func(a, b ceap.Candidate) int { return a.Compare(b.Key) })
	}
	var got []ceap.Candidate
	for {
		page, err := m.roles.Candidates.Find(m.t.Context(), q)
		if got = append(got, page.Candidates...); err != nil || len(page.Candidates) > q.Limit || len(got) > len(want) {
			rt.Fatalf("found %d candidates, %d on a page of %d, %v; want %d", len(got), len(page.Candidates), q.Limit, err, len(want))
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if diff := gocmp.Diff(want, got, gocmp.Comparer(func(a, b ceap.Value) bool { return a == b })); diff != "" {
		rt.Fatalf("%+v (-want +got):\n%s", q, diff)
	}
}

func (m *model) matching(q store.Query) []ceap.Candidate {
	var out []ceap.Candidate
	for _, key := range slices.SortedFunc(maps.Keys(m.rows), ceap.Key.Compare) {
		c := m.rows[key]
		if c.Meta.Status == ceap.StatusOpen && !c.Meta.ExpiresAt.After(q.Now) {
			c.Meta.Status = ceap.StatusExpired
		}
		eligible, _ := c.Eligible(q.Channel)
		switch {
		case cmp.Or(q.CustomerID, key.CustomerID) != key.CustomerID, cmp.Or(q.ProgramID, key.ProgramID) != key.ProgramID,
			cmp.Or(q.Marketplace, key.Marketplace) != key.Marketplace, q.Channel != "" && q.Channel != "*" && !eligible,
			c.Meta.Status != ceap.StatusOpen && !q.IncludeClosed:
		default:
			out = append(out, c)
		}
	}
	return out
}
