package journal_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/journal"
)

func noon() time.Time { return time.Date(2026, 1, 28, 12, 0, 0, 0, time.UTC) }

func head(attempt int) journal.Head {
	return journal.Head{RunID: "run-1", ProgramID: "product-reviews", Marketplace: "US", Attempt: attempt}
}

// write writes a whole journal in calls of the given size.
func write(t failer, artifacts *memory, attempt, step int, outcomes []ceap.Outcome) journal.Manifest {
	t.Helper()
	w, err := journal.Create(t.Context(), artifacts, noon, head(attempt))
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	return writeTo(t, w, step, outcomes)
}

func writeTo(t failer, w *journal.Writer, step int, outcomes []ceap.Outcome) journal.Manifest {
	t.Helper()
	for chunk := range slices.Chunk(outcomes, step) {
		given := slices.Clone(chunk)
		if err := w.Write(given); err != nil {
			t.Fatalf("Write: %v", err)
		}
		for i := range given { // the caller's slice is the caller's
			if given[i].Score != nil {
				given[i].Score = new(float64)
			}
			given[i].CustomerID = "reused"
		}
	}
	m, err := w.Close(true)
	if err != nil {
		t.Fatalf("Close: %v", err)
	}
	return m
}

func open(t failer, artifacts *memory) *journal.Journal {
	t.Helper()
	j, err := journal.Open(t.Context(), artifacts, "run-1")
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return j
}

func all(t failer, j *journal.Journal) []ceap.Outcome {
	t.Helper()
	var got []ceap.Outcome
	for o, err := range j.All(t.Context()) {
		if err != nil {
			t.Fatalf("All: %v", err)
		}
		got = append(got, o)
	}
	return got
}

// sample returns n outcomes as a run gives them: sorted by customer, with
// invalid rows without one between them, and duplicates beside their winners.
func sample(n int) []ceap.Outcome {
	outcomes := make([]ceap.Outcome, n)
	start := time.Date(2026, 1, 26, 0, 0, 0, 0, time.UTC)
	for i := range outcomes {
		score := float64(i%1000) / 1000
		o := ceap.Outcome{
			ConnectorID: "deliveries", Row: int64(i*7919%n) + 1, Kind: ceap.OutcomeCreated,
			Key: ceap.Key{
				CustomerID: fmt.Sprintf("CUST-%08d", i), ProgramID: "product-reviews", Marketplace: "US",
				SubjectType: "product", SubjectID: fmt.Sprintf("PROD-%05d", i*7919%50000),
			},
			EventDate: start.Add(time.Duration(i%2) * 24 * time.Hour),
			Score:     &score,
		}
		switch {
		case i%10 == 3 || i%10 == 7:
			o.Kind, o.FilterID, o.ReasonCode, o.Score = ceap.OutcomeRejected, "eligibility", "CHANNEL_INELIGIBLE", nil
			o.Reason = "the customer is not eligible for email (emailEligible is false)"
		case i%10 == 8:
			o.Kind, o.FilterID, o.ReasonCode = ceap.OutcomeRejected, "worth", "ORDER_VALUE_TOO_LOW"
			o.Reason = fmt.Sprintf("the order value %d.99 is below 25", i%25)
		case i%100 == 99:
			o.Kind, o.CustomerID, o.ReasonCode, o.Score = ceap.OutcomeInvalid, "", ceap.ReasonMissingField, nil
			o.Reason, o.Field = "Missing required fields: customerId", "customerId"
		case i%100 == 49:
			o.Kind, o.Key, o.ReasonCode = ceap.OutcomeDuplicate, outcomes[i-1].Key, ceap.ReasonDuplicate
		}
		outcomes[i] = o
	}
	return outcomes
}

