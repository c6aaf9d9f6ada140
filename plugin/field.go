package plugin

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// field is a key of a configuration struct, as its tags describe it. Decoder,
// encoder and schema all read it, so that they cannot disagree.
type field struct {
	name  string // from the json tag
	index []int
	typ   reflect.Type
	doc   string // from the doc tag
	omit  bool   // left out when zero, from omitempty or omitzero of the json tag
	rule  rule
}

// rule is the content of a ceap tag: comma-separated, of the parts
//
//	required     the key must be there
//	nonempty     text must have a visible character, a list or object an entry
//	enum=a|b     the texts that are allowed
//	min=0,max=1  bounds, inclusive, of a number or duration
//
// Of a list or an object of values, enum, min and max are about its entries, and
// nonempty about itself and its entries.
type rule struct {
	required bool
	nonempty bool
	enum     []string
	min, max string // as written, so that messages show the author's words; "" if absent
}

// entry returns the rule of a list's or object's entries.
func (r rule) entry() rule {
	r.required = false
	return r
}

// fieldsOf returns the keys of a struct type, with those of embedded structs in
// their place. It panics for tags that nobody can obey: they are mistakes of
// the program, and [Set.Check] finds them.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for sf := range t.Fields() {
		name, options, _ := strings.Cut(sf.Tag.Get("json"), ",")
		if name == "" && sf.Anonymous && sf.Type.Kind() == reflect.Struct {
			for _, inner := range fieldsOf(sf.Type) {
				inner.index = append(slices.Clone(sf.Index), inner.index...)
				fields = append(fields, inner)
			}
			continue
		}
		if name == "" || name == "-" || !sf.IsExported() {
			continue
		}
		r, err := parseRule(sf.Tag.Get("ceap"), sf.Type)
		if err != nil {
			panic(fmt.Sprintf("plugin: field %s of %s: %v", sf.Name, t, err))
		}
		fields = append(fields, field{
			name: name, index: sf.Index, typ: sf.Type, doc: sf.Tag.Get("doc"), rule: r,
			omit: strings.Contains(options, "omit"),
		})
	}
	return fields
}

func parseRule(tag string, t reflect.Type) (rule, error) {
	var r rule
	if tag == "" {
		return r, nil
	}
	for part := range strings.SplitSeq(tag, ",") {
		key, value, _ := strings.Cut(part, "=")
		switch key {
		case "required":
			r.required = true
		case "nonempty":
			r.nonempty = true
		case "enum":
			r.enum = strings.Split(value, "|")
		case "min":
			r.min = value
		case "max":
			r.max = value
		default:
			return r, fmt.Errorf("ceap tag %q has no part %q", tag, key)
		}
	}
	for _, bound := range []string{r.min, r.max} {
		if _, err := parseBound(bound, boundedType(t)); bound != "" && err != nil {
			return r, fmt.Errorf("ceap tag %q: %w", tag, err)
		}
	}
	return r, nil
}

// boundedType returns the type of the single values that bounds are about.
func boundedType(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	return t
}

// parseBound reads a bound: nanoseconds for durations, else the number itself.
func parseBound(bound string, t reflect.Type) (float64, error) {
	if t == reflect.TypeFor[time.Duration]() {
		d, err := parseDuration(bound)
		return float64(d), err
	}
	return strconv.ParseFloat(bound, 64)
}

// outside says which bound x breaks, in words, or "".
func (r rule) outside(x float64, t reflect.Type) string {
	low, errLow := parseBound(r.min, t)
	high, errHigh := parseBound(r.max, t)
	hasLow, hasHigh := r.min != "" && errLow == nil, r.max != "" && errHigh == nil
	switch {
	case (!hasLow || x >= low) && (!hasHigh || x <= high):
		return ""
	case hasLow && hasHigh:
		return fmt.Sprintf("use %s to %s", r.min, r.max)
	case hasLow:
		return "use at least " + r.min
	default:
		return "use at most " + r.max
	}
}

// enterDefaults lets a new value fill in its own defaults.
func enterDefaults(v reflect.Value) {
	if d, ok := v.Addr().Interface().(Defaulter); ok {
		d.SetDefaults()
	}
}
