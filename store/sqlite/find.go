//go:build cgo

package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
)

// Get implements [store.Candidates].
func (c *candidates) Get(ctx context.Context, key ceap.Key) (ceap.Candidate, error) {
	s := (*Store)(c)
	tx, err := s.read.BeginTx(ctx, nil)
	if err != nil {
		return ceap.Candidate{}, storeError("reading a candidate", s.path, err)
	}
	defer func() { _ = tx.Rollback() }() // it only reads
	row, err := s.find(ctx, tx, key)
	if errors.Is(err, sql.ErrNoRows) {
		return ceap.Candidate{}, notFound(key)
	}
	if err != nil {
		return ceap.Candidate{}, storeError("reading a candidate", s.path, err)
	}
	found, err := s.candidates(ctx, []stored{row}, time.Time{})
	if err != nil {
		return ceap.Candidate{}, err
	}
	return found[0], nil
}

// candidates turns rows into candidates.
func (s *Store) candidates(ctx context.Context, rows []stored, now time.Time) ([]ceap.Candidate, error) {
	out := make([]ceap.Candidate, 0, len(rows))
	for i := range rows {
		c, err := rows[i].candidate(s.names, now)
		if errors.Is(err, errUnknownName) {
			if err := s.names.reload(ctx, s.read); err != nil {
				return nil, storeError("reading candidates", s.path, err)
			}
			c, err = rows[i].candidate(s.names, now)
		}
		if err != nil {
			return nil, storeError("reading candidates", s.path, err)
		}
		out = append(out, c)
	}
	return out, nil
}

// cursor is where a page ended: the place of its last candidate in the order of
// the query.
type cursor struct {
	Unscored    bool    `json:"u,omitempty"`
	Score       float64 `json:"s,omitempty"` // negated
	Event       int64   `json:"e,omitempty"` // negated
	Created     int64   `json:"t,omitempty"`
	ID          int64   `json:"i,omitempty"`
	Customer    string  `json:"c,omitempty"`
	Program     string  `json:"p,omitempty"`
	Marketplace string  `json:"m,omitempty"`
	SubjectType string  `json:"y,omitempty"`
	SubjectID   string  `json:"d,omitempty"`
}

func (c cursor) String() string {
	data, _ := json.Marshal(c) // plain data always encodes
	return base64.RawURLEncoding.EncodeToString(data)
}

func parseCursor(text string) (*cursor, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // there is no cursor, and that is no error
	}
	var c cursor
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err != nil {
		return nil, &ceap.Error{Code: ceap.CodeInvalid, Field: "cursor", Message: "this is no cursor", Hint: "use the cursor of the page before, as it was"}
	}
	return &c, nil
}

// selection is a query in the making.
type selection struct {
	where []string
	args  []any
	from  string // "" means all candidates
	order string
	limit int
}

func (q *selection) add(condition string, args ...any) {
	q.where = append(q.where, condition)
	q.args = append(q.args, args...)
}

// in adds column IN (values).
func (q *selection) in(column string, values []int64) {
	marks := make([]string, len(values))
	for i, v := range values {
		marks[i] = "?"
		q.args = append(q.args, v)
	}
	q.where = append(q.where, column+" IN ("+strings.Join(marks, ",")+")")
}

// qualified returns the columns of a table's alias.
func qualified(alias string) string {
	names := strings.FieldsFunc(columns, func(r rune) bool { return strings.ContainsRune(", \n\t", r) })
	return alias + "." + strings.Join(names, ", "+alias+".")
}

func (s *Store) rows(ctx context.Context, q selection) ([]stored, error) {
	var row stored
	var out []stored
	from := cmp.Or(q.from, "candidates c")
	query := "SELECT " + qualified("c") + " FROM " + from + " JOIN scopes s ON s.id = c.scope WHERE " +
		strings.Join(q.where, " AND ") + " ORDER BY " + q.order + " LIMIT ?"
	err := each(ctx, s.read, query, append(q.args, q.limit), row.targets(), func() error {
		out = append(out, row)
		return nil
	})
	if err != nil {
		return nil, storeError("finding candidates", s.path, err)
	}
	return out, nil
}

// Find implements [store.Candidates].
func (c *candidates) Find(ctx context.Context, q store.Query) (store.Page, error) {
	s := (*Store)(c)
	if q.Limit == 0 {
		q.Limit = 100
	}
	if q.Limit < 1 || q.Limit > 1000 {
		return store.Page{}, ceap.Errorf(ceap.CodeInvalid, "limit is %d; use 1 to 1000", q.Limit)
	}
	after, err := parseCursor(q.Cursor)
	if err != nil {
		return store.Page{}, err
	}
	var rows []stored
	var place func(*stored) cursor
	switch {
	case q.CustomerID != "":
		rows, err = s.findByCustomer(ctx, q, after)
		place = s.placeByKey
	case q.ProgramID != "" && q.Channel != "":
		rows, err = s.findByRank(ctx, q, after)
		place = s.placeByRank
	case q.ProgramID != "" && q.CreatedFrom != nil && q.CreatedTo != nil:
		rows, err = s.findByDate(ctx, q, after)
		place = func(r *stored) cursor { return cursor{Created: r.createdAt, ID: r.id} }
	default:
		return store.Page{}, ceap.Errorf(ceap.CodeInvalid, "name a customer, or a program with a channel or a range of dates")
	}
	if err != nil {
		return store.Page{}, err
	}
	var page store.Page
	if len(rows) > q.Limit {
		rows = rows[:q.Limit]
		page.Next = place(&rows[len(rows)-1]).String()
	}
	page.Candidates, err = s.candidates(ctx, rows, q.Now)
	return page, err
}

