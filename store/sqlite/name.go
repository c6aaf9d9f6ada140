//go:build cgo

package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"strings"
	"sync"

	"github.com/ceap-platform/ceap"
)

// names interns what many candidates share. Names are never removed, so what is
// known stays right; other processes may add names at any time, and whoever meets
// an unknown number reads the table again. It is safe for concurrent use.
type names struct {
	mu       sync.RWMutex
	scopes   map[scope]int64
	scopeOf  map[int64]scope
	sets     map[string]int64 // by the JSON list of channels
	setOf    map[int64][]string
	writers  map[writer]int64
	writerOf map[int64]writer

	// read is up to which number reload has read. Between those that this process
	// has added there may be others.
	read struct{ scope, set, writer int64 }
}

type scope struct{ program, marketplace string }

type writer struct{ run, correlation, connector string }

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func loadNames(ctx context.Context, db querier) (*names, error) {
	n := &names{
		scopes: map[scope]int64{}, scopeOf: map[int64]scope{}, sets: map[string]int64{}, setOf: map[int64][]string{},
		writers: map[writer]int64{}, writerOf: map[int64]writer{},
	}
	return n, n.reload(ctx, db)
}

// reload reads the names that were added since the last time. Numbers are given
// out in rising order, by one transaction after the other.
func (n *names) reload(ctx context.Context, db querier) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	var id int64
	var a, b, c string
	err := each(ctx, db, "SELECT id, program, marketplace FROM scopes WHERE id > ? ORDER BY id", []any{n.read.scope}, []any{&id, &a, &b}, func() error {
		n.scopes[scope{a, b}], n.scopeOf[id], n.read.scope = id, scope{a, b}, id
		return nil
	})
	if err != nil {
		return err
	}
	err = each(ctx, db, "SELECT id, channels FROM channel_sets WHERE id > ? ORDER BY id", []any{n.read.set}, []any{&id, &a}, func() error {
		n.sets[a], n.setOf[id], n.read.set = id, parseSet(a), id
		return nil
	})
	if err != nil {
		return err
	}
	return each(ctx, db, "SELECT id, run, correlation, connector FROM writers WHERE id > ? ORDER BY id", []any{n.read.writer}, []any{&id, &a, &b, &c}, func() error {
		n.writers[writer{a, b, c}], n.writerOf[id], n.read.writer = id, writer{a, b, c}, id
		return nil
	})
}

// each scans every row of a query into targets and calls yield.
func each(ctx context.Context, db querier, query string, args, targets []any, yield func() error) error {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		if err := yield(); err != nil {
			return err
		}
	}
	return rows.Err()
}

// interner gives numbers to names inside one transaction. The numbers become
// known to others only when the transaction has committed.
type interner struct {
	ctx     context.Context //nolint:containedctx // lives as long as one transaction
	tx      execer
	known   *names
	scopes  map[scope]int64
	sets    map[string]int64
	writers map[writer]int64
	key     []byte
	dryRun  bool // give unknown names the number 0, which nothing has
}

type execer interface {
	querier
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func (n *names) interner(ctx context.Context, tx execer) *interner {
	return &interner{ctx: ctx, tx: tx, known: n, scopes: map[scope]int64{}, sets: map[string]int64{}, writers: map[writer]int64{}}
}

// commit makes the new names known.
func (in *interner) commit() {
	if len(in.scopes)+len(in.sets)+len(in.writers) == 0 {
		return
	}
	n := in.known
	n.mu.Lock()
	defer n.mu.Unlock()
	for s, id := range in.scopes {
		n.scopes[s], n.scopeOf[id] = id, s
	}
	for text, id := range in.sets {
		n.sets[text], n.setOf[id] = id, parseSet(text)
	}
	for w, id := range in.writers {
		n.writers[w], n.writerOf[id] = id, w
	}
}

func parseSet(text string) []string {
	var channels []string
	_ = json.Unmarshal([]byte(text), &channels) // text that we made
	return channels
}

func (in *interner) scope(s scope) (int64, error) {
	in.known.mu.RLock()
	id, ok := in.known.scopes[s]
	in.known.mu.RUnlock()
	if ok {
		return id, nil
	}
	if id, ok := in.scopes[s]; ok {
		return id, nil
	}
	id, err := in.insert("INSERT INTO scopes (program, marketplace) VALUES (?, ?) ON CONFLICT DO UPDATE SET program = program RETURNING id", s.program, s.marketplace)
	in.scopes[s] = id
	return id, err
}

func (in *interner) writer(w writer) (int64, error) {
	in.known.mu.RLock()
	id, ok := in.known.writers[w]
	in.known.mu.RUnlock()
	if ok {
		return id, nil
	}
	if id, ok := in.writers[w]; ok {
		return id, nil
	}
	id, err := in.insert("INSERT INTO writers (run, correlation, connector) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET run = run RETURNING id",
		w.run, w.correlation, w.connector)
	in.writers[w] = id
	return id, err
}

// channelSet interns the channels that the candidate is eligible for.
func (in *interner) channelSet(flags []ceap.ChannelFlag) (int64, error) {
	in.key = append(in.key[:0], '[')
	for _, f := range flags {
		if !f.Eligible {
			continue
		}
		if len(in.key) > 1 {
			in.key = append(in.key, ',')
		}
		in.key = ceap.AppendJSONString(in.key, f.Channel)
	}
	in.key = append(in.key, ']')
	in.known.mu.RLock()
	id, ok := in.known.sets[string(in.key)]
	in.known.mu.RUnlock()
	if ok {
		return id, nil
	}
	if id, ok := in.sets[string(in.key)]; ok {
		return id, nil
	}
	text := strings.Clone(string(in.key))
	id, err := in.insert("INSERT INTO channel_sets (channels) VALUES (?) ON CONFLICT DO UPDATE SET channels = channels RETURNING id", text)
	in.sets[text] = id
	return id, err
}

func (in *interner) insert(query string, args ...any) (id int64, err error) {
	if in.dryRun {
		return 0, nil
	}
	err = in.tx.QueryRowContext(in.ctx, query, args...).Scan(&id)
	return id, err
}

// scopesOf returns the numbers of a program's scopes; marketplace "" means all.
func (s *Store) scopesOf(ctx context.Context, db querier, program, marketplace string) ([]int64, error) {
	// Another process may have added scopes since.
	if err := s.names.reload(ctx, db); err != nil {
		return nil, storeError("reading names", s.path, err)
	}
	s.names.mu.RLock()
	defer s.names.mu.RUnlock()
	var ids []int64
	for sc, id := range s.names.scopes {
		if sc.program == program && (marketplace == "" || sc.marketplace == marketplace) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}
