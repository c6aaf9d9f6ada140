package aws_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ceap-platform/ceap/internal/telemetry"
)

// series is a metric as an alarm or a widget asks for it.
type series struct {
	where      string
	namespace  string
	name       string
	dimensions []string
}

func TestTemplate_AsksForMetricsThatRunsPublish(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	published := map[string]bool{}
	for _, m := range telemetry.RunMetrics() {
		published[m.Name] = true
	}
	asked := append(alarmSeries(t, template), dashboardSeries(t, template)...)
	ours := map[string]bool{}
	for _, s := range asked {
		if s.namespace != telemetry.MetricNamespace {
			continue
		}
		ours[s.name] = true
		if !published[s.name] {
			t.Errorf("%s asks for %s, which no run publishes", s.where, s.name)
		}
		if !slices.ContainsFunc(telemetry.DimensionSets(), func(set []string) bool { return slices.Equal(set, s.dimensions) }) {
			t.Errorf("%s asks for %s by %v; runs publish it by %v", s.where, s.name, s.dimensions, telemetry.DimensionSets())
		}
	}
	for name := range published {
		if !ours[name] {
			t.Errorf("no alarm and no widget shows %s", name)
		}
	}
}

// alarmSeries returns what the alarms ask for.
func alarmSeries(t *testing.T, template *template) []series {
	t.Helper()
	var out []series
	add := func(id string, metric map[string]any) {
		s := series{where: id, namespace: template.text(metric["Namespace"]), name: template.text(metric["MetricName"])}
		for _, d := range list(metric["Dimensions"]) {
			s.dimensions = append(s.dimensions, template.text(object(d)["Name"]))
		}
		out = append(out, s)
	}
	for id, alarm := range template.ofType("AWS::CloudWatch::Alarm") {
		if alarm["MetricName"] != nil {
			add(id, alarm)
		}
		for _, m := range list(alarm["Metrics"]) {
			if metric := object(object(object(m)["MetricStat"])["Metric"]); metric != nil {
				add(id, metric)
			}
		}
	}
	if len(out) < 15 {
		t.Fatalf("the alarms ask for only %d metrics; the test looks in the wrong place", len(out))
	}
	return out
}

// dashboardSeries returns what the dashboard asks for, most of it by searches.
func dashboardSeries(t *testing.T, template *template) []series {
	t.Helper()
	body := template.text(template.resource(t, "Dashboard")["DashboardBody"])
	var dashboard struct {
		Widgets []struct {
			Properties struct {
				Title   string  `json:"title"`
				Metrics [][]any `json:"metrics"`
			} `json:"properties"`
		} `json:"widgets"`
	}
	if err := json.Unmarshal([]byte(body), &dashboard); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	search := regexp.MustCompile(`^SEARCH\('\{([A-Za-z,]+)\} MetricName="([a-z_]+)" Stage="dev"', '(Sum|Maximum)', 300\)$`)
	var out []series
	for _, w := range dashboard.Widgets {
		where := fmt.Sprintf("the widget %q", w.Properties.Title)
		for _, metric := range w.Properties.Metrics {
			if options := object(metric[0]); options != nil {
				m := search.FindStringSubmatch(fmt.Sprint(options["expression"]))
				if m == nil {
					t.Errorf("%s: the test cannot read %v", where, options)
					continue
				}
				schema := strings.Split(m[1], ",")
				out = append(out, series{where: where, namespace: schema[0], name: m[2], dimensions: schema[1:]})
				continue
			}
			out = append(out, series{where: where, namespace: fmt.Sprint(metric[0]), name: fmt.Sprint(metric[1])})
		}
	}
	if len(out) < 20 {
		t.Fatalf("the dashboard asks for only %d metrics; the test looks in the wrong place", len(out))
	}
	return out
}

// TestTemplate_AlarmsTellSomebody asserts that every alarm goes to the topic, and
// stays calm while nothing runs.
func TestTemplate_AlarmsTellSomebody(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	for id, alarm := range template.ofType("AWS::CloudWatch::Alarm") {
		actions, _ := object(alarm["AlarmActions"])["Fn::If"].([]any)
		if len(actions) != 3 || actions[0] != "HasAlarmEmail" || !slices.Equal(template.texts(actions[1]), []string{"${AlarmTopic}"}) {
			t.Errorf("%s: AlarmActions = %v", id, alarm["AlarmActions"])
		}
		if alarm["TreatMissingData"] != "notBreaching" {
			t.Errorf("%s: TreatMissingData = %v", id, alarm["TreatMissingData"])
		}
		if template.text(alarm["AlarmDescription"]) == "" {
			t.Errorf("%s does not say what is wrong", id)
		}
	}
}
