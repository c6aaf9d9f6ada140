package plugin

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/ceap-platform/ceap"
)

// Decode (interim): being replaced by the strict decoder.
func Decode(node *Node, into any) ceap.Problems {
	if node == nil {
		return nil
	}
	data, _ := json.Marshal(node)
	if err := json.Unmarshal(data, into); err != nil {
		return ceap.Problems{node.Problem("%v", err)}
	}
	return nil
}

func decodeConfig[C any](node *Node, def C) (C, ceap.Problems) {
	config := def
	problems := Decode(node, &config)
	if v, ok := any(&config).(interface{ Validate() ceap.Problems }); ok && len(problems) == 0 {
		problems = append(problems, v.Validate()...)
	}
	return config, problems
}

func located(err error, _ *Node) error {
	var ps ceap.Problems
	if errors.As(err, &ps) {
		return ps
	}
	return err
}

// UnknownName returns the error for a name that nothing has.
func UnknownName(kind, name string, known []string) error {
	return &ceap.Error{Code: ceap.CodeInvalid, Message: fmt.Sprintf("unknown %s %q", kind, name), Hint: "known: " + strings.Join(known, ", ")}
}
