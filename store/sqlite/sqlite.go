// Package sqlite keeps CEAP's data in one SQLite file, with the artefacts of
// runs in a folder beside it. Several processes of one machine may use the file
// at the same time; it must not lie on a network file system.
//
// Layout follows from one rule: rows arrive in the order of their keys, and every
// index must take them in an order that it can append or merge. So the rank index
// sorts by a bucket of the score, not by the score itself; see candidates_rank in
// schema.go.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	_ "modernc.org/sqlite" // the driver; bench/store compares it with mattn/go-sqlite3

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/plugin"
	"github.com/ceap-platform/ceap/store"
)

// Config holds the store's settings.
type Config struct {
	// Path is the database file, relative to the project's folder. Its folder is
	// made if need be. Artefacts of runs lie in the folder `runs` beside it.
	Path string `json:"path" doc:"The database file, relative to the project's folder."`
	// CacheMB bounds the page cache of the writing connection, in MiB. More makes
	// writes into a large store faster.
	CacheMB int `json:"cacheMB" doc:"Page cache of the writing connection, in MiB." ceap:"min=8,max=65536"`
}

// Default returns the settings of a store that none are given for.
func Default() Config { return Config{Path: ".ceap/ceap.db", CacheMB: 128} }

// Plugin describes the store.
func Plugin() plugin.Of[store.Roles] {
	return plugin.Define("sqlite", "keeps everything in one SQLite file", Default(),
		func(env plugin.Env, c Config) (store.Roles, error) {
			path := c.Path
			if !filepath.IsAbs(path) {
				path = filepath.Join(env.Dir, path)
			}
			s, err := Open(context.Background(), path, c.CacheMB)
			if err != nil {
				return store.Roles{}, err
			}
			return s.Roles(), nil
		})
}

// Store is an open database. It is safe for concurrent use.
type Store struct {
	path  string
	files *artifacts
	read  *sql.DB // many connections, which cannot write
	write *sql.DB // one connection; a commit survives power loss (synchronous=FULL)
	bulk  *sql.DB // one connection; a commit survives a crash of the process, and the next commit of write makes it survive power loss

	// writing lets one connection of this process write at a time, in the order
	// of asking; other processes wait in SQLite's own way (busy_timeout).
	writing sync.Mutex

	names   *names
	markKey []byte
	lastID  int64 // of candidates; guarded by writing, valid inside a bulk transaction
}

// busyTimeout is how long a process waits for another one's transaction, in
// milliseconds. The longest are bulk writes of some 20,000 rows.
const busyTimeout = 30_000

// Open opens the database file, making it and bringing its schema up to date if
// need be. It returns unavailable if the file cannot be opened or written, and
// unsupported if a newer version of CEAP made it.
func Open(ctx context.Context, path string, cacheMB int) (*Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, ceap.Errorf(ceap.CodeUnavailable, "making the folder of the store: %w", err)
	}
	s := &Store{path: path, files: &artifacts{dir: filepath.Join(filepath.Dir(path), "runs")}}
	var err error
	if s.write, err = connect(ctx, path, "FULL", 1, 8, false); err != nil {
		return nil, err
	}
	if s.bulk, err = connect(ctx, path, "NORMAL", 1, cacheMB, false); err == nil {
		err = s.migrate(ctx)
	}
	if err == nil {
		s.read, err = connect(ctx, path, "NORMAL", 8, 16, true)
	}
	if err == nil {
		s.names, err = loadNames(ctx, s.write)
	}
	if err == nil {
		s.markKey, err = s.loadMarkKey(ctx)
	}
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// connect opens connections and makes sure that they are set as asked: a driver
// ignores what it does not know.
func connect(ctx context.Context, path, synchronous string, connections, cacheMB int, readOnly bool) (*sql.DB, error) {
	q := url.Values{"_txlock": {"immediate"}}
	for _, p := range []string{
		fmt.Sprintf("busy_timeout(%d)", busyTimeout), "journal_mode(WAL)", "synchronous(" + synchronous + ")",
		"foreign_keys(1)", "temp_store(MEMORY)", fmt.Sprintf("cache_size(-%d)", cacheMB<<10),
		"wal_autocheckpoint(4096)", "journal_size_limit(67108864)",
	} {
		q.Add("_pragma", p)
	}
	if readOnly {
		q.Set("_txlock", "deferred")
		q.Add("_pragma", "query_only(1)")
	}
	dsn := (&url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: q.Encode()}).String()
	db, err := sql.Open("sqlite", strings.ReplaceAll(dsn, "%2F", "/"))
	if err != nil {
		return nil, storeError("opening", path, err)
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	want := map[string]string{"journal_mode": "wal", "busy_timeout": fmt.Sprint(busyTimeout), "foreign_keys": "1"}
	want["synchronous"] = map[string]string{"NORMAL": "1", "FULL": "2"}[synchronous]
	for name, value := range want {
		var got string
		if err := db.QueryRowContext(ctx, "PRAGMA "+name).Scan(&got); err != nil {
			_ = db.Close()
			return nil, storeError("opening", path, err)
		}
		if got != value {
			_ = db.Close()
			return nil, ceap.Errorf(ceap.CodeUnavailable, "opening the store %s: %s is %s, not %s", path, name, got, value)
		}
	}
	return db, nil
}

// Roles returns the store's roles.
func (s *Store) Roles() store.Roles {
	return store.Roles{
		Candidates: (*candidates)(s), Programs: (*programs)(s), Runs: (*runs)(s), OptOuts: (*optOuts)(s),
		Artifacts: s.files, Maintainer: (*maintainer)(s), Close: s.Close,
	}
}

// Close ends the use of the store.
func (s *Store) Close() error {
	var errs []error
	for _, db := range []*sql.DB{s.read, s.bulk, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// update runs work in a transaction that survives power loss.
func (s *Store) update(ctx context.Context, doing string, work func(*sql.Tx) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return storeError(doing, s.path, err)
	}
	defer func() { _ = tx.Rollback() }() // harmless after Commit
	if err := work(tx); err != nil {
		return storeError(doing, s.path, err)
	}
	if err := tx.Commit(); err != nil {
		return storeError(doing, s.path, err)
	}
	return nil
}
