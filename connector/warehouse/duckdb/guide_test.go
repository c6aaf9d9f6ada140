//go:build cgo

package duckdb_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/warehouse"
)

// guideConfig reads a sourceConfig of testdata as a program file holds it.
func guideConfig(t *testing.T, name string) warehouse.Config {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	config := warehouse.DefaultConfig()
	if err := json.Unmarshal(data, &config); err != nil {
		t.Fatal(err)
	}
	return config
}

// deliveries makes the guide's main table: Parquet in partition folders.
func (f folder) deliveries() {
	f.run(`COPY (SELECT * FROM (VALUES
		('CUST-001', 'PROD-123', 'O-1', '2026-01-26', 29.99::DOUBLE, 'books', 'US', true, false, '2026-01-26'),
		('CUST-002', 'PROD-456', 'O-2', '2026-01-26', 49.99, 'toys', 'US', true, true, '2026-01-26'),
		('CUST-003', 'PROD-789', 'O-3', '2026-01-27', 19.99, NULL, 'US', false, NULL, '2026-01-27'),
		('CUST-004', 'PROD-789', 'O-4', '2026-01-27', 19.99, 'toys', 'UK', true, true, '2026-01-27'),
		('CUST-005', 'PROD-123', 'O-5', '2026-01-28', 29.99, 'books', 'US', true, true, '2026-01-28'))
		AS t(customer_id, product_id, order_id, delivery_date, order_value, product_category, marketplace,
			email_eligible, sms_eligible, delivery_date_partition))
		TO '@/product_deliveries' (FORMAT parquet, PARTITION_BY (delivery_date_partition))`)
}

func TestGuide_Program(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.deliveries()
	c := f.connectorWith(settings(), guideConfig(t, "program.json"))
	got, err := extract(t, c)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"CUST-001|PROD-123|O-1|2026-01-26|29.99|books|US|true|false",
		"CUST-002|PROD-456|O-2|2026-01-26|49.99|toys|US|true|true",
		"CUST-003|PROD-789|O-3|2026-01-27|19.99|NULL|US|false|NULL",
	}
	if diff := cmp.Diff(want, got.rows); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"resultsBucket", "workGroup"}, got.report.Unused); diff != "" {
		t.Error(diff)
	}
	if _, err := c.Transform(got.columns, request()); err != nil {
		t.Errorf("the guide's mappings: %v", err)
	}
}

func TestGuide_StoredItem(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.deliveries()
	got, err := extract(t, f.connectorWith(settings(), guideConfig(t, "item.json")))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"CUST-001|PROD-123|2026-01-26", "CUST-002|PROD-456|2026-01-26",
		"CUST-003|PROD-789|2026-01-27", "CUST-004|PROD-789|2026-01-27",
	}
	if diff := cmp.Diff(want, got.rows); diff != "" {
		t.Error(diff)
	}
}

func TestGuide_ExampleQueries(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.write("product_deliveries/d.csv", `customer_id,product_id,delivery_date,order_value,marketplace,email_opt_in,delivery_status,delivery_date_partition
C1,P1,2026-01-26,29.90,US,true,DELIVERED,2026-01-26
C2,P2,2026-01-26,5.00,US,false,DELIVERED,2026-01-26
C3,P1,2026-01-27,7.50,US,true,DELIVERED,2026-01-27
C4,P1,2026-01-27,7.50,US,true,RETURNED,2026-01-27
C5,P1,2026-01-27,7.50,DE,true,DELIVERED,2026-01-27
C6,P1,2026-01-25,7.50,US,true,DELIVERED,2026-01-25
`)
	f.write("review_submissions/r.csv", "customer_id,product_id\nC3,P1\nC1,P9\n")
	f.write("video_watch_history.jsonl", `{"customer_id":"C1","video_id":"V1","watch_completed_at":"2026-01-26T20:15:00Z","watch_percentage":97.5,"marketplace":"US","watch_date":"2026-01-26"}
{"customer_id":"C2","video_id":"V1","watch_completed_at":"2026-01-26T20:15:00Z","watch_percentage":79.9,"marketplace":"US","watch_date":"2026-01-26"}
{"customer_id":"C3","video_id":"V2","watch_completed_at":"2026-01-27T08:00:00Z","watch_percentage":80,"marketplace":"US","watch_date":"2026-01-27"}
`)
	f.write("service_interactions.csv", `customer_id,service_interaction_id,interaction_completed_at,service_type,marketplace,sms_opt_in,interaction_date,interaction_status
C1,S1,2026-01-26 12:34:56.000,chat,US,true,2026-01-26,COMPLETED
C2,S2,2026-01-27 12:34:56.000,call,US,,2026-01-27,COMPLETED
C3,S3,2026-01-27 12:34:56.000,call,US,true,2026-01-27,OPEN
`)
	for _, tc := range []struct {
		file string
		want []string
	}{
		{"example1.sql", []string{
			"C1|P1|product|2026-01-26|29.90|US|true|product-reviews",
			"C2|P2|product|2026-01-26|5.00|US|false|product-reviews",
		}},
		{"example2.sql", []string{
			"C1|V1|video|2026-01-26T20:15:00Z|97.5|US|true|true|video-ratings",
			"C3|V2|video|2026-01-27T08:00:00Z|80|US|true|true|video-ratings",
		}},
		{"example3.sql", []string{
			"C1|S1|service|2026-01-26 12:34:56.000|chat|US|true|service-surveys",
			"C2|S2|service|2026-01-27 12:34:56.000|call|US|false|service-surveys",
		}},
	} {
		t.Run(tc.file, func(t *testing.T) {
			t.Parallel()
			query, err := os.ReadFile("testdata/" + tc.file)
			if err != nil {
				t.Fatal(err)
			}
			c := f.connector(string(query))
			got, err := extract(t, c)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got.rows); diff != "" {
				t.Error(diff)
			}
			columns, err := c.Describe(t.Context(), request())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(got.columns, columns); diff != "" {
				t.Errorf("Describe: %s", diff)
			}
		})
	}
}

