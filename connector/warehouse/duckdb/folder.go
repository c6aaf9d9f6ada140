package duckdb

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/plugin"
)

// schemaFile holds a table's CREATE EXTERNAL TABLE.
const schemaFile = "_schema.sql"

// folder is the warehouse folder. Names that a query gives are compared with
// the names found in it and never become part of a path.
type folder struct {
	path string // as configured, for messages
	real string // without symbolic links
}

// openFolder returns an error of [ceap.CodeUnavailable] if path is no folder.
func openFolder(path string) (folder, error) {
	real, err := filepath.EvalSymlinks(path)
	if err == nil {
		_, err = os.ReadDir(real)
	}
	if err != nil {
		return folder{}, &ceap.Error{
			Code: ceap.CodeUnavailable, Message: "reading the warehouse folder", Err: err,
			Hint: "create " + path + "/<database>/<table>/ with data files in it, or set connectors.data-warehouse.path",
		}
	}
	return folder{path: path, real: real}, nil
}

// table is a table found in the folder.
type table struct {
	database, name string   // as on disk
	path           string   // its folder or file
	kind           kind     // of its files
	files          []string // in order of their paths
	keys           []string // of its partitions, in the order of the folders
	partitions     []string // the distinct partitions, such as "day=2026-01-26"
	bytes          int64
	schema         *schema // nil if not declared
}

// kind is a kind of data file.
type kind string

const (
	parquet kind = "Parquet"
	csv     kind = "CSV"
	jsonDoc kind = "JSON"
)

// kindOf returns the kind of a file by its name, and the name without the
// endings that say so; "" if it is no data file.
func kindOf(name string) (kind, string) {
	lower := strings.ToLower(name)
	for _, k := range []struct {
		ending string
		kind   kind
	}{
		{".parquet", parquet},
		{".csv", csv},
		{".csv.gz", csv},
		{".json", jsonDoc},
		{".jsonl", jsonDoc},
		{".ndjson", jsonDoc},
		{".json.gz", jsonDoc},
		{".jsonl.gz", jsonDoc},
		{".ndjson.gz", jsonDoc},
	} {
		if base, ok := strings.CutSuffix(lower, k.ending); ok {
			return k.kind, name[:len(base)]
		}
	}
	return "", name
}

