//go:build cgo

package athena_test

import (
	"strings"
	"testing"

	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/warehouse"
	fakeathena "github.com/ceap-platform/ceap/internal/awstest/athena"
)

// checks returns the checks as lines.
func checks(list []connector.Check) string {
	var lines []string
	for _, c := range list {
		line := c.Status + " " + c.Name + ": " + c.Detail
		if c.Remedy != "" {
			line += " -> " + c.Remedy
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func TestInspect_TellsWhatToDo(t *testing.T) {
	t.Parallel()
	c := newCloud(t, fakeathena.Options{})
	c.write("deliveries/dt=2026-01-20/f.csv", "customer_id\nC1\n")
	c.write("deliveries/dt=2026-01-26/f.csv", "customer_id\nC1\n")
	c.write("old/dt=2025-01-20/f.csv", "customer_id\nC1\n")
	run := func(query string) string {
		source := c.connector(warehouse.Config{Query: query})
		return checks(source.(connector.Checker).Check(t.Context(), request()))
	}
	for query, want := range map[string][]string{
		"SELECT customer_id FROM deliveries WHERE dt BETWEEN '{startDate}' AND '{endDate}'": {
			"ok workgroup: primary; results go to s3://" + bucket + "/ceap/", "ok database: ceap_data_dev holds 2 tables, of which the query names 1",
			"partitioned by dt", "ok table deliveries: 1 of 2 partitions of dt lie in 2026-01-26 to 2026-01-27", "ok query: 1 columns: customer_id varchar", "ok rows: the query returns 1 rows",
		},
		"SELECT customer_id FROM old WHERE dt BETWEEN '{startDate}' AND '{endDate}'": {
			"failed table old: no partition of dt lies in 2026-01-26 to 2026-01-27; there are 1, from 2025-01-20 to 2025-01-20 -> add them: ALTER TABLE old ADD PARTITION (dt = '2026-01-26')",
			"failed rows: the query returns no rows",
		},
		"SELECT customer_id FROM delivery WHERE dt = '{date}'":  {"failed table delivery: there is no table delivery in the database ceap_data_dev", "deliveries", "failed query: Query execution failed"},
		"SELECT custmer_id FROM deliveries WHERE dt = '{date}'": {`did you mean "customer_id"?`},
	} {
		got := run(query)
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%s: no %q in\n%s", query, w, got)
			}
		}
	}
}

func TestInspect_NamesAMissingDatabase(t *testing.T) {
	t.Parallel()
	c := newCloud(t, fakeathena.Options{})
	s := statement(t, "SELECT 1 AS v")
	s.Database = "ceap_data_prod"
	got := checks(c.engine().Inspect(t.Context(), s, warehouse.Scope{}))
	if !strings.Contains(got, "failed database: there is no database ceap_data_prod") || !strings.Contains(got, database) {
		t.Error(got)
	}
}
