package builtin

import (
	"github.com/ceap-platform/ceap/filter"
	"github.com/ceap-platform/ceap/filter/businessrule"
	"github.com/ceap-platform/ceap/filter/capacity"
	"github.com/ceap-platform/ceap/filter/eligibility"
	"github.com/ceap-platform/ceap/filter/optout"
	"github.com/ceap-platform/ceap/filter/quality"
	"github.com/ceap-platform/ceap/filter/trust"
	"github.com/ceap-platform/ceap/plugin"
)

func filters() []plugin.Of[filter.Filter] {
	return []plugin.Of[filter.Filter]{
		eligibility.Plugin(),
		trust.Plugin(),
		quality.Plugin(),
		businessrule.Plugin(),
		optout.Plugin(),
		capacity.Plugin(),
	}
}
