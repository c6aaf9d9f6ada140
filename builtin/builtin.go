// Package builtin is the list of the plug-ins that ship with CEAP, one line
// each. Nothing registers itself: what is not in these lists is not in the
// binary.
package builtin

import "github.com/ceap-platform/ceap/plugin"

// All returns the plug-ins that ship. The set is the caller's own.
func All() plugin.Set {
	return plugin.Set{Connectors: connectors(), Filters: filters(), Scorers: scorers(), Stores: stores()}
}
