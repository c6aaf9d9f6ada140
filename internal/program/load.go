package program

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/plugin"
)

// Options says what programs are checked against and opened with.
type Options struct {
	Plugins plugin.Set

	// Settings returns the deployment's settings of a plug-in, or nil for its
	// defaults. The kind is "connectors", "filters" or "scorers", the name the
	// plug-in's first. It may be nil.
	Settings func(kind, name string) any

	// Env is what plug-ins are given, apart from what belongs to a program and to
	// a plug-in. Without a Logger nothing is logged.
	Env plugin.Env
}

// Loaded is what a document or the items of a program say.
type Loaded struct {
	ProgramID string
	Programs  []*Program // one per marketplace, in the document's order; those with errors too (I20)

	// Base is set if the document is a base item (D11), which gives no program by
	// itself.
	Base *ceap.ProgramItem

	// Problems are all problems, each once, in the order of their places: those of
	// the document and those of every program.
	Problems ceap.Problems
}

// Err returns nil if all is well, else an error of [ceap.CodeInvalid] with all
// that is wrong.
func (l Loaded) Err() error { return l.Problems.Err() }

// Program returns the program of a marketplace, or of the only one for "".
// Returns invalid with all that is wrong with it, and not_found with the
// marketplaces there are (D12).
func (l Loaded) Program(marketplace string) (*Program, error) {
	var known []string
	for _, p := range l.Programs {
		if p.Marketplace == marketplace || (marketplace == "" && len(l.Programs) == 1) {
			return p, p.Err()
		}
		known = append(known, p.Marketplace)
	}
	if err := l.Err(); err != nil && len(known) == 0 {
		return nil, err
	}
	e := &ceap.Error{Code: ceap.CodeNotFound, Message: fmt.Sprintf("program %q has no marketplace %q", l.ProgramID, marketplace)}
	switch {
	case len(known) == 0:
		e.Message, e.Hint = fmt.Sprintf("program %q has no marketplace at all", l.ProgramID), "store it with: ceap program apply"
	case marketplace == "":
		e.Code, e.Message = ceap.CodeInvalid, fmt.Sprintf("program %q has several marketplaces", l.ProgramID)
		fallthrough
	default:
		e.Hint = "use one of: " + strings.Join(known, ", ")
	}
	return nil, e
}

// Load reads a program file, or an item of the program table (D9), and checks
// it wholly: it opens the plug-ins that the program names, once, so that their
// own problems show. The file's name stands in all messages and decides the
// format as in [Parse].
func Load(file string, data []byte, o Options) Loaded {
	doc, it, problems := read(file, data)
	if len(problems.Errors()) > 0 {
		return Loaded{ProgramID: it.programID, Problems: problems}
	}
	if it.is && IsBase(it.marketplace) {
		return loadBase(doc, it, problems)
	}
	names, found := marketplaces(doc)
	problems = append(problems, found...)
	l := Loaded{ProgramID: textOf(doc.Get("programId"))}
	for _, name := range names {
		effective, found := effectiveFor(doc, name)
		p := build(effective, name.Text, o)
		p.Problems = append(found, p.Problems...)
		l.Programs = append(l.Programs, p)
	}
	if len(names) == 0 { // the rest of the document may have problems too
		problems = append(problems, build(doc, "", o).Problems...)
	}
	return l.finished(problems)
}

// LoadItems reads the items of one program, as a store lists them, and checks
// them as [Load] does. The base items CONFIG and MARKETPLACE#* are merged
// beneath the others. A program is enabled only if its item is switched on, too.
func LoadItems(items []ceap.ProgramItem, o Options) Loaded {
	var l Loaded
	var base *plugin.Node
	var baseProblems ceap.Problems
	for _, marketplace := range []string{BaseConfig, BaseAny} {
		for _, it := range items {
			if it.Marketplace == marketplace {
				doc, problems := readStored(it)
				baseProblems = append(baseProblems, problems...)
				base = Merge(base, doc)
			}
		}
	}
	for _, it := range items {
		l.ProgramID = it.ProgramID
		if IsBase(it.Marketplace) {
			continue
		}
		p := &Program{ProgramID: it.ProgramID, Marketplace: it.Marketplace}
		doc, problems := readStored(it)
		if problems = append(slices.Clone(baseProblems), problems...); len(problems.Errors()) == 0 {
			name := &plugin.Node{Kind: plugin.NodeString, Text: it.Marketplace, Pos: doc.Pos, Path: "marketplace"}
			effective, found := effectiveFor(Merge(base, doc), name)
			p = build(effective, it.Marketplace, o)
			problems = append(problems, found...)
		}
		p.Problems = append(problems, p.Problems...)
		if p.Enabled && !it.Enabled {
			p.Enabled, p.Disabled = false, SwitchedOff(p.ProgramID)
		}
		l.Programs = append(l.Programs, p)
	}
	return l.finished(baseProblems)
}

