package program_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/program"
)

func readFile(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(name)))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// load returns the only program of a document that has no errors.
func load(tb testing.TB, file, text string) *program.Program {
	tb.Helper()
	p, err := program.Load(file, []byte(text), options()).Program("")
	if err != nil {
		tb.Fatalf("loading %s: %v", file, err)
	}
	return p
}

// messages returns the problems without their files, a line each.
func messages(problems ceap.Problems) string {
	lines := make([]string, len(problems))
	for i, p := range problems {
		p.File = ""
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

func TestLoad_GuideProgram(t *testing.T) {
	t.Parallel()
	l := program.Load("program-config.json", readFile(t, "guide/program-config.json"), options())
	want := "46:5: warning: scoringModels[0].config: model review-propensity has no endpointName"
	if got := messages(l.Problems); got != want {
		t.Errorf("problems:\n%s\nwant:\n%s", got, want)
	}
	p, err := l.Program("US")
	if err != nil {
		t.Fatal(err)
	}
	type summary struct {
		ID, Name, Marketplace, Currency string
		Enabled, Expect                 bool
		Days                            int
		MaxErrorRate                    float64
		Zone                            string
		Parts                           []string
	}
	got := summary{
		p.ProgramID, p.Name, p.Marketplace, p.Currency, p.Enabled, p.ExpectRows, p.CandidateTTLDays, p.MaxErrorRate, p.Timezone.String(),
		[]string{p.Connectors[0].ID, p.Filters[0].ID, p.Models[0].ID, p.Channels[0].ID, p.Channels[0].Mode, p.Channels[0].TemplateID},
	}
	expected := summary{
		"product-reviews", "Product Review Collection", "US", "USD", true, false, 30, 0.05, "UTC",
		[]string{"athena-product-deliveries", "eligibility", "review-propensity", "email", "shadow", "product-review-request"},
	}
	if diff := cmp.Diff(expected, got); diff != "" {
		t.Errorf("program (-want +got):\n%s", diff)
	}
	parts, err := p.Open(options())
	if err != nil {
		t.Fatal(err)
	}
	warehouse, ok := parts.Connectors[0].Plugin.(*fakeConnector)
	if !ok || warehouse.config.MaxWaitSeconds != 300 || warehouse.config.FieldMappings["subjectType"] != "product" {
		t.Errorf("the connector was opened as %+v", parts.Connectors[0].Plugin)
	}
	if len(parts.Filters) != 1 || len(parts.Models) != 1 {
		t.Errorf("%d filters and %d models are open", len(parts.Filters), len(parts.Models))
	}
}

func TestLoad_GuideItem(t *testing.T) {
	t.Parallel()
	l := program.Load("put-item.json", readFile(t, "guide/put-item.json"), options())
	want := `1:1: warning: filterChain: is absent: every candidate passes; add it if some should not be contacted
1:1: warning: scoringModels: is absent: candidates rank by event date, newest first; add it to rank candidates by score
1:1: warning: channels: is absent: nothing is delivered; add it to contact customers`
	if diff := cmp.Diff(want, messages(l.Problems)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	p, err := l.Program("US")
	if err != nil {
		t.Fatal(err)
	}
	if query := p.Connectors[0].Config.Get("query"); !strings.Contains(query.Text, "BETWEEN '{startDate}' AND '{endDate}'") {
		t.Errorf("query is %s", query.Text)
	}
	t.Run("places inside the text are places in the file", func(t *testing.T) {
		t.Parallel()
		lines := strings.Split(string(readFile(t, "guide/put-item.json")), "\n")
		at := p.Connectors[0].Config.Get("workGroup").Pos
		if rest := lines[at.Line-1][at.Column-1:]; !strings.HasPrefix(rest, `\"primary\"`) {
			t.Errorf("workGroup is said to be at %s, where it reads %.20s", at, rest)
		}
	})
	t.Run("a byte order mark moves nothing", func(t *testing.T) {
		t.Parallel()
		text := "\ufeff" + strings.Join(strings.Fields(string(readFile(t, "guide/put-item.json"))), " ")
		marked, err := program.Load("put-item.json", []byte(text), options()).Program("US")
		if err != nil {
			t.Fatal(err)
		}
		at := marked.Connectors[0].Config.Get("workGroup").Pos
		if rest := []rune(text)[at.Column:]; at.Line != 1 || !strings.HasPrefix(string(rest), `\"primary\"`) {
			t.Errorf("workGroup is said to be at %s, where it reads %.20s", at, string(rest))
		}
	})
	t.Run("it says the same as its document in a file", func(t *testing.T) {
		t.Parallel()
		if again := load(t, "again.json", string(p.Document)); again.Hash != p.Hash {
			t.Errorf("%s\nis not\n%s", again.Document, p.Document)
		}
	})
}

// The same program in the three formats, each with what only it can write.
const (
	asJSON = `{"programId": "p", "marketplace": "NO", "currency": "NOK", "enabled": true, "candidateTTLDays": 30,
		"dataQuality": {"minDate": "2026-01-26"}, "maxErrorRate": 0.5,
		"dataConnectors": [{"connectorId": "on", "connectorType": "data-warehouse", "sourceConfig":
			{"database": "010", "query": "SELECT 1\nFROM t -- {startDate}\n", "maxWaitSeconds": 1000, "fieldMappings": {"a": "y", "b": "y"}}}],
		"filterChain": {"filters": []}, "channels": [],
		"scoringModels": [{"modelId": "1e3", "modelType": "sagemaker", "weight": 2, "config": {"endpointName": "~"}}]}`
	asJSONC = "\ufeff" + `// A program.
{
	"scoringModels": [{"modelId": "1e3", "modelType": "sagemaker", "modelConfig": {"endpointName": "~"}, "weight": 2.0,},],
	"channels": [], /* none */ "filterChain": {"filters": []},
	"dataConnectors": [{"connectorId": "on", "connectorType": "data-warehouse", "sourceConfig":
		{"query": "SELECT 1\nFROM t -- {startDate}\n", "database": "010", "maxWaitSeconds": 1e3, "fieldMappings": {"a": "y", "b": "y"}}}],
	"maxErrorRate": 5e-1, "dataQuality": {"minDate": "2026-01-26"},
	"candidateTTLDays": 30.0, "enabled": true, "currency": "NOK", "marketplaces": ["NO"], "programId": "p",
}`
	asYAML = `# A program.
programId: p
marketplace: NO
currency: NOK
enabled: true
candidateTTLDays: 30
dataQuality: {minDate: 2026-01-26}
maxErrorRate: 0.50
dataConnectors:
  - connectorId: on
    connectorType: data-warehouse
    sourceConfig:
      database: 010
      query: |
        SELECT 1
        FROM t -- {startDate}
      maxWaitSeconds: 1e3
      fieldMappings: &same
        a: y
        b: y
filterChain: {filters: []}
channels: []
scoringModels:
  - {modelId: '1e3', modelType: sagemaker, weight: 2, config: {endpointName: "~"}}
`
)

func TestLoad_FormatsAgree(t *testing.T) {
	t.Parallel()
	want := load(t, "p.json", asJSON)
	for file, text := range map[string]string{
		"p.jsonc": asJSONC, "p.yaml": asYAML, "p.yml": "\ufeff" + strings.ReplaceAll(asYAML, "\n", "\r\n"),
		"no-extension": asJSONC, "other.txt": asYAML, "stdin": asJSON,
	} {
		got := load(t, file, text)
		if diff := cmp.Diff(string(want.Document), string(got.Document)); diff != "" {
			t.Errorf("%s differs from the JSON document (-want +got):\n%s", file, diff)
		}
		if got.Hash != want.Hash {
			t.Errorf("%s has another hash", file)
		}
	}
}

func TestLoad_Aliases(t *testing.T) {
	t.Parallel()
	p := load(t, "p.yaml", `
programId: p
marketplace: US
dataConnectors:
  - &first
    connectorId: a
    connectorType: data-warehouse
    sourceConfig: &config {database: d, query: "{startDate}"}
  - <<: *first
    connectorId: b
    sourceConfig:
      <<: *config
      database: e
  - connectorId: c
    connectorType: data-warehouse
    sourceConfig: *config
`)
	var got []string
	for _, c := range p.Connectors {
		got = append(got, c.ID+" "+c.Type+" "+c.Config.Get("database").Text+" "+c.Config.Get("query").Text+" "+c.Config.Path)
	}
	want := []string{
		"a data-warehouse d {startDate} dataConnectors[0].sourceConfig",
		"b data-warehouse e {startDate} dataConnectors[1].sourceConfig",
		"c data-warehouse d {startDate} dataConnectors[2].sourceConfig",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("connectors (-want +got):\n%s", diff)
	}
}

func TestLoad_FilterOrder(t *testing.T) {
	t.Parallel()
	p := load(t, "p.yaml", `
programId: p
marketplace: US
dataConnectors: [{connectorId: c, connectorType: data-warehouse, sourceConfig: {database: d, query: "{startDate}"}}]
filterChain:
  filters:
    - {filterId: late, filterType: eligibility, order: 10}
    - {filterId: tie1, filterType: eligibility, order: 2}
    - {filterId: early, filterType: eligibility, order: -1}
    - {filterId: tie2, filterType: eligibility, order: 2, enabled: false}
    - {filterId: zero, filterType: eligibility}
`)
	var got []string
	for _, f := range p.Filters {
		got = append(got, f.ID)
	}
	if want := []string{"early", "zero", "tie1", "tie2", "late"}; !slices.Equal(got, want) {
		t.Errorf("filters are %v, want %v", got, want)
	}
	if left := p.LeftOut(); !slices.Equal(left, []string{`filter "tie2"`}) {
		t.Errorf("left out: %v", left)
	}
	parts, err := p.Open(options())
	if err != nil || len(parts.Filters) != 4 {
		t.Errorf("%d filters are open (%v), want the enabled ones", len(parts.Filters), err)
	}
}

const twoMarkets = `
programId: p
marketplaces: [US, UK]
currency: USD
candidateTTLDays: 30
dataConnectors:
  - {connectorId: a, connectorType: data-warehouse, sourceConfig: {database: d, query: "{startDate}", fieldMappings: {x: y, z: z}}}
  - {connectorId: b, connectorType: data-warehouse, sourceConfig: {database: d, query: "{startDate}"}}
marketplaceOverrides:
  UK:
    currency: GBP
    timezone: Europe/London
    dataConnectors:
      - {connectorId: a, sourceConfig: {database: uk, fieldMappings: {x: q}}}
      - {connectorId: b, enabled: false}
`

func TestI19_MarketplaceOverrides(t *testing.T) {
	t.Parallel()
	l := program.Load("p.yaml", []byte(twoMarkets), options())
	us, errUS := l.Program("US")
	uk, errUK := l.Program("UK")
	if err := errors.Join(errUS, errUK); err != nil {
		t.Fatal(err)
	}
	describe := func(p *program.Program) string {
		a := p.Connectors[0].Config
		mappings, _ := a.Get("fieldMappings").MarshalJSON()
		return strings.Join(append([]string{p.Marketplace, p.Currency, p.Timezone.String(), a.Get("database").Text, string(mappings)}, p.LeftOut()...), " ")
	}
	if got, want := describe(us), `US USD UTC d {"x":"y","z":"z"}`; got != want {
		t.Errorf("US is %s, want %s", got, want)
	}
	if got, want := describe(uk), `UK GBP Europe/London uk {"x":"q","z":"z"} connector "b"`; got != want {
		t.Errorf("UK is %s, want %s", got, want)
	}
	for _, p := range []*program.Program{us, uk} {
		if p.CandidateTTLDays != 30 {
			t.Errorf("%s: candidateTTLDays is %d, the base said 30", p.Marketplace, p.CandidateTTLDays)
		}
		if again := load(t, "again.json", string(p.Document)); again.Hash != p.Hash || again.Marketplace != p.Marketplace {
			t.Errorf("%s: its own document gives another program", p.Marketplace)
		}
	}
	if us.Hash == uk.Hash {
		t.Error("two different programs have one hash")
	}
}

func TestLoaded_Program(t *testing.T) {
	t.Parallel()
	two := program.Load("p.yaml", []byte(twoMarkets), options())
	broken := program.Load("p.yaml", []byte(strings.Replace(twoMarkets, "Europe/London", "Europe/Londn", 1)), options())
	unreadable := program.Load("p.yaml", []byte("programId: ["), options())
	tests := []struct {
		name        string
		loaded      program.Loaded
		marketplace string
		code        ceap.Code
		want        string
	}{
		{"one that it lacks", two, "FR", ceap.CodeNotFound, `program "p" has no marketplace "FR"; use one of: US, UK`},
		{"none of several", two, "", ceap.CodeInvalid, `program "p" has several marketplaces; use one of: US, UK`},
		{"a broken one", broken, "UK", ceap.CodeInvalid, `p.yaml:12:15: marketplaceOverrides.UK.timezone: "Europe/Londn" is not a known time zone; use an IANA name such as Europe/Berlin, or UTC`},
		{"the sound one beside a broken one", broken, "US", "", ""},
		{"any of an unreadable document", unreadable, "US", ceap.CodeInvalid, `p.yaml:1:12: not valid YAML: sequence end token ']' not found`},
		{"any of nothing", program.Loaded{ProgramID: "p"}, "US", ceap.CodeNotFound, `program "p" has no marketplace at all; store it with: ceap program apply`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := tt.loaded.Program(tt.marketplace)
			if code := ceap.ErrorCode(err); code != tt.code {
				t.Errorf("code is %q, want %q", code, tt.code)
			}
			if tt.code != "" && err.Error() != tt.want {
				t.Errorf("error is\n%s\nwant\n%s", err, tt.want)
			}
		})
	}
}

func TestProgram_Rules(t *testing.T) {
	t.Parallel()
	p := load(t, "p.yaml", `
programId: p
marketplace: US
dataConnectors: [{connectorId: c, connectorType: data-warehouse, sourceConfig: {database: d, query: "{startDate}"}}]
timezone: Europe/Berlin
defaultEligibility: {email: true}
reopenAfterDays: 2
dataQuality: {minDate: 2026-01-26, maxDate: now+1d}
`)
	asOf := time.Date(2026, 1, 27, 12, 0, 0, 0, time.UTC)
	rules := p.Rules(asOf)
	if want := time.Date(2026, 1, 25, 23, 0, 0, 0, time.UTC); !rules.MinDate.Equal(want) {
		t.Errorf("minDate is %s, want %s, midnight in Berlin", rules.MinDate, want)
	}
	if want := asOf.Add(24 * time.Hour); !rules.MaxDate.Equal(want) {
		t.Errorf("maxDate is %s, want %s", rules.MaxDate, want)
	}
	if !rules.DefaultEligibility["email"] || rules.Currency != "USD" {
		t.Errorf("rules are %+v", rules)
	}
	if p.TTL() != 30*24*time.Hour || p.ReopenAfter() != 48*time.Hour {
		t.Errorf("TTL is %s, ReopenAfter %s", p.TTL(), p.ReopenAfter())
	}
	p.DataQuality.MaxDate = "2026-01-27"
	if want := time.Date(2026, 1, 27, 22, 59, 59, 999999000, time.UTC); !p.Rules(asOf).MaxDate.Equal(want) {
		t.Errorf("maxDate of a calendar date is %s, want %s, the end of its day", p.Rules(asOf).MaxDate, want)
	}
}

func TestLoad_Disabled(t *testing.T) {
	t.Parallel()
	p := load(t, "p.json", strings.Replace(asJSON, `"enabled": true`, `"enabled": false`, 1))
	if p.Enabled || p.Disabled != "the program says enabled: false" {
		t.Errorf("enabled is %v, because %q", p.Enabled, p.Disabled)
	}
}

func TestLoad_Settings(t *testing.T) {
	t.Parallel()
	var asked []string
	o := options()
	o.Settings = func(kind, name string) any {
		asked = append(asked, kind+"."+name)
		if kind == "connectors" {
			return warehouseSettings{Engine: "athena"}
		}
		return nil
	}
	p, err := program.Load("p.json", []byte(asJSON), o).Program("NO")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"connectors.data-warehouse", "scorers.sagemaker"}; !slices.Equal(asked, want) {
		t.Errorf("asked for the settings %v, want %v", asked, want)
	}
	for want, o := range map[string]program.Options{"athena": o, "embedded": options()} {
		parts, err := p.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		if c, ok := parts.Connectors[0].Plugin.(*fakeConnector); !ok || c.settings.Engine != want {
			t.Errorf("the connector was given %+v, want the engine %s", parts.Connectors[0].Plugin, want)
		}
	}
}

// mustRead reads a file for a fuzz target's seeds.
func mustRead(name string) []byte {
	data, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(name)))
	if err != nil {
		panic(err)
	}
	return data
}
