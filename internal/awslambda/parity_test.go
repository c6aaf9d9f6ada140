//go:build cgo

package awslambda_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/app"
	"github.com/ceap-platform/ceap/internal/awstest"
	"github.com/ceap-platform/ceap/internal/pipeline"
)

// scenario is something to do in a world. What it returns must be equal in every
// world.
type scenario struct {
	name    string
	project string
	do      func(t *testing.T, w *world) []any
}

// TestI9_Parity runs the same programs over the same data embedded, in one
// process with DuckDB and SQLite, and on AWS, with the shipped state machine,
// functions, Athena and DynamoDB: candidates, journals, counts, result hashes and
// errors must be the same.
func TestI9_Parity(t *testing.T) { //nolint:paralleltest // the environment of the SDK belongs to the process
	count := 0
	for _, s := range scenarios() {
		if testing.Short() && !slices.Contains(withRace, s.name) {
			continue
		}
		count++
		t.Run(s.name, func(t *testing.T) { //nolint:paralleltest // see above
			here := embedded(t, s.project)
			there := onAWS(t, s.project, "CEAP_PART_ROWS=5", "CEAP_RESULTS_BUCKET="+resultsBucket)
			want, got := s.do(t, here), s.do(t, there)
			if t.Failed() {
				return
			}
			if len(want) == 0 {
				t.Fatal("the scenario compares nothing")
			}
			values := cmp.Comparer(func(a, b ceap.Value) bool { return a == b })
			for i := range max(len(want), len(got)) {
				if i >= len(want) || i >= len(got) {
					t.Fatalf("%d observations embedded, %d on AWS", len(want), len(got))
				}
				if diff := cmp.Diff(want[i], got[i], values, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("observation %d (-embedded +aws):\n%s", i+1, diff)
				}
			}
		})
	}
	t.Logf("%d scenarios", count)
}

// withRace are the scenarios that run with -short, for the race detector: those in
// which the most happens at a time.
var withRace = []string{ //nolint:gochecknoglobals // a list
	"every outcome", "the best of each customer and of the run", "a part dies after it has stored its rows", "the answer to a write is lost",
}

const (
	guide      = "../../examples/guide"
	quickStart = "../../examples/quick-start"
	music      = "../../examples/music"
)

func scenarios() []scenario {
	return append(append(examples(), lives()...), faults()...)
}

// observed runs a batch and returns what came of it: the result, the program's
// candidates and the journal.
func observed(t *testing.T, w *world, in ceap.RunInput) []any {
	t.Helper()
	res, err := w.run(t, app.RunRequest{Input: pipeline.Input{RunInput: in}})
	code := ceap.ErrorCode(err)
	if err != nil && res.RunID == "" {
		return []any{code, ceap.RunStatus("")}
	}
	seen := []any{code, comparable(res)}
	if !res.Replayed {
		outcomes := w.outcomes(t, res.RunID)
		if int64(len(outcomes)) != res.Counts.Extracted && code == "" {
			t.Errorf("%s: the journal has %d of %d rows", w.name, len(outcomes), res.Counts.Extracted)
		}
		seen = append(seen, outcomes)
	}
	return append(seen, w.candidates(t, res.ProgramID, res.Marketplace))
}

// comparable returns a result without what must differ: ids, times, and the names
// of queries. The words of an engine about a failure are its own; that they say
// so in the words of the guide is not.
func comparable(res ceap.RunResult) ceap.RunResult {
	res.RunID, res.CorrelationID, res.Stages, res.Queries = "", "", nil, nil
	res.StartedAt, res.EndedAt, res.DurationMs = time.Time{}, time.Time{}, 0
	place := regexp.MustCompile(`^(/.*/programs/[^:]*|PROGRAM#[^:]*):[0-9]+:[0-9]+: `) // a file here, an item there
	res.Warnings = slices.Clone(res.Warnings)
	for i, warning := range res.Warnings {
		res.Warnings[i] = place.ReplaceAllString(warning, "")
	}
	if res.Status == ceap.RunFailed || res.Status == ceap.RunEmpty {
		for _, words := range []string{"Query execution failed", "No candidates extracted", "custmer_id"} {
			if strings.Contains(res.Message, words) {
				res.Message = words
			}
		}
	}
	return res
}

func batch(program, id, start, end string) ceap.RunInput {
	from, err := ceap.ParseDate(start)
	if err != nil {
		panic(err)
	}
	to, err := ceap.ParseDate(end)
	if err != nil {
		panic(err)
	}
	return ceap.RunInput{ProgramID: program, Marketplace: "US", BatchID: id, CorrelationID: "corr-" + id, DateRange: &ceap.DateRange{Start: from, End: to}}
}

