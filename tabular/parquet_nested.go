package tabular

import (
	"errors"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"

	"github.com/ceap-platform/ceap"
)

// errLevels is an error of a file whose columns do not fit one another.
var errLevels = errors.New("its levels do not add up")

// nested writes n values of a field that is more than one value a row.
func (r *ParquetRows) nested(f *parquetNode, out []ceap.Value, stride, n int) error {
	leaves := r.columns[f.firstLeaf : f.firstLeaf+f.leaves]
	w := &nestedWriter{texts: &r.texts, base: f.firstLeaf, left: make([][]parquet.Value, len(leaves))}
	for i := range n {
		for l, c := range leaves {
			if err := c.nextRow(); err != nil {
				return err
			}
			w.left[l] = c.row
		}
		w.out.Reset()
		null, err := w.field(f)
		if err != nil {
			return err
		}
		for _, left := range w.left {
			if len(left) > 0 {
				return errLevels
			}
		}
		out[i*stride] = ceap.Null()
		if !null {
			out[i*stride] = ceap.String(w.out.String())
		}
	}
	return nil
}

// nestedWriter writes the values of one row as text.
type nestedWriter struct {
	texts *arena
	base  int               // the leaf that left starts with
	left  [][]parquet.Value // by leaf, what is not written yet
	out   strings.Builder
}

// head returns the next value of the field's first leaf.
func (w *nestedWriter) head(n *parquetNode) (parquet.Value, bool) {
	left := w.left[n.firstLeaf-w.base]
	if len(left) == 0 {
		return parquet.Value{}, false
	}
	return left[0], true
}

// drop passes over one value of each leaf, where the field has none.
func (w *nestedWriter) drop(n *parquetNode) error {
	for i := range n.leaves {
		left := &w.left[n.firstLeaf-w.base+i]
		if len(*left) == 0 {
			return errLevels
		}
		*left = (*left)[1:]
	}
	return nil
}

// field writes a field, repeated or not. It writes nothing for NULL.
func (w *nestedWriter) field(n *parquetNode) (null bool, err error) {
	if n.repeated { // a list without the usual groups around it
		return false, w.repeated(n, "[", "]", func() error { return w.item(n) })
	}
	v, ok := w.head(n)
	if !ok {
		return false, errLevels
	}
	if v.DefinitionLevel() < n.def {
		return true, w.drop(n)
	}
	return false, w.present(n)
}

// repeated writes what stands at each repetition of n.
func (w *nestedWriter) repeated(n *parquetNode, opening, closing string, write func() error) error {
	w.out.WriteString(opening)
	v, ok := w.head(n)
	if !ok {
		return errLevels
	}
	if v.DefinitionLevel() < n.def {
		w.out.WriteString(closing)
		return w.drop(n)
	}
	for first := true; ; first = false {
		v, ok := w.head(n)
		if !first && (!ok || v.RepetitionLevel() != n.rep) {
			break
		}
		if !first {
			w.out.WriteString(", ")
		}
		if err := write(); err != nil {
			return err
		}
	}
	w.out.WriteString(closing)
	return nil
}

// item writes a value inside another.
func (w *nestedWriter) item(n *parquetNode) error {
	if n.shape == shapeLeaf {
		v, ok := w.head(n)
		if !ok {
			return errLevels
		}
		if v.DefinitionLevel() >= n.def {
			return w.present(n)
		}
		w.out.WriteString("NULL")
		return w.drop(n)
	}
	if v, ok := w.head(n); !ok {
		return errLevels
	} else if v.DefinitionLevel() < n.def {
		w.out.WriteString("NULL")
		return w.drop(n)
	}
	return w.present(n)
}

// child writes a field of a struct, a key or an element.
func (w *nestedWriter) child(n *parquetNode) error {
	if n.repeated {
		_, err := w.field(n)
		return err
	}
	return w.item(n)
}

// present writes a value that is there.
func (w *nestedWriter) present(n *parquetNode) error {
	switch n.shape {
	case shapeList:
		item, inside := n.element()
		return w.repeated(n.children[0], "[", "]", func() error {
			if inside {
				return w.child(item)
			}
			return w.item(item)
		})
	case shapeMap:
		pair := n.children[0]
		return w.repeated(pair, "{", "}", func() error {
			if err := w.child(pair.children[0]); err != nil {
				return err
			}
			w.out.WriteByte('=')
			return w.child(pair.children[1])
		})
	case shapeStruct:
		return w.fields(n)
	default:
		return w.scalar(n)
	}
}

func (w *nestedWriter) fields(n *parquetNode) error {
	w.out.WriteByte('{')
	for i, c := range n.children {
		if i > 0 {
			w.out.WriteString(", ")
		}
		w.out.WriteString("'" + escapeNested(c.name) + "': ")
		if err := w.child(c); err != nil {
			return err
		}
	}
	w.out.WriteByte('}')
	return nil
}

func (w *nestedWriter) scalar(n *parquetNode) error {
	left := &w.left[n.firstLeaf-w.base]
	v, err := n.value((*left)[0], w.texts)
	if err != nil {
		return err
	}
	*left = (*left)[1:]
	w.out.WriteString(quoteNested(n.nestedText(v)))
	return nil
}

// nestedText returns a value as DuckDB casts it to text.
func (n *parquetNode) nestedText(v ceap.Value) string {
	text := v.String()
	if n.typeName == "FLOAT" || n.typeName == "DOUBLE" {
		return floatText(v)
	}
	switch v.Kind() {
	case ceap.KindLocal:
		return strings.Replace(text, "T", " ", 1)
	case ceap.KindTime:
		return strings.Replace(strings.TrimSuffix(text, "Z"), "T", " ", 1) + "+00"
	default:
		return text
	}
}

// floatText returns a number of floating point as DuckDB casts it to text: with a
// point, and with an exponent where that is shorter.
func floatText(v ceap.Value) string {
	f, ok := v.Number()
	if !ok {
		return strings.TrimPrefix(strings.ToLower(v.Text()), "+")
	}
	text := strconv.FormatFloat(f, 'e', -1, 64)
	_, exponent, _ := strings.Cut(text, "e")
	if e, _ := strconv.Atoi(exponent); e >= -4 && e < 16 {
		if text = strconv.FormatFloat(f, 'f', -1, 64); !strings.Contains(text, ".") {
			text += ".0"
		}
	}
	return text
}

// quoteNested puts quotes around a text that could not be told from its
// surroundings.
func quoteNested(text string) string {
	plain := text != "" && text[0] != ' ' && text[len(text)-1] != ' ' && !strings.EqualFold(text, "NULL") &&
		!strings.ContainsAny(text, `"'(),:=[]{}`)
	if plain {
		return text
	}
	return "'" + escapeNested(text) + "'"
}

func escapeNested(text string) string {
	return strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text)
}