// finished gives every program the problems of the document, and collects all.
func (l Loaded) finished(problems ceap.Problems) Loaded {
	all := slices.Clone(problems)
	for _, p := range l.Programs {
		p.Problems = ordered(append(slices.Clone(problems), p.Problems...))
		all = append(all, p.Problems...)
	}
	l.Problems = ordered(all)
	return l
}

// ordered returns the problems in the order of their places, each once.
func ordered(problems ceap.Problems) ceap.Problems {
	seen := map[ceap.Problem]bool{}
	var out ceap.Problems
	for _, p := range problems {
		if !seen[p] {
			seen[p] = true
			out = append(out, p)
		}
	}
	slices.SortStableFunc(out, func(a, b ceap.Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return out
}

// loadBase reads a base item. Nothing is missing from it, for it is merged
// beneath others; its plug-ins are checked with them.
func loadBase(doc *plugin.Node, it item, problems ceap.Problems) Loaded {
	into := newDocument()
	problems = append(problems, plugin.DecodePartial(doc, &into)...)
	l := Loaded{ProgramID: it.programID}
	l.Base = &ceap.ProgramItem{
		ProgramID: it.programID, Marketplace: it.marketplace, Document: doc.Canonical(), Enabled: true,
		CreatedAt: it.createdAt, UpdatedAt: it.updatedAt,
	}
	return l.finished(problems)
}

// read returns the program document of a file.
func read(file string, data []byte) (*plugin.Node, item, ceap.Problems) {
	node, src, problems := parse(file, data)
	if len(problems.Errors()) > 0 {
		return nil, item{}, problems
	}
	if node.Kind != plugin.NodeObject {
		p := node.Problem("a program is an object, and this is %s", node.Kind)
		p.Hint = `start with {"programId": ...}`
		return nil, item{}, append(problems, p)
	}
	node, it, found := readItem(src, node)
	problems = append(problems, found...)
	node, found = normaliseAll(node)
	return node, it, append(problems, found...)
}

// readStored returns the document of an item of a store.
func readStored(stored ceap.ProgramItem) (*plugin.Node, ceap.Problems) {
	it := item{is: true, programID: stored.ProgramID, marketplace: stored.Marketplace}
	node, src, problems := parse(strings.TrimPrefix(it.name(), "item "), stored.Document)
	if len(problems.Errors()) > 0 {
		return nil, problems
	}
	if node.Kind != plugin.NodeObject {
		return nil, append(problems, node.Problem("a program is an object, and this is %s", node.Kind))
	}
	r := itemReader{src: src, item: it}
	node = r.texts(r.complete(node, node))
	node, found := normaliseAll(node)
	return node, slices.Concat(problems, r.problems, found)
}

// normaliseAll normalises a document and its overrides.
func normaliseAll(doc *plugin.Node) (*plugin.Node, ceap.Problems) {
	doc, problems := normalise(doc)
	overrides := doc.Get("marketplaceOverrides")
	if overrides == nil || overrides.Kind != plugin.NodeObject {
		return doc, problems
	}
	c := *overrides
	c.Fields = nil
	for _, f := range overrides.Fields {
		var found ceap.Problems
		f.Value, found = normalise(f.Value)
		problems = append(problems, found...)
		c.Fields = append(c.Fields, f)
	}
	return replaced(doc, "marketplaceOverrides", &c), problems
}

// marketplaces returns the names of the document's marketplaces (D12), with
// their places.
func marketplaces(doc *plugin.Node) ([]*plugin.Node, ceap.Problems) {
	var said struct {
		Marketplace  string   `json:"marketplace" ceap:"nonempty"`
		Marketplaces []string `json:"marketplaces" ceap:"nonempty"`
	}
	one, many := doc.Get("marketplace"), doc.Get("marketplaces")
	problems := plugin.Decode(only(doc, "marketplace", "marketplaces"), &said)
	if len(problems) > 0 {
		return nil, problems
	}
	names := []*plugin.Node{one}
	switch {
	case one == nil && many == nil:
		p := doc.Problem("is missing")
		p.Path, p.Hint = "marketplace", `add "marketplace": "US", or "marketplaces": ["US", "UK"]`
		return nil, ceap.Problems{p}
	case many != nil:
		if one != nil && (len(said.Marketplaces) != 1 || said.Marketplaces[0] != said.Marketplace) {
			p := many.Problem("lists %s, but marketplace says %s", strings.Join(said.Marketplaces, ", "), said.Marketplace)
			p.Hint = "keep one of the two keys"
			problems = append(problems, p)
		}
		names = many.Items
	}
	seen := duplicates{}
	for _, name := range names {
		problems = append(problems, checkName(name, "marketplace")...)
		if p, twice := seen.repeated(name.Text, name.Pos, name.Path); twice {
			problems = append(problems, p)
		}
		if IsBase(name.Text) {
			p := name.Problem("%q is not the name of a marketplace", name.Text)
			p.Hint = "base items are stored under it; use another name"
			problems = append(problems, p)
		}
	}
	return names, append(problems, checkOverrides(doc.Get("marketplaceOverrides"), names)...)
}

// checkOverrides looks at the marketplaces that overrides are for.
func checkOverrides(overrides *plugin.Node, names []*plugin.Node) ceap.Problems {
	var known []string
	for _, name := range names {
		known = append(known, name.Text)
	}
	var said struct {
		Overrides map[string]map[string]*plugin.Node `json:"marketplaceOverrides"`
	}
	if overrides == nil {
		return nil
	}
	problems := plugin.Decode(overrides, &said.Overrides)
	for _, f := range overrides.Fields {
		if !slices.Contains(known, f.Name) {
			p := ceap.Problem{Position: f.Pos, Path: f.Value.Path, Message: fmt.Sprintf("the program has no marketplace %q", f.Name)}
			p.Hint = "it has: " + strings.Join(known, ", ")
			problems = append(problems, p)
		}
		for _, key := range identityKeys() {
			if v := f.Value.Get(key); v != nil {
				p := v.Problem("cannot differ between marketplaces")
				p.Hint = "leave it out here"
				problems = append(problems, p)
			}
		}
	}
	return problems
}

// identityKeys lists the keys that no override may set.
func identityKeys() []string {
	return []string{"programId", "marketplace", "marketplaces", "marketplaceOverrides"}
}

// effectiveFor returns the document as it is for one marketplace (I19).
func effectiveFor(doc, name *plugin.Node) (*plugin.Node, ceap.Problems) {
	var problems ceap.Problems
	if said := doc.Get("marketplaces"); said != nil && said.Kind == plugin.NodeList &&
		!slices.ContainsFunc(said.Items, func(n *plugin.Node) bool { return textOf(n) == name.Text }) {
		problems = append(problems, said.Problem("lacks %s, the marketplace of the item", name.Text))
	}
	over := doc.Get("marketplaceOverrides").Get(name.Text)
	if over != nil && over.Kind != plugin.NodeObject {
		over = nil // already reported
	}
	effective := Merge(without(doc, "marketplaceOverrides", "marketplaces"), without(over, identityKeys()...))
	return withText(effective, "marketplace", name.Text, name), problems
}

// checkName returns what is wrong with a name that becomes part of keys, logs
// and file names.
func checkName(n *plugin.Node, what string) ceap.Problems {
	const longest = 256 // bytes; far above any real name, well below the limits of keys
	var p ceap.Problem
	switch text := textOf(n); {
	case text == "":
		return nil // missing or ill-typed: the decoder says so
	case strings.TrimSpace(text) != text:
		p = n.Problem("%q starts or ends with a space", text)
		p.Hint = "remove the space"
	case strings.ContainsFunc(text, unicode.IsControl):
		p = n.Problem("%q has a control character", text)
		p.Hint = "remove it"
	case len(text) > longest:
		p = n.Problem("is %d bytes long", len(text))
		p.Hint = fmt.Sprintf("use a %s of at most %d bytes", what, longest)
	default:
		return nil
	}
	return ceap.Problems{p}
}

// SwitchedOff says why a program is disabled that its operator has switched off.
func SwitchedOff(programID string) string {
	return fmt.Sprintf("it was switched off; `ceap program enable %s` switches it on", programID)
}
