package aws_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// machine is a state machine in the Amazon States Language, as JSON.
type machine = map[string]any

// checker holds a state machine to the part of the language that AWS documents
// and emulators run too, and to our rules about errors:
//
//   - JSONPath only: no JSONata, variables or intrinsic functions;
//   - tasks only invoke functions, and all of them have a time-out;
//   - retries stand at tasks, never at a Map, which they would start over;
//   - what fails once work has started is caught into Reduce;
//   - a Map is distributed, not nested, and guarded against running over nothing.
type checker struct {
	problems []string
	names    map[string]bool // of all states, inner ones too
}

// checkPortable returns what is wrong with the machine; nil if nothing is.
func checkPortable(m machine) []string {
	c := &checker{names: map[string]bool{}}
	c.fields("the machine", m, "Comment StartAt TimeoutSeconds States")
	if number(m["TimeoutSeconds"]) <= 0 {
		c.problem("the machine has no TimeoutSeconds")
	}
	c.states(m, "")
	slices.Sort(c.problems)
	return c.problems
}

func (c *checker) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

// fields refuses what is not among the space-separated names.
func (c *checker) fields(where string, object map[string]any, allowed string) {
	for name := range object {
		if !slices.Contains(strings.Fields(allowed), name) {
			c.problem("%s: the field %s is not portable, or does not belong there", where, name)
		}
	}
}

// states checks the states of the machine, or those that a Map named within runs
// for each item.
func (c *checker) states(m map[string]any, within string) {
	states := object(m["States"])
	start, _ := m["StartAt"].(string)
	if states[start] == nil {
		c.problem("%sStartAt names %q, which is no state", within, start)
	}
	reached := map[string]bool{}
	for open := []string{start}; len(open) > 0; open = open[1:] {
		if !reached[open[0]] {
			reached[open[0]] = true
			open = append(open, targets(object(states[open[0]]))...)
		}
	}
	for name, s := range states {
		if c.names[name] {
			c.problem("%s: two states have this name", name)
		}
		c.names[name] = true
		if !reached[name] {
			c.problem("%s: nothing leads there", name)
		}
		for _, target := range targets(object(s)) {
			if states[target] == nil {
				c.problem("%s: Next names %q, which is no state", name, target)
			}
		}
		c.state(name, object(s), states, within)
	}
}

// state checks one state among its siblings.
func (c *checker) state(name string, s, siblings map[string]any, within string) {
	const common = "Type Comment "
	kind, _ := s["Type"].(string)
	switch kind {
	case "Task":
		c.fields(name, s, common+"Resource TimeoutSeconds Parameters ResultSelector ResultPath Retry Catch Next End")
		c.task(name, s, within)
	case "Map":
		c.fields(name, s, common+"MaxConcurrencyPath ToleratedFailureCount ItemReader ItemSelector ItemProcessor ResultWriter ResultPath Catch Next")
		c.each(name, s, siblings, within)
	case "Choice":
		c.fields(name, s, common+"Choices Default")
		for _, rule := range list(s["Choices"]) {
			c.fields(name, object(rule), "Variable StringEquals NumericEquals BooleanEquals Next")
		}
		if s["Default"] == nil {
			c.problem("%s: a Choice without Default fails on what it does not know", name)
		}
	case "Pass":
		c.fields(name, s, common+"Parameters ResultPath Next End")
	case "Wait":
		c.fields(name, s, common+"SecondsPath Next")
	case "Succeed":
		c.fields(name, s, common+"OutputPath")
	case "Fail":
		c.fields(name, s, common+"ErrorPath CausePath")
	default:
		c.problem("%s: the type %q is not portable", name, kind)
	}
	ends := kind == "Succeed" || kind == "Fail" || kind == "Choice" || s["End"] == true
	if ends == (s["Next"] != nil) {
		c.problem("%s: wants Next, or an end, and not both", name)
	}
	c.paths(name, s)
}

// task checks a Task. Those of the machine itself, from the second on, are caught
// into Reduce, which decides alone and so catches nothing; those of a Map's
// children are not, for Reduce sees their missing reports.
func (c *checker) task(name string, s map[string]any, within string) {
	if s["Resource"] != "arn:aws:states:::lambda:invoke" {
		c.problem("%s: the resource %v is not portable", name, s["Resource"])
	}
	if number(s["TimeoutSeconds"]) <= 0 {
		c.problem("%s: a Task has TimeoutSeconds", name)
	}
	if len(list(s["Retry"])) == 0 {
		c.problem("%s: a Task has Retry", name)
	}
	seen := map[string]bool{}
	for _, r := range list(s["Retry"]) {
		c.fields(name, object(r), "ErrorEquals IntervalSeconds BackoffRate MaxAttempts MaxDelaySeconds JitterStrategy")
		for _, e := range list(object(r)["ErrorEquals"]) {
			if e == "States.ALL" || e == "States.TaskFailed" {
				c.problem("%s: Retry of %v repeats what no repetition helps", name, e)
			}
			seen[fmt.Sprint(e)] = true
		}
	}
	if !seen["CeapTransient"] || !seen["Lambda.TooManyRequestsException"] {
		c.problem("%s: Retry leaves out CeapTransient or throttling", name)
	}
	free := within != "" || name == "Plan" || name == "Reduce"
	c.catches(name, s, !free)
}

