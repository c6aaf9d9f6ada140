package program

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/plugin"
)

// builder makes a program of its effective document, and collects what is wrong
// on the way.
type builder struct {
	node     *plugin.Node
	doc      document
	decoded  ceap.Problems // what the decoder found
	program  *Program
	problems ceap.Problems
}

// build returns the program that an effective document describes. It is never
// nil; its Problems say whether it can run.
func build(node *plugin.Node, marketplace string, o Options) *Program {
	b := builder{node: node, doc: newDocument()}
	b.decoded = plugin.Decode(node, &b.doc)
	b.program = &Program{
		ProgramID: b.doc.ProgramID, Name: b.doc.ProgramName, Marketplace: marketplace, Source: node.Pos,
		Enabled: b.doc.Enabled, CandidateTTLDays: b.doc.CandidateTTLDays, Timezone: time.UTC,
		Currency: string(b.doc.Currency), DefaultEligibility: b.doc.DefaultEligibility, ExpectRows: b.doc.ExpectRows,
		MaxErrorRate: b.doc.MaxErrorRate, DataQuality: DataQuality(b.doc.DataQuality), Schedule: b.doc.BatchSchedule,
	}
	b.settings()
	b.eligibility()
	b.connectors()
	b.filters()
	b.models()
	b.channels()
	b.problems = append(b.problems, b.program.tryPlugins(o)...)
	b.program.Document = node.Canonical()
	b.program.Hash = hash(b.program.Document)
	b.program.Problems = append(b.decoded, b.problems...)
	return b.program
}

// report adds an error at n.
func (b *builder) report(n *plugin.Node, hint, format string, args ...any) {
	p := n.Problem(format, args...)
	p.Hint = hint
	b.problems = append(b.problems, p)
}

// warn adds a warning about a key of the document, which may be absent.
func (b *builder) warn(key, hint, format string, args ...any) {
	at := b.node.Get(key)
	if at == nil {
		at = &plugin.Node{Pos: b.node.Pos, Path: key}
	}
	b.report(at, hint, format, args...)
	b.problems[len(b.problems)-1].Warning = true
}

// sound reports whether the decoder found nothing wrong at n or below it.
func (b *builder) sound(n *plugin.Node) bool {
	return !slices.ContainsFunc(b.decoded, func(p ceap.Problem) bool {
		rest, below := strings.CutPrefix(p.Path, n.Path)
		return below && (rest == "" || rest[0] == '.' || rest[0] == '[')
	})
}

func (b *builder) settings() {
	p := b.program
	b.problems = append(b.problems, checkName(b.node.Get("programId"), "programId")...)
	if p.Name == "" {
		p.Name = p.ProgramID
	}
	if !p.Enabled {
		p.Disabled = "the program says enabled: false"
	}
	if b.doc.ReopenAfterDays != nil {
		p.ReopenAfterDays = *b.doc.ReopenAfterDays
	}
	// LoadLocation takes "Local" for the machine's own zone: a program would mean
	// something else on another machine.
	zone, err := time.LoadLocation(b.doc.Timezone)
	if err != nil || b.doc.Timezone == "Local" {
		b.report(b.node.Get("timezone"), "use an IANA name such as Europe/Berlin, or UTC", "%q is not a known time zone", b.doc.Timezone)
		zone = time.UTC
	}
	p.Timezone = zone
	if p.DataQuality.MinDate.after(p.DataQuality.MaxDate) {
		b.report(b.node.Get("dataQuality"), "swap the two", "minDate %s is after maxDate %s", p.DataQuality.MinDate, p.DataQuality.MaxDate)
	}
	if p.Currency == "" {
		p.Currency = "USD"
		if p.Marketplace != "US" && p.Marketplace != "" {
			b.warn("currency", `add "currency", such as "GBP"`, "is absent: order values of %s count as USD", p.Marketplace)
		}
	}
}

// eligibility checks which channels are taken for eligible without a word in
// the rows (D29).
func (b *builder) eligibility() {
	node := b.node.Get("defaultEligibility")
	if node == nil || node.Kind != plugin.NodeObject {
		return
	}
	for _, f := range node.Fields {
		known := plugin.Nearest(f.Name, channelTypes())
		switch allowed, given := b.doc.DefaultEligibility[f.Name]; {
		case f.Name == "media":
			b.report(f.Value, "leave it out", "media is about the content, not a channel")
		case known != "" && known != f.Name && foldedEqual(known, f.Name):
			b.report(f.Value, fmt.Sprintf("write %q", known), "is not how the channel is spelled")
		case given && allowed && slices.Contains(consentChannels(), f.Name):
			b.report(f.Value, fmt.Sprintf("remove it, and let the query return %s_eligible, or map %sEligible", f.Name, f.Name),
				"consent for %s must be visible in the rows", f.Name)
		}
	}
}

// consentChannels lists the channels whose eligibility no program may assume.
func consentChannels() []string { return []string{"sms", "push", "voice", "whatsapp"} }

func channelTypes() []string {
	return []string{"email", "sms", "push", "in-app", "webhook", "voice", "whatsapp"}
}

// foldedEqual reports whether two names differ in case and separators only.
func foldedEqual(a, b string) bool {
	fold := strings.NewReplacer("-", "", "_", "", " ", "")
	return strings.EqualFold(fold.Replace(a), fold.Replace(b))
}

// entry is what all parts of a program have.
type entry struct {
	kind    string // in messages
	idKey   string
	typeKey string
	config  string // the key of the configuration
}

