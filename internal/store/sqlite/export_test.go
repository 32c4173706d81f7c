package sqlite

import (
	"github.com/ncruces/go-sqlite3"
	"github.com/regie-dev/regie/internal/store"
)

// Exec runs SQL on the writing connection.
func (s *Store) Exec(sql string) error { return s.writer.Exec(sql) }

// CheckpointPages makes checkpoints happen at another size of the WAL.
func (s *Store) CheckpointPages(n int) error { return s.writer.WALAutoCheckpoint(n) }

// RememberRuns makes the writer remember fewer runs.
func (s *Store) RememberRuns(limit int) { s.writer.runs.limit = limit }

// RunsRemembered is how many runs the writer remembers.
func (s *Store) RunsRemembered() int { return len(s.writer.runs.young) + len(s.writer.runs.old) }

// Names for tests outside the package.
const (
	NewSuffix = newSuffix
	MarkSize  = markSize
)

// RunPlan and EntryPlan are how SQLite goes about a query.
func (s *Store) RunPlan(q store.RunQuery) ([]string, error) { return s.plan(runList(&q)) }

func (s *Store) EntryPlan(q store.EntryQuery) ([]string, error) { return s.plan(entryList(&q)) }

// ObjectPlan is how SQLite lists objects.
func (s *Store) ObjectPlan() ([]string, error) {
	l := &selection{args: []any{"user", "", "", int64(1)}}
	l.sql.WriteString(queryText(qObjects))
	return s.plan(l)
}

func (s *Store) plan(l *selection) ([]string, error) {
	explained := &selection{args: l.args}
	explained.sql.WriteString("EXPLAIN QUERY PLAN " + l.sql.String())
	return list(s.writer.conn, explained, func(stmt *sqlite3.Stmt) (string, error) { return stmt.ColumnText(3), nil })
}
