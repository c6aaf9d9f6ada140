package builtin

import (
	"github.com/ceap-platform/ceap/plugin"
	"github.com/ceap-platform/ceap/store"
	"github.com/ceap-platform/ceap/store/dynamodb"
	"github.com/ceap-platform/ceap/store/sqlite"
)

func stores() []plugin.Of[store.Roles] {
	return []plugin.Of[store.Roles]{
		sqlite.Plugin(),
		dynamodb.Plugin(),
	}
}
