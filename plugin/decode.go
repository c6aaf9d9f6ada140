package plugin

import (
	"cmp"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ceap-platform/ceap"
)

// Defaulter is the optional ability of a pointer to a configuration type to
// fill in the defaults of a new value: of a list's entry, an object's entry or
// what a pointer points to.
type Defaulter interface {
	SetDefaults()
}

// LaterKeys is the optional ability of a configuration type to name keys that
// this version does not support. They are unknown keys all the same, but the
// message does not take them for spelling mistakes.
type LaterKeys interface {
	LaterKeys() []string
}

// NodeUnmarshaler is the optional ability of a pointer to a configuration type
// to read its own document. The problems it returns have absolute paths, as
// [Node.Problem] makes them.
type NodeUnmarshaler interface {
	UnmarshalNode(n *Node) ceap.Problems
}

// Decode reads the document n into a pointer to a struct (or to any other type
// that a configuration field may have), strictly, and returns all problems at
// once, in the order of their places, with absolute paths. What the document
// does not mention keeps its value; lists are replaced, objects are merged into
// structs and maps. A nil n changes nothing.
//
// A struct's keys are those of its json tags; other fields are ignored. The tag
// `ceap:"required,nonempty,enum=a|b,min=0,max=1"` says what is allowed, the tag
// `doc:"..."` what the key means. Fields may be bool, string, integers, floats,
// [time.Duration] (written "30s", "1h30m" or "7d"), structs, pointers, slices,
// maps with string keys, *Node (kept as it is), any, and types that implement
// [NodeUnmarshaler], [json.Unmarshaler] or [encoding.TextUnmarshaler]. Null is
// allowed for pointers only and means that there is no value. It panics if into
// is not a pointer or holds a type or tag that it does not know.
func Decode(n *Node, into any) ceap.Problems { return decode(n, into, false) }

// DecodePartial is [Decode] for a document that is to be merged with others:
// no key of it is missing.
func DecodePartial(n *Node, into any) ceap.Problems { return decode(n, into, true) }

func decode(n *Node, into any, partial bool) ceap.Problems {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		panic(fmt.Sprintf("plugin: Decode needs a pointer, not %T", into))
	}
	if n == nil {
		n = &Node{Kind: NodeObject}
		if v.Elem().Kind() != reflect.Struct {
			return nil
		}
	}
	d := decoder{partial: partial}
	d.value(n, v.Elem(), rule{})
	slices.SortStableFunc(d.problems, comparePlaces)
	return d.problems
}

// comparePlaces orders problems by their places in one file.
func comparePlaces(a, b ceap.Problem) int {
	return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
}

type decoder struct {
	partial  bool
	problems ceap.Problems
}

// report adds a problem with what is wrong at n, and a remedy.
func (d *decoder) report(n *Node, hint, format string, args ...any) {
	p := n.Problem(format, args...)
	p.Hint = hint
	d.problems = append(d.problems, p)
}

// value reads n into v.
func (d *decoder) value(n *Node, v reflect.Value, r rule) {
	if d.special(n, v, r) {
		return
	}
	if want, ok := wantedKind(v.Type()); ok && n.Kind != want {
		d.wrongKind(n, want, r)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		d.pointer(n, v, r)
	case reflect.Struct:
		d.object(n, v)
	case reflect.Slice:
		d.list(n, v, r)
	case reflect.Map:
		d.entries(n, v, r)
	case reflect.String:
		d.text(n, v, r)
	case reflect.Bool:
		v.SetBool(n.Text == "true")
	case reflect.Float32, reflect.Float64:
		d.float(n, v, r)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		d.integer(n, v, r)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		d.natural(n, v, r)
	default:
		panic(fmt.Sprintf("plugin: no configuration field can be a %s", v.Type()))
	}
}

