package athena

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// catalog knows the databases and tables: those of the folder, which is looked
// at each time, and those that statements have created.
type catalog struct {
	folder string // "" for none
	cache  string // a folder for copies of objects
	store  *store

	mu      sync.Mutex
	created map[string]map[string]*table // by database and name; tables are never changed
}

func newCatalog(folder, cache string, s *store) *catalog {
	return &catalog{folder: folder, cache: cache, store: s, created: map[string]map[string]*table{"default": {}}}
}

// table is a table of the catalog.
type table struct {
	database, name string // in lower case
	declared       bool   // whether the columns are known from a declaration
	columns, keys  []column
	format         string // parquet, csv or json; "" if the files' names say it
	lazy           bool   // CSV as Hive's LazySimpleSerDe reads it: quotes mean nothing, "" is a text
	delimiter      string
	skip           int    // lines at the start of each CSV file
	location       string // "" for tables of the folder
	partitions     []partition
	path           string // of tables of the folder
}

// column is a column with Hive's name of its type.
type column struct{ name, typ string }

// partition is a partition that the catalog has been told about.
type partition struct {
	values   []string
	location string
}

// file is a data file of a table, below folders named key=value.
type file struct {
	path  string
	bytes int64
}

func hidden(name string) bool { return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") }

// databases returns the names of all databases, sorted.
func (c *catalog) databases() []string {
	c.mu.Lock()
	names := slices.Collect(maps.Keys(c.created))
	c.mu.Unlock()
	for _, e := range entries(c.folder) {
		if e.IsDir() && !hidden(e.Name()) {
			names = append(names, strings.ToLower(e.Name()))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// entries returns what lies in a folder, with links followed; nothing if there
// is no folder.
func entries(dir string) []fs.FileInfo {
	if dir == "" {
		return nil
	}
	list, _ := os.ReadDir(dir)
	var out []fs.FileInfo
	for _, e := range list {
		if info, err := os.Stat(filepath.Join(dir, e.Name())); err == nil {
			out = append(out, renamedInfo{info, e.Name()})
		}
	}
	return out
}

// renamedInfo is what a link points to, under the link's name.
type renamedInfo struct {
	fs.FileInfo
	name string
}

// Name returns the link's name.
func (r renamedInfo) Name() string { return r.name }

// tables returns a database's tables, by name.
func (c *catalog) tables(database string) ([]*table, error) {
	known := map[string]*table{}
	for _, e := range entries(c.folder) {
		if !e.IsDir() || !strings.EqualFold(e.Name(), database) {
			continue
		}
		dir := filepath.Join(c.folder, e.Name())
		for _, f := range entries(dir) {
			if hidden(f.Name()) {
				continue
			}
			t, err := folderTable(strings.ToLower(database), filepath.Join(dir, f.Name()), f)
			if err != nil {
				return nil, err
			}
			if t != nil {
				known[t.name] = t
			}
		}
	}
	c.mu.Lock()
	maps.Copy(known, c.created[strings.ToLower(database)])
	c.mu.Unlock()
	return slices.SortedFunc(maps.Values(known), func(a, b *table) int { return cmp.Compare(a.name, b.name) }), nil
}

// folderTable returns the table that lies at path; nil if it is none.
func folderTable(database, path string, info fs.FileInfo) (*table, error) {
	t := &table{database: database, name: strings.ToLower(filepath.Base(path)), path: path, delimiter: ","}
	if !info.IsDir() {
		if t.format, t.name = formatOf(t.name); t.format == "" {
			return nil, nil //nolint:nilnil // not every file is a table
		}
		return t, nil
	}
	ddl, err := os.ReadFile(filepath.Join(path, "_schema.sql")) //nolint:gosec // a folder that the test gives
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading a declaration: %w", err)
	}
	d, err := parseCreate(lex(string(ddl)))
	if err != nil {
		return nil, fmt.Errorf("%s/_schema.sql: %w", path, err)
	}
	t.declared, t.columns, t.keys = true, d.table.columns, d.table.keys
	if d.table.delimiter != hiveDelimiter {
		t.delimiter = d.table.delimiter
	}
	return t, nil
}

// formatOf returns the format of a file by its name, and the name without the
// endings that say so.
func formatOf(name string) (format, base string) {
	name = strings.TrimSuffix(name, ".gz")
	for ending, format := range map[string]string{".parquet": "parquet", ".csv": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json"} {
		if base, ok := strings.CutSuffix(name, ending); ok {
			return format, base
		}
	}
	return "", name
}

// table returns a table. known tells whether the database exists, a nil table
// that it has no such table.
func (c *catalog) table(database, name string) (t *table, known bool, err error) {
	if !slices.Contains(c.databases(), strings.ToLower(database)) {
		return nil, false, nil
	}
	tables, err := c.tables(database)
	for _, t := range tables {
		if t.name == strings.ToLower(name) {
			return t, true, nil
		}
	}
	return nil, true, err
}

// files returns a table's files in order; those in S3 are copied here first.
func (c *catalog) files(ctx context.Context, t *table) ([]file, error) {
	if t.location == "" {
		return folderFiles(t.path)
	}
	if len(t.keys) == 0 {
		return c.copies(ctx, t, partition{location: t.location})
	}
	var out []file
	for _, p := range t.partitions {
		files, err := c.copies(ctx, t, p)
		if err != nil {
			return nil, err
		}
		out = append(out, files...)
	}
	return out, nil
}

// folderFiles returns the files at or below path.
func folderFiles(path string) ([]file, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading a table: %w", err)
	}
	if !info.IsDir() {
		return []file{{path, info.Size()}}, nil
	}
	var out []file
	for _, e := range entries(path) {
		if hidden(e.Name()) {
			continue
		}
		below, err := folderFiles(filepath.Join(path, e.Name()))
		if err != nil {
			return nil, err
		}
		out = append(out, below...)
	}
	return out, nil
}

// copies brings a partition's objects to where the folders' names say what it is.
func (c *catalog) copies(ctx context.Context, t *table, p partition) ([]file, error) {
	dir := filepath.Join(c.cache, t.database, t.name)
	for i, value := range p.values {
		dir = filepath.Join(dir, t.keys[i].name+"="+url.PathEscape(value))
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("making room for a table: %w", err)
	}
	objects, err := c.store.list(ctx, p.location)
	if err != nil {
		return nil, err
	}
	var out []file
	for _, o := range objects {
		if o.size == 0 || hidden(o.key[strings.LastIndexByte(o.key, '/')+1:]) {
			continue
		}
		sum := sha256.Sum256([]byte(o.bucket + "/" + o.key + "\n" + o.tag))
		path := filepath.Join(dir, hex.EncodeToString(sum[:8]))
		if strings.HasSuffix(o.key, ".gz") {
			path += ".gz"
		}
		if _, err := os.Stat(path); err != nil {
			if err := c.store.download(ctx, o, path); err != nil {
				return nil, err
			}
		}
		out = append(out, file{path, o.size})
	}
	return out, nil
}

// create makes a database or, with a table, a table known.
func (c *catalog) create(database string, t *table) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.created[database] == nil {
		c.created[database] = map[string]*table{}
	}
	if t != nil {
		c.created[database][t.name] = t
	}
}

// drop forgets a database or, with a name, a table. The folder's stay.
func (c *catalog) drop(database, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if name == "" {
		delete(c.created, database)
	} else {
		delete(c.created[database], name)
	}
}
