package store

import (
	"context"
	"errors"
	"time"
)

// Errors that implementations return, wrapped or not.
var (
	// ErrUnknown: the commit may or may not have happened. Read LastSequence.
	ErrUnknown = errors.New("outcome of the commit is unknown")
	// ErrLeaseLost: another holder has taken the lease; nothing was written,
	// and this process must stop leading.
	ErrLeaseLost = errors.New("lease lost")
	// ErrSequence: the batch does not follow the last one; nothing was
	// written. A fault of the caller.
	ErrSequence = errors.New("batch out of sequence")
	// ErrKeyTaken: a unique key (idempotency key, run ID) of the batch exists;
	// nothing was written. The error is a *[KeyTakenError].
	ErrKeyTaken = errors.New("key already taken")
	// ErrNotFound: there is no such run, program or key.
	ErrNotFound = errors.New("not found")
	// ErrCorrupt: what was read is not what was written.
	ErrCorrupt = errors.New("stored data is damaged")
	// ErrFormat: written by a newer Regie; this one must not touch it.
	ErrFormat = errors.New("unknown storage format")
)

// KeyTakenError says which unique key exists, and for which run.
type KeyTakenError struct {
	Namespace, Key string
	Run            RunID
	BodyHash       [32]byte
}

func (e *KeyTakenError) Error() string { return "key " + e.Namespace + "/" + e.Key + " already taken by run " + string(e.Run) }

func (e *KeyTakenError) Unwrap() error { return ErrKeyTaken }

// RunID names a run. IDs sort by the time of acceptance.
type RunID string

// Store is what an installation stands on.
type Store interface {
	Writer
	Reader
	Auditor
	// Close releases everything, the lease too. Idempotent.
	Close() error
}

// Writer is used by the one process that leads. Its methods are called from
// one goroutine.
type Writer interface {
	// Acquire takes the lease, which raises the incarnation durably, and says
	// where the sequence stands. It fails with an error that names the holder
	// while another process holds the data.
	Acquire(ctx context.Context, holder string) (Lease, error)
	// Commit writes the batch durably (synced) or not at all. Committing the
	// same batch again after a definite failure is allowed. Errors: ErrUnknown,
	// ErrLeaseLost, ErrSequence, ErrKeyTaken; any other error means that
	// certainly nothing was written and that trying again may help (disk full).
	Commit(ctx context.Context, b *Batch) error
	// LastSequence reads the sequence of the last batch on disk, 0 if none. It
	// is the way to learn the outcome after ErrUnknown.
	LastSequence(ctx context.Context) (uint64, error)
}

// Lease is the right to write.
type Lease struct {
	// Incarnation grows with every Acquire of the installation, restarts too.
	Incarnation uint64
	// LastSequence is the sequence of the last batch on disk.
	LastSequence uint64
}

// Reader reads what is committed. Safe for concurrent use, also beside
// commits; every read sees whole batches only.
type Reader interface {
	// LiveRuns lists the runs that have not ended, in the order of acceptance.
	LiveRuns(ctx context.Context) ([]RunRow, error)
	// Run reads one row, or ErrNotFound.
	Run(ctx context.Context, id RunID) (RunRow, error)
	// Runs lists runs, newest first, at most limit (0: 100).
	Runs(ctx context.Context, before RunID, limit int) ([]RunRow, error)
	// Events reads the records of a run in order, those that begin at first
	// (from 1) or later. The data is checked against its commitment:
	// ErrCorrupt names what is damaged. Records of an erased run have no
	// Payload.
	Events(ctx context.Context, id RunID, first uint64) ([]Record, error)
	// Program reads a stored program by its hash, or ErrNotFound.
	Program(ctx context.Context, hash [32]byte) ([]byte, error)
	// Key looks an idempotency key up, or ErrNotFound.
	Key(ctx context.Context, namespace, key string) (Key, error)
	// Timers lists the stored timers that are due at or before until, the
	// earliest first, at most limit.
	Timers(ctx context.Context, until time.Time, limit int) ([]Timer, error)
}

// Auditor reads the audit log: an RFC 6962 tree with one leaf per batch.
type Auditor interface {
	// AuditSize is the number of leaves.
	AuditSize(ctx context.Context) (uint64, error)
	// AuditLeaf reads what leaf n (from 0) commits to.
	AuditLeaf(ctx context.Context, n uint64) (Leaf, error)
	// AuditHashes reads stored tree hashes by their index as
	// golang.org/x/mod/sumdb/tlog numbers them.
	AuditHashes(ctx context.Context, indexes []int64) ([][32]byte, error)
	// Verify recomputes every record's commitment, every batch's root, the
	// sequence and the tree, and returns an error that names the first fault.
	Verify(ctx context.Context) error
}

// Batch is one transaction.
type Batch struct {
	// Sequence is one more than the last; the first batch is 1.
	Sequence uint64
	// Incarnation is that of the lease under which it is written.
	Incarnation uint64
	// At is the time of the decision (UTC).
	At time.Time
	// Programs are stored if they are not there yet.
	Programs []Program
	// Runs are the rows of runs that are accepted, changed or ended here, as
	// they are after the batch; at most one for each run.
	Runs []RunRow
	// Records are the events, at most one record for each run.
	Records []Record
	// Keys are idempotency keys taken here, unique by namespace and key until
	// Expires.
	Keys []Key
	// SetTimers and ClearTimers change the stored timers; clearing one that is
	// not there is no error.
	SetTimers   []Timer
	ClearTimers []TimerID
}

// Program is a compiled program, named by the hash of its bytes.
type Program struct {
	Hash [32]byte // SHA-256 of Data
	Data []byte
}

// Record is what happened to one run in one batch.
type Record struct {
	Run RunID
	// First is the number of the first event in the run, from 1; Count is how
	// many there are. The next record of the run begins at First+Count.
	First uint64
	Count uint64
	// Batch is the sequence of the batch; set when read.
	Batch uint64
	// Control holds the events' control facts, never users' data. It stays
	// when a run is erased.
	Control []byte
	// Payload holds the values that the events refer to. It is stored
	// encrypted under a key of the run's own; the audit log commits to it by a
	// salted hash.
	Payload []byte
}

// RunRow is what lists need. It holds no user's data but what operators
// search by.
type RunRow struct {
	ID        RunID
	Namespace string
	Workflow  string
	Program   [32]byte
	State     string
	Reason    string
	// BusinessDate is 2006-01-02.
	BusinessDate string
	AcceptedAt   time.Time
	StartedAt    time.Time // zero until it started
	EndedAt      time.Time // zero until it ended
	// Events is the number of the last event.
	Events uint64
}

// Key is an idempotency key.
type Key struct {
	Namespace string
	Key       string
	Run       RunID
	BodyHash  [32]byte
	Expires   time.Time // zero: never
}

// TimerID names a timer of a run.
type TimerID struct {
	Run RunID
	ID  uint64
}

// Timer is a timer that must survive its run leaving memory.
type Timer struct {
	TimerID
	At time.Time
}

// Leaf is what an audit leaf commits to: RecordHash i is the hash of record i
// of the batch, Root the Merkle root over them, and Hash the leaf's own.
type Leaf struct {
	Sequence     uint64
	Incarnation  uint64
	At           time.Time
	RecordHashes [][32]byte
	Root         [32]byte
	Hash         [32]byte
}
