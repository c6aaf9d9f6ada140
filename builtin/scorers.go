package builtin

import (
	"github.com/ceap-platform/ceap/plugin"
	"github.com/ceap-platform/ceap/scorer"
	"github.com/ceap-platform/ceap/scorer/logistic"
	"github.com/ceap-platform/ceap/scorer/rules"
	"github.com/ceap-platform/ceap/scorer/sagemaker"
	"github.com/ceap-platform/ceap/scorer/static"
)

func scorers() []plugin.Of[scorer.Scorer] {
	return []plugin.Of[scorer.Scorer]{
		rules.Plugin(),
		logistic.Plugin(),
		static.Plugin(),
		sagemaker.Plugin(),
	}
}
