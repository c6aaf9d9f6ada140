package plugin

import (
	"fmt"
	"strings"

	"github.com/ceap-platform/ceap"
)

// fewNames is how many names an error message lists in full.
const fewNames = 12

// Nearest returns the known name that name was most likely meant to be, or ""
// if none is near: one that differs only in case, "_" and "-", else one that
// is few edits away (swapped neighbours count as one edit), else one that
// contains the name or is contained in it.
func Nearest(name string, known []string) string {
	folded := foldName(name)
	best, bestCost := "", max(1, len(folded)/3)+1
	for _, candidate := range known {
		if cost := editDistance(folded, foldName(candidate)); cost < bestCost {
			best, bestCost = candidate, cost
		}
	}
	if best != "" {
		return best
	}
	for _, candidate := range known {
		other := foldName(candidate)
		if shorter := min(len(folded), len(other)); shorter >= 4 && (strings.Contains(other, folded) || strings.Contains(folded, other)) {
			return candidate
		}
	}
	return ""
}

func foldName(name string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(name))
}

// maxEditText bounds the texts that are compared: names are short, and the cost
// is quadratic.
const maxEditText = 100

// editDistance returns how many insertions, deletions, replacements and swaps
// of neighbours lead from a to b (optimal string alignment, in bytes).
func editDistance(a, b string) int {
	if len(a) > maxEditText || len(b) > maxEditText {
		return max(len(a), len(b))
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := last[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(last[j]+1, row[j-1]+1, replace)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// UnknownName returns the error for a name that nothing has, an [ceap.Error] of
// [ceap.CodeInvalid]. kind says what the name was to name, such as "filter
// type". The hint names the nearest and, if they are few, all known names.
func UnknownName(kind, name string, known []string) error {
	return &ceap.Error{
		Code:    ceap.CodeInvalid,
		Message: fmt.Sprintf("unknown %s %q", kind, name),
		Hint:    nameHint(name, known),
	}
}

// nameHint says which of the known names may be meant.
func nameHint(name string, known []string) string {
	var parts []string
	if near := Nearest(name, known); near != "" {
		parts = append(parts, fmt.Sprintf("did you mean %q?", near))
	}
	switch {
	case len(known) == 0:
		parts = append(parts, "there is none in this build")
	case len(known) <= fewNames:
		parts = append(parts, "known: "+strings.Join(known, ", "))
	case len(parts) == 0:
		parts = append(parts, "known are "+strings.Join(known[:fewNames], ", ")+" and more")
	}
	return strings.Join(parts, " ")
}
