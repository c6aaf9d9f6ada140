package program

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/ceap-platform/ceap/plugin"
)

// JSONSchema returns the JSON Schema (2020-12) of program documents for these
// plug-ins, for editors. It accepts what [Load] accepts, and refuses what is
// wrong in form: unknown keys, types of values, missing keys, unknown plug-ins.
// What a schema cannot say is left to Load: repeated keys and ids, time zones,
// mail addresses, bounds that depend on other keys, durations and dates that do
// not exist, live channels, the names in marketplaceOverrides, what plug-ins
// check themselves, and what is missing from a document whose overrides could
// supply it.
func JSONSchema(plugins plugin.Set) []byte {
	w := schemaWriter{defs: map[string]any{}}
	whole := w.whole(plugins)
	partial := w.partial(whole)
	override := map[string]any{"$ref": "#/$defs/partial", "properties": never(identityKeys())}

	whole["required"] = []string{"dataConnectors", "programId"}
	dataConnectors := maps.Clone(asMap(asMap(whole["properties"])["dataConnectors"]))
	dataConnectors["minItems"] = 1
	asMap(whole["properties"])["dataConnectors"] = dataConnectors
	asMap(asMap(partial["properties"])["marketplaceOverrides"])["additionalProperties"] = map[string]any{"$ref": "#/$defs/override"}

	w.defs["whole"], w.defs["partial"], w.defs["override"] = whole, partial, override
	schema := map[string]any{
		"$schema":     "https://json-schema.org/draft/2020-12/schema",
		"title":       "CEAP program",
		"description": "A program: whom to contact about what, from which data, and how.",
		"type":        "object",
		"anyOf":       []any{map[string]any{"required": []string{"marketplace"}}, map[string]any{"required": []string{"marketplaces"}}},
		"if":          map[string]any{"required": []string{"marketplaceOverrides"}},
		"then":        map[string]any{"$ref": "#/$defs/partial", "required": []string{"programId"}},
		"else":        map[string]any{"$ref": "#/$defs/whole"},
		"$defs":       w.defs,
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	_ = enc.Encode(schema) // maps of texts, numbers and lists always encode
	return b.Bytes()
}

func asMap(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

// never returns a schema's properties that no document may have.
func never(keys []string) map[string]any {
	properties := map[string]any{}
	for _, key := range keys {
		properties[key] = false
	}
	return properties
}

// schemaWriter collects the configurations of plug-ins, which several places
// refer to.
type schemaWriter struct {
	defs map[string]any
}

// whole describes a document without overrides. What must be there is up to the
// caller.
func (w *schemaWriter) whole(plugins plugin.Set) map[string]any {
	whole := plugin.Schema(newDocument())
	properties := asMap(whole["properties"])
	delete(whole, "required")
	eligibility := never([]string{"media"})
	for _, channel := range consentChannels() {
		eligibility[channel] = map[string]any{"const": false}
	}
	asMap(properties["defaultEligibility"])["properties"] = eligibility

	w.discriminate(asMap(properties["dataConnectors"]), connectorPart(), variants(plugins.Connectors))
	chain := asMap(asMap(properties["filterChain"])["properties"])
	w.discriminate(asMap(chain["filters"]), filterPart(), variants(plugins.Filters))
	w.discriminate(asMap(properties["scoringModels"]), modelPart(), variants(plugins.Scorers))
	var channels []variant
	for _, t := range channelTypes() {
		config := reflect.ValueOf(channelConfigOf(t)).Elem().Interface()
		channels = append(channels, variant{names: []string{t}, config: config})
	}
	w.discriminate(asMap(properties["channels"]), channelPart(), channels)
	return whole
}

// variant is a type of part, with the default of its configuration.
type variant struct {
	names   []string
	summary string
	config  any
}

func variants[T any](plugins []plugin.Of[T]) []variant {
	var out []variant
	for _, p := range plugins {
		out = append(out, variant{p.Names(), p.Summary(), p.Config()})
	}
	slices.SortFunc(out, func(a, b variant) int { return slices.Compare(a.names, b.names) })
	return out
}

// discriminate makes the schema of a section's list say which configuration
// belongs to which type.
func (w *schemaWriter) discriminate(list map[string]any, e entry, variants []variant) {
	item := asMap(list["items"])
	properties := asMap(item["properties"])
	keys := []string{e.config}
	if e.kind == "model" { // D58: config and modelConfig are the same
		keys = append(keys, "modelConfig")
		properties["modelConfig"] = map[string]any{"description": "The same as config."}
		item["not"] = map[string]any{"required": keys}
	}
	var names []string
	var cases []any
	for _, v := range variants {
		names = append(names, v.names...)
		cases = append(cases, map[string]any{
			"if": map[string]any{
				"properties": map[string]any{e.typeKey: map[string]any{"enum": v.names}}, "required": []string{e.typeKey},
			},
			"then": w.configOf(v, e, keys),
		})
	}
	typ := asMap(properties[e.typeKey])
	delete(typ, "pattern")
	if typ["enum"] = names; len(names) == 0 {
		properties[e.typeKey] = false
	}
	if len(cases) > 0 {
		item["allOf"] = cases
	}
}

// configOf demands the configuration of a type, under one of the keys.
func (w *schemaWriter) configOf(v variant, e entry, keys []string) map[string]any {
	config := plugin.Schema(v.config)
	if v.summary != "" {
		config["description"] = v.summary
	}
	name := e.kind + "." + v.names[0]
	w.defs[name] = config
	properties := map[string]any{}
	var one []any
	for _, key := range keys {
		properties[key] = map[string]any{"$ref": "#/$defs/" + name}
		one = append(one, map[string]any{"required": []string{key}})
	}
	then := map[string]any{"properties": properties}
	if config["required"] != nil {
		then["anyOf"] = one
	}
	return then
}

// partial returns a schema of documents that are to be merged: only ids must be
// there. It is a copy in all parts that differ.
func (w *schemaWriter) partial(s map[string]any) map[string]any {
	out := maps.Clone(s)
	for key, v := range s {
		switch key {
		case "required":
			names, _ := v.([]string)
			delete(out, key)
			if ids := idsAmong(names); len(ids) > 0 {
				out[key] = ids
			}
		case "properties":
			properties := map[string]any{}
			for name, inner := range asMap(v) {
				properties[name] = w.partialOf(inner)
			}
			out[key] = properties
		case "items", "additionalProperties", "then":
			out[key] = w.partialOf(v)
		case "$ref":
			out[key] = w.partialRef(v)
		case "allOf", "anyOf":
			cases, _ := v.([]any)
			delete(out, key)
			if !onlyRequire(cases) {
				out[key] = w.partialCases(cases)
			}
		}
	}
	return out
}

func (w *schemaWriter) partialCases(cases []any) []any {
	out := make([]any, len(cases))
	for i, inner := range cases {
		out[i] = w.partialOf(inner)
	}
	return out
}

func (w *schemaWriter) partialOf(v any) any {
	if m, ok := v.(map[string]any); ok {
		return w.partial(m)
	}
	return v
}

// partialRef returns a reference to the partial form of a configuration: itself
// if nothing must be there.
func (w *schemaWriter) partialRef(ref any) any {
	text, _ := ref.(string)
	name := strings.TrimPrefix(text, "#/$defs/")
	partial := w.partial(asMap(w.defs[name]))
	if reflect.DeepEqual(partial, w.defs[name]) {
		return ref
	}
	w.defs[name+".partial"] = partial
	return text + ".partial"
}

// idsAmong returns those of the keys that tell which entry is meant.
func idsAmong(keys []string) []string {
	return slices.DeleteFunc(slices.Clone(keys), func(key string) bool {
		return !slices.Contains([]string{"connectorId", "filterId", "modelId"}, key)
	})
}

// onlyRequire reports whether the cases demand keys, which no partial document
// must have.
func onlyRequire(cases []any) bool {
	return len(cases) > 0 && asMap(cases[0])["required"] != nil
}