// checkText returns the failed checks, a line each.
func checkText(checks []connector.Check) string {
	var b strings.Builder
	for _, c := range checks {
		if c.Status == connector.CheckFailed {
			b.WriteString(c.Name + ": " + c.Detail + " => " + c.Remedy + "\n")
		}
	}
	return b.String()
}

func TestCheck_SaysWhyThereAreNoRows(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.deliveries()
	f.write("review_submissions.csv", "customer_id,product_id\nCUST-009,P1\n,P1\n")
	for _, tc := range []struct {
		name, query string
		want        []string
	}{
		{
			"other dates", "SELECT customer_id FROM product_deliveries WHERE delivery_date_partition BETWEEN '2025-01-01' AND '2025-01-02'",
			[]string{"the query returns no rows", "true for none of 5 rows", "2026-01-26, 2026-01-27, 2026-01-28"},
		},
		{
			"a value that is not there", "SELECT customer_id FROM product_deliveries d WHERE d.delivery_date <= '{endDate}' AND d.product_category = 'Books' LIMIT 5",
			[]string{"(d.product_category = 'Books'): true for none of 5 rows", "its values are books, toys"},
		},
		{
			"NOT IN with a NULL", "SELECT customer_id FROM product_deliveries WHERE customer_id NOT IN (SELECT customer_id FROM review_submissions)",
			[]string{"neither true nor false for 5", "NOT EXISTS"},
		},
		{
			"predicates that exclude each other", "SELECT customer_id FROM product_deliveries WHERE marketplace = 'UK' AND product_category = 'books'",
			[]string{"no row for which the predicates before it are true too"},
		},
		{"no such column", "SELECT custmer_id FROM product_deliveries", []string{`"custmer_id" not found`, "product_deliveries has customer_id"}},
		{"no such table", "SELECT customer_id FROM product_delivery", []string{`did you mean "product_deliveries"?`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			text := checkText(f.connector(tc.query).Check(t.Context(), request()))
			for _, want := range tc.want {
				if !strings.Contains(text, want) {
					t.Errorf("no %q in\n%s", want, text)
				}
			}
		})
	}
}

func TestCheck_ComparesPartitionsAndMarketplaces(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.deliveries()
	c := f.connector("SELECT * FROM product_deliveries WHERE delivery_date_partition BETWEEN '{startDate}' AND '{endDate}' AND marketplace = '{marketplace}'")
	if text := checkText(c.Check(t.Context(), request())); text != "" {
		t.Errorf("checks failed:\n%s", text)
	}
	req := request()
	req.Range.Start, req.Range.End = req.Range.Start.AddDays(100), req.Range.End.AddDays(100)
	req.Marketplace = "FR"
	text := checkText(c.Check(t.Context(), req))
	for _, want := range []string{
		"no partition of delivery_date_partition lies in 2026-05-06 to 2026-05-07; there are 3, from 2026-01-26 to 2026-01-28",
		"no row of marketplace FR; there are US (4 rows), UK (1 rows)",
		"run a range that has data, or add data for 2026-05-06 to 2026-05-07",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