// special reads the types that are not what their kind says, and reports
// whether v is of one of them.
func (d *decoder) special(n *Node, v reflect.Value, r rule) bool {
	switch into := v.Addr().Interface().(type) {
	case **Node:
		*into = n
	case *time.Duration:
		d.duration(n, into, r)
	case *any:
		data, _ := n.MarshalJSON()
		_ = json.Unmarshal(data, into) // what a Node writes is JSON
	case NodeUnmarshaler:
		d.problems = append(d.problems, into.UnmarshalNode(n)...)
	case *time.Time: // its text form has the better messages
		d.marshaledText(n, into)
	case json.Unmarshaler:
		data, _ := n.MarshalJSON()
		d.failed(n, into.UnmarshalJSON(data))
	case encoding.TextUnmarshaler:
		d.marshaledText(n, into)
	default:
		return false
	}
	return true
}

func (d *decoder) marshaledText(n *Node, into encoding.TextUnmarshaler) {
	if n.Kind != NodeString {
		d.wrongKind(n, NodeString, rule{})
		return
	}
	d.failed(n, into.UnmarshalText([]byte(n.Text)))
}

// failed reports the error that a type's own reading of n returned.
func (d *decoder) failed(n *Node, err error) {
	if err == nil {
		return
	}
	if ps, ok := errors.AsType[ceap.Problems](located(err, n)); ok {
		d.problems = append(d.problems, ps...)
		return
	}
	d.report(n, "", "%v", err)
}

// wantedKind returns which kind of node a type is written as, and whether that
// is known.
func wantedKind(t reflect.Type) (NodeKind, bool) {
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return NodeObject, true
	case reflect.Slice:
		return NodeList, true
	case reflect.String:
		return NodeString, true
	case reflect.Bool:
		return NodeBool, true
	case reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return NodeNumber, true
	default:
		return NodeNull, false
	}
}

func (d *decoder) pointer(n *Node, v reflect.Value, r rule) {
	if n.Kind == NodeNull {
		v.SetZero()
		return
	}
	target := reflect.New(v.Type().Elem())
	if v.IsNil() {
		enterDefaults(target.Elem())
	} else {
		// A copy: what v points to may belong to the plug-in's defaults.
		target.Elem().Set(v.Elem())
	}
	d.value(n, target.Elem(), r)
	v.Set(target)
}

func (d *decoder) object(n *Node, v reflect.Value) {
	fields := fieldsOf(v.Type())
	byName := make(map[string]field, len(fields))
	for _, f := range fields {
		byName[f.name] = f
	}
	first := map[string]ceap.Position{}
	for _, key := range n.Fields {
		f, known := byName[key.Name]
		switch at, twice := first[key.Name]; {
		case twice:
			d.duplicateKey(n, key, at)
		case !known:
			d.unknownKey(n, key, v, fields)
		default:
			d.value(key.Value, v.FieldByIndex(f.index), f.rule)
		}
		if _, twice := first[key.Name]; !twice {
			first[key.Name] = key.Pos
		}
	}
	for _, f := range fields {
		if _, given := first[f.name]; f.rule.required && !given && !d.partial {
			d.missingKey(n, f)
		}
	}
}

func (d *decoder) duplicateKey(n *Node, key Field, first ceap.Position) {
	d.problems = append(d.problems, ceap.Problem{
		Position: key.Pos, Path: keyPath(n, key), Message: "is given twice",
		Hint: fmt.Sprintf("keep one; the first is at line %d", first.Line),
	})
}

func (d *decoder) unknownKey(n *Node, key Field, v reflect.Value, fields []field) {
	p := ceap.Problem{Position: key.Pos, Path: keyPath(n, key), Message: "is not a known key"}
	if later, ok := v.Addr().Interface().(LaterKeys); ok && slices.Contains(later.LaterKeys(), key.Name) {
		p.Message, p.Hint = "is not supported by this version", "leave it out"
	} else {
		names := make([]string, len(fields))
		for i, f := range fields {
			names[i] = f.name
		}
		p.Hint = keyHint(key.Name, names)
	}
	d.problems = append(d.problems, p)
}

