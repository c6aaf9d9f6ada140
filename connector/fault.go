package connector

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ceap-platform/ceap"
)

// missingFields is fixed: users search for these words.
const missingFields = "Missing required fields: "

// maxShown is how many characters of a value reasons and reports show.
const maxShown = 200

// faults collects what is wrong with one row. The zero faults is none.
type faults struct {
	missing []string
	others  []fault
}

type fault struct {
	field, code, value, reason string
}

// miss notes that a required field has no value.
func (f *faults) miss(t target) { f.missing = append(f.missing, t.String()) }

// bad notes a value that breaks a rule of reading it.
func (f *faults) bad(field string, v ceap.Value, rule string) {
	f.add(field, ceap.ReasonBadValue, v, rule)
}

// add notes a value that breaks a rule.
func (f *faults) add(field, code string, v ceap.Value, rule string) {
	value := cut(v.String())
	shown := value
	if v.Kind() == ceap.KindString {
		shown = strconv.Quote(value)
	} else if !v.IsNull() {
		shown = fmt.Sprintf("the %s %s", v.Kind(), value)
	}
	f.others = append(f.others, fault{field, code, value, fmt.Sprintf("%s is %s; %s", field, shown, rule)})
}

// any reports whether something is wrong.
func (f *faults) any() bool { return len(f.missing)+len(f.others) > 0 }

// invalid returns everything that is wrong: missing fields first, then the
// others in the order of the targets. Code and Value are those of the first.
func (f *faults) invalid() *Invalid {
	var fields, reasons []string
	e := &Invalid{Code: ceap.ReasonMissingField}
	if len(f.missing) > 0 {
		fields = append(fields, f.missing...)
		reasons = append(reasons, missingFields+strings.Join(f.missing, ", "))
	} else {
		e.Code, e.Value = f.others[0].code, f.others[0].value
	}
	for _, o := range f.others {
		fields, reasons = append(fields, o.field), append(reasons, o.reason)
	}
	e.Field, e.Reason = strings.Join(fields, ", "), strings.Join(reasons, "; ")
	return e
}

// cut returns at most maxShown characters of s, with "..." for what is left out.
func cut(s string) string {
	if utf8.RuneCountInString(s) <= maxShown {
		return s
	}
	n := 0
	for i := range s {
		if n++; n > maxShown-len("...") {
			return s[:i] + "..."
		}
	}
	return s
}
