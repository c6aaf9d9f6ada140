//go:build cgo

package athena_test

import (
	"testing"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector/warehouse"
	"github.com/ceap-platform/ceap/connector/warehouse/enginetest"
	fakeathena "github.com/ceap-platform/ceap/internal/awstest/athena"
)

const (
	many = "SELECT n, 'row ' || CAST(n AS VARCHAR) AS s FROM UNNEST(sequence(1, 10000)) AS t(n)"
	slow = "SELECT count(*) AS n FROM UNNEST(sequence(1, 100000)) AS a(x) CROSS JOIN UNNEST(sequence(1, 100000)) AS b(y) " +
		"CROSS JOIN UNNEST(sequence(1, 100000)) AS c(z) WHERE a.x + b.y + c.z < 0"
)

func harness(c *cloud) enginetest.Harness {
	c.write("t.csv", "id\n1\n")
	return enginetest.Harness{
		Engine: c.engine(), Style: warehouse.Positional, Database: database,
		Many: many, Slow: slow, Whole: true,
		Broken: "SELECT CAST(CASE WHEN n = 5000 THEN 'x' ELSE '1' END AS INTEGER) AS n FROM UNNEST(sequence(1, 10000)) AS t(n)",
		Types: []enginetest.Type{
			{SQL: "CAST('12' AS DECIMAL(9,0))", Want: ceap.Int(12)},
			{SQL: "TIME '10:00:00'", Want: ceap.String("10:00:00")},
			{SQL: "CAST('ab' AS CHAR(2))", Want: ceap.String("ab")},
			{SQL: "to_utf8('ab')", Want: ceap.String("ab")},
			{SQL: "ARRAY[1, 2]", Want: ceap.String("[1, 2]")},
			{SQL: "CAST('-Infinity' AS REAL)", Want: ceap.String("-Inf")},
			{SQL: "CAST(CAST(NULL AS DOUBLE) AS DECIMAL(10,2))", Want: ceap.Null()},
		},
	}
}

func TestAthena_Conformance(t *testing.T) {
	t.Parallel()
	enginetest.Run(t, harness(newCloud(t, fakeathena.Options{QueuedPolls: 1, RunningPolls: 1})))
}

func TestAthena_ConformanceOfManagedResults(t *testing.T) {
	t.Parallel()
	enginetest.Run(t, harness(newCloud(t, fakeathena.Options{WorkGroups: []fakeathena.WorkGroup{{Name: "primary", ManagedResults: true}}})))
}
