package program

import (
	"cmp"
	"errors"
	"log/slog"
	"slices"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/filter"
	"github.com/ceap-platform/ceap/plugin"
	"github.com/ceap-platform/ceap/scorer"
)

// Opened is a part of a program with its open plug-in.
type Opened[E, T any] struct {
	Entry  E
	Plugin T
}

// Parts are the open plug-ins of a program's enabled parts, in its order.
type Parts struct {
	Connectors []Opened[Connector, connector.Connector]
	Filters    []Opened[Filter, filter.Filter]
	Models     []Opened[Model, scorer.Scorer]
}

// Open opens the plug-ins of the program's enabled parts for a run. It returns
// all problems at once, as an error of [ceap.CodeInvalid], or of the code that
// says who acts if the document is right and the deployment is not: unsupported
// for an engine that this build lacks.
func (p *Program) Open(o Options) (Parts, error) {
	parts, opener := p.open(o, func(enabled bool) bool { return enabled })
	return parts, opener.err(opener.problems)
}

// tryPlugins opens the plug-ins of all parts, the disabled ones too, to see
// what is wrong with their configuration, and asks the enabled ones for advice.
func (p *Program) tryPlugins(o Options) ceap.Problems {
	parts, opener := p.open(o, func(bool) bool { return true })
	p.refused = opener.refusals
	problems := opener.problems
	for _, c := range parts.Connectors {
		if adviser, ok := c.Plugin.(connector.Advisor); ok && c.Entry.Enabled {
			problems = append(problems, advice(c.Entry.Config, adviser.Advise(p.request(c.Entry, o)))...)
		}
	}
	for _, f := range parts.Filters {
		if adviser, ok := f.Plugin.(adviser); ok && f.Entry.Enabled {
			problems = append(problems, advice(f.Entry.Config, adviser.Advise())...)
		}
	}
	for _, m := range parts.Models {
		if adviser, ok := m.Plugin.(adviser); ok && m.Entry.Enabled {
			problems = append(problems, advice(m.Entry.Config, adviser.Advise())...)
		}
	}
	return problems
}

// adviser is the optional ability of a filter or scorer to warn about a
// configuration that works but is hardly meant so, such as a model without an
// endpoint (D58).
type adviser interface {
	Advise() []string
}

func advice(config *plugin.Node, texts []string) ceap.Problems {
	var problems ceap.Problems
	for _, text := range texts {
		p := config.Problem("%s", text)
		p.Warning = true
		problems = append(problems, p)
	}
	return problems
}

// request is what a connector is asked when there is no run.
func (p *Program) request(c Connector, o Options) connector.Request {
	req := connector.Request{ProgramID: p.ProgramID, Marketplace: p.Marketplace, ConnectorID: c.ID, Zone: p.Timezone}
	if o.Env.Now != nil {
		req.AsOf = o.Env.Now().UTC()
		req.Rules = p.Rules(req.AsOf)
		today := ceap.DateOf(req.AsOf)
		req.Range = ceap.DateRange{Start: today.AddDays(-1), End: today}
	}
	return req
}

// open opens the plug-ins of the wanted parts. Parts with problems are missing
// from the result.
func (p *Program) open(o Options, wanted func(enabled bool) bool) (Parts, *opener) {
	var parts Parts
	opener := opener{program: p, options: o}
	for _, c := range p.Connectors {
		if wanted(c.Enabled) {
			if opened, ok := openPart(&opener, connectorPart(), o.Plugins.Connectors, part{c.ID, c.Type, c.Node, c.Config}); ok {
				parts.Connectors = append(parts.Connectors, Opened[Connector, connector.Connector]{c, opened})
			}
		}
	}
	for _, f := range p.Filters {
		if wanted(f.Enabled) {
			if opened, ok := openPart(&opener, filterPart(), o.Plugins.Filters, part{f.ID, f.Type, f.Node, f.Config}); ok {
				parts.Filters = append(parts.Filters, Opened[Filter, filter.Filter]{f, opened})
			}
		}
	}
	for _, m := range p.Models {
		if wanted(m.Enabled) {
			if opened, ok := openPart(&opener, modelPart(), o.Plugins.Scorers, part{m.ID, m.Type, m.Node, m.Config}); ok {
				parts.Models = append(parts.Models, Opened[Model, scorer.Scorer]{m, opened})
			}
		}
	}
	return parts, &opener
}

type opener struct {
	refusals

	program  *Program
	options  Options
	problems ceap.Problems
}

// refusals are problems that the author of the document cannot mend.
type refusals struct {
	code ceap.Code // of the first
	n    int
}

// err returns the errors among the problems as one: of the refusals' code if
// there are no others, else of [ceap.CodeInvalid].
func (r refusals) err(problems ceap.Problems) error {
	err := problems.Err()
	if err == nil || r.n < len(problems.Errors()) {
		return err
	}
	return &ceap.Error{Code: r.code, Err: problems.Errors()}
}

// settingsKind returns where the deployment's settings of a part's plug-ins
// stand.
func settingsKind(e entry) string {
	if e.kind == "model" {
		return "scorers"
	}
	return e.kind + "s"
}

// part is what connectors, filters and models have in common.
type part struct {
	id, typ      string
	node, config *plugin.Node
}

// openPart opens the plug-in of one part, and reports whether that was
// possible.
func openPart[T any](o *opener, e entry, plugins []plugin.Of[T], p part) (T, bool) {
	var none T
	if p.typ == "" {
		return none, false // the decoder has reported it
	}
	described, err := plugin.Lookup(plugins, e.kind+" type", p.typ)
	if err != nil {
		o.failed(p.node.Get(e.typeKey), err)
		return none, false
	}
	env := o.options.Env
	if env.Logger == nil {
		env.Logger = slog.New(slog.DiscardHandler)
	}
	env.ProgramID, env.Marketplace, env.ID = o.program.ProgramID, o.program.Marketplace, p.id
	if env.AsOf.IsZero() && env.Now != nil {
		env.AsOf = env.Now().UTC()
	}
	env.Settings = nil
	if o.options.Settings != nil {
		env.Settings = o.options.Settings(settingsKind(e), described.Name())
	}
	opened, err := described.Open(env, p.config)
	if err != nil {
		o.failed(p.config, err)
		return none, false
	}
	return opened, true
}

// failed reports an error at n, if it does not know its own place.
func (o *opener) failed(n *plugin.Node, err error) {
	if problems, ok := errors.AsType[ceap.Problems](err); ok {
		for _, p := range problems {
			if p.Position == (ceap.Position{}) {
				p.Position = n.Pos
			}
			o.problems = append(o.problems, p)
		}
		return
	}
	p := n.Problem("%v", err)
	e, ok := errors.AsType[*ceap.Error](err)
	if ok && e.Err == nil {
		p.Message, p.Hint = e.Message, e.Hint
	}
	if ok && e.Code != ceap.CodeInvalid {
		o.refuse(p, e)
		return
	}
	o.problems = append(o.problems, p)
}

// refuse reports a problem of the deployment, once. A setting at fault has its
// own path, in another file than the program's.
func (o *opener) refuse(p ceap.Problem, e *ceap.Error) {
	if e.Field != "" {
		p.Position, p.Path = ceap.Position{}, e.Field
	}
	if slices.Contains(o.problems, p) {
		return
	}
	o.problems = append(o.problems, p)
	o.n++
	o.code = cmp.Or(o.code, e.Code)
}
