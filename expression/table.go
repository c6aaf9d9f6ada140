package expression

import (
	"reflect"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/ceap-platform/ceap"
)

// table is a map from text, such as extra, that is looked up in the candidate
// itself. It is no traits.Mapper, since CEL asks those the same question for a
// value and for has().
type table struct {
	activation *activation
	// find returns the value of a key, nil if it is an error to read it, and
	// whether has() is true of it.
	find func(c *ceap.Candidate, key string) (value ref.Val, present bool)
	// keys returns the keys of which has() is true.
	keys func(c *ceap.Candidate) []string
}

var (
	_ traits.Indexer     = (*table)(nil)
	_ traits.FieldTester = (*table)(nil)
	_ traits.Container   = (*table)(nil)
	_ traits.Iterable    = (*table)(nil)
	_ traits.Sizer       = (*table)(nil)
)

// Get returns the value of a key.
func (t *table) Get(key ref.Val) ref.Val {
	name, ok := key.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(key)
	}
	value, _ := t.find(t.activation.candidate, string(name))
	if value == nil {
		return types.NewErr("no such key: %s", string(name))
	}
	return value
}

// IsSet reports whether the key has a value.
func (t *table) IsSet(key ref.Val) ref.Val { return t.Contains(key) }

// Contains reports whether the key has a value.
func (t *table) Contains(key ref.Val) ref.Val {
	name, ok := key.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(key)
	}
	_, present := t.find(t.activation.candidate, string(name))
	return types.Bool(present)
}

// Iterator goes through the keys that have a value.
func (t *table) Iterator() traits.Iterator {
	list, _ := types.DefaultTypeAdapter.NativeToValue(t.keys(t.activation.candidate)).(traits.Lister)
	return list.Iterator()
}

// Size returns the number of keys that have a value.
func (t *table) Size() ref.Val { return types.Int(len(t.keys(t.activation.candidate))) }

// asMap copies what the table holds.
func (t *table) asMap() ref.Val {
	m := map[string]ref.Val{}
	for _, key := range t.keys(t.activation.candidate) {
		m[key], _ = t.find(t.activation.candidate, key)
	}
	return types.DefaultTypeAdapter.NativeToValue(m)
}

// Equal compares the table with a map.
func (t *table) Equal(other ref.Val) ref.Val {
	if o, ok := other.(*table); ok {
		other = o.asMap()
	}
	return t.asMap().Equal(other)
}

// ConvertToNative converts what the table holds, as a map is converted.
func (t *table) ConvertToNative(desc reflect.Type) (any, error) {
	return t.asMap().ConvertToNative(desc)
}

// ConvertToType converts what the table holds, as a map is converted.
func (t *table) ConvertToType(target ref.Type) ref.Val {
	if target == types.MapType {
		return t
	}
	return t.asMap().ConvertToType(target)
}

// Type returns CEL's type of maps.
func (t *table) Type() ref.Type { return types.MapType }

// Value returns what the table holds, as a Go map.
func (t *table) Value() any { return t.asMap().Value() }
