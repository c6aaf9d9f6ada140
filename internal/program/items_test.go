package program_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/internal/program"
)

// stored returns an item that is switched on.
func stored(marketplace, document string) ceap.ProgramItem {
	return ceap.ProgramItem{ProgramID: "p", Marketplace: marketplace, Document: []byte(document), Enabled: true}
}

const connectorList = `[{"connectorId": "c", "connectorType": "data-warehouse", "sourceConfig": {"database": "d", "query": "{startDate}"}}]`

func TestLoadItems_Bases(t *testing.T) {
	t.Parallel()
	l := program.LoadItems([]ceap.ProgramItem{
		stored("US", `{"programId": "p", "marketplace": "US", "candidateTTLDays": 3}`),
		stored("*", `{"candidateTTLDays": 2, "timezone": "Europe/Berlin", "currency": "EUR"}`),
		stored("UK", `{"dataConnectors": [{"connectorId": "c", "sourceConfig": {"database": "uk"}}]}`),
		stored("CONFIG", `{"candidateTTLDays": 1, "timezone": "UTC", "maxErrorRate": 0.5, "dataConnectors": `+connectorList+`}`),
	}, options())
	var got []string
	for _, p := range l.Programs {
		if err := p.Err(); err != nil {
			t.Errorf("%s: %v", p.Marketplace, err)
			continue
		}
		database := p.Connectors[0].Config.Get("database").Text
		got = append(got, strings.Join([]string{p.ProgramID, p.Marketplace, p.Timezone.String(), p.Currency, database, p.TTL().String()}, " "))
		if p.MaxErrorRate != 0.5 {
			t.Errorf("%s: maxErrorRate is %v, CONFIG said 0.5", p.Marketplace, p.MaxErrorRate)
		}
	}
	want := []string{"p US Europe/Berlin EUR d 72h0m0s", "p UK Europe/Berlin EUR uk 48h0m0s"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("programs (-want +got):\n%s", diff)
	}
}

func TestLoadItems_TextSections(t *testing.T) {
	t.Parallel()
	text := strings.ReplaceAll(connectorList, `"`, `\"`)
	l := program.LoadItems([]ceap.ProgramItem{stored("US", `{"dataConnectors": "`+text+`"}`)}, options())
	if p, err := l.Program("US"); err != nil || p.Connectors[0].ID != "c" {
		t.Errorf("loading a section that is a text: %v", err)
	}
	l = program.LoadItems([]ceap.ProgramItem{stored("US", `{"dataConnectors": "[}"}`)}, options())
	const want = `PROGRAM#p / MARKETPLACE#US:1:22: dataConnectors: attribute "dataConnectors" of item PROGRAM#p / MARKETPLACE#US: ` +
		`not valid JSON at line 1, column 2 of the text: invalid character '}' at start of value`
	if diff := cmp.Diff(want, l.Problems.Error()); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestLoadItems_Problems(t *testing.T) {
	t.Parallel()
	whole := `{"programId": "p", "currency": "USD", "filterChain": {}, "scoringModels": [], "channels": [], "dataConnectors": ` + connectorList + `}`
	tests := []struct {
		name  string
		items []ceap.ProgramItem
		want  string
	}{
		{"none", []ceap.ProgramItem{stored("US", whole)}, ""},
		{
			"document of another program",
			[]ceap.ProgramItem{stored("US", strings.Replace(whole, `"p"`, `"q"`, 1))},
			`PROGRAM#p / MARKETPLACE#US:1:15: programId: is "q", but the PK of the item says "p"; make it "p", or correct PK`,
		},
		{
			"document of other marketplaces",
			[]ceap.ProgramItem{stored("US", strings.Replace(whole, `{`, `{"marketplaces": ["UK"], `, 1))},
			`PROGRAM#p / MARKETPLACE#US:1:18: marketplaces: lacks US, the marketplace of the item`,
		},
		{
			"one broken, one not",
			[]ceap.ProgramItem{stored("US", `[`), stored("UK", whole)},
			`PROGRAM#p / MARKETPLACE#US:1:2: not valid JSON: the text ends too early: a bracket or quote is not closed`,
		},
		{
			"no object",
			[]ceap.ProgramItem{stored("US", `5`)},
			`PROGRAM#p / MARKETPLACE#US:1:1: a program is an object, and this is a number`,
		},
		{
			"broken base, once for all",
			[]ceap.ProgramItem{stored("CONFIG", `{`), stored("US", whole), stored("UK", whole)},
			`PROGRAM#p / CONFIG:1:2: not valid JSON: the text ends too early: a bracket or quote is not closed`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := program.LoadItems(tt.items, options())
			if diff := cmp.Diff(tt.want, l.Problems.Error()); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("I20: the others keep running", func(t *testing.T) {
		t.Parallel()
		l := program.LoadItems([]ceap.ProgramItem{stored("US", `[`), stored("UK", whole)}, options())
		if _, err := l.Program("US"); ceap.ErrorCode(err) != ceap.CodeInvalid {
			t.Errorf("the broken program: %v", err)
		}
		if _, err := l.Program("UK"); err != nil {
			t.Errorf("the sound program: %v", err)
		}
	})
}

func TestLoadItems_Switch(t *testing.T) {
	t.Parallel()
	item := stored("US", `{"dataConnectors": `+connectorList+`}`)
	item.Enabled = false
	p, err := program.LoadItems([]ceap.ProgramItem{item}, options()).Program("US")
	if err != nil || p.Enabled || p.Disabled != program.SwitchedOff(p.ProgramID) {
		t.Errorf("enabled is %v, because %q (%v)", p.Enabled, p.Disabled, err)
	}
}

func TestProgram_Item(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 27, 0, 0, 0, 0, time.UTC)
	p := load(t, "p.json", asJSON)
	item := p.Item(now)
	want := ceap.ProgramItem{ProgramID: "p", Marketplace: "NO", Document: p.Document, Enabled: true, CreatedAt: now, UpdatedAt: now}
	if diff := cmp.Diff(want, item); diff != "" {
		t.Errorf("item (-want +got):\n%s", diff)
	}
	if again, err := program.LoadItems([]ceap.ProgramItem{item}, options()).Program("NO"); err != nil || again.Hash != p.Hash {
		t.Errorf("the stored program is not the same (%v)", err)
	}
}

func TestLoad_BaseItem(t *testing.T) {
	t.Parallel()
	for sk, marketplace := range map[string]string{"CONFIG": "CONFIG", "MARKETPLACE#*": "*"} {
		l := program.Load("base.json", []byte(`{"PK": {"S": "PROGRAM#p"}, "SK": {"S": "`+sk+`"}, "candidateTTLDays": {"N": "7"},
			"createdAt": {"S": "2026-01-27T01:00:00+01:00"}}`), options())
		if len(l.Problems) > 0 || len(l.Programs) > 0 || l.Base == nil {
			t.Fatalf("%s: %v, %d programs, base %v", sk, l.Problems, len(l.Programs), l.Base)
		}
		want := ceap.ProgramItem{
			ProgramID: "p", Marketplace: marketplace, Enabled: true, CreatedAt: time.Date(2026, 1, 27, 0, 0, 0, 0, time.UTC),
			Document: []byte(`{"candidateTTLDays":7,"programId":"p"}`),
		}
		if diff := cmp.Diff(want, *l.Base); diff != "" {
			t.Errorf("%s (-want +got):\n%s", sk, diff)
		}
	}
}
