package plugin

import (
	"errors"

	"github.com/ceap-platform/ceap"
)

// decodeConfig decodes over a copy of def and then asks the configuration
// itself. Its own check sees complete values only, so that it need not repeat
// what decoding has already found.
func decodeConfig[C any](node *Node, def C) (C, ceap.Problems) {
	config := def
	problems := Decode(node, &config)
	if v, ok := any(&config).(interface{ Validate() ceap.Problems }); ok && len(problems.Errors()) == 0 {
		problems = append(problems, locateAll(v.Validate(), node)...)
	}
	return config, problems
}

// located gives the problems in err, whose paths are relative to node, their
// absolute path and place. An [ceap.Error] of [ceap.CodeInvalid] counts as one
// problem, at its Field. Other errors are returned as they are.
func located(err error, node *Node) error {
	if problems, ok := errors.AsType[ceap.Problems](err); ok {
		return locateAll(problems, node)
	}
	e, ok := errors.AsType[*ceap.Error](err)
	if !ok || e.Code != ceap.CodeInvalid {
		return err
	}
	bare := *e
	bare.Hint, bare.Field = "", ""
	return locateAll(ceap.Problems{{Path: e.Field, Message: bare.Error(), Hint: e.Hint}}, node)
}

// locateAll returns the problems with absolute paths and with the place of what
// they name, or of the closest parent that exists. Problems that already have a
// place are kept.
func locateAll(problems ceap.Problems, node *Node) ceap.Problems {
	if node == nil {
		return problems
	}
	out := make(ceap.Problems, len(problems))
	for i, p := range problems {
		if p.Position == (ceap.Position{}) {
			p.Position = node.closest(p.Path).Pos
			p.Path = joinPath(node.Path, p.Path)
		}
		out[i] = p
	}
	return out
}
