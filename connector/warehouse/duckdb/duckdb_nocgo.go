//go:build !cgo

package duckdb

import (
	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector/warehouse"
	"github.com/ceap-platform/ceap/plugin"
)

// Engine describes the embedded engine, which this build lacks.
func Engine() warehouse.Description {
	d := describe()
	d.Missing = "it was built without cgo"
	d.Open = func(env plugin.Env, s warehouse.Settings) (warehouse.Engine, error) {
		return nil, ceap.Errorf(ceap.CodeUnsupported, "reading %s: DuckDB is not in this build", root(env, s))
	}
	return d
}