// keyPath returns the path of a key. In a document merged of several, keys of
// one object have come from different places, and their values know which.
func keyPath(n *Node, key Field) string {
	if key.Value != nil && key.Value.Path != "" {
		return key.Value.Path
	}
	return PathKey(n.Path, key.Name)
}

// keyHint says which of the known keys may be meant.
func keyHint(name string, known []string) string {
	if len(known) == 0 {
		return "leave it out; no keys are known here"
	}
	return nameHint(name, known)
}

func (d *decoder) missingKey(n *Node, f field) {
	p := ceap.Problem{Position: n.Pos, Path: PathKey(n.Path, f.name), Message: "is missing", Hint: fmt.Sprintf("add %q", f.name)}
	if f.doc != "" {
		p.Hint += ": " + clause(f.doc)
	}
	d.problems = append(d.problems, p)
}

// clause returns the first sentence of a description, to stand within another.
func clause(doc string) string {
	doc, _, _ = strings.Cut(doc, ". ")
	doc = strings.TrimSuffix(doc, ".")
	if first, rest, ok := strings.Cut(doc, " "); ok && first == strings.ToUpper(first[:1])+strings.ToLower(first[1:]) {
		return strings.ToLower(first) + " " + rest
	}
	return doc
}

func (d *decoder) list(n *Node, v reflect.Value, r rule) {
	if r.nonempty && len(n.Items) == 0 {
		d.report(n, "give at least one entry", "is empty")
	}
	// A new list: the old one may belong to the plug-in's defaults.
	items := reflect.MakeSlice(v.Type(), len(n.Items), len(n.Items))
	for i, item := range n.Items {
		enterDefaults(items.Index(i))
		d.value(item, items.Index(i), r.entry())
	}
	v.Set(items)
}

func (d *decoder) entries(n *Node, v reflect.Value, r rule) {
	if r.nonempty && len(n.Fields) == 0 {
		d.report(n, "give at least one entry", "is empty")
	}
	// A new map: the old one may belong to the plug-in's defaults.
	entries := reflect.MakeMapWithSize(v.Type(), v.Len()+len(n.Fields))
	for old := v.MapRange(); old.Next(); {
		entries.SetMapIndex(old.Key(), old.Value())
	}
	first := map[string]ceap.Position{}
	for _, key := range n.Fields {
		if at, twice := first[key.Name]; twice {
			d.duplicateKey(n, key, at)
			continue
		}
		first[key.Name] = key.Pos
		entry := reflect.New(v.Type().Elem()).Elem()
		enterDefaults(entry)
		d.value(key.Value, entry, r.entry())
		entries.SetMapIndex(reflect.ValueOf(key.Name).Convert(v.Type().Key()), entry)
	}
	v.Set(entries)
}

func (d *decoder) text(n *Node, v reflect.Value, r rule) {
	switch {
	case len(r.enum) > 0 && !slices.Contains(r.enum, n.Text):
		hint := "use one of: " + strings.Join(r.enum, ", ")
		if near := Nearest(n.Text, r.enum); near != "" {
			hint = fmt.Sprintf("did you mean %q? %s", near, hint)
		}
		d.report(n, hint, "is %s", quoteShort(n.Text))
	case r.nonempty && strings.Trim(n.Text, blanks) == "":
		d.report(n, "give a text", "is empty")
	}
	v.SetString(n.Text)
}

// blanks is what the expression \s matches, which the schema uses for nonempty.
const blanks = "\t\n\f\r "

func (d *decoder) duration(n *Node, into *time.Duration, r rule) {
	const forms = `use a duration such as "500ms", "30s", "1h30m" or "7d"`
	if n.Kind != NodeString {
		d.report(n, forms, "is %s", describe(n))
		return
	}
	length, err := parseDuration(n.Text)
	if err != nil {
		d.report(n, forms, "%v", err)
		return
	}
	if remedy := r.outside(float64(length), reflect.TypeFor[time.Duration]()); remedy != "" {
		d.report(n, remedy, "is %s", n.Text)
	}
	*into = length
}

