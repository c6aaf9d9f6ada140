//go:build cgo

package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/store"
)

type optOuts Store

var _ store.OptOuts = (*optOuts)(nil)

// Put implements [store.OptOuts].
func (o *optOuts) Put(ctx context.Context, out ceap.OptOut) (removed int64, err error) {
	s := (*Store)(o)
	err = s.update(ctx, "recording an opt-out", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO opt_outs (customer, program, channel, reason, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
			out.CustomerID, out.ProgramID, out.Channel, out.Reason, out.At.UnixMicro())
		if err != nil || out.Channel != "" {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE scopes SET stale = stale + (SELECT COUNT(*) FROM candidates WHERE customer = ?1 AND scope = scopes.id AND status = 0)
			WHERE ?2 = '' OR program = ?2`, out.CustomerID, out.ProgramID)
		if err != nil {
			return err
		}
		// No closing marks: the opt-out itself keeps the candidates away.
		res, err := tx.ExecContext(ctx, `DELETE FROM candidates WHERE customer = ?1 AND (?2 = '' OR scope IN (SELECT id FROM scopes WHERE program = ?2))`,
			out.CustomerID, out.ProgramID)
		if err != nil {
			return err
		}
		removed, err = res.RowsAffected()
		return err
	})
	return removed, err
}

// Withdraw implements [store.OptOuts].
func (o *optOuts) Withdraw(ctx context.Context, customerID, programID, channel string) error {
	s := (*Store)(o)
	return s.update(ctx, "withdrawing an opt-out", func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "DELETE FROM opt_outs WHERE customer = ? AND program = ? AND channel = ?", customerID, programID, channel)
		return orNotFound(res, err, "there is no such opt-out of customer %q", customerID)
	})
}

// orNotFound turns a change of no rows into not_found.
func orNotFound(res sql.Result, err error, format string, args ...any) error {
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		return ceap.Errorf(ceap.CodeNotFound, format, args...)
	}
	return err
}

// OptOutsOf implements [store.OptOuts].
func (o *optOuts) OptOutsOf(ctx context.Context, customerIDs []string) (map[string][]ceap.OptOut, error) {
	s := (*Store)(o)
	out := map[string][]ceap.OptOut{}
	var some bool
	if err := s.read.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM opt_outs)").Scan(&some); err != nil {
		return nil, storeError("reading opt-outs", s.path, err)
	}
	if !some {
		return out, nil
	}
	for ids := range slices.Chunk(customerIDs, 1000) { // well within SQLite's 32,766 parameters
		args := make([]any, len(ids))
		for i, id := range ids {
			args[i] = id
		}
		query := "SELECT customer, program, channel, reason, at FROM opt_outs WHERE customer IN (?" + strings.Repeat(",?", len(ids)-1) + ") ORDER BY customer, program, channel"
		var opt ceap.OptOut
		var at int64
		err := each(ctx, s.read, query, args, []any{&opt.CustomerID, &opt.ProgramID, &opt.Channel, &opt.Reason, &at}, func() error {
			opt.At = fromMicros(at)
			if !slices.Contains(out[opt.CustomerID], opt) { // a customer may be asked for twice
				out[opt.CustomerID] = append(out[opt.CustomerID], opt)
			}
			return nil
		})
		if err != nil {
			return nil, storeError("reading opt-outs", s.path, err)
		}
	}
	return out, nil
}
