package sqlite

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/ncruces/go-sqlite3"
	"github.com/regie-dev/regie/internal/store"
)

// selection is a statement that is put together for one query, of pieces that
// stand in this file. What callers say is in its parameters only.
type selection struct {
	sql  strings.Builder
	args []any // string or int64
	glue string
	// nothing: a list of alternatives is empty, so that no row matches. SQLite
	// finds no way to look for that in an index.
	nothing bool
}

// from begins a selection. The table says how rows are found in it: SQLite fails
// rather than find them in another way. sqlite_autoindex_T_1 is its name for the
// primary key of table T, for which NOT INDEXED does not stand when the table
// has no row IDs.
func (l *selection) from(columns, table string) {
	l.sql.WriteString("SELECT " + columns + " FROM " + table)
	l.glue = " WHERE "
}

// where adds a condition with its parameters.
func (l *selection) where(condition string, args ...any) {
	l.sql.WriteString(l.glue + condition)
	l.args = append(l.args, args...)
	l.glue = " AND "
}

// among adds a list of alternatives for a column, if there is one.
func (l *selection) among(column string, values []string) {
	switch {
	case values == nil:
	case len(values) == 0:
		l.nothing = true
	case len(values) == 1:
		l.where(column+" = ?", values[0])
	default:
		l.where(column + " IN (" + strings.TrimSuffix(strings.Repeat("?, ", len(values)), ", ") + ")")
		for _, v := range values {
			l.args = append(l.args, v)
		}
	}
}

// end adds order and limit.
func (l *selection) end(order string, limit int) *selection {
	l.sql.WriteString(" ORDER BY " + order + " LIMIT ?")
	l.args = append(l.args, int64(store.LimitOf(limit)))
	return l
}

func (l *selection) bind(b *binder) {
	for _, arg := range l.args {
		switch v := arg.(type) {
		case string:
			b.text(v)
		case int64:
			b.int(v)
		}
	}
}

