// Package connectortest is the conformance suite of connectors, and [Fake], a
// connector in memory that passes it.
//
// The test of a plug-in calls [Run] with a function that writes a [Fixture] in
// the plug-in's own format (a Parquet file, a table, lines of JSON, a stream)
// and opens a connector on it.
package connectortest

import (
	"testing"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
)

// Column is a column of a fixture.
type Column struct {
	Name string
	Kind ceap.Kind // of every value of the column that is not NULL
}

// Fixture is what a source is to hold, and the settings of the connector on it.
type Fixture struct {
	Columns  []Column
	Rows     [][]ceap.Value // in the order in which they must come back
	Mappings connector.FieldMappings

	// BatchSize asks for that many rows per call of Next; 0 leaves it to the
	// connector, and so may one that cannot set it.
	BatchSize int
	// Missing asks for a connector whose source does not exist: no file, table or
	// stream of that name.
	Missing bool
}

// Open returns a connector on a source with exactly the fixture's columns and
// rows. What it opens it releases by t.Cleanup. It may be called several times
// in one test, and tests run in parallel.
type Open func(t *testing.T, f Fixture) connector.Connector

// Capabilities are the differences between sources that are allowed. The zero
// Capabilities allows none.
type Capabilities struct {
	// Same reports whether got is what the source can make of want. Nil means
	// equal Values. Sources that know only text use [SameText].
	Same func(want, got ceap.Value) bool
	// NoEmptyTables is set by sources without columns until there is a row.
	NoEmptyTables bool
}

// SameText reports whether got is the text of want, with NULL kept apart.
func SameText(want, got ceap.Value) bool {
	return got.IsNull() == want.IsNull() && (want.IsNull() || got == ceap.String(want.String()))
}

// Run runs the suite.
func Run(t *testing.T, capabilities Capabilities, open Open) {
	t.Helper()
	s := suite{Capabilities: capabilities, open: open}
	if s.Same == nil {
		s.Same = func(want, got ceap.Value) bool { return want == got }
	}
	t.Run("Columns", s.testColumns)
	t.Run("Rows", s.testRows)
	t.Run("Values", s.testValues)
	t.Run("Empty", s.testEmpty)
	t.Run("End", s.testEnd)
	t.Run("Cancel", s.testCancel)
	t.Run("Close", s.testClose)
	t.Run("Missing", s.testMissing)
	t.Run("Transform", s.testTransform)
	t.Run("Abilities", s.testAbilities)
}

type suite struct {
	Capabilities
	open Open
}
