package dynamodb

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"golang.org/x/sync/errgroup"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/awsapi"
	"github.com/ceap-platform/ceap/store"
)

// Get implements [store.Candidates].
func (c *candidates) Get(ctx context.Context, k ceap.Key) (ceap.Candidate, error) {
	s := (*Store)(c)
	doing := "reading a candidate of the table " + s.table(candidateTable)
	db, err := s.db(ctx)
	if err != nil {
		return ceap.Candidate{}, err
	}
	out, err := db.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: aws.String(s.table(candidateTable)), Key: key(k.PK(), k.SK()), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return ceap.Candidate{}, awsapi.Error(ctx, doing, err)
	}
	if out.Item == nil {
		return ceap.Candidate{}, ceap.Errorf(ceap.CodeNotFound, "there is no candidate %s", k)
	}
	return decode(out.Item, time.Time{})
}

// Find implements [store.Candidates]. The candidates of a customer are all read for
// each page, and those of a program if closed ones are asked for by channel; the
// other forms read about as much as they return.
//
// What is returned is read consistently, but found in indexes, which follow the
// table within a second or so: what was written just before may be missing for that
// long, except by customer.
func (c *candidates) Find(ctx context.Context, q store.Query) (store.Page, error) {
	s := (*Store)(c)
	if q.Limit == 0 {
		q.Limit = 100
	}
	if q.Limit < 1 || q.Limit > 1000 {
		return store.Page{}, ceap.Errorf(ceap.CodeInvalid, "limit is %d; use 1 to 1000", q.Limit)
	}
	form, place, find := s.form(q)
	if find == nil {
		return store.Page{}, ceap.Errorf(ceap.CodeInvalid, "name a customer, or a program with a channel or a range of dates")
	}
	after, err := parseCursor(q.Cursor, form)
	if err != nil {
		return store.Page{}, err
	}
	db, err := s.db(ctx)
	if err != nil {
		return store.Page{}, err
	}
	found, err := find(ctx, db, q, after)
	if err != nil {
		return store.Page{}, awsapi.Error(ctx, "finding candidates in the table "+s.table(candidateTable), err)
	}
	page := store.Page{Candidates: found}
	if len(found) > q.Limit {
		page.Candidates = found[:q.Limit]
		page.Next = cursor{form, place(&found[q.Limit-1])}.String()
	}
	return page, nil
}

// finder returns the first candidates after a place, in the order of their places,
// and one more than a page has if there are as many.
type finder func(ctx context.Context, db *dynamodb.Client, q store.Query, after string) ([]ceap.Candidate, error)

// form returns the name of the query's form, the text whose order is the form's,
// and what finds the candidates; nil if there is no such form.
func (s *Store) form(q store.Query) (name string, place func(*ceap.Candidate) string, find finder) {
	switch {
	case q.CustomerID != "":
		return "customer", func(c *ceap.Candidate) string { return keyText(c.Key) }, s.findByCustomer
	case q.ProgramID != "" && q.Channel != "" && q.IncludeClosed:
		return "rank", rankText, s.findAllByRank
	case q.ProgramID != "" && q.Channel != "":
		return "rank", rankText, s.findByRank
	case q.ProgramID != "" && q.CreatedFrom != nil && q.CreatedTo != nil:
		return "created", createdText, s.findByDate
	default:
		return "", nil, nil
	}
}

// cursor is where a page ended: the place of its last candidate.
type cursor struct {
	Form  string `json:"f"`
	Place string `json:"p"`
}

func (c cursor) String() string {
	data, _ := json.Marshal(c) // plain data always encodes
	return base64.RawURLEncoding.EncodeToString(data)
}

// parseCursor returns the place of a cursor of that form; "" for the beginning.
func parseCursor(encoded, form string) (string, error) {
	if encoded == "" {
		return "", nil
	}
	var c cursor
	data, err := base64.RawURLEncoding.DecodeString(encoded)
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err != nil || c.Form != form || c.Place == "" || form != "customer" && len(c.Place) > maxSortKey {
		return "", &ceap.Error{Code: ceap.CodeInvalid, Field: "cursor", Message: "this is no cursor of such a query", Hint: "use the cursor of the page before, as it was"}
	}
	return c.Place, nil
}

// selects reports whether the query selects the candidate, whose status is that of
// q.Now.
func selects(q store.Query, c *ceap.Candidate) bool {
	same := func(want, got string) bool { return want == "" || want == got }
	if !same(q.CustomerID, c.CustomerID) || !same(q.ProgramID, c.ProgramID) || !same(q.Marketplace, c.Marketplace) ||
		!same(q.SubjectType, c.SubjectType) || !same(q.SubjectID, c.SubjectID) || !q.IncludeClosed && c.Meta.Status != ceap.StatusOpen {
		return false
	}
	if q.CustomerID != "" || q.Channel == "" || q.Channel == "*" {
		return true
	}
	eligible, _ := c.Eligible(q.Channel)
	return eligible
}

