package connectortest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
)

// manyRows is more than one page of every engine: DuckDB hands out 2048 rows at
// a time, Athena 1000.
const manyRows = 2500

func (s suite) testColumns(t *testing.T) {
	t.Parallel()
	f := Deliveries(10)
	stream := s.extract(t, s.open(t, f))
	check := func(when string) {
		t.Helper()
		var got, want []string
		for _, c := range stream.Columns() {
			got = append(got, c.Name)
		}
		for _, c := range f.Columns {
			want = append(want, c.Name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s the columns are %q, want %q", when, got, want)
		}
	}
	check("before the first row")
	if _, err := stream.Next(); err != nil {
		t.Fatalf("Next: %v", err)
	}
	check("after the first rows")
	ReadAll(t, stream)
	check("after the end")
}

// testRows also holds that pages of any size give the same rows (I8), and that a
// connector can be asked again.
func (s suite) testRows(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 7, 1000} {
		t.Run(fmt.Sprintf("in batches of %d", size), func(t *testing.T) {
			t.Parallel()
			f := Deliveries(manyRows)
			if size == 1 {
				f = Deliveries(100)
			}
			f.BatchSize = size
			c := s.open(t, f)
			s.checkRows(t, f, ReadAll(t, s.extract(t, c)))
			s.checkRows(t, f, ReadAll(t, s.extract(t, c)))
		})
	}
}

// testValues holds that NULL, empty text, false and 0 differ, and that nothing is
// lost in between (D23, I10).
func (s suite) testValues(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 26, 12, 34, 56, 789012000, time.UTC)
	f := Fixture{
		Columns: []Column{
			{"id", ceap.KindInt},
			{"txt", ceap.KindString},
			{"flag", ceap.KindBool},
			{"whole", ceap.KindInt},
			{"num", ceap.KindFloat},
			{"happened", ceap.KindTime},
			{"wall", ceap.KindLocal},
			{"dated", ceap.KindDate},
		},
	}
	null := ceap.Null()
	long := make([]byte, 70_000)
	for i := range long {
		long[i] = 'a' + byte(i%26)
	}
	others := [][]ceap.Value{
		{null, null, null, null, null, null, null},
		{ceap.String(""), ceap.Bool(false), ceap.Int(0), ceap.Float(0.5), ceap.Time(at), ceap.Local(at), ceap.CivilDate(ceap.DateOf(at))},
		{ceap.String("text"), ceap.Bool(true), ceap.Int(1), ceap.Float(49.99), null, null, null},
		{ceap.String("null"), null, ceap.Int(1<<63 - 1), ceap.Float(-1.5e-7), null, null, null},
		{ceap.String(" a,b;\"c\"'d'\t\n#% "), null, ceap.Int(-1 << 63), ceap.Float(1.0 / 3), null, null, null},
		{ceap.String("größer 漢字 🎉 \u202e"), null, null, ceap.Float(1e300), null, null, null},
		{ceap.String("00001"), null, ceap.Int(1<<53 + 1), null, null, null, null},
		{ceap.String(string(long)), null, null, null, null, null, null},
	}
	for i, values := range others {
		f.Rows = append(f.Rows, append([]ceap.Value{ceap.Int(int64(i))}, values...))
	}
	s.checkRows(t, f, ReadAll(t, s.extract(t, s.open(t, f))))
}

func (s suite) testEmpty(t *testing.T) {
	t.Parallel()
	if s.NoEmptyTables {
		t.Skip("this source has no columns until there is a row")
	}
	f := Deliveries(0)
	stream := s.extract(t, s.open(t, f))
	if got := len(stream.Columns()); got != len(f.Columns) {
		t.Errorf("a result without rows has %d columns, want %d", got, len(f.Columns))
	}
	if rows := ReadAll(t, stream); len(rows) > 0 {
		t.Errorf("got %d rows of none", len(rows))
	}
}

func (s suite) testEnd(t *testing.T) {
	t.Parallel()
	stream := s.extract(t, s.open(t, Deliveries(3)))
	for {
		if _, err := stream.Next(); err != nil {
			break
		}
	}
	for range 3 {
		if batch, err := stream.Next(); !errors.Is(err, io.EOF) || len(batch) > 0 {
			t.Errorf("Next after the end: got %d rows and %v, want EOF", len(batch), err)
		}
	}
}

