package docs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/builtin"
	"github.com/ceap-platform/ceap/internal/config"
	"github.com/ceap-platform/ceap/internal/program"
	"github.com/ceap-platform/ceap/plugin"
)

// TestPages_Snippets loads every program and configuration on the pages.
func TestPages_Snippets(t *testing.T) {
	t.Parallel()
	found := 0
	for _, p := range pages(t) {
		if slices.Contains(elsewhere(), p.name) {
			continue
		}
		for _, b := range p.blocks {
			if b.lang != "json" && b.lang != "yaml" {
				continue
			}
			found++
			t.Run(fmt.Sprintf("%s:%d", strings.ReplaceAll(p.name, "/", "."), b.line), func(t *testing.T) {
				t.Parallel()
				if problems := checkSnippet(t, &b); problems != nil {
					t.Error(problems)
				}
			})
		}
	}
	if found < 5 {
		t.Errorf("only %d snippets were found", found)
	}
}

func checkSnippet(t *testing.T, b *block) error {
	t.Helper()
	name := "page." + b.lang
	part, problems := program.Parse(name, []byte(b.body))
	if err := problems.Err(); err != nil {
		return err
	}
	switch place := b.attr["in"]; {
	case place == "ceap.yaml" || strings.HasSuffix(b.attr["file"], config.FileName):
		return checkConfig(t, b.body)
	case b.has("input") || strings.HasPrefix(b.attr["file"], "execution"):
		return nil // a story runs it
	case place == "":
		l := program.Load(name, []byte(b.body), program.Options{Plugins: builtin.All()})
		return l.Err()
	default:
		return checkPart(t, place, part)
	}
}

func checkConfig(t *testing.T, text string) error {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, config.FileName), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _, err := config.Load(config.Sources{Dir: dir})
	if err != nil {
		return err
	}
	_, problems := c.Settings(builtin.All())
	return problems.Err()
}

// base is a program into which the pages' parts are put.
const base = `{
  "programId": "product-reviews", "marketplaces": ["US", "UK"],
  "dataConnectors": [{"connectorId": "deliveries", "connectorType": "data-warehouse", "sourceConfig": {
    "database": "ceap_data_dev", "query": "SELECT * FROM product_deliveries WHERE delivery_date_partition BETWEEN '{startDate}' AND '{endDate}'"}}],
  "filterChain": {"filters": [{"filterId": "f", "filterType": "eligibility"}]},
  "scoringModels": [{"modelId": "review-propensity", "modelType": "static", "config": {"value": 0.5}}],
  "channels": [{"channelType": "email", "config": {"templateId": "t", "fromName": "n", "fromEmail": "a@example.com"}}]
}`

// checkPart loads the base with the part's keys put into the object at a place:
// program, connector, sourceConfig, filter or model.
func checkPart(t *testing.T, place string, part *plugin.Node) error {
	t.Helper()
	document, problems := program.Parse("base.json", []byte(base))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	into, ok := map[string]*plugin.Node{
		"program":      document,
		"connector":    document.Get("dataConnectors").Items[0],
		"sourceConfig": document.Get("dataConnectors").Items[0].Get("sourceConfig"),
		"filter":       document.Get("filterChain").Get("filters").Items[0],
		"model":        document.Get("scoringModels").Items[0],
	}[place]
	if !ok {
		return ceap.Errorf(ceap.CodeInvalid, "in=%s is no place of a program", place)
	}
	for _, f := range part.Fields {
		at := slices.IndexFunc(into.Fields, func(old plugin.Field) bool { return old.Name == f.Name })
		if at < 0 {
			into.Fields = append(into.Fields, f)
		} else {
			into.Fields[at] = f
		}
	}
	data, err := document.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	l := program.Load("base.json", data, program.Options{Plugins: builtin.All()})
	return l.Err()
}

// TestPages_Languages refuses blocks that no test looks at.
func TestPages_Languages(t *testing.T) {
	t.Parallel()
	for _, p := range pages(t) {
		if strings.HasPrefix(p.name, "examples/") || slices.Contains(elsewhere(), p.name) {
			continue
		}
		for i, b := range p.blocks {
			ok := slices.Contains([]string{"sh", "json", "yaml"}, b.lang) || b.attr["file"] != ""
			switch b.lang {
			case "sql":
				ok = ok || regexp.MustCompile(`(?i)^\s*(--.*\n\s*)*(SELECT|WITH)\b`).MatchString(b.body)
			case "text":
				ok = ok || b.has("figure") || i > 0 && (p.blocks[i-1].lang == "sh" || p.blocks[i-1].has("journal"))
			}
			if !ok {
				t.Errorf("%s:%d: no test looks at this block of %q", p.name, b.line, b.lang)
			}
		}
	}
}
