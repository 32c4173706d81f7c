package sqlite

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