// ofCustomer reads the candidates of a customer, narrowed to a program and a
// marketplace unless they are "", in no certain order.
func (s *Store) ofCustomer(ctx context.Context, db *dynamodb.Client, customer, program, marketplace string) ([]ceap.Candidate, error) {
	in := &dynamodb.QueryInput{
		TableName: aws.String(s.table(candidateTable)), ConsistentRead: aws.Bool(true),
		KeyConditionExpression:    aws.String("PK = :pk"),
		ExpressionAttributeValues: item{":pk": text(ceap.Key{CustomerID: customer}.PK())},
	}
	if program != "" {
		prefix := "PROG#" + escape(program) + "#MKT#"
		if marketplace != "" {
			prefix += escape(marketplace) + "#"
		}
		in.KeyConditionExpression = aws.String("PK = :pk AND begins_with(SK, :sk)")
		in.ExpressionAttributeValues[":sk"] = text(prefix)
	}
	var found []ceap.Candidate
	for pages := dynamodb.NewQueryPaginator(db, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, it := range page.Items {
			c, err := decode(it, time.Time{})
			if err != nil {
				return nil, err
			}
			found = append(found, c)
		}
	}
	return found, nil
}

func (s *Store) findByCustomer(ctx context.Context, db *dynamodb.Client, q store.Query, after string) ([]ceap.Candidate, error) {
	all, err := s.ofCustomer(ctx, db, q.CustomerID, q.ProgramID, q.Marketplace)
	if err != nil {
		return nil, err
	}
	var b best
	for i := range all {
		c := &all[i]
		expire(c, q.Now)
		if place := keyText(c.Key); place > after && selects(q, c) {
			b = append(b, placed{place, *c})
		}
	}
	return b.first(q.Limit + 1), nil
}

// findByRank reads the index of the open ones.
func (s *Store) findByRank(ctx context.Context, db *dynamodb.Client, q store.Query, after string) ([]ceap.Candidate, error) {
	w, err := s.walk(ctx, db, rankIndex, q, after)
	if err != nil {
		return nil, err
	}
	w.filter(q)
	return w.find(ctx, q)
}

func (s *Store) findByDate(ctx context.Context, db *dynamodb.Client, q store.Query, after string) ([]ceap.Candidate, error) {
	// A time sorts after its date.
	w, err := s.walk(ctx, db, createdIndex, q, max(after, q.CreatedFrom.String()))
	if err != nil {
		return nil, err
	}
	if w.upTo = q.CreatedTo.AddDays(1).String(); w.upTo < w.after {
		return nil, nil // DynamoDB refuses such a range
	}
	return w.find(ctx, q)
}

// findAllByRank reads all candidates of the program, since the index of ranks has
// open ones only, and keeps the best.
func (s *Store) findAllByRank(ctx context.Context, db *dynamodb.Client, q store.Query, after string) ([]ceap.Candidate, error) {
	w, err := s.walk(ctx, db, createdIndex, q, "")
	if err != nil {
		return nil, err
	}
	var b best
	for {
		entries, err := w.take(ctx, 10*batchKeys)
		if err != nil || len(entries) == 0 {
			return b.first(q.Limit + 1), err
		}
		found, err := w.read(ctx, entries, q)
		if err != nil {
			return nil, err
		}
		for i := range found {
			if place := rankText(&found[i]); place > after {
				b = append(b, placed{place, found[i]})
			}
		}
		if len(b) > 10*batchKeys+q.Limit {
			b.first(q.Limit + 1)
			b = b[:min(len(b), q.Limit+1)]
		}
	}
}

// placed is a candidate with its place.
type placed struct {
	place     string
	candidate ceap.Candidate
}

type best []placed

// first sorts b and returns the first n.
func (b best) first(n int) []ceap.Candidate {
	slices.SortFunc(b, func(a, b placed) int { return strings.Compare(a.place, b.place) })
	var out []ceap.Candidate
	for _, p := range b[:min(len(b), n)] {
		out = append(out, p.candidate)
	}
	return out
}

// expire makes an open candidate past its expiry at now an expired one.
func expire(c *ceap.Candidate, now time.Time) {
	if c.Meta.Status == ceap.StatusOpen && !now.IsZero() && !c.Meta.ExpiresAt.After(now) {
		c.Meta.Status = ceap.StatusExpired
	}
}

// find returns the first candidates that the walk reaches and the query selects,
// one more than a page has if there are as many.
func (w *walk) find(ctx context.Context, q store.Query) ([]ceap.Candidate, error) {
	var out []ceap.Candidate
	for len(out) <= q.Limit {
		entries, err := w.take(ctx, q.Limit+1-len(out))
		if err != nil || len(entries) == 0 {
			return out, err
		}
		found, err := w.read(ctx, entries, q)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// read reads the candidates of the entries that the query selects. An entry that
// its item does not have any more is passed over: the index is behind, and has, or
// will have, the item elsewhere.
func (w *walk) read(ctx context.Context, entries []entry, q store.Query) ([]ceap.Candidate, error) {
	table := w.s.table(candidateTable)
	chunks := slices.Collect(slices.Chunk(entries, batchKeys))
	found := make([]items, len(chunks))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(groupWriters)
	for i, chunk := range chunks {
		group.Go(func() (err error) {
			var keys keySet
			for _, e := range chunk {
				keys.add(table, e.pk, e.sk)
			}
			found[i], err = keys.get(groupCtx, w.db)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var out []ceap.Candidate
	for i, chunk := range chunks {
		for _, e := range chunk {
			it := found[i][[3]string{table, e.pk, e.sk}]
			if textOf(it, w.index+"SK") != e.place {
				continue
			}
			c, err := decode(it, q.Now)
			if err != nil {
				return nil, err
			}
			if selects(q, &c) {
				out = append(out, c)
			}
		}
	}
	return out, nil
}