func (d *decoder) float(n *Node, v reflect.Value, r rule) {
	x, err := strconv.ParseFloat(n.Text, v.Type().Bits())
	if err != nil {
		d.report(n, "use a smaller number", "is %s, too large for a number here", shorten(n.Text))
		return
	}
	if remedy := r.outside(x, v.Type()); remedy != "" {
		d.report(n, remedy, "is %s", shorten(n.Text))
	}
	v.SetFloat(x)
}

func (d *decoder) integer(n *Node, v reflect.Value, r rule) {
	bits := v.Type().Bits()
	whole, ok := wholeNumber(n.Text)
	if !ok {
		d.report(n, "use a whole number", "is %s", shorten(n.Text))
		return
	}
	x, err := strconv.ParseInt(whole, 10, bits)
	if err != nil {
		high := int64(math.MaxInt64) >> (64 - bits)
		d.report(n, fmt.Sprintf("use %d to %d", -high-1, high), "is %s, out of range", shorten(n.Text))
		return
	}
	if remedy := r.outside(float64(x), v.Type()); remedy != "" {
		d.report(n, remedy, "is %s", shorten(n.Text))
	}
	v.SetInt(x)
}

func (d *decoder) natural(n *Node, v reflect.Value, r rule) {
	bits := v.Type().Bits()
	whole, ok := wholeNumber(n.Text)
	if !ok {
		d.report(n, "use a whole number", "is %s", shorten(n.Text))
		return
	}
	x, err := strconv.ParseUint(whole, 10, bits)
	if err != nil {
		d.report(n, fmt.Sprintf("use 0 to %d", uint64(math.MaxUint64)>>(64-bits)), "is %s, out of range", shorten(n.Text))
		return
	}
	if remedy := r.outside(float64(x), v.Type()); remedy != "" {
		d.report(n, remedy, "is %s", shorten(n.Text))
	}
	v.SetUint(x)
}

// wrongKind reports that n is not of the kind that its key needs.
func (d *decoder) wrongKind(n *Node, want NodeKind, r rule) {
	remedy := map[NodeKind]string{
		NodeBool: "use true or false", NodeNumber: "use a number", NodeString: "use text, in quotes",
		NodeList: "use a list, in [ ]", NodeObject: "use an object, in { }",
	}[want]
	switch unquoted := strings.TrimSpace(n.Text); {
	case n.Kind == NodeNull:
		remedy += ", or leave the key out"
	case want == NodeString && len(r.enum) > 0:
		remedy = "use one of: " + strings.Join(r.enum, ", ")
	case want == NodeNumber && n.Kind == NodeString && IsNumber(unquoted),
		want == NodeBool && n.Kind == NodeString && (unquoted == "true" || unquoted == "false"):
		remedy += fmt.Sprintf(", without quotes: %s", unquoted)
	case want == NodeList && n.Kind != NodeObject && len(n.Text) <= shortText:
		data, _ := n.MarshalJSON()
		remedy += fmt.Sprintf(": [%s]", data)
	}
	d.report(n, remedy, "is %s", describe(n))
}

// shortText is how much of a value a message shows, in bytes.
const shortText = 60

func shorten(text string) string {
	if len(text) <= shortText {
		return text
	}
	return strings.ToValidUTF8(text[:shortText], "") + "..."
}

func quoteShort(text string) string { return strconv.Quote(shorten(text)) }

// describe says what a node is, with its value if that is short.
func describe(n *Node) string {
	switch n.Kind {
	case NodeString:
		return "the text " + quoteShort(n.Text)
	case NodeNumber:
		return "the number " + shorten(n.Text)
	case NodeBool:
		return n.Text
	default:
		return n.Kind.String()
	}
}
