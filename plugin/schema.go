package plugin

import (
	"encoding"
	"encoding/json"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/ceap-platform/ceap"
)

// Schemer is the optional ability of a configuration type to describe its own
// form, in JSON Schema 2020-12. Types that read themselves and lack it may hold
// anything as far as the schema knows.
type Schemer interface {
	JSONSchema() map[string]any
}

// Schema returns the JSON Schema (2020-12) of the documents that [Decode] reads
// into a value like def, whose content becomes the defaults. It comes from the
// same tags. The schema accepts what Decode accepts, save for what a schema
// cannot say: keys given twice, bounds of durations, numbers too large for
// their type, and what types check themselves.
func Schema(def any) map[string]any {
	v := reflect.New(reflect.TypeOf(def)).Elem()
	v.Set(reflect.ValueOf(def))
	return (&schemaWriter{}).schema(v, rule{})
}

type schemaWriter struct {
	open []reflect.Type // the structs being described, outermost first
}

// schema describes what may stand for v.
func (w *schemaWriter) schema(v reflect.Value, r rule) map[string]any {
	if s, ok := specialSchema(v); ok {
		return s
	}
	switch v.Kind() {
	case reflect.Pointer:
		target := reflect.New(v.Type().Elem()).Elem()
		if v.IsNil() {
			enterDefaults(target)
		} else {
			target.Set(v.Elem())
		}
		return map[string]any{"anyOf": []any{w.schema(target, r), map[string]any{"type": "null"}}}
	case reflect.Struct:
		return w.object(v)
	case reflect.Slice:
		s := map[string]any{"type": "array", "items": w.entry(v.Type().Elem(), r)}
		if r.nonempty {
			s["minItems"] = 1
		}
		return s
	case reflect.Map:
		s := map[string]any{"type": "object", "additionalProperties": w.entry(v.Type().Elem(), r)}
		if r.nonempty {
			s["minProperties"] = 1
		}
		return s
	case reflect.String:
		return textSchema(r)
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	default:
		return numberSchema(v.Type(), r)
	}
}

// entry describes the entries of a list or map.
func (w *schemaWriter) entry(t reflect.Type, r rule) map[string]any {
	entry := reflect.New(t).Elem()
	enterDefaults(entry)
	return w.schema(entry, r.entry())
}

// specialSchema describes the types that are not what their kind says.
func specialSchema(v reflect.Value) (map[string]any, bool) {
	switch own := v.Addr().Interface().(type) {
	case Schemer:
		return maps.Clone(own.JSONSchema()), true
	case *time.Duration:
		return map[string]any{"type": "string", "pattern": durationPattern}, true
	case *time.Time:
		return map[string]any{"type": "string", "format": "date-time"}, true
	case *ceap.Date:
		return map[string]any{"type": "string", "format": "date", "pattern": `^[0-9]{4}-[0-9]{2}-[0-9]{2}$`}, true
	case **Node, *any, NodeUnmarshaler, json.Unmarshaler:
		return map[string]any{}, true
	case encoding.TextUnmarshaler:
		return map[string]any{"type": "string"}, true
	default:
		return nil, false
	}
}

func (w *schemaWriter) object(v reflect.Value) map[string]any {
	if slices.Contains(w.open, v.Type()) {
		return map[string]any{"type": "object"} // a type inside itself: described where it starts
	}
	w.open = append(w.open, v.Type())
	defer func() { w.open = w.open[:len(w.open)-1] }()

	properties, required := map[string]any{}, []string{}
	for _, f := range fieldsOf(v.Type()) {
		fv := v.FieldByIndex(f.index)
		s := w.schema(fv, f.rule)
		if f.doc != "" {
			s["description"] = f.doc
		}
		if f.rule.required {
			required = append(required, f.name)
		} else if def, ok := defaultOf(f, fv); ok {
			s["default"] = def
		}
		properties[f.name] = s
	}
	s := map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		slices.Sort(required)
		s["required"] = required
	}
	return s
}

// defaultOf returns the default of a key, as JSON, if it has one. Those of
// objects stand at their keys.
func defaultOf(f field, v reflect.Value) (json.RawMessage, bool) {
	if f.absent(v) {
		return nil, false
	}
	e := encoder{}
	n := e.value(v, "")
	if e.err != nil || n == nil || n.Kind == NodeNull || n.Kind == NodeObject {
		return nil, false
	}
	return n.Canonical(), true
}

func textSchema(r rule) map[string]any {
	s := map[string]any{"type": "string"}
	if len(r.enum) > 0 {
		s["enum"] = r.enum
	}
	if r.nonempty {
		s["pattern"] = `[^\t\n\f\r ]`
	}
	return s
}

func numberSchema(t reflect.Type, r rule) map[string]any {
	s := map[string]any{"type": "number"}
	switch kind := t.Kind(); {
	case kind >= reflect.Int && kind <= reflect.Int64:
		s["type"] = "integer"
		if bits := t.Bits(); bits < 64 {
			high := int64(math.MaxInt64) >> (64 - bits)
			s["minimum"], s["maximum"] = -high-1, high
		}
	case kind >= reflect.Uint && kind <= reflect.Uint64:
		s["type"], s["minimum"] = "integer", 0
		if bits := t.Bits(); bits < 64 {
			s["maximum"] = uint64(math.MaxUint64) >> (64 - bits)
		}
	}
	if r.min != "" {
		s["minimum"] = json.Number(parseNumber(r.min).String())
	}
	if r.max != "" {
		s["maximum"] = json.Number(parseNumber(r.max).String())
	}
	return s
}

// sortedKeys returns the keys of a map of texts, sorted.
func sortedKeys(v reflect.Value) []reflect.Value {
	return slices.SortedFunc(slices.Values(v.MapKeys()), func(a, b reflect.Value) int {
		return strings.Compare(a.String(), b.String())
	})
}
