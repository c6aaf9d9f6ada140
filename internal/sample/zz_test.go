package sample_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/connector/warehouse"
	"github.com/ceap-platform/ceap/connector/warehouse/duckdb"
	"github.com/ceap-platform/ceap/filter"
	"github.com/ceap-platform/ceap/filter/businessrule"
	"github.com/ceap-platform/ceap/filter/capacity"
	"github.com/ceap-platform/ceap/filter/eligibility"
	"github.com/ceap-platform/ceap/filter/optout"
	"github.com/ceap-platform/ceap/filter/quality"
	"github.com/ceap-platform/ceap/filter/trust"
	"github.com/ceap-platform/ceap/internal/app"
	"github.com/ceap-platform/ceap/internal/config"
	"github.com/ceap-platform/ceap/internal/pipeline"
	"github.com/ceap-platform/ceap/internal/sample"
	"github.com/ceap-platform/ceap/plugin"
	"github.com/ceap-platform/ceap/scorer"
	"github.com/ceap-platform/ceap/scorer/logistic"
	"github.com/ceap-platform/ceap/scorer/rules"
	"github.com/ceap-platform/ceap/scorer/sagemaker"
	"github.com/ceap-platform/ceap/scorer/static"
	"github.com/ceap-platform/ceap/store"
	"github.com/ceap-platform/ceap/store/sqlite"
)

func set() plugin.Set {
	return plugin.Set{
		Connectors: []plugin.Of[connector.Connector]{warehouse.Plugin(duckdb.Engine())},
		Filters:    []plugin.Of[filter.Filter]{eligibility.Plugin(), trust.Plugin(), quality.Plugin(), businessrule.Plugin(), capacity.Plugin(), optout.Plugin()},
		Scorers:    []plugin.Of[scorer.Scorer]{rules.Plugin(), logistic.Plugin(), sagemaker.Plugin(), static.Plugin()},
		Stores:     []plugin.Of[store.Roles]{sqlite.Plugin()},
	}
}

func try(t *testing.T, dir string, runs []sample.Run) {
	c, _, err := config.Load(config.Sources{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.New(t.Context(), c, set(), app.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	vs, err := a.Validate(t.Context(), nil)
	if err != nil {
		t.Error(err)
	}
	for _, v := range vs {
		fmt.Printf("VALIDATE %+v\n", v.Problems)
	}
	for _, r := range runs {
		s := time.Now()
		rng := r.DateRange
		res, err := a.Run(t.Context(), app.RunRequest{Input: pipeline.Input{RunInput: ceap.RunInput{ProgramID: r.ProgramID, Marketplace: r.Marketplace, DateRange: &rng}}}, nil)
		if err != nil {
			t.Error(r, err)
			continue
		}
		fmt.Printf("%s %s %s %v %+v\n", r.ProgramID, r.Marketplace, res.Status, time.Since(s).Round(time.Millisecond), res.Counts)
		fmt.Printf("   warnings %q\n", res.Warnings)
		fmt.Printf("   invalid %+v\n   funnel %+v\n   rejected %+v\n   scores %+v\n", res.InvalidReasons, res.Rejections, res.Scores)
	}
}

func TestTry(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("ROWS"))
	dir := t.TempDir()
	s := time.Now()
	r, err := sample.Shop(t.Context(), dir, sample.Options{Rows: n})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(time.Since(s), r.Rows(), r.Bytes(), r.Tables)
	try(t, dir, r.Runs)
}

func rng(a, b string) ceap.DateRange {
	x, _ := ceap.ParseDate(a)
	y, _ := ceap.ParseDate(b)
	return ceap.DateRange{Start: x, End: y}
}

func TestTryInit(t *testing.T) {
	dir := t.TempDir()
	if _, err := sample.InitProject(dir); err != nil {
		t.Fatal(err)
	}
	d := rng("2026-01-26", "2026-01-27")
	try(t, dir, []sample.Run{{"product-reviews", "US", d, ""}, {"quick-start", "US", d, ""}})
}

func TestTryExamples(t *testing.T) {
	d := rng("2026-01-26", "2026-01-27")
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../examples")); err != nil {
		t.Fatal(err)
	}
	try(t, dir+"/quick-start", []sample.Run{{"quick-start", "US", d, ""}})
	var runs []sample.Run
	for _, p := range []string{"product-reviews", "video-ratings", "service-surveys"} {
		runs = append(runs, sample.Run{p, "US", d, ""}, sample.Run{p + "-not-exists", "US", d, ""}, sample.Run{p + "-not-exists", "UK", d, ""})
	}
	try(t, dir+"/guide", runs)
	m := rng("1997-03-01", "1997-03-31")
	try(t, dir+"/music", []sample.Run{{"music-feedback", "US", m, ""}})
	if f := os.Getenv("CDNOW"); f != "" {
		data, _ := os.ReadFile(f)
		os.WriteFile(dir+"/music/warehouse/music/purchases/purchases.csv", data, 0o644)
		try(t, dir+"/music", []sample.Run{{"music-feedback", "US", m, ""}})
	}
}
