package builtin

import (
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/exec"
	"github.com/ceap-platform/ceap/connector/kinesis"
	"github.com/ceap-platform/ceap/connector/s3"
	"github.com/ceap-platform/ceap/connector/warehouse"
	"github.com/ceap-platform/ceap/connector/warehouse/athena"
	"github.com/ceap-platform/ceap/connector/warehouse/duckdb"
	"github.com/ceap-platform/ceap/plugin"
)

func connectors() []plugin.Of[connector.Connector] {
	return []plugin.Of[connector.Connector]{
		warehouse.Plugin(duckdb.Engine(), athena.Engine()),
		exec.Plugin(),
		s3.Plugin(),
		kinesis.Plugin(),
	}
}
