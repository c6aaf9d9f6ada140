//go:build cgo

package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/mattn/go-sqlite3"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
)

func open(ctx context.Context, path string, cacheMB int) (store.Roles, error) {
	s, err := Open(ctx, path, cacheMB)
	if err != nil {
		return store.Roles{}, err
	}
	return s.Roles(), nil
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
	s := &Store{path: path, files: &artifacts{dir: filepath.Join(filepath.Dir(path), "artifacts")}}
	var err error
	if s.write, err = connect(ctx, opening{path: path, synchronous: "FULL", cacheMB: 8}, 1); err != nil {
		return nil, err
	}
	if s.bulk, err = connect(ctx, opening{path: path, synchronous: "NORMAL", cacheMB: cacheMB}, 1); err == nil {
		err = s.migrate(ctx)
	}
	if err == nil {
		s.read, err = connect(ctx, opening{path: path, synchronous: "NORMAL", cacheMB: 8, readOnly: true}, 8)
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

// opening says how connections are set up.
type opening struct {
	path        string
	synchronous string // NORMAL or FULL
	cacheMB     int
	readOnly    bool
}

// Connect implements [driver.Connector]. It makes sure that the connection is
// set as asked: a driver ignores what it does not know.
func (o opening) Connect(context.Context) (driver.Conn, error) {
	dsn := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: o.path}).EscapedPath()}).String()
	conn, err := (&sqlite3.SQLiteDriver{}).Open(dsn + "?_busy_timeout=" + fmt.Sprint(busyTimeout) + "&_stmt_cache_size=64&_txlock=" + map[bool]string{false: "immediate", true: "deferred"}[o.readOnly])
	if err != nil {
		return nil, err
	}
	c, ok := conn.(*sqlite3.SQLiteConn)
	if !ok {
		return nil, fmt.Errorf("the driver opened a %T", conn)
	}
	if err := o.refuseForeign(c); err != nil {
		_ = c.Close()
		return nil, err
	}
	for _, pragma := range o.pragmas() {
		if _, err := c.Exec("PRAGMA "+pragma, nil); err != nil {
			_ = c.Close()
			return nil, err
		}
	}
	for name, want := range map[string]string{
		"journal_mode": "wal", "busy_timeout": fmt.Sprint(busyTimeout), "foreign_keys": "1",
		"synchronous": map[string]string{"NORMAL": "1", "FULL": "2"}[o.synchronous],
	} {
		if got := queryText(c, "PRAGMA "+name); got != want {
			_ = c.Close()
			return nil, fmt.Errorf("PRAGMA %s is %s, not %s", name, got, want)
		}
	}
	return c, nil
}

// refuseForeign returns an error if the file belongs to another application. It
// comes before the first PRAGMA that changes the file.
func (o opening) refuseForeign(c *sqlite3.SQLiteConn) error {
	tables := queryText(c, "SELECT count(*) FROM sqlite_master")
	if tables == "0" || queryText(c, "PRAGMA application_id") == fmt.Sprint(applicationID) {
		return nil
	}
	if _, err := strconv.Atoi(tables); err != nil {
		return nil //nolint:nilerr // it cannot be read, which the PRAGMAs say better
	}
	return ceap.Errorf(ceap.CodeUnavailable, "%s is a database of another application; nothing was changed", o.path).
		WithHint("name another path under `store` in ceap.yaml")
}

// Driver implements [driver.Connector].
func (o opening) Driver() driver.Driver { return &sqlite3.SQLiteDriver{} }

// pragmas in the order in which they must be set. Pages of 8 KiB make large
// stores faster than SQLite's 4 KiB; the size is fixed with the first table.
func (o opening) pragmas() []string {
	p := []string{
		"page_size = 8192", "journal_mode = WAL", "synchronous = " + o.synchronous, "foreign_keys = 1", "temp_store = MEMORY",
		fmt.Sprintf("cache_size = -%d", o.cacheMB<<10), "wal_autocheckpoint = 8192", "journal_size_limit = 134217728",
	}
	if o.readOnly {
		p = append(p, "query_only = 1")
	}
	return p
}

// queryText returns the one value of a query as text, or the error's.
func queryText(c *sqlite3.SQLiteConn, query string) string {
	rows, err := c.Query(query, nil)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = rows.Close() }()
	value := make([]driver.Value, 1)
	if err := rows.Next(value); err != nil {
		return err.Error()
	}
	if b, ok := value[0].([]byte); ok {
		return string(b)
	}
	return fmt.Sprint(value[0])
}

// connect opens a pool of connections.
func connect(ctx context.Context, o opening, connections int) (*sql.DB, error) {
	db := sql.OpenDB(o)
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	if err := db.PingContext(ctx); err != nil {
		_ = db.Close()
		return nil, storeError("opening", o.path, err)
	}
	return db, nil
}

// Roles returns the store's roles.
func (s *Store) Roles() store.Roles {
	return store.Roles{
		Candidates: (*candidates)(s), Programs: (*programs)(s), Runs: (*runs)(s), OptOuts: (*optOuts)(s),
		Scores: (*scores)(s), Artifacts: s.files, Maintainer: (*maintainer)(s), Close: s.Close,
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