// narrow adds what narrows every form of a query.
func narrow(sel *selection, q store.Query) {
	if q.SubjectType != "" {
		sel.add("c.subject_type = ?", q.SubjectType)
	}
	if q.SubjectID != "" {
		sel.add("c.subject_id = ?", q.SubjectID)
	}
	if !q.IncludeClosed {
		sel.add("c.status = 0")
		if !q.Now.IsZero() {
			sel.add("c.expires_at > ?", q.Now.UnixMicro())
		}
	}
	sel.limit = q.Limit + 1
}

func (s *Store) scopeOf(id int64) scope {
	s.names.mu.RLock()
	defer s.names.mu.RUnlock()
	return s.names.scopeOf[id]
}

func (s *Store) placeByKey(r *stored) cursor {
	sc := s.scopeOf(r.scope)
	return cursor{Customer: r.customer, Program: sc.program, Marketplace: sc.marketplace, SubjectType: r.subjectType, SubjectID: r.subjectID}
}

func (s *Store) placeByRank(r *stored) cursor {
	c := s.placeByKey(r)
	c.Unscored, c.Event = !r.score.Valid, -r.eventAt
	if r.score.Valid {
		c.Score = -r.score.V
	}
	return c
}

func (s *Store) findByCustomer(ctx context.Context, q store.Query, after *cursor) ([]stored, error) {
	sel := selection{order: "s.program, s.marketplace, c.subject_type, c.subject_id"}
	sel.add("c.customer = ?", q.CustomerID)
	if q.ProgramID != "" {
		sel.add("s.program = ?", q.ProgramID)
	}
	if q.Marketplace != "" {
		sel.add("s.marketplace = ?", q.Marketplace)
	}
	if after != nil {
		sel.add("("+sel.order+") > (?, ?, ?, ?)", after.Program, after.Marketplace, after.SubjectType, after.SubjectID)
	}
	narrow(&sel, q)
	return s.rows(ctx, sel)
}

func (s *Store) findByDate(ctx context.Context, q store.Query, after *cursor) ([]stored, error) {
	scopes, err := s.scopesOf(ctx, s.read, q.ProgramID, q.Marketplace)
	if err != nil || len(scopes) == 0 {
		return nil, err
	}
	sel := selection{order: "b.created_at, c.id", from: "blocks b JOIN candidates c ON c.id BETWEEN b.first_id AND b.last_id AND c.scope = b.scope AND c.created_at = b.created_at"}
	sel.in("b.scope", scopes)
	sel.add("b.created_at >= ? AND b.created_at < ?", q.CreatedFrom.In(time.UTC).UnixMicro(), q.CreatedTo.AddDays(1).In(time.UTC).UnixMicro())
	if after != nil {
		sel.add("(b.created_at, c.id) > (?, ?)", after.Created, after.ID)
	}
	narrow(&sel, q)
	return s.rows(ctx, sel)
}

// lists returns the scopes of a query and the channel sets that hold its channel.
func (s *Store) lists(ctx context.Context, db querier, q store.Query) (scopes, sets []int64, err error) {
	if scopes, err = s.scopesOf(ctx, db, q.ProgramID, q.Marketplace); err != nil || len(scopes) == 0 {
		return nil, nil, err
	}
	return scopes, s.setsWith(q.Channel), nil
}

// findByRank merges pages of ranks. They know open candidates only, and nothing of
// their subjects: for the rest everything is read and sorted.
func (s *Store) findByRank(ctx context.Context, q store.Query, after *cursor) ([]stored, error) {
	if !q.IncludeClosed && q.SubjectType == "" && q.SubjectID == "" {
		rows, err := s.best(ctx, q, after)
		if err != nil {
			return nil, storeError("finding candidates", s.path, err)
		}
		return rows, nil
	}
	scopes, sets, err := s.lists(ctx, s.read, q)
	if err != nil || len(scopes) == 0 || len(sets) == 0 {
		return nil, err
	}
	sel := selection{order: "c.score IS NULL, COALESCE(-c.score, 0), -c.event_at, c.customer, s.program, s.marketplace, c.subject_type, c.subject_id"}
	sel.in("c.scope", scopes)
	sel.in("c.channel_set", sets)
	if after != nil {
		sel.add("("+sel.order+") > (?, ?, ?, ?, ?, ?, ?, ?)",
			after.Unscored, after.Score, after.Event, after.Customer, after.Program, after.Marketplace, after.SubjectType, after.SubjectID)
	}
	narrow(&sel, q)
	return s.rows(ctx, sel)
}

// setsWith returns the channel sets that hold the channel; "*" means all.
func (s *Store) setsWith(channel string) []int64 {
	s.names.mu.RLock()
	defer s.names.mu.RUnlock()
	var ids []int64
	for id, channels := range s.names.setOf {
		if channel == "*" || slices.Contains(channels, channel) {
			ids = append(ids, id)
		}
	}
	return ids
}