// outcome draws an outcome with texts of any kind.
func outcome() *rapid.Generator[ceap.Outcome] {
	kinds := []ceap.OutcomeKind{
		ceap.OutcomeInvalid, ceap.OutcomeDuplicate, ceap.OutcomeRejected, ceap.OutcomeCreated,
		ceap.OutcomeUpdated, ceap.OutcomeUnchanged, ceap.OutcomeFailed,
	}
	common := strings.Repeat("long-common-prefix-", 6)
	text := rapid.OneOf(
		rapid.String(),
		rapid.SampledFrom([]string{"", "a", "#%", "\x00", "日本", "'; DROP", " lead", common, common + "a", common + "\U0010FFFF", "\U0010FFFF"}),
	)
	return rapid.Custom(func(t *rapid.T) ceap.Outcome {
		o := ceap.Outcome{
			ConnectorID: text.Draw(t, "connector"),
			Row:         rapid.Int64().Draw(t, "row"),
			Kind:        rapid.SampledFrom(kinds).Draw(t, "kind"),
			Key: ceap.Key{
				CustomerID: text.Draw(t, "customer"), ProgramID: text.Draw(t, "program"), Marketplace: text.Draw(t, "marketplace"),
				SubjectType: text.Draw(t, "type"), SubjectID: text.Draw(t, "subject"),
			},
			FilterID: text.Draw(t, "filter"), ReasonCode: text.Draw(t, "code"), Reason: text.Draw(t, "reason"),
			Field: text.Draw(t, "field"), Value: text.Draw(t, "value"),
		}
		if rapid.Bool().Draw(t, "dated") {
			o.EventDate = time.UnixMicro(rapid.Int64Range(-1<<52, 1<<52).Draw(t, "micros")).UTC()
		}
		if rapid.Bool().Draw(t, "scored") {
			score := rapid.Float64().Draw(t, "score")
			o.Score = &score
		}
		return o
	})
}

func TestI2_EveryOutcomeIsReadBackAsItWasWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(outcome(), 0, 60).Draw(t, "outcomes")
		artifacts := newMemory()
		m := write(t, artifacts, 1, 7, want)
		got := all(t, open(t, artifacts))
		if diff := cmp.Diff(want, got); diff != "" && len(want) > 0 {
			t.Fatalf("read back (-written +read):\n%s", diff)
		}
		counts := map[ceap.OutcomeKind]int64{}
		for _, o := range want {
			counts[o.Kind]++
		}
		if !maps.Equal(counts, m.Counts) || m.Rows != int64(len(want)) {
			t.Fatalf("manifest counts %v of %d rows, want %v of %d", m.Counts, m.Rows, counts, len(want))
		}
	})
}

func TestI2_FindEqualsAFilterOverAll(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		outcomes := rapid.SliceOfN(outcome(), 1, 60).Draw(t, "outcomes")
		artifacts := newMemory()
		write(t, artifacts, 1, 60, outcomes)
		j := open(t, artifacts)
		like := rapid.SampledFrom(outcomes).Draw(t, "like")
		q := journal.Query{Limit: rapid.IntRange(1, 100).Draw(t, "limit")}
		if rapid.Bool().Draw(t, "by customer") {
			q.CustomerID = like.CustomerID
		}
		if rapid.Bool().Draw(t, "by type") {
			q.SubjectType = like.SubjectType
		}
		if rapid.Bool().Draw(t, "by subject") {
			q.SubjectID = like.SubjectID
		}
		if rapid.Bool().Draw(t, "by outcome") {
			q.Outcome = like.Kind
		}
		got, err := j.Find(t.Context(), q)
		if err != nil {
			t.Fatalf("Find: %v", err)
		}
		if diff := cmp.Diff(filter(outcomes, q), got); diff != "" {
			t.Fatalf("Find(%+v) (-filter +find):\n%s", q, diff)
		}
	})
}

// filter is what Find promises, plainly.
func filter(outcomes []ceap.Outcome, q journal.Query) []ceap.Outcome {
	var found []ceap.Outcome
	for _, o := range outcomes {
		if (q.CustomerID == "" || o.CustomerID == q.CustomerID) && (q.SubjectType == "" || o.SubjectType == q.SubjectType) &&
			(q.SubjectID == "" || o.SubjectID == q.SubjectID) && (q.Outcome == "" || o.Kind == q.Outcome) &&
			(q.Limit == 0 || len(found) < q.Limit) {
			found = append(found, o)
		}
	}
	return found
}