// list runs a selection and reads its rows.
func list[T any](c *conn, l *selection, row func(*sqlite3.Stmt) (T, error)) (out []T, err error) {
	if l.nothing {
		return nil, nil
	}
	s, _, err := c.Prepare(l.sql.String())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	err = rowsOf(s, l.bind, func(s *sqlite3.Stmt) error {
		v, err := row(s)
		out = append(out, v)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// runList says how to find runs.
func runList(q *store.RunQuery) *selection {
	if q.Changes() {
		return runsByBatch(q)
	}
	l := newestRuns(q)
	if q.Before != "" {
		l.where("id < ?", string(q.Before))
	}
	l.runs(q)
	return l.end("id DESC", q.Limit)
}

// newestRuns begins a list of runs in the order of their IDs, so that it ends
// at its limit; what the index does not narrow is read and passed over.
func newestRuns(q *store.RunQuery) *selection {
	l := &selection{}
	switch one := func(values []string) bool { return len(values) == 1 }; {
	case only(q.States, "pending", "queued", "running", "waiting"):
		l.from(runColumns, "runs INDEXED BY runs_live")
		l.where("ended_at IS NULL")
	case only(q.States, "failed", "canceled", "skipped"):
		l.from(runColumns, "runs INDEXED BY runs_unsuccessful")
		l.where("ended_at IS NOT NULL AND state <> 'succeeded'")
	case one(q.Namespaces) && one(q.Workflows):
		l.from(runColumns, "runs INDEXED BY runs_workflow")
	default: // dates too: they follow the order of the IDs, more or less
		l.from(runColumns, "runs INDEXED BY sqlite_autoindex_runs_1")
	}
	return l
}

// runsByBatch lists runs by their last change: those that ended as their index
// has them, merged with the live ones.
func runsByBatch(q *store.RunQuery) *selection {
	l := &selection{}
	for i, half := range []struct{ table, condition string }{
		{"runs INDEXED BY runs_ended", "ended_at IS NOT NULL"}, {"runs INDEXED BY runs_live", "ended_at IS NULL"},
	} {
		if i > 0 {
			l.sql.WriteString(" UNION ALL ")
		}
		l.from(runColumns, half.table)
		l.where(half.condition)
		l.where("batch >= ? AND (batch > ? OR (? <> '' AND id > ?))", position(q.Since), position(q.Since), string(q.After), string(q.After))
		l.runs(q)
	}
	return l.end("batch, id", q.Limit)
}

// runs adds what is asked of a run.
func (l *selection) runs(q *store.RunQuery) {
	l.among("namespace", q.Namespaces)
	l.among("workflow", q.Workflows)
	l.among("state", q.States)
	if q.DateFrom != "" || q.DateTo != "" {
		l.where("business_date <> ''")
	}
	if q.DateFrom != "" {
		l.where("business_date >= ?", q.DateFrom)
	}
	if q.DateTo != "" {
		l.where("business_date <= ?", q.DateTo)
	}
}

// only reports whether there are alternatives and all are of the named ones.
func only(values []string, named ...string) bool {
	return values != nil && !slices.ContainsFunc(values, func(v string) bool { return !slices.Contains(named, v) })
}

// position is a sequence as a parameter.
func position(sequence uint64) int64 { return int64(min(sequence, math.MaxInt64)) }

// entryList says how to find entries.
func entryList(q *store.EntryQuery) *selection {
	l := &selection{}
	if q.Object != "" {
		l.from(entryColumns, "entries INDEXED BY entries_object")
		l.where("object = ?", q.Object)
	} else {
		l.from(entryColumns, "entries INDEXED BY sqlite_autoindex_entries_1")
	}
	if (q.Before != store.EntryID{}) {
		l.where("(batch, position) < (?, ?)", position(q.Before.Batch), int64(q.Before.Position))
	}
	if q.OldestFirst {
		l.where("(batch, position) > (?, ?)", position(q.After.Batch), int64(q.After.Position))
	}
	l.among("namespace", q.Namespaces)
	if q.Actor != "" {
		l.where("actor = ?", q.Actor)
	}
	if q.Action != "" {
		l.where("action = ?", q.Action)
	}
	const at = "(SELECT at FROM batches WHERE sequence = batch)"
	if !q.From.IsZero() {
		l.where(at+" >= ?", microsUp(q.From))
	}
	if !q.To.IsZero() {
		l.where(at+" < ?", microsUp(q.To))
	}
	if q.OldestFirst {
		return l.end("batch, position", q.Limit)
	}
	return l.end("batch DESC, position DESC", q.Limit)
}

// Object reads an object.
func (s *Store) Object(ctx context.Context, id store.ObjectID) (store.Object, error) {
	var o storedObject
	err := s.read(ctx, "read object", func(c *conn) (err error) {
		o, err = c.object(id)
		return err
	})
	if err == nil && o.Deleted {
		err = noObject(id)
	}
	return o.Object, err
}

// Objects lists the objects of a kind.
func (s *Store) Objects(ctx context.Context, kind string, after store.ObjectID, limit int) ([]store.Object, error) {
	var objects []store.Object
	err := s.read(ctx, "read objects", func(c *conn) error {
		return c.rows(qObjects, func(b *binder) {
			b.text(kind)
			b.text(after.Namespace)
			b.text(after.Name)
			b.int(int64(store.LimitOf(limit)))
		}, func(stmt *sqlite3.Stmt) error {
			o, err := objectRow(stmt)
			objects = append(objects, o.Object)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return objects, nil
}

// Entries lists the entries that match.
func (s *Store) Entries(ctx context.Context, q store.EntryQuery) ([]store.Entry, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	var entries []store.Entry
	err := s.read(ctx, "read entries", func(c *conn) (err error) {
		entries, err = list(c, entryList(&q), func(stmt *sqlite3.Stmt) (store.Entry, error) {
			e, err := entryRow(stmt)
			return e.Entry, err
		})
		return err
	})
	return entries, err
}
