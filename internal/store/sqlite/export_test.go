package sqlite

// Exec runs SQL on the writing connection.
func (s *Store) Exec(sql string) error { return s.writer.Exec(sql) }

// CheckpointPages makes checkpoints happen at another size of the WAL.
func (s *Store) CheckpointPages(n int) error { return s.writer.WALAutoCheckpoint(n) }

// Names for tests outside the package.
const (
	CacheRuns     = cacheRuns
	SchemaVersion = schemaVersion
	NewSuffix     = newSuffix
	MarkSize      = markSize
)
