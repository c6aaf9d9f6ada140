package connector

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ceap-platform/ceap"
)

// FieldMappings says where the fields of a candidate come from, target by
// target: the fieldMappings of a connector's configuration.
//
// The targets are customerId, subjectType, subjectId, eventDate, programId,
// marketplace, orderValue, currency, deliveryDate, timingWindow, mediaEligible,
// channelEligibility (a JSON object of channels with true or false),
// <channel>Eligible for any channel, and extra.<name> for an attribute of the
// user's own. In <channel>Eligible the channel is written in camel case, so
// inAppEligible is about the channel "in-app".
//
// A target that is not mapped takes the column of its own name, ignoring case
// and underscores (D20). Columns that no target uses become extra.<column>
// (D22). One column may feed several targets (D21).
type FieldMappings map[string]MappingSource

// MappingSource says where one target's value comes from. In a program file it
// is a text, {"column": "x"} or {"constant": "y"}. The zero MappingSource is an
// empty text, which [FieldMappings.Validate] refuses.
type MappingSource struct {
	form     sourceForm
	name     string     // the text, or the column
	constant ceap.Value // text, number or boolean
}

type sourceForm uint8

const (
	formText sourceForm = iota
	formColumn
	formConstant
)

// FromText returns what a bare text in a program file means: the column of that
// name, or for subjectType, programId and marketplace, if there is no such
// column, a constant (D15).
func FromText(text string) MappingSource { return MappingSource{name: text} }

// FromColumn returns the source that is always the column of that name (D17).
func FromColumn(name string) MappingSource { return MappingSource{form: formColumn, name: name} }

// FromConstant returns the source that is the same value for every row (D17).
func FromConstant(v ceap.Value) MappingSource {
	return MappingSource{form: formConstant, constant: v}
}

// String returns the column's name or the constant's text.
func (s MappingSource) String() string {
	if s.form == formConstant {
		return s.constant.String()
	}
	return s.name
}

// MarshalJSON returns the source as it stands in a program file.
func (s MappingSource) MarshalJSON() ([]byte, error) {
	var b []byte
	switch s.form {
	case formColumn:
		b = ceap.AppendJSONString([]byte(`{"column":`), s.name)
	case formConstant:
		b = s.constant.AppendJSON([]byte(`{"constant":`))
	default:
		return ceap.AppendJSONString(nil, s.name), nil
	}
	return append(b, '}'), nil
}

// UnmarshalJSON reads a text, {"column": "x"} or {"constant": "y"}; a constant
// may be text, a number or a boolean. Anything else, both keys and other keys
// included, is an error of [ceap.CodeInvalid].
func (s *MappingSource) UnmarshalJSON(data []byte) error {
	var text string
	switch data = bytes.TrimSpace(data); {
	case len(data) > 0 && data[0] == '"':
		if err := json.Unmarshal(data, &text); err != nil {
			return ceap.Errorf(ceap.CodeInvalid, "reading a mapping: %w", err)
		}
		*s = FromText(text)
		return nil
	case len(data) == 0 || data[0] != '{':
		return ceap.Errorf(ceap.CodeInvalid, "%s is no source of a value", data).WithHint(sourceForms)
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(data, &keys); err != nil {
		return ceap.Errorf(ceap.CodeInvalid, "reading a mapping: %w", err)
	}
	if len(keys) != 1 {
		return ceap.Errorf(ceap.CodeInvalid, "%s has %d keys instead of one", data, len(keys)).WithHint(sourceForms)
	}
	if raw, ok := keys["column"]; ok {
		if raw[0] != '"' || json.Unmarshal(raw, &text) != nil {
			return ceap.Errorf(ceap.CodeInvalid, "the column %s is not text", raw).WithHint("write the column's name in quotes")
		}
		*s = FromColumn(text)
		return nil
	}
	raw, ok := keys["constant"]
	if !ok {
		return ceap.Errorf(ceap.CodeInvalid, "unknown key in %s", data).WithHint(sourceForms)
	}
	return s.readConstant(raw)
}

const sourceForms = `write "name", {"column": "name"} or {"constant": "value"}`

func (s *MappingSource) readConstant(raw json.RawMessage) error {
	if bytes.ContainsAny(raw[:1], "n{[") {
		return ceap.Errorf(ceap.CodeInvalid, "the constant %s is not text, a number or a boolean", raw).
			WithHint("leave the target out if it has no value")
	}
	var v ceap.Value
	if err := json.Unmarshal(raw, &v); err != nil {
		return ceap.Errorf(ceap.CodeInvalid, "reading a constant: %w", err)
	}
	*s = FromConstant(v)
	return nil
}

// Validate returns what is wrong with the mappings whatever the columns are:
// unknown targets, constants where only data will do (D16), empty sources, and
// two targets for one channel. Paths start with "fieldMappings.", and problems
// come in the order of the targets' names.
func (m FieldMappings) Validate() ceap.Problems {
	var problems ceap.Problems
	channels := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		add := func(hint, format string, args ...any) {
			problems = append(problems, problemAt(name, hint, format, args...))
		}
		source := m[name]
		fixed, isFixed := targetOf(name)
		channel, isFlag := channelOfTarget(name)
		if !isFixed && !isFlag && !isExtra(name) {
			add(fmt.Sprintf("the nearest is %q; to keep a value under a name of your own, map %q", nearestTarget(name), extraPrefix+name),
				"unknown target %q", name)
			continue
		}
		if source.form == formConstant && isFixed && fixed.neverConstant() {
			add("name the column that holds it", "%s must come from the data; it cannot be the constant %q", name, source)
		}
		if source.form != formConstant && source.name == "" || source.form == formConstant && isBlank(source.constant) {
			add(sourceForms, "the source is empty")
		}
		if isFlag {
			if other, taken := channels[channel]; taken {
				add("keep one of the two", "%s and %s are both about the channel %q", other, name, channel)
			}
			channels[channel] = name
		}
	}
	return problems
}

// problemAt returns an error about the mapping of one target.
func problemAt(target, hint, format string, args ...any) ceap.Problem {
	return ceap.Problem{Path: mappingsPath + target, Message: fmt.Sprintf(format, args...), Hint: hint}
}

const mappingsPath = "fieldMappings."

// isBlank reports whether v is NULL or text of white space only.
func isBlank(v ceap.Value) bool {
	return v.IsNull() || v.Kind() == ceap.KindString && strings.TrimSpace(v.Text()) == ""
}
