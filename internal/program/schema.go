package program

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"

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
	whole := wholeSchema(plugins)
	partial := partialSchema(whole)
	override := maps.Clone(partial)
	properties := maps.Clone(asMap(override["properties"]))
	for _, key := range identityKeys() {
		delete(properties, key)
	}
	override["properties"] = properties

	whole["required"] = []string{"dataConnectors", "programId"}
	dataConnectors := maps.Clone(asMap(asMap(whole["properties"])["dataConnectors"]))
	dataConnectors["minItems"] = 1
	asMap(whole["properties"])["dataConnectors"] = dataConnectors

	partial["required"] = []string{"programId"}
	asMap(partial["properties"])["marketplaceOverrides"] = map[string]any{
		"description": description(whole, "marketplaceOverrides"), "type": "object",
		"additionalProperties": map[string]any{"$ref": "#/$defs/override"},
	}
	schema := map[string]any{
		"$schema":     "https://json-schema.org/draft/2020-12/schema",
		"title":       "CEAP program",
		"description": "A program: whom to contact about what, from which data, and how.",
		"type":        "object",
		"anyOf":       []any{map[string]any{"required": []string{"marketplace"}}, map[string]any{"required": []string{"marketplaces"}}},
		"if":          map[string]any{"required": []string{"marketplaceOverrides"}},
		"then":        map[string]any{"$ref": "#/$defs/partial"},
		"else":        map[string]any{"$ref": "#/$defs/whole"},
		"$defs":       map[string]any{"whole": whole, "partial": partial, "override": override},
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

func description(schema map[string]any, key string) any {
	return asMap(asMap(schema["properties"])[key])["description"]
}

// wholeSchema describes the document of a program without overrides.
func wholeSchema(plugins plugin.Set) map[string]any {
	whole := plugin.Schema(newDocument())
	properties := asMap(whole["properties"])
	delete(whole, "required")
	eligibility := asMap(properties["defaultEligibility"])
	never := map[string]any{"media": false}
	for _, channel := range consentChannels() {
		never[channel] = map[string]any{"const": false}
	}
	eligibility["properties"] = never

	discriminate(asMap(properties["dataConnectors"]), connectorPart(), variants(plugins.Connectors))
	chain := asMap(asMap(properties["filterChain"])["properties"])
	discriminate(asMap(chain["filters"]), filterPart(), variants(plugins.Filters))
	discriminate(asMap(properties["scoringModels"]), modelPart(), variants(plugins.Scorers))
	var channels []variant
	for _, t := range channelTypes() {
		config := reflect.ValueOf(channelConfigOf(t)).Elem().Interface()
		channels = append(channels, variant{names: []string{t}, config: config})
	}
	discriminate(asMap(properties["channels"]), channelPart(), channels)
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
func discriminate(list map[string]any, e entry, variants []variant) {
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
		config := plugin.Schema(v.config)
		if v.summary != "" {
			config["description"] = v.summary
		}
		then := map[string]any{}
		configs := map[string]any{}
		var one []any
		for _, key := range keys {
			configs[key] = config
			one = append(one, map[string]any{"required": []string{key}})
		}
		then["properties"] = configs
		if config["required"] != nil {
			then["anyOf"] = one
		}
		cases = append(cases, map[string]any{
			"if": map[string]any{
				"properties": map[string]any{e.typeKey: map[string]any{"enum": v.names}}, "required": []string{e.typeKey},
			},
			"then": then,
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

// partialSchema returns a schema of documents that are to be merged: only ids
// must be there. It is a copy in all parts that differ.
func partialSchema(s map[string]any) map[string]any {
	out := map[string]any{}
	for key, v := range s {
		switch key {
		case "required":
			names, _ := v.([]string)
			ids := slices.DeleteFunc(slices.Clone(names), func(name string) bool {
				return !slices.Contains([]string{"connectorId", "filterId", "modelId"}, name)
			})
			if len(ids) > 0 {
				out[key] = ids
			}
		case "properties":
			properties := map[string]any{}
			for name, inner := range asMap(v) {
				properties[name] = partialOf(inner)
			}
			out[key] = properties
		case "items", "additionalProperties", "then":
			out[key] = partialOf(v)
		case "allOf", "anyOf":
			cases, _ := v.([]any)
			if onlyRequire(cases) {
				continue
			}
			list := make([]any, len(cases))
			for i, inner := range cases {
				list[i] = partialOf(inner)
			}
			out[key] = list
		default:
			out[key] = v
		}
	}
	return out
}

// onlyRequire reports whether the cases demand keys, which no partial document
// must have.
func onlyRequire(cases []any) bool {
	return len(cases) > 0 && asMap(cases[0])["required"] != nil
}

func partialOf(v any) any {
	if m, ok := v.(map[string]any); ok {
		return partialSchema(m)
	}
	return v
}
