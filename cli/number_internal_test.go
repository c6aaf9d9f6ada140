package cli

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestThousands(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0", 7: "7", 999: "999", 1000: "1,000", 12345: "12,345", 1234567: "1,234,567", -1: "-1", -999: "-999", -1000: "-1,000",
		math.MinInt64: "-9,223,372,036,854,775,808",
	} {
		if got := thousands(n); got != want {
			t.Errorf("thousands(%d) = %q, want %q", n, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64().Draw(t, "n")
		text := thousands(n)
		if back, err := strconv.ParseInt(strings.ReplaceAll(text, ",", ""), 10, 64); err != nil || back != n {
			t.Fatalf("thousands(%d) = %q", n, text)
		}
		for i, group := range strings.Split(strings.TrimPrefix(text, "-"), ",") {
			if len(group) > 3 || len(group) == 0 || i > 0 && len(group) != 3 {
				t.Fatalf("thousands(%d) = %q", n, text)
			}
		}
	})
}

func TestTook(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0ms", 340 * time.Millisecond: "340ms", 999 * time.Millisecond: "999ms", 4250 * time.Millisecond: "4.2s",
		59990 * time.Millisecond: "59.9s", 187 * time.Second: "3m07s", 2*time.Hour + 5*time.Minute: "2h05m",
	} {
		if got := took(d); got != want {
			t.Errorf("took(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestShare(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		part, whole int64
		want        string
	}{
		{0, 0, ""}, {0, 5, "0%"}, {5, 5, "100%"}, {1, 3, "33.3%"}, {1, 1_000_000, "0.1%"}, {999_999, 1_000_000, "99.9%"},
	} {
		if got := share(c.part, c.whole); got != c.want {
			t.Errorf("share(%d, %d) = %q, want %q", c.part, c.whole, got, c.want)
		}
	}
}

func TestBar(t *testing.T) {
	t.Parallel()
	if got := bar(1, 2, 4); got != "██" {
		t.Errorf("half a bar is %q", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		whole := rapid.Int64Range(0, 1e12).Draw(t, "whole")
		part := rapid.Int64Range(0, 2e12).Draw(t, "part")
		n := utf8.RuneCountInString(bar(part, whole, 20))
		if n > 20 || (part > 0 && whole > 0) != (n > 0) {
			t.Fatalf("bar(%d, %d) has %d cells", part, whole, n)
		}
	})
}

func TestTable(t *testing.T) {
	t.Parallel()
	table := newTable("NAME", ">ROWS", "")
	table.indent = "  "
	table.style = func(_, column int, cell string) string {
		if column == 0 {
			return paint{on: true}.red(cell)
		}
		return cell
	}
	table.row("größer", "1,234", "x")
	table.row("a", "5", "")
	var b strings.Builder
	if err := table.write(&b); err != nil {
		t.Fatal(err)
	}
	want := "  NAME     ROWS\n" +
		"  \x1b[31mgrößer\x1b[0m  1,234  x\n" +
		"  \x1b[31ma\x1b[0m           5\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