// catches wants the one catcher of ours, or none.
func (c *checker) catches(name string, s map[string]any, wanted bool) {
	catchers := list(s["Catch"])
	switch {
	case !wanted && len(catchers) > 0:
		c.problem("%s: nothing is to be caught there", name)
	case wanted && (len(catchers) != 1 || !isOurs(object(catchers[0]))):
		c.problem("%s: everything is to be caught into Reduce as $.error", name)
	}
}

func isOurs(catcher map[string]any) bool {
	errors := list(catcher["ErrorEquals"])
	return len(errors) == 1 && errors[0] == "States.ALL" && catcher["ResultPath"] == "$.error" && catcher["Next"] == "Reduce" && len(catcher) == 3
}

// each checks a Map.
func (c *checker) each(name string, s, siblings map[string]any, within string) {
	if within != "" {
		c.problem("%s: a Map within a Map is not portable", name)
	}
	if _, ok := s["ToleratedFailureCount"].(float64); !ok {
		c.problem("%s: ToleratedFailureCount is a number", name)
	}
	if path, present := s["ResultPath"]; !present || path != nil {
		c.problem("%s: ResultPath is null, or the results of all children have to fit into the state", name)
	}
	reader := object(s["ItemReader"])
	c.fields(name+".ItemReader", reader, "Resource ReaderConfig Parameters")
	c.fields(name+".ItemReader.ReaderConfig", object(reader["ReaderConfig"]), "InputType")
	if reader["Resource"] != "arn:aws:states:::s3:getObject" || object(reader["ReaderConfig"])["InputType"] != "JSON" {
		c.problem("%s: the portable reader is s3:getObject of JSON", name)
	}
	writer := object(s["ResultWriter"])
	c.fields(name+".ResultWriter", writer, "Resource Parameters")
	c.fields(name+".ResultWriter.Parameters", object(writer["Parameters"]), "Bucket Prefix")
	if writer["Resource"] != "arn:aws:states:::s3:putObject" || len(object(writer["Parameters"])) != 2 {
		c.problem("%s: the portable writer is s3:putObject with a Bucket and a Prefix that stand there", name)
	}
	processor := object(s["ItemProcessor"])
	c.fields(name+".ItemProcessor", processor, "ProcessorConfig StartAt States")
	if config := object(processor["ProcessorConfig"]); config["Mode"] != "DISTRIBUTED" || config["ExecutionType"] != "STANDARD" || len(config) != 2 {
		c.problem("%s: the portable mode is DISTRIBUTED, with STANDARD children", name)
	}
	c.catches(name, s, true)
	c.guarded(name, s, siblings)
	c.states(processor, name+".")
}

// guarded wants a Map to be reached only through a Choice that turns away when
// there are no items.
func (c *checker) guarded(name string, s, siblings map[string]any) {
	path, _ := s["MaxConcurrencyPath"].(string)
	count := strings.TrimSuffix(path, ".concurrency") + ".count"
	for from, other := range siblings {
		before := object(other)
		if !slices.Contains(targets(before), name) {
			continue
		}
		turned := slices.ContainsFunc(list(before["Choices"]), func(rule any) bool {
			r := object(rule)
			return r["Variable"] == count && number(r["NumericEquals"]) == 0 && r["NumericEquals"] != nil && r["Next"] != name
		})
		if before["Type"] != "Choice" || !turned {
			c.problem("%s: %s leads there without asking whether %s is 0", name, from, count)
		}
	}
}

// paths refuses values that are not plain paths where a path belongs, below one
// state and outside its inner states.
func (c *checker) paths(name string, value any) {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			text, isText := inner.(string)
			wantsPath := strings.HasSuffix(key, ".$") || strings.HasSuffix(key, "Path") && inner != nil
			if wantsPath && (!isText || !strings.HasPrefix(text, "$")) {
				c.problem("%s: %s is %v; only paths are portable", name, key, inner)
			}
			if isText && strings.HasPrefix(text, "{%") {
				c.problem("%s: %s is JSONata", name, key)
			}
			if key != "States" {
				c.paths(name, inner)
			}
		}
	case []any:
		for _, inner := range v {
			c.paths(name, inner)
		}
	}
}

// targets returns the states that can follow s.
func targets(s map[string]any) []string {
	var out []string
	add := func(next any) {
		if name, ok := next.(string); ok {
			out = append(out, name)
		}
	}
	add(s["Next"])
	add(s["Default"])
	for _, key := range []string{"Choices", "Catch"} {
		for _, inner := range list(s[key]) {
			add(object(inner)["Next"])
		}
	}
	return out
}

// allStates returns every state of the machine by name, inner ones too.
func allStates(m machine) map[string]map[string]any {
	out := map[string]map[string]any{}
	for name, s := range object(m["States"]) {
		out[name] = object(s)
		if processor := object(object(s)["ItemProcessor"]); processor != nil {
			maps.Copy(out, allStates(processor))
		}
	}
	return out
}

func object(v any) map[string]any { m, _ := v.(map[string]any); return m }
func list(v any) []any            { l, _ := v.([]any); return l }
func number(v any) float64        { n, _ := v.(float64); return n }