func (s suite) testCancel(t *testing.T) {
	t.Parallel()
	t.Run("before Extract", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		stream, err := s.open(t, Deliveries(manyRows)).Extract(ctx, Request())
		if err == nil {
			defer func() { _ = stream.Close() }()
			_, err = stream.Next()
		}
		checkCancelled(t, err)
	})
	t.Run("between two calls of Next", func(t *testing.T) {
		t.Parallel()
		f := Deliveries(manyRows)
		f.BatchSize = 100
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		stream, err := s.open(t, f).Extract(ctx, Request())
		if err != nil {
			t.Fatalf("Extract: %v", err)
		}
		defer func() { _ = stream.Close() }()
		if _, err := stream.Next(); err != nil {
			t.Fatalf("Next: %v", err)
		}
		cancel()
		_, err = stream.Next()
		checkCancelled(t, err)
		if err := stream.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

func checkCancelled(t *testing.T, err error) {
	t.Helper()
	if err == nil || errors.Is(err, io.EOF) {
		t.Fatalf("got %v after cancelling, want an error", err)
	}
	if ceap.ErrorCode(err) != ceap.CodeCancelled && !errors.Is(err, context.Canceled) {
		t.Errorf("got %v after cancelling; it must have the code cancelled or wrap context.Canceled", err)
	}
}

func (s suite) testClose(t *testing.T) {
	t.Parallel()
	f := Deliveries(manyRows)
	f.BatchSize = 100
	c := s.open(t, f)
	for when, reads := range map[string]int{"before the first row": 0, "in the middle": 1, "at the end": manyRows + 1} {
		stream := s.extract(t, c)
		for range reads {
			if _, err := stream.Next(); err != nil {
				break
			}
		}
		for range 2 {
			if err := stream.Close(); err != nil {
				t.Errorf("Close %s: %v", when, err)
			}
		}
	}
	s.checkRows(t, f, ReadAll(t, s.extract(t, c)))
}

func (s suite) testMissing(t *testing.T) {
	t.Parallel()
	f := Deliveries(1)
	f.Missing = true
	stream, err := s.open(t, f).Extract(t.Context(), Request())
	if err == nil {
		defer func() { _ = stream.Close() }()
		_, err = stream.Next()
	}
	if err == nil || errors.Is(err, io.EOF) {
		t.Fatalf("got %v from a source that does not exist, want an error", err)
	}
	switch code := ceap.ErrorCode(err); code {
	case ceap.CodeInvalid, ceap.CodeNotFound, ceap.CodeUnavailable:
	default:
		t.Errorf("got code %s (%v), want invalid, not_found or unavailable", code, err)
	}
}

// testAbilities holds what is true of the optional abilities of connectors.
func (s suite) testAbilities(t *testing.T) {
	t.Parallel()
	f := Deliveries(5)
	c := s.open(t, f)
	if describer, ok := c.(connector.Describer); ok {
		t.Run("Describe", func(t *testing.T) {
			got, err := describer.Describe(t.Context(), Request())
			if err != nil {
				t.Fatalf("Describe: %v", err)
			}
			if want := s.extract(t, c).Columns(); !slices.Equal(got, want) {
				t.Errorf("Describe says %v, the stream %v", got, want)
			}
		})
	}
	if checker, ok := c.(connector.Checker); ok {
		t.Run("Check", func(t *testing.T) {
			for _, check := range checker.Check(t.Context(), Request()) {
				if check.Status == connector.CheckFailed {
					t.Errorf("a check failed on a good source: %+v", check)
				}
			}
			f.Missing = true
			missing, _ := s.open(t, f).(connector.Checker)
			failed := func(c connector.Check) bool { return c.Status == connector.CheckFailed && c.Remedy != "" }
			if checks := missing.Check(t.Context(), Request()); !slices.ContainsFunc(checks, failed) {
				t.Errorf("no check with a remedy failed on a source that does not exist: %+v", checks)
			}
		})
	}
}