// examples are the programs of the guide and of the examples.
func examples() []scenario {
	one := func(name, project, file, program, start, end string) scenario {
		return scenario{name, project, func(t *testing.T, w *world) []any {
			t.Helper()
			w.apply(t, "programs/"+file)
			seen := observed(t, w, batch(program, "b1", start, end))
			return unordered(append(seen, observed(t, w, batch(program, "b2", start, end))...)) // again: nothing new
		}}
	}
	return []scenario{
		one("quick start", quickStart, "quick-start.json", "quick-start", "2026-01-26", "2026-01-27"),
		one("guide: product reviews", guide, "product-reviews.yaml", "product-reviews", "2026-01-26", "2026-01-27"),
		one("guide: product reviews, NOT EXISTS", guide, "product-reviews-not-exists.yaml", "product-reviews-not-exists", "2026-01-26", "2026-01-27"),
		one("guide: video ratings", guide, "video-ratings.yaml", "video-ratings", "2026-01-26", "2026-01-27"),
		one("guide: video ratings, NOT EXISTS", guide, "video-ratings-not-exists.yaml", "video-ratings-not-exists", "2026-01-26", "2026-01-27"),
		one("guide: service surveys", guide, "service-surveys.yaml", "service-surveys", "2026-01-26", "2026-01-27"),
		one("guide: service surveys, NOT EXISTS", guide, "service-surveys-not-exists.yaml", "service-surveys-not-exists", "2026-01-26", "2026-01-27"),
		one("music", music, "music-feedback.yaml", "music-feedback", "1997-01-01", "1997-12-31"),
	}
}

// unordered takes the positions of rows out of journals: a query without ORDER BY
// may give its rows in any order.
func unordered(seen []any) []any {
	number := regexp.MustCompile(`row [0-9]+`)
	for _, one := range seen {
		outcomes, ok := one.([]ceap.Outcome)
		if !ok {
			continue
		}
		for i := range outcomes {
			outcomes[i].Row, outcomes[i].Reason = 0, number.ReplaceAllString(outcomes[i].Reason, "row")
		}
		slices.SortStableFunc(outcomes, func(a, b ceap.Outcome) int { return a.Compare(b.Key) })
	}
	return seen
}

// shop is a program over a table of one's own, whose parts are given.
func shop(query, more string) string {
	return `programId: shop
programName: Shop
marketplace: US
candidateTTLDays: 30
reopenAfterDays: 7
dataConnectors:
  - connectorId: orders
    connectorType: data-warehouse
    sourceConfig:
      database: shop
      query: ` + query + `
      fieldMappings: {customerId: customer_id, subjectId: product_id, subjectType: {constant: product}, eventDate: day, orderValue: value}
` + more
}

const (
	allOrders = "SELECT customer_id, product_id, day, value, marketplace, email_eligible FROM orders WHERE day BETWEEN '{startDate}' AND '{endDate}'"
	byEmail   = "filterChain: {filters: [{filterId: eligibility, filterType: eligibility, order: 1, parameters: {requiredChannels: [email]}}]}\n"
	byValue   = "scoringModels: [{modelId: value, modelType: rules, config: {expression: 'clamp(orderValue / 100, 0, 1)'}}]\n"
)

// orders writes rows of the table shop.orders.
func orders(t *testing.T, w *world, rows ...string) {
	t.Helper()
	w.write(t, "warehouse/shop/orders/orders.csv", "customer_id,product_id,day,value,marketplace,email_eligible\n"+strings.Join(rows, "\n")+"\n")
}

// mixed has a row for every outcome, duplicates far apart, and ids that need care.
func mixed() []string {
	rows := []string{
		"C-1,P-1,2026-01-26,10.50,US,true", "C-1,P-2,2026-01-26,20,US,true", "C-2,P-1,2026-01-26,30,US,false",
		"C-3,P-1,2026-01-26,,US,true", ",P-1,2026-01-26,1,US,true", "C-4,P-1,2026-01-26,40,UK,true", "C-5,,2026-01-27,1,US,true",
		"\"a#b%c\",\"p,\"\"q\"\"\",2026-01-27,50,US,true", "Grüße 😀,P-1,2026-01-27,60,US,true", "C-6,P-1,2026-01-27,abc,US,true",
	}
	for i := range 25 {
		rows = append(rows, fmt.Sprintf("D-%02d,P-%d,2026-01-2%d,%d.25,US,%t", i, i%3, 6+i%2, i*7%101, i%5 != 0))
	}
	return append(rows, "C-1,P-1,2026-01-27,11,US,true", "D-03,P-0,2026-01-27,99,US,true", "D-03,P-0,2026-01-27,98,US,true")
}

