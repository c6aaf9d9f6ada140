package ceap_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap"
)

func key(t *rapid.T) ceap.Key {
	part := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "#", "%", "%23", "a#b", "PROG#", "\x00"}))
	return ceap.Key{
		CustomerID: part.Draw(t, "customer"), ProgramID: part.Draw(t, "program"), Marketplace: part.Draw(t, "marketplace"),
		SubjectType: part.Draw(t, "subject type"), SubjectID: part.Draw(t, "subject id"),
	}
}

func TestKey_IsTheOneOfD1(t *testing.T) {
	t.Parallel()
	k := ceap.Key{CustomerID: "CUST-#1", ProgramID: "product-reviews", Marketplace: "US", SubjectType: "product", SubjectID: "50%"}
	if pk, sk := k.PK(), k.SK(); pk != "CUST#CUST-%231" || sk != "PROG#product-reviews#MKT#US#SUBJ#product#50%25" {
		t.Errorf("%q %q", pk, sk)
	}
}

func TestI12_KeysAreReadBackAndNeverShared(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := key(t), key(t)
		got, err := ceap.ParseKey(a.PK(), a.SK())
		if err != nil || got != a {
			t.Fatalf("%+v became %+v, %v", a, got, err)
		}
		if (a.PK() == b.PK() && a.SK() == b.SK()) != (a == b) {
			t.Fatalf("%+v and %+v share a key", a, b)
		}
		if (a.Compare(b) == 0) != (a == b) || a.Compare(b) != -b.Compare(a) {
			t.Fatalf("comparing %+v and %+v", a, b)
		}
	})
}

func FuzzParseKey(f *testing.F) {
	f.Add("CUST#a", "PROG#p#MKT#US#SUBJ#product#1")
	f.Add("CUST#%23", "PROG#%25#MKT#%2#SUBJ##")
	f.Fuzz(func(t *testing.T, pk, sk string) {
		k, err := ceap.ParseKey(pk, sk)
		if err == nil && (k.PK() != pk || k.SK() != sk) {
			t.Errorf("%q %q were read as %+v", pk, sk, k)
		}
	})
}

func TestCompareRank_IsATotalOrder(t *testing.T) {
	t.Parallel()
	draw := func(t *rapid.T, name string) *ceap.Candidate {
		c := &ceap.Candidate{Key: ceap.Key{CustomerID: rapid.SampledFrom([]string{"a", "b"}).Draw(t, name)}}
		c.EventDate = time.Unix(int64(rapid.IntRange(0, 2).Draw(t, "event")), 0)
		if c.Scored = rapid.Bool().Draw(t, "scored"); c.Scored {
			c.Score = float64(rapid.IntRange(0, 2).Draw(t, "score")) / 2
		}
		return c
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := draw(t, "a"), draw(t, "b"), draw(t, "c")
		if ceap.CompareRank(a, b) != -ceap.CompareRank(b, a) {
			t.Fatal("the order has no direction")
		}
		if ceap.CompareRank(a, b) <= 0 && ceap.CompareRank(b, c) <= 0 && ceap.CompareRank(a, c) > 0 {
			t.Fatal("the order goes round in a circle")
		}
		if b.Scored && !a.Scored && ceap.CompareRank(a, b) <= 0 {
			t.Fatal("the unscored come before the scored")
		}
	})
}

func TestErrorCode(t *testing.T) {
	t.Parallel()
	cause := errors.New("no such file")
	err := fmt.Errorf("opening: %w", ceap.Errorf(ceap.CodeUnavailable, "reading %s: %w", "x", cause).WithHint("free %s", "space"))
	if ceap.ErrorCode(err) != ceap.CodeUnavailable || !errors.Is(err, cause) || err.Error() != "opening: reading x: no such file; free space" {
		t.Errorf("%q has code %q", err, ceap.ErrorCode(err))
	}
	for want, err := range map[ceap.Code]error{
		"": nil, ceap.CodeInternal: cause, ceap.CodeInvalid: fmt.Errorf("loading: %w", ceap.Problems{{Message: "m"}}),
	} {
		if got := ceap.ErrorCode(err); got != want {
			t.Errorf("%v has code %q, want %q", err, got, want)
		}
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	at := ceap.Position{File: "p.json", Line: 3, Column: 7}
	ps := ceap.Problems{
		{Position: at, Path: "enabled", Message: "is text", Hint: "use true or false"},
		{Message: "is absent", Path: "channels", Warning: true},
	}
	err := ps.Err()
	if ceap.ErrorCode(err) != ceap.CodeInvalid || err.Error() != "p.json:3:7: enabled: is text; use true or false" {
		t.Errorf("%v", err)
	}
	if ps.Warnings().Err() != nil || len(ps.Warnings()) != 1 || !strings.Contains(ps[1].String(), "channels: is absent") {
		t.Errorf("warnings: %v", ps.Warnings())
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()
	var c ceap.Counts
	kinds := []ceap.OutcomeKind{
		ceap.OutcomeInvalid, ceap.OutcomeDuplicate, ceap.OutcomeRejected, ceap.OutcomeCreated, ceap.OutcomeUpdated, ceap.OutcomeUnchanged, ceap.OutcomeFailed,
	}
	for _, kind := range kinds {
		c.Add(kind)
	}
	if c.Balanced() {
		t.Error("balanced although no row was extracted")
	}
	c.Extracted = int64(len(kinds))
	if !c.Balanced() || c.Stored != 3 {
		t.Errorf("%+v", c)
	}
}