func hidden(name string) bool { return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") }

// databases returns the names of all databases.
func (f folder) databases() []string {
	var names []string
	entries, _ := os.ReadDir(f.real) // openFolder has read it; what vanished since is not there
	for _, e := range entries {
		if info, err := os.Stat(filepath.Join(f.real, e.Name())); err == nil && info.IsDir() && !hidden(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names
}

// tables returns the names of a database's tables and where each lies.
func (f folder) tables(database string) (names []string, paths map[string][]string) {
	paths = map[string][]string{}
	entries, _ := os.ReadDir(filepath.Join(f.real, database))
	for _, e := range entries {
		path := filepath.Join(f.real, database, e.Name())
		info, err := os.Stat(path)
		if err != nil || hidden(e.Name()) {
			continue
		}
		name := e.Name()
		if !info.IsDir() {
			k, base := kindOf(name)
			if k == "" {
				continue
			}
			name = base
		}
		if _, known := paths[name]; !known {
			names = append(names, name)
		}
		paths[name] = append(paths[name], path)
	}
	return names, paths
}

// match returns the one of names that name means: itself, else the only one that
// differs in case alone.
func match(name string, names []string) (string, bool) {
	if slices.Contains(names, name) {
		return name, true
	}
	var found []string
	for _, n := range names {
		if strings.EqualFold(n, name) {
			found = append(found, n)
		}
	}
	if len(found) != 1 {
		return "", false
	}
	return found[0], true
}

// database returns the database of that name, or an error of
// [ceap.CodeInvalid] that lists those there are.
func (f folder) database(name string) (string, error) {
	known := f.databases()
	if found, ok := match(name, known); ok {
		return found, nil
	}
	hint := "create the folder " + filepath.Join(f.path, name)
	if len(known) > 0 {
		hint = "databases there: " + strings.Join(known, ", ")
		if near := plugin.Nearest(name, known); near != "" {
			hint = fmt.Sprintf("did you mean %q? %s", near, hint)
		}
	}
	return "", &ceap.Error{Code: ceap.CodeInvalid, Message: fmt.Sprintf("database %q does not exist in %s", name, f.path), Hint: hint}
}

// table returns a table of a database, with its files. Errors are
// [ceap.CodeInvalid] and say what to change.
func (f folder) table(database, name string) (*table, error) {
	database, err := f.database(database)
	if err != nil {
		return nil, err
	}
	names, paths := f.tables(database)
	found, ok := match(name, names)
	if !ok {
		hint := "put its files into " + filepath.Join(f.path, database, name)
		if len(names) > 0 {
			hint = "tables there: " + strings.Join(names, ", ")
			if near := plugin.Nearest(name, names); near != "" {
				hint = fmt.Sprintf("did you mean %q? %s", near, hint)
			}
		}
		return nil, &ceap.Error{Code: ceap.CodeInvalid, Message: fmt.Sprintf("table %q does not exist in database %q", name, database), Hint: hint}
	}
	t := &table{database: database, name: found, path: paths[found][0]}
	if len(paths[found]) > 1 {
		return nil, ceap.Errorf(ceap.CodeInvalid, "table %q of database %q lies in several places: %s",
			found, database, strings.Join(f.relative(paths[found]), ", ")).WithHint("keep one of them")
	}
	return t, f.collect(t)
}

// relative returns paths as seen from the warehouse folder.
func (f folder) relative(paths []string) []string {
	out := make([]string, len(paths))
	for i, p := range paths {
		out[i] = f.rel(p)
	}
	return out
}

func (f folder) rel(path string) string {
	if r, err := filepath.Rel(f.real, path); err == nil {
		return filepath.ToSlash(r)
	}
	return path
}

// collect finds the table's files and partitions, and reads its declaration.
func (f folder) collect(t *table) error {
	if err := f.inside(t.path); err != nil {
		return err
	}
	info, err := os.Stat(t.path)
	if err != nil {
		return ceap.Errorf(ceap.CodeUnavailable, "reading table %q: %w", t.name, err)
	}
	if !info.IsDir() {
		return f.add(t, t.path, info.Size(), nil)
	}
	if err := f.declared(t); err != nil {
		return err
	}
	if err := f.collectDir(t, t.path, nil, 0); err != nil {
		return err
	}
	if len(t.files) == 0 && t.schema == nil {
		return ceap.Errorf(ceap.CodeInvalid, "table %q of database %q has no data files in %s", t.name, t.database, f.rel(t.path)).
			WithHint("put .parquet, .csv or .json files there, or a %s that declares its columns", schemaFile)
	}
	return nil
}

func (f folder) declared(t *table) error {
	path := filepath.Join(t.path, schemaFile)
	data, err := os.ReadFile(path) //nolint:gosec // the path was found, not given
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return ceap.Errorf(ceap.CodeUnavailable, "reading %s: %w", f.rel(path), err)
	}
	if err := f.inside(path); err != nil {
		return err
	}
	t.schema, err = parseSchema(string(data))
	if err != nil {
		return fmt.Errorf("%s: %w", f.rel(path), err)
	}
	if !strings.EqualFold(t.schema.table, t.name) {
		return ceap.Errorf(ceap.CodeInvalid, "%s declares the table %q", f.rel(path), t.schema.table).
			WithHint("it belongs into a folder of that name, or declare %q", t.name)
	}
	return nil
}

// maxDepth bounds the folders below a table; links among them may form a ring.
const maxDepth = 16

func (f folder) collectDir(t *table, dir string, keys []string, depth int) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return ceap.Errorf(ceap.CodeUnavailable, "reading table %q: %w", t.name, err)
	}
	for _, e := range entries {
		if hidden(e.Name()) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		if e.Type()&fs.ModeSymlink != 0 {
			if err := f.inside(path); err != nil {
				return err
			}
		}
		info, err := os.Stat(path)
		if err != nil {
			return ceap.Errorf(ceap.CodeUnavailable, "reading table %q: %w", t.name, err)
		}
		if !info.IsDir() {
			err = f.add(t, path, info.Size(), keys)
		} else if depth < maxDepth {
			below := keys
			if strings.Contains(e.Name(), "=") {
				below = append(slices.Clip(keys), e.Name())
			}
			err = f.collectDir(t, path, below, depth+1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// inside refuses links that lead out of the warehouse.
func (f folder) inside(path string) error {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return ceap.Errorf(ceap.CodeUnavailable, "reading %s: %w", f.rel(path), err)
	}
	if r, err := filepath.Rel(f.real, real); err != nil || !filepath.IsLocal(r) {
		return ceap.Errorf(ceap.CodeInvalid, "%s is a link that leads out of the warehouse folder", f.rel(path)).
			WithHint("copy the data into %s, or make that the folder to link to", f.path)
	}
	return nil
}

// add adds a data file that lies in these partition folders.
func (f folder) add(t *table, path string, size int64, partition []string) error {
	k, _ := kindOf(filepath.Base(path))
	if k == "" {
		return ceap.Errorf(ceap.CodeInvalid, "%s is neither Parquet, CSV nor JSON by its name", f.rel(path)).
			WithHint(`rename it to .parquet, .csv, .json or .jsonl; names starting with "_" are left out`)
	}
	if t.kind != "" && k != t.kind {
		return ceap.Errorf(ceap.CodeInvalid, "table %q mixes kinds of files: %s and %s", t.name, f.rel(t.files[0]), f.rel(path)).
			WithHint("keep one kind in a table")
	}
	keys := make([]string, len(partition))
	for i, p := range partition {
		keys[i], _, _ = strings.Cut(p, "=")
	}
	if len(t.files) > 0 && !slices.Equal(keys, t.keys) {
		return ceap.Errorf(ceap.CodeInvalid, "table %q is partitioned in two ways: %s and %s", t.name, f.rel(t.files[0]), f.rel(path)).
			WithHint("every file must lie in folders of the same keys")
	}
	t.kind, t.keys, t.bytes = k, keys, t.bytes+size
	t.files = append(t.files, path)
	if p := strings.Join(partition, "/"); p != "" && !slices.Contains(t.partitions[max(0, len(t.partitions)-1):], p) {
		t.partitions = append(t.partitions, p)
	}
	return nil
}

// values returns the distinct values of a partition key, sorted.
func (t *table) values(key string) []string {
	var out []string
	for _, p := range t.partitions {
		for part := range strings.SplitSeq(p, "/") {
			k, v, _ := strings.Cut(part, "=")
			if decoded, err := url.PathUnescape(v); err == nil {
				v = decoded
			}
			if k == key {
				out = append(out, v)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