// lives are programs over time: what the store remembers from run to run.
func lives() []scenario {
	in := func(id string) ceap.RunInput { return batch("shop", id, "2026-01-26", "2026-01-27") }
	text := "CAST(value AS varchar) AS value"
	asText := strings.Replace(allOrders, "value,", text+",", 1)
	key := func(customer, product string) ceap.Key {
		return ceap.Key{CustomerID: customer, ProgramID: "shop", Marketplace: "US", SubjectType: "product", SubjectID: product}
	}
	return []scenario{
		{"every outcome", quickStart, func(t *testing.T, w *world) []any {
			t.Helper()
			orders(t, w, mixed()...)
			w.apply(t, shop(asText, byEmail+byValue))
			return observed(t, w, in("b1"))
		}},
		{"typed values", quickStart, func(t *testing.T, w *world) []any {
			t.Helper()
			orders(t, w, "C-1,P-1,2026-01-26,10.50,US,true", "C-2,P-1,2026-01-26,3,US,false")
			w.apply(t, shop("SELECT customer_id, product_id, CAST(day AS DATE) AS day, CAST(value AS DECIMAL(12,2)) AS value, "+
				"CAST(12345678901 AS BIGINT) AS big, CAST(0.1 AS DOUBLE) AS real_one, CAST(NULL AS VARCHAR) AS nothing, '' AS empty_text, true AS flag, "+
				"TIMESTAMP '2026-01-26 12:34:56.789' AS at FROM orders WHERE marketplace = '{marketplace}'", ""))
			return observed(t, w, in("b1"))
		}},
		{"the best of each customer and of the run", quickStart, func(t *testing.T, w *world) []any {
			t.Helper()
			orders(t, w, mixed()...)
			w.apply(t, shop(asText, strings.Replace(byEmail, "}]}", "}, {filterId: best, filterType: capacity, order: 2, parameters: {maxPerCustomer: 1, maxPerSubject: 4, maxPerRun: 9}}]}", 1)+byValue))
			return observed(t, w, in("b1"))
		}},
		{"data that changes", quickStart, func(t *testing.T, w *world) []any {
			t.Helper()
			orders(t, w, mixed()...)
			w.apply(t, shop(asText, byValue))
			seen := observed(t, w, in("b1"))
			w.clock.advance(time.Hour)
			orders(t, w, append(mixed()[1:], "C-1,P-1,2026-01-26,12,US,true", "E-1,P-1,2026-01-26,1,US,true")...)
			return append(seen, observed(t, w, in("b2"))...)
		}},
		{"a batch that is sent again", quickStart, func(t *testing.T, w *world) []any {
			t.Helper()
			orders(t, w, mixed()...)
			w.apply(t, shop(asText, ""))
			seen := append(observed(t, w, in("b1")), observed(t, w, in("b1"))...)
			other := in("b1")
			other.DateRange = &ceap.DateRange{Start: other.DateRange.Start.AddDays(-1), End: other.DateRange.End}
			return append(seen, observed(t, w, other)...)
		}},
		{"opted out, consumed, deleted, expired", quickStart, func(t *testing.T, w *world) []any {
			t.Helper()
			orders(t, w, mixed()...)
			w.apply(t, shop(asText, ""))
			seen := observed(t, w, in("b1"))
			removed, err := w.app.OptOut(t.Context(), ceap.OptOut{CustomerID: "C-1", Reason: "asked"})
			if err != nil {
				t.Fatal(err)
			}
			if err := w.app.ConsumeCandidate(t.Context(), key("D-01", "P-1"), "email"); err != nil {
				t.Fatal(err)
			}
			if err := w.app.DeleteCandidate(t.Context(), key("D-02", "P-2")); err != nil {
				t.Fatal(err)
			}
			seen = append(append(seen, removed), observed(t, w, in("b2"))...)
			w.clock.advance(31 * 24 * time.Hour) // nothing has removed the expired yet
			seen = append(seen, observed(t, w, in("b3"))...)
			if err := w.app.OptIn(t.Context(), "C-1", "", ""); err != nil {
				t.Fatal(err)
			}
			return append(seen, observed(t, w, in("b4"))...)
		}},
		{"no rows", quickStart, func(t *testing.T, w *world) []any {
			t.Helper()
			orders(t, w, mixed()...)
			w.apply(t, shop(asText, ""))
			return observed(t, w, batch("shop", "b1", "2025-06-01", "2025-06-02"))
		}},
		{"rows are expected and there are none", quickStart, func(t *testing.T, w *world) []any {
			t.Helper()
			orders(t, w, mixed()...)
			w.apply(t, shop(asText, "expectRows: true\n"))
			return observed(t, w, batch("shop", "b1", "2025-06-01", "2025-06-02"))
		}},
		{"a limit that cuts rows off", quickStart, func(t *testing.T, w *world) []any {
			t.Helper()
			orders(t, w, "C-1,P-1,2026-01-26,1,US,true", "C-2,P-1,2026-01-26,1,US,true")
			w.apply(t, shop(asText+" LIMIT 2", ""))
			return observed(t, w, in("b1"))
		}},
		{"a column that is missing", quickStart, func(t *testing.T, w *world) []any {
			t.Helper()
			orders(t, w, mixed()...)
			w.apply(t, strings.Replace(shop(asText, ""), "customerId: customer_id", "customerId: custmer_id", 1))
			return observed(t, w, in("b1"))
		}},
		{"a table that is missing", quickStart, func(t *testing.T, w *world) []any {
			t.Helper()
			orders(t, w, mixed()...)
			w.apply(t, shop(strings.Replace(asText, "orders", "ordres", 1), ""))
			return observed(t, w, in("b1"))
		}},
		{"a query that is wrong", quickStart, func(t *testing.T, w *world) []any {
			t.Helper()
			orders(t, w, mixed()...)
			w.apply(t, shop(strings.Replace(asText, "customer_id", "costumer", 1), ""))
			return observed(t, w, in("b1"))
		}},
		{"a program that is switched off", quickStart, func(t *testing.T, w *world) []any {
			t.Helper()
			orders(t, w, mixed()...)
			w.apply(t, shop(asText, ""))
			if _, err := w.app.SwitchProgram(t.Context(), "shop", "US", false); err != nil {
				t.Fatal(err)
			}
			seen := observed(t, w, in("b1"))
			if _, err := w.app.SwitchProgram(t.Context(), "shop", "US", true); err != nil {
				t.Fatal(err)
			}
			return append(seen, observed(t, w, in("b2"))...)
		}},
		{"a marketplace that the program lacks", quickStart, func(t *testing.T, w *world) []any {
			t.Helper()
			w.apply(t, shop(asText, ""))
			other := in("b1")
			other.Marketplace = "UK"
			return observed(t, w, other)
		}},
		{"two connectors with the same candidates", quickStart, func(t *testing.T, w *world) []any {
			t.Helper()
			orders(t, w, mixed()...)
			second := strings.Replace(shop(asText, ""), "connectorId: orders", "connectorId: again", 1)
			second = second[strings.Index(second, "  - connectorId"):]
			w.apply(t, shop("SELECT customer_id, product_id, day, '1' AS value FROM orders WHERE customer_id LIKE 'D-1%'", second+byValue))
			return observed(t, w, in("b1"))
		}},
	}
}

