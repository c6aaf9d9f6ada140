package plugin

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
)

// Check looks at the descriptions of all plug-ins and returns what is wrong
// with them, joined: names that are no names or given twice, missing summaries,
// configurations whose tags cannot be obeyed, whose keys lack a description or
// that do not read their own defaults. It opens nothing. Tests call it.
func (s Set) Check() error {
	return errors.Join(checkKind("connector", s.Connectors), checkKind("filter", s.Filters),
		checkKind("scorer", s.Scorers), checkKind("store", s.Stores))
}

func checkKind[T any](kind string, plugins []Of[T]) error {
	var errs []error
	owner := map[string]string{}
	for _, p := range plugins {
		for _, name := range p.Names() {
			if other, taken := owner[name]; taken {
				errs = append(errs, fmt.Errorf("%s %q has the name %q of %q", kind, p.name, name, other))
			}
			owner[name] = p.name
		}
		if err := p.check(); err != nil {
			errs = append(errs, fmt.Errorf("checking %s %q: %w", kind, p.name, err))
		}
	}
	return errors.Join(errs...)
}

// namePattern is the form of plug-in names, as users write them.
const namePattern = `^[a-z][a-z0-9]*([-_][a-z0-9]+)*$`

func (p Of[T]) check() error {
	var errs []error
	for _, name := range p.Names() {
		if !regexp.MustCompile(namePattern).MatchString(name) {
			errs = append(errs, fmt.Errorf("the name %q is not lower case with - or _ between words", name))
		}
	}
	if p.summary == "" {
		errs = append(errs, errors.New("the summary is missing"))
	}
	errs = append(errs, CheckConfig(p.config))
	if p.settings != nil {
		errs = append(errs, CheckConfig(p.settings))
	}
	return errors.Join(errs...)
}

// CheckConfig returns what is wrong with a configuration type, given its
// default: tags that cannot be obeyed, exported fields without a json tag, keys
// that are not camelCase or lack a description, and defaults that [Decode] does
// not read back, apart from keys that users must give.
func CheckConfig(def any) (err error) {
	defer func() {
		if trouble := recover(); trouble != nil {
			err = fmt.Errorf("%v", trouble)
		}
	}()
	t := reflect.TypeOf(def)
	if t == nil || t.Kind() != reflect.Struct {
		return fmt.Errorf("the configuration is %v, not a struct", t)
	}
	var errs []error
	checkFields(t, map[reflect.Type]bool{}, &errs)
	return errors.Join(append(errs, checkDefaults(def))...)
}

// checkFields adds what is wrong with the fields of t and of the structs in it.
func checkFields(t reflect.Type, seen map[reflect.Type]bool, errs *[]error) {
	special := func() bool {
		_, is := specialSchema(reflect.New(t).Elem())
		return is
	}
	for !special() && (t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map) {
		t = t.Elem()
	}
	if special() || t.Kind() != reflect.Struct || seen[t] {
		return
	}
	seen[t] = true
	for sf := range t.Fields() {
		if _, tagged := sf.Tag.Lookup("json"); sf.IsExported() && !sf.Anonymous && !tagged {
			*errs = append(*errs, fmt.Errorf("field %s of %s has no json tag", sf.Name, t))
		}
	}
	keys := regexp.MustCompile(`^[a-z][a-zA-Z0-9]*$`)
	for _, f := range fieldsOf(t) {
		if !keys.MatchString(f.name) {
			*errs = append(*errs, fmt.Errorf("key %q of %s is not camelCase", f.name, t))
		}
		if f.doc == "" {
			*errs = append(*errs, fmt.Errorf("key %q of %s has no doc tag", f.name, t))
		}
		checkFields(f.typ, seen, errs)
	}
}

// checkDefaults writes the defaults and reads them into an empty value.
func checkDefaults(def any) error {
	document, err := Encode(def)
	if err != nil {
		return err
	}
	back := reflect.New(reflect.TypeOf(def))
	if problems := DecodePartial(document, back.Interface()); len(problems) > 0 {
		return fmt.Errorf("decoding its own defaults %s: %w", document.Canonical(), problems)
	}
	if again, err := Encode(back.Elem().Interface()); err != nil || string(again.Canonical()) != string(document.Canonical()) {
		return fmt.Errorf("the defaults %s are read back as %s", document.Canonical(), again.Canonical())
	}
	return nil
}
