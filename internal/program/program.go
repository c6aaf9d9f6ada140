// Package program reads program documents: files and stored items, in JSON,
// JSON with comments or YAML. It checks them against the plug-ins of the binary
// and gives the effective program of each marketplace. A program with missing,
// unknown or ill-typed settings is refused before the first row is read, with
// every problem's place, path and remedy (I17).
//
// It leaves running a program to internal/pipeline, keeping it to a store, and
// the files that programs name, such as templates, to its callers. A [Program]
// is not changed once loaded, and so is safe for concurrent use.
package program

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/plugin"
)

// Program is the effective program of one marketplace: base items, document and
// marketplace override merged, with defaults filled in.
type Program struct {
	ProgramID   string
	Name        string // for people; the id if the document gives none
	Marketplace string
	Source      ceap.Position // where the document starts

	Enabled  bool
	Disabled string // why it is not enabled, and who can change that; "" if it is

	CandidateTTLDays   int
	Timezone           *time.Location
	Schedule           Schedule        // "" if the program runs only when it is asked to
	Currency           string          // ISO 4217
	DefaultEligibility map[string]bool // by channel (D29)
	ExpectRows         bool
	MaxErrorRate       float64 // 0..1 of the rows
	ReopenAfterDays    int     // 0 means never
	DataQuality        DataQuality

	Connectors []Connector // in the document's order, which decides between duplicates (D14)
	Filters    []Filter    // in the order in which they apply (D51)
	Models     []Model
	Channels   []Channel

	Document []byte // the effective document as canonical JSON; reading it gives an equal program
	Hash     string // of Document: SHA-256 in hexadecimal

	// Problems are what is wrong with this program, and its warnings. A program
	// with an error among them is as complete as could be, and must not run.
	Problems ceap.Problems
	refused  refusals // those of Problems that the deployment is to blame for
}

// DataQuality says which dates of rows are plausible (D27).
type DataQuality struct {
	MinDate, MaxDate DateBound
}

// Connector is a data connector of a program.
type Connector struct {
	ID      string
	Type    string
	Enabled bool
	Config  *plugin.Node // sourceConfig; never nil
	Node    *plugin.Node // the entry
}

// Filter is a filter of a program.
type Filter struct {
	ID      string
	Type    string
	Enabled bool
	Order   int
	Config  *plugin.Node // parameters; never nil
	Node    *plugin.Node // the entry
}

// Model is a scoring model of a program.
type Model struct {
	ID            string
	Type          string
	Enabled       bool
	Weight        float64      // at least 0
	FallbackScore *float64     // in Scale; nil if the program gives none
	Scale         Scale        // 0..1 unless the program says otherwise (D56)
	Config        *plugin.Node // config; never nil
	Node          *plugin.Node // the entry
}

// Channel is a channel of a program.
type Channel struct {
	ID         string
	Type       string
	Enabled    bool
	Mode       string       // ModeShadow or ModeLive
	TemplateID string       // "" if the program gives none
	Config     *plugin.Node // config; never nil
	Node       *plugin.Node // the entry
}

// Err returns nil if the program can run, else an error with all that is wrong,
// of the codes that [Program.Open] has.
func (p *Program) Err() error { return p.refused.err(p.Problems) }

// TTL returns the life of a candidate.
func (p *Program) TTL() time.Duration { return time.Duration(p.CandidateTTLDays) * 24 * time.Hour }

// ReopenAfter returns after which time a sent or consumed candidate may come
// back; 0 means never (D5).
func (p *Program) ReopenAfter() time.Duration {
	return time.Duration(p.ReopenAfterDays) * 24 * time.Hour
}

// Rules returns the program's bounds and defaults for values, for a run whose
// clock is asOf.
func (p *Program) Rules(asOf time.Time) connector.Rules {
	earliest, _ := p.DataQuality.MinDate.resolve(asOf, p.Timezone)
	_, latest := p.DataQuality.MaxDate.resolve(asOf, p.Timezone)
	return connector.Rules{
		MinDate: earliest, MaxDate: latest, DefaultEligibility: p.DefaultEligibility, Currency: p.Currency,
	}
}

// LeftOut names the disabled parts of the program, such as `filter "trust"`
// (D13).
func (p *Program) LeftOut() []string {
	var names []string
	add := func(enabled bool, kind, id string) {
		if !enabled {
			names = append(names, kind+` "`+id+`"`)
		}
	}
	for _, c := range p.Connectors {
		add(c.Enabled, "connector", c.ID)
	}
	for _, f := range p.Filters {
		add(f.Enabled, "filter", f.ID)
	}
	for _, m := range p.Models {
		add(m.Enabled, "model", m.ID)
	}
	for _, c := range p.Channels {
		add(c.Enabled, "channel", c.ID)
	}
	return names
}

// Item returns the program as it is kept in a store, switched on. Who replaces
// an item keeps its switch and its CreatedAt.
func (p *Program) Item(now time.Time) ceap.ProgramItem {
	return ceap.ProgramItem{
		ProgramID: p.ProgramID, Marketplace: p.Marketplace, Document: slices.Clone(p.Document), Enabled: true,
		CreatedAt: now, UpdatedAt: now,
	}
}

// hash returns the program's Hash for its Document.
func hash(document []byte) string {
	sum := sha256.Sum256(document)
	return hex.EncodeToString(sum[:])
}