// faults are what AWS does to a run, and this machine does not: the result must be
// the same nevertheless.
func faults() []scenario {
	in := batch("shop", "b1", "2026-01-26", "2026-01-27")
	asText := strings.Replace(allOrders, "value,", "CAST(value AS varchar) AS value,", 1)
	faulty := func(name string, inject func(w *world)) scenario {
		return scenario{name, quickStart, func(t *testing.T, w *world) []any {
			t.Helper()
			orders(t, w, mixed()...)
			w.apply(t, shop(asText, byEmail+byValue))
			if w.cloud != nil {
				inject(w)
			}
			return observed(t, w, in)
		}}
	}
	dies := func(step string, late bool, times int) func(*world) {
		return func(w *world) {
			do := awstest.Crash()
			if late {
				do = awstest.CrashLate()
			}
			w.cloud.Inject(awstest.Fault{On: "lambda.Invoke", Times: times, Do: do, If: func(c *awstest.Call) bool {
				return strings.Contains(string(c.Body), `"step":"`+step+`"`) || strings.Contains(string(c.Body), `"step": "`+step+`"`)
			}})
		}
	}
	return []scenario{
		faulty("a part dies before it has done anything", dies("extract", false, 1)),
		faulty("a part dies after it has stored its rows", dies("store", true, 1)),
		faulty("a control step dies after its work", dies("parts", true, 1)),
		faulty("the table is throttled", func(w *world) {
			w.cloud.Inject(awstest.Fault{On: "dynamodb.PutItem", Times: 4, Do: awstest.Throttle()})
		}),
		faulty("reads leave keys unprocessed", func(w *world) {
			w.cloud.Inject(awstest.Fault{On: "dynamodb.BatchGetItem", Times: 2, Do: awstest.Leave(3)})
		}),
		faulty("the answer to a write is lost", func(w *world) {
			w.cloud.Inject(awstest.Fault{On: "dynamodb.PutItem", Skip: 3, Times: 2, Do: awstest.LoseAnswer()})
		}),
		faulty("the bucket is slow and refuses", func(w *world) {
			w.cloud.Inject(awstest.Fault{On: "s3.GetObject", Skip: 2, Times: 2, Do: awstest.Answer(500, "InternalError")})
		}),
	}
}
