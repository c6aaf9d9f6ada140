package s3

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/connector"
	"github.com/ceap-platform/ceap/plugin"
)

// template is a key, prefix or pattern with placeholders.
type template struct {
	setting string // key, prefix or pattern
	text    string
	pieces  []piece
}

// piece is literal text, a placeholder or a wildcard.
type piece struct {
	text string
	kind pieceKind
}

type pieceKind uint8

const (
	literal  pieceKind = iota
	holder             // text is its name
	wildcard           // text is its regular expression
)

// String returns the template as it stands in the program file.
func (t *template) String() string { return fmt.Sprintf("%s %q", t.setting, t.text) }

// dayNames are the placeholders that stand for each day of the range in turn.
func dayNames() []string { return []string{"day", "yyyy", "MM", "dd"} }

// rangeNames are the placeholders that stand for one value of the whole run.
func rangeNames() []string {
	return []string{"startDate", "endDate", "date", "marketplace", "programId"}
}

// special matches {name}, {{name}} for the braces themselves, and wildcards.
const special = `\{\{[A-Za-z_]\w*\}\}|\{[A-Za-z_]\w*\}|\*\*/|\*\*|\*|\?`

// wildcards are the regular expressions of the wildcards. "a/**/b" is also a/b.
func wildcards(token string) string {
	return map[string]string{"**/": `(?:.*/)?`, "**": `.*`, "*": `[^/]*`, "?": `[^/]`}[token]
}

// parseTemplate reads a key, prefix or pattern. Only a pattern has wildcards.
func parseTemplate(setting, text string) (*template, ceap.Problems) {
	t := &template{setting: setting, text: text}
	var problems ceap.Problems
	start := 0
	for _, at := range regexp.MustCompile(special).FindAllStringIndex(text, -1) {
		token := text[at[0]:at[1]]
		t.pieces = append(t.pieces, piece{text[start:at[0]], literal})
		start = at[1]
		expression := wildcards(token)
		switch name := strings.Trim(token, "{}"); {
		case expression != "" && setting == "pattern":
			t.pieces = append(t.pieces, piece{expression, wildcard})
		case expression != "":
			t.pieces = append(t.pieces, piece{token, literal})
		case strings.HasPrefix(token, "{{"):
			t.pieces = append(t.pieces, piece{token[1 : len(token)-1], literal})
		case slices.Contains(dayNames(), name), slices.Contains(rangeNames(), name):
			t.pieces = append(t.pieces, piece{name, holder})
		default:
			problems = append(problems, unknownPlaceholder(setting, token, name))
		}
	}
	t.pieces = append(t.pieces, piece{text[start:], literal})
	return t, problems
}

func unknownPlaceholder(setting, token, name string) ceap.Problem {
	known := append(dayNames(), rangeNames()...)
	hint := fmt.Sprintf("write {%s} for the braces themselves; known are {%s}", token, strings.Join(known, "}, {"))
	if near := plugin.Nearest(name, known); near != "" {
		hint = fmt.Sprintf("did you mean {%s}? %s", near, hint)
	}
	return ceap.Problem{Path: setting, Message: "unknown placeholder " + token, Hint: hint}
}

// daily reports whether there is a place for each day.
func (t *template) daily() bool { return t.uses(dayNames()) }

// dated reports whether places differ from day to day.
func (t *template) dated() bool { return t.daily() || t.uses([]string{"startDate", "endDate", "date"}) }

func (t *template) uses(names []string) bool {
	return slices.ContainsFunc(t.pieces, func(p piece) bool { return p.kind == holder && slices.Contains(names, p.text) })
}

// place is where objects are looked for.
type place struct {
	prefix string         // what their keys start with; the key itself if exact
	exact  bool           // whether prefix is the key of one object, which must exist
	match  *regexp.Regexp // what their keys match; nil means anything
	shown  string         // what users know it as
}

// places returns where to look, in the order of the days, each place once.
func (t *template) places(req connector.Request) []place {
	if !t.daily() {
		return []place{t.place(req.Placeholders())}
	}
	var out []place
	for day := req.Range.Start; day <= req.Range.End; day = day.AddDays(1) {
		values := req.Placeholders()
		text := day.String()
		values["day"], values["yyyy"], values["MM"], values["dd"] = text, text[:len(text)-6], text[len(text)-5:len(text)-3], text[len(text)-2:]
		if p := t.place(values); len(out) == 0 || out[len(out)-1].shown != p.shown {
			out = append(out, p)
		}
	}
	return out
}

// place fills the placeholders in. A value is always literal text (I15).
func (t *template) place(values map[string]string) place {
	p := place{exact: t.setting == "key"}
	var expression strings.Builder
	wild := false
	for _, piece := range t.pieces {
		text := piece.text
		if piece.kind == wildcard {
			expression.WriteString(text)
			wild = true
			continue
		}
		if piece.kind == holder {
			text = values[text]
		}
		expression.WriteString(regexp.QuoteMeta(text))
		if !wild {
			p.prefix += text
		}
	}
	p.shown = p.prefix
	if t.setting == "pattern" {
		p.match = regexp.MustCompile(`(?s)\A` + expression.String() + `\z`)
		p.shown = t.shown(values)
	}
	return p
}

// shown returns the pattern with its values, as a user would write it.
func (t *template) shown(values map[string]string) string {
	return regexp.MustCompile(special).ReplaceAllStringFunc(t.text, func(token string) string {
		switch {
		case strings.HasPrefix(token, "{{"):
			return token[1 : len(token)-1]
		case token[0] == '{':
			return values[token[1:len(token)-1]]
		default:
			return token
		}
	})
}
