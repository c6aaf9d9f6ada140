//go:build !cgo

package duckdb_test

import (
	"testing"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector/warehouse"
	"github.com/ceap-platform/ceap/connector/warehouse/duckdb"
	"github.com/ceap-platform/ceap/plugin"
)

func TestEngine_NotInThisBuild(t *testing.T) {
	t.Parallel()
	config := warehouse.Config{Database: "d", Query: "SELECT 1", MaxWaitSeconds: 1}
	_, err := warehouse.New(plugin.Env{Now: time.Now}, config, []warehouse.Description{duckdb.Engine()})
	if ceap.ErrorCode(err) != ceap.CodeUnsupported {
		t.Errorf("got %v", err)
	}
}