func TestJournal_ManyPagesRowGroupsAndParts(t *testing.T) {
	t.Parallel()
	const group, part, rows = 16 << 10, 32 << 10, 40_000
	outcomes := sample(rows)
	for i := range outcomes { // no dictionary holds these
		if i%2 == 0 {
			outcomes[i].Reason = fmt.Sprintf("reason number %d, %s", i, strings.Repeat("with its own values ", 10))
		}
	}
	outcomes[30_001].CustomerID = "CUST-00014974" // out of order
	artifacts := newMemory()
	w := create(t, artifacts, 1)
	w.Shape(group, part)
	m := writeTo(t, w, 5000, outcomes)
	if len(m.Files) != 2 || m.Files[0].Rows != part || m.Files[1].Rows != rows-part || m.Files[1].Name != "attempt-1/part-00002.parquet" {
		t.Fatalf("files are %+v, want 32768 rows and the rest", m.Files)
	}
	if groups := rowGroups(t, artifacts.files[partName]); groups != part/group {
		t.Fatalf("the first part has %d row groups, want %d", groups, part/group)
	}
	j := open(t, artifacts)

	i := 0
	for got, err := range j.All(t.Context()) {
		if err != nil {
			t.Fatalf("All: %v", err)
		}
		if !cmp.Equal(outcomes[i], got) {
			t.Fatalf("row %d (-written +read):\n%s", i, cmp.Diff(outcomes[i], got))
		}
		i++
	}
	if i != len(outcomes) {
		t.Fatalf("All yields %d outcomes, want %d", i, len(outcomes))
	}
	for _, q := range []journal.Query{
		{CustomerID: "CUST-00000000"},
		{CustomerID: "CUST-00016384"},
		{CustomerID: "CUST-00032768"},
		{CustomerID: "CUST-00014974"}, // in two places
		{CustomerID: "CUST-00039998"},
		{CustomerID: "CUST-00039998", SubjectType: "video"},
		{CustomerID: "CUST-99999999"},
		{CustomerID: "0"},
		{SubjectID: "PROD-00001", Outcome: ceap.OutcomeRejected},
		{Outcome: ceap.OutcomeInvalid, Limit: 399},
		{Outcome: ceap.OutcomeFailed},
		{SubjectType: "product", Limit: 2},
	} {
		got, err := j.Find(t.Context(), q)
		if err != nil {
			t.Fatalf("Find(%+v): %v", q, err)
		}
		if diff := cmp.Diff(filter(outcomes, q), got); diff != "" {
			t.Errorf("Find(%+v) (-filter +find):\n%s", q, diff)
		}
	}
	if got, err := j.Find(t.Context(), journal.Query{}); err != nil || len(got) != 1000 {
		t.Errorf("Find without a limit returns %d outcomes and %v, want 1000", len(got), err)
	}
}

func TestWriter_EqualOutcomesGiveEqualBytes(t *testing.T) {
	t.Parallel()
	outcomes := sample(20_000)
	one, other := newMemory(), newMemory()
	w := create(t, one, 1)
	w.Shape(2<<10, 4<<10)
	first := writeTo(t, w, 5000, outcomes)
	w = create(t, other, 1)
	w.Shape(2<<10, 4<<10)
	second := writeTo(t, w, 333, outcomes)
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("manifests (-in fives of thousands +in hundreds):\n%s", diff)
	}
	for name, data := range one.files {
		if !bytes.Equal(data, other.files[name]) {
			t.Errorf("%s differs", name)
		}
	}
}

func rowGroups(t *testing.T, part []byte) int {
	t.Helper()
	file, err := parquet.OpenFile(bytes.NewReader(part), int64(len(part)))
	if err != nil {
		t.Fatal(err)
	}
	return len(file.RowGroups())
}

func TestWriter_ReplacesTextThatIsNotUTF8(t *testing.T) {
	t.Parallel()
	artifacts := newMemory()
	write(t, artifacts, 1, 1, []ceap.Outcome{{Kind: ceap.OutcomeInvalid, Row: 1, Key: ceap.Key{CustomerID: "c\xff"}, Value: "\xfe!"}})
	got, err := open(t, artifacts).Find(t.Context(), journal.Query{CustomerID: "c\xff"})
	if err != nil || len(got) != 1 || got[0].CustomerID != "c\uFFFD" || got[0].Value != "\uFFFD!" {
		t.Errorf("Find is %+v, %v; want the customer and value with U+FFFD", got, err)
	}
}

// Other tools read the parts by these names and types.
func TestWriter_Columns(t *testing.T) {
	t.Parallel()
	artifacts := newMemory()
	write(t, artifacts, 1, 1, sample(1))
	data := artifacts.files["runs/run-1/journal/attempt-1/part-00001.parquet"]
	file, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, column := range file.Root().Columns() {
		need := "required"
		if column.Optional() {
			need = "optional"
		}
		got = append(got, column.Name()+" "+need+" "+column.Type().String())
	}
	const stamp = "TIMESTAMP(isAdjustedToUTC=true,unit=MICROS)"
	want := []string{
		"connector_id required STRING", "row required INT(64,true)", "outcome required STRING",
		"customer_id optional STRING", "subject_type optional STRING", "subject_id optional STRING",
		"program_id optional STRING", "marketplace optional STRING", "event_date optional " + stamp,
		"filter_id optional STRING", "reason_code optional STRING", "reason optional STRING",
		"field optional STRING", "value optional STRING", "score optional DOUBLE",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
}
