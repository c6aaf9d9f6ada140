//go:build cgo

package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"

	"github.com/ceap-platform/ceap"
)

// migrations bring the schema from one version to the next; the version is kept
// in PRAGMA user_version. A migration that has shipped never changes.
func migrations() []string {
	return []string{schema1, schema2}
}

// Times are microseconds since 1970, UTC. Names (scopes, channel sets, writers)
// are interned, since every candidate has them.
const schema1 = `
CREATE TABLE settings (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

-- A scope is a program in a marketplace.
CREATE TABLE scopes (id INTEGER PRIMARY KEY, program TEXT NOT NULL, marketplace TEXT NOT NULL,
	stale INTEGER NOT NULL DEFAULT 0, -- how many entries of its ranks are stale
	UNIQUE (program, marketplace));
-- A channel set is the channels that a candidate is eligible for, as a JSON list.
CREATE TABLE channel_sets (id INTEGER PRIMARY KEY, channels TEXT NOT NULL UNIQUE);
-- A writer is a run's connector.
CREATE TABLE writers (id INTEGER PRIMARY KEY, run TEXT NOT NULL, correlation TEXT NOT NULL, connector TEXT NOT NULL,
	UNIQUE (run, correlation, connector));

CREATE TABLE candidates (
	id INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice
	customer TEXT NOT NULL, scope INTEGER NOT NULL, subject_type TEXT NOT NULL, subject_id TEXT NOT NULL,
	event_at INTEGER NOT NULL,
	score REAL,                      -- NULL if unscored
	channel_set INTEGER NOT NULL,
	status INTEGER NOT NULL,         -- 0 open, 1 sent, 2 consumed
	version INTEGER NOT NULL,
	created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
	closed_at INTEGER, closed_channel TEXT,
	writer INTEGER NOT NULL, creator INTEGER NOT NULL,
	body TEXT NOT NULL               -- the rest of the content, as JSON
);
CREATE UNIQUE INDEX candidates_key ON candidates (customer, scope, subject_type, subject_id);
-- A page of ranks; see the package's documentation. The index serves "the best of
-- a program and channel"; it is of pages, not of candidates, since an index that
-- takes each row at a random place halves the speed of writing.
CREATE TABLE ranks (
	id INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice
	scope INTEGER NOT NULL, channel_set INTEGER NOT NULL,
	first BLOB NOT NULL, last BLOB NOT NULL, -- the ranks of the first and last entry
	count INTEGER NOT NULL, entries BLOB NOT NULL
);
CREATE INDEX ranks_order ON ranks (scope, channel_set, first, last, count);
CREATE INDEX ranks_small ON ranks (scope, channel_set, count) WHERE count < 256;

-- A block is a range of ids that one transaction has written: its candidates of
-- the scope were created at that time. Serves "created on a day" and what has
-- expired; an index on the times would cost a sixth of the speed of writing.
CREATE TABLE blocks (id INTEGER PRIMARY KEY, scope INTEGER NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
	first_id INTEGER NOT NULL, last_id INTEGER NOT NULL);
CREATE INDEX blocks_created ON blocks (scope, created_at, first_id);
CREATE INDEX blocks_expires ON blocks (expires_at);

-- A closing mark outlives its candidate: a keyed hash of the key, and nothing
-- else of it (D5).
CREATE TABLE marks (hash BLOB PRIMARY KEY, status INTEGER NOT NULL, event_at INTEGER NOT NULL, closed_at INTEGER NOT NULL,
	version INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE opt_outs (customer TEXT NOT NULL, program TEXT NOT NULL, channel TEXT NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL,
	PRIMARY KEY (customer, program, channel)) WITHOUT ROWID;

CREATE TABLE programs (program TEXT NOT NULL, marketplace TEXT NOT NULL, document TEXT NOT NULL, enabled INTEGER NOT NULL,
	created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, PRIMARY KEY (program, marketplace)) WITHOUT ROWID;

CREATE TABLE runs (run TEXT PRIMARY KEY, program TEXT NOT NULL, marketplace TEXT NOT NULL, batch TEXT NOT NULL, status TEXT NOT NULL,
	started_at INTEGER NOT NULL, input_hash TEXT NOT NULL, result TEXT NOT NULL, UNIQUE (program, marketplace, batch));
CREATE INDEX runs_started ON runs (started_at);
`

// What models answered, by what they were asked.
const schema2 = `
CREATE TABLE scores (model TEXT NOT NULL, key TEXT NOT NULL, value REAL NOT NULL,
	confidence REAL,                 -- NULL if the model gave none
	at INTEGER NOT NULL, expires_at INTEGER NOT NULL, PRIMARY KEY (model, key)) WITHOUT ROWID;
CREATE INDEX scores_expires ON scores (expires_at);
`

// applicationID marks the file as CEAP's: "CEAP" in ASCII.
const applicationID = 0x43454150

// migrate brings the schema up to date, each step in one transaction.
func (s *Store) migrate(ctx context.Context) error {
	steps := migrations()
	return s.update(ctx, "preparing the schema", func(tx *sql.Tx) error {
		var version int
		if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
			return err
		}
		if version > len(steps) {
			return ceap.Errorf(ceap.CodeUnsupported, "the store %s has schema version %d; this build knows %d", s.path, version, len(steps)).
				WithHint("use the newer version of ceap that wrote it")
		}
		for i := version; i < len(steps); i++ {
			if _, err := tx.ExecContext(ctx, steps[i]); err != nil {
				return fmt.Errorf("step %d: %w", i+1, err)
			}
		}
		_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d; PRAGMA application_id = %d", len(steps), applicationID))
		return err
	})
}

// loadMarkKey returns the secret with which closing marks are hashed. It is made
// once and never leaves the store.
func (s *Store) loadMarkKey(ctx context.Context) (key []byte, err error) {
	fresh := make([]byte, 32)
	if _, err := rand.Read(fresh); err != nil {
		return nil, err
	}
	err = s.update(ctx, "reading the settings", func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "INSERT INTO settings (name, value) VALUES ('mark_key', ?) ON CONFLICT DO NOTHING", fresh); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, "SELECT value FROM settings WHERE name = 'mark_key'").Scan(&key)
	})
	return key, err
}