// The parts of a program.
func connectorPart() entry { return entry{"connector", "connectorId", "connectorType", "sourceConfig"} }
func filterPart() entry    { return entry{"filter", "filterId", "filterType", "parameters"} }
func modelPart() entry     { return entry{"model", "modelId", "modelType", "config"} }
func channelPart() entry   { return entry{"channel", "channelId", "channelType", "config"} }

// configOf returns the configuration of an entry, an empty one if it has none.
func (e entry) configOf(node *plugin.Node) *plugin.Node {
	if config := node.Get(e.config); config != nil {
		return config
	}
	return &plugin.Node{Kind: plugin.NodeObject, Pos: node.Pos, Path: plugin.PathKey(node.Path, e.config)}
}

// unique reports ids that are given twice, and ids that are no names.
func (b *builder) unique(e entry, node *plugin.Node, id string, seen duplicates) {
	at := node.Get(e.idKey)
	hint := "ids are unique in a program: rename one"
	if at == nil {
		at = node.Get(e.typeKey) // a channel's id is its type by default (D59)
		hint = fmt.Sprintf("give each a %s of its own", e.idKey)
	}
	if at == nil || id == "" {
		return
	}
	b.problems = append(b.problems, checkName(at, e.idKey)...)
	if p, twice := seen.repeated(id, at.Pos, at.Path); twice {
		p.Message = fmt.Sprintf("two %ss have the id %q", e.kind, id)
		p.Hint = hint + "; " + strings.TrimPrefix(p.Hint, "keep one; ")
		b.problems = append(b.problems, p)
	}
}

// items returns the entries of a section's list, as many as were decoded.
func items(n *plugin.Node, decoded int) []*plugin.Node {
	if n == nil || len(n.Items) != decoded {
		return nil
	}
	return n.Items
}

func (b *builder) connectors() {
	const remedy = `add "dataConnectors": a list with at least one connector`
	node := b.node.Get("dataConnectors")
	if node == nil {
		b.report(&plugin.Node{Pos: b.node.Pos, Path: "dataConnectors"}, remedy, "is missing: the program has no data source")
		return
	}
	if node.Kind == plugin.NodeList && len(node.Items) == 0 {
		b.report(node, remedy, "is empty: the program has no data source")
	}
	seen, enabled := duplicates{}, false
	for i, item := range items(node, len(b.doc.DataConnectors)) {
		d := b.doc.DataConnectors[i]
		b.unique(connectorPart(), item, d.ConnectorID, seen)
		enabled = enabled || d.Enabled
		b.program.Connectors = append(b.program.Connectors, Connector{
			ID: d.ConnectorID, Type: d.ConnectorType, Enabled: d.Enabled, Config: connectorPart().configOf(item), Node: item,
		})
	}
	if !enabled && len(b.program.Connectors) > 0 {
		b.warn("dataConnectors", "enable one", "every connector is disabled: runs read nothing")
	}
}

func (b *builder) filters() {
	chain := b.node.Get("filterChain")
	if chain == nil {
		b.warn("filterChain", "add it if some should not be contacted", "is absent: every candidate passes")
		return
	}
	seen := duplicates{}
	for i, item := range items(chain.Get("filters"), len(b.doc.FilterChain.Filters)) {
		d := b.doc.FilterChain.Filters[i]
		b.unique(filterPart(), item, d.FilterID, seen)
		b.program.Filters = append(b.program.Filters, Filter{
			ID: d.FilterID, Type: d.FilterType, Enabled: d.Enabled, Order: d.Order, Config: filterPart().configOf(item), Node: item,
		})
	}
	slices.SortStableFunc(b.program.Filters, func(x, y Filter) int { return cmp.Compare(x.Order, y.Order) })
}

func (b *builder) models() {
	node := b.node.Get("scoringModels")
	if node == nil {
		b.warn("scoringModels", "add it to rank candidates by score", "is absent: candidates rank by event date, newest first")
		return
	}
	seen, enabled, weight := duplicates{}, false, 0.0
	for i, item := range items(node, len(b.doc.ScoringModels)) {
		d := b.doc.ScoringModels[i]
		b.unique(modelPart(), item, d.ModelID, seen)
		if d.ModelID == "*" {
			b.report(item.Get("modelId"), "rename the model", `"*" stands for the candidate's own score`)
		}
		m := Model{
			ID: d.ModelID, Type: d.ModelType, Enabled: d.Enabled, Weight: d.Weight, FallbackScore: d.FallbackScore,
			Scale: Scale{0, 1}, Config: modelPart().configOf(item), Node: item,
		}
		b.scale(&m, d.Scale)
		if d.Enabled {
			enabled = true
			weight += d.Weight
		}
		b.program.Models = append(b.program.Models, m)
	}
	if enabled && weight == 0 && b.sound(node) {
		b.report(node, "give at least one enabled model a weight above 0", "no enabled model has a weight: candidates would have no score")
	}
}

// scale gives the model its scale and checks what must lie in it.
func (b *builder) scale(m *Model, scale *Scale) {
	if !b.sound(m.Node) {
		return
	}
	if scale != nil {
		m.Scale = *scale
	}
	if m.Scale.Min >= m.Scale.Max {
		b.report(m.Node.Get("scale"), "swap the two", "min %v is not below max %v", m.Scale.Min, m.Scale.Max)
		return
	}
	if f := m.FallbackScore; f != nil && (*f < m.Scale.Min || *f > m.Scale.Max) {
		b.report(m.Node.Get("fallbackScore"), fmt.Sprintf("use %v to %v", m.Scale.Min, m.Scale.Max),
			"is %v, outside the scale of the model", *f)
	}
}
