package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/regie-dev/regie/internal/audit"
)

// Format numbers the encodings of batches, records and leaves that this Regie
// writes. Data that names another number is refused with [ErrFormat].
const Format = 1

// Errors that implementations return, wrapped or not.
var (
	// ErrUnknown: the commit may or may not have happened. Read LastSequence.
	ErrUnknown = errors.New("outcome of the commit is unknown")
	// ErrLeaseLost: another holder has taken the lease; nothing was written,
	// and this process must stop leading.
	ErrLeaseLost = errors.New("lease lost")
	// ErrSequence: the batch does not follow the last one, or a record does not
	// follow the last one of its run; nothing was written. A fault of the
	// caller.
	ErrSequence = errors.New("batch out of sequence")
	// ErrInvalid: the batch breaks a rule of [Batch.Check], or changes what is
	// fixed for a run; nothing was written. Or a query breaks a rule of its
	// Check. A fault of the caller.
	ErrInvalid = errors.New("not valid")
	// ErrKeyTaken: a unique key (idempotency key, run ID) of the batch exists;
	// nothing was written. The error is a *[KeyTakenError].
	ErrKeyTaken = errors.New("key already taken")
	// ErrRevision: an object of the batch does not follow the stored one;
	// nothing was written. The error is a *[RevisionError].
	ErrRevision = errors.New("object was changed in between")
	// ErrNotFound: there is no such run, program, key, object or leaf.
	ErrNotFound = errors.New("not found")
	// ErrPruned: the run was there, and was removed. It is an ErrNotFound.
	ErrPruned = fmt.Errorf("%w: it was removed", ErrNotFound)
	// ErrErased: a record or an erasure names a run that was erased before;
	// nothing was written. A fault of the caller.
	ErrErased = errors.New("run was erased")
	// ErrCorrupt: what was read is not what was written.
	ErrCorrupt = errors.New("stored data is damaged")
	// ErrFormat: written by a newer Regie; this one must not touch it.
	ErrFormat = errors.New("unknown storage format")
	// ErrWrongKey: the data is sealed under another key-encryption key.
	ErrWrongKey = errors.New("wrong key-encryption key")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("store is closed")
)

// KeyTakenError says which unique key exists, and for which run. When a run ID
// is taken, Namespace and Key are empty.
type KeyTakenError struct {
	Namespace, Key string
	Run            RunID
	BodyHash       [32]byte
}

func (e *KeyTakenError) Error() string {
	if e.Key == "" {
		return "run " + string(e.Run) + " already exists"
	}
	return "key " + e.Namespace + "/" + e.Key + " already taken by run " + string(e.Run)
}

func (e *KeyTakenError) Unwrap() error { return ErrKeyTaken }

// RevisionError says that an object was written in between, or is not there.
// Nothing was written. Of several such objects it is the first of the batch.
type RevisionError struct {
	ID ObjectID
	// Have is the stored revision (0: none), Want the one that the batch brought.
	Have, Want uint64
	// Deleted says that the stored revision is a deletion: who wants to make the
	// object anew writes revision Have+1.
	Deleted bool
}

func (e *RevisionError) Error() string {
	if e.Deleted {
		return fmt.Sprintf("%s %s/%s was deleted by revision %d, which %d does not follow", e.ID.Kind, e.ID.Namespace, e.ID.Name, e.Have, e.Want)
	}
	return fmt.Sprintf("%s %s/%s has revision %d, which %d does not follow", e.ID.Kind, e.ID.Namespace, e.ID.Name, e.Have, e.Want)
}

func (e *RevisionError) Unwrap() error { return ErrRevision }

// RunID names a run. IDs sort by the time of acceptance. They begin with a
// letter or digit, have only letters, digits and -_. and at most [MaxID] bytes.
type RunID string

// Store is what an installation stands on.
type Store interface {
	Writer
	Reader
	Auditor
	Prover
	// Close releases everything, the lease too. Idempotent.
	Close() error
}

// Writer is used by the one process that leads. Its methods are called from
// one goroutine.
type Writer interface {
	// Acquire takes the lease, which raises the incarnation durably, and says
	// where the sequence stands. From then on commits of earlier holders fail
	// with [ErrLeaseLost]. An implementation that knows a holder to be alive
	// fails with an error that names it; for files in a data folder the lock of
	// the folder does that.
	Acquire(ctx context.Context, holder string) (Lease, error)
	// Commit writes the batch durably (synced) or not at all. Committing the
	// same batch again after a definite failure is allowed. Errors: ErrUnknown,
	// ErrLeaseLost, ErrSequence, ErrKeyTaken, ErrRevision, ErrInvalid, ErrErased,
	// ErrNotFound (of a run to erase or prune or an entry to forget), ErrCorrupt,
	// ErrClosed; any other error means that certainly nothing was written and that
	// trying again may help (disk full). The batch is not kept: its slices may be
	// used again.
	Commit(ctx context.Context, b *Batch) error
	// LastSequence reads the sequence of the last batch on disk, 0 if none. It
	// is the way to learn the outcome after ErrUnknown, and what it says stays
	// true after a crash. ErrLeaseLost if another holder has taken the lease
	// since Acquire; any other error means that the outcome cannot be known yet.
	LastSequence(ctx context.Context) (uint64, error)
}

// EventsPage bounds how many bytes of records Reader.Events reads at once, in
// bytes: the record that passes it is the last of its page.
const EventsPage = 1 << 20

// Collect reads a whole sequence, such as the records of a run that is known to
// be short.
func Collect[T any](seq iter.Seq2[T, error]) ([]T, error) {
	var all []T
	for v, err := range seq {
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
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
	// Run reads one row, or ErrNotFound, which is ErrPruned if the run was removed.
	Run(ctx context.Context, id RunID) (RunRow, error)
	// Runs lists the runs that match, newest first or by batch. A list that no
	// index fits reads many rows: bound it by ctx.
	Runs(ctx context.Context, q RunQuery) ([]RunRow, error)
	// Events reads the records of a run in order, those that begin at first
	// (from 1) or later; none is no error. They are read while the sequence is
	// used, at most about EventsPage bytes of them at once, so that a run of any
	// length can be read: what is committed meanwhile may be seen too, and the
	// payload may end where the run is erased meanwhile. The first error ends the
	// sequence. The data is checked against its commitment: ErrCorrupt names what
	// is damaged. Records of an erased run have no Payload; of a run that was
	// pruned there is none, and ErrPruned if that happens meanwhile.
	Events(ctx context.Context, id RunID, first uint64) iter.Seq2[Record, error]
	// Program reads a stored program by its hash, or ErrNotFound.
	Program(ctx context.Context, hash [32]byte) ([]byte, error)
	// Key looks an idempotency key up, or ErrNotFound. A key that has expired
	// may still be found: compare Expires.
	Key(ctx context.Context, namespace, key string) (Key, error)
	// Timers lists the stored timers that are due at or before until, by time,
	// run and ID, at most limit (0: 100).
	Timers(ctx context.Context, until time.Time, limit int) ([]Timer, error)
	// Object reads the current revision of an object. ErrNotFound if there is
	// none, and if it was deleted: then the Object comes with the error, so that
	// its Revision is known.
	Object(ctx context.Context, id ObjectID) (Object, error)
	// Objects lists the objects of a kind that are not deleted, by namespace and
	// name, those after the given one (whose Kind is passed over; zero: all), at
	// most limit (0: 100).
	Objects(ctx context.Context, kind string, after ObjectID, limit int) ([]Object, error)
	// Entries lists the entries that match, newest first or oldest first. As
	// with Runs, ctx bounds what it costs.
	Entries(ctx context.Context, q EntryQuery) ([]Entry, error)
}

// Auditor reads the audit log: an RFC 6962 tree with one leaf per batch.
type Auditor interface {
	// AuditSize is the number of leaves.
	AuditSize(ctx context.Context) (uint64, error)
	// AuditLeaf reads what leaf n (from 0) commits to: batch n+1. ErrNotFound
	// if there is none.
	AuditLeaf(ctx context.Context, n uint64) (Leaf, error)
	// AuditHashes reads stored tree hashes by their index as
	// golang.org/x/mod/sumdb/tlog numbers them. ErrNotFound if one is not there.
	AuditHashes(ctx context.Context, indexes []int64) ([]audit.Hash, error)
	// Verify recomputes every record's commitment, every batch's root, the
	// sequence and the tree, checks that all other rows are what some batch
	// wrote, and returns ErrCorrupt, wrapped, that names the first fault. Of an
	// erased run it checks everything but the payloads.
	Verify(ctx context.Context) error
}

// Batch is one transaction. Times are kept to the microsecond, in UTC: what is
// finer is cut off, but timers are rounded up, so that none is early.
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
	// Objects are written here, each (kind, namespace, name) at most once.
	Objects []Object
	// Entries say who did what, in order.
	Entries []Entry
	// Forget names entries of earlier batches whose text is taken out for good,
	// for the sake of a person or of retention: what remains is that there was
	// one, and the hash that the log has of it. To forget one again is no error.
	Forget []EntryID
	// Erase names runs whose payloads become unreadable for good: their keys
	// are destroyed. Rows, control facts and the audit log stay. A run that has
	// records in the same batch cannot be erased by it, and nothing can be
	// recorded for a run after its erasure. Backups made before keep their keys.
	Erase []RunID
	// Prune names runs whose rows and records are removed. Each has ended and was
	// erased by an earlier batch; otherwise the commit fails with ErrInvalid. Its
	// ID stays taken, and the log says which batches had its records, so that
	// they are not missed. To prune a run again is ErrNotFound.
	Prune []Pruned
}

// Pruned is a run that is removed, or was.
type Pruned struct {
	Run RunID
	// Batches are those that have the run's records, in order: all of them, or
	// the commit fails with ErrInvalid.
	Batches []uint64
}

// Program is a compiled program, named by the hash of its bytes.
type Program struct {
	Hash [32]byte // SHA-256 of Data
	Data []byte
}

// Record is what happened to one run in one batch.
type Record struct {
	Run RunID
	// First is the number of the first event in the run, from 1; Count, at
	// least 1, is how many there are. The next record of the run begins at
	// First+Count.
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
// search by. Namespace, Workflow and BusinessDate are fixed by the first row of
// the run: a batch that brings others fails with ErrInvalid.
type RunRow struct {
	ID        RunID
	Namespace string
	Workflow  string
	Program   [32]byte
	State     string // pending, queued, running, waiting, succeeded, failed, canceled or skipped
	Reason    string
	// BusinessDate is 2006-01-02, or empty.
	BusinessDate string
	AcceptedAt   time.Time
	StartedAt    time.Time // zero until it started
	EndedAt      time.Time // zero until State is final
	// Actor is who asked for the run, Trigger what started it: manual, or
	// schedule/ID.
	Actor   string
	Trigger string
	// Held says that an operator holds the run, or a step of it.
	Held bool
	// Attempts is the highest attempt number of any step; 0 before the first.
	Attempts uint32
	// Due is by when the run should end, zero: whenever.
	Due time.Time
	// Batch is the sequence of the batch that last changed anything in the row;
	// set when read.
	Batch uint64
	// Events is the number of the last event. It is found when the row is read
	// and passed over when it is written, so that a row that says nothing new
	// need not be sent with each record.
	Events uint64
	// Erased is the batch that erased the run, 0: none did. Like Events it is
	// found when the row is read.
	Erased uint64
}

// Follows returns ErrInvalid, wrapped, if the row cannot come after another one
// of the same run, because it changes what is fixed.
func (r *RunRow) Follows(before *RunRow) error {
	if r.Namespace != before.Namespace || r.Workflow != before.Workflow || r.BusinessDate != before.BusinessDate {
		return fmt.Errorf("%w: row of run %s is of %s/%s on %q, the run is of %s/%s on %q", ErrInvalid, r.ID,
			r.Namespace, r.Workflow, r.BusinessDate, before.Namespace, before.Workflow, before.BusinessDate)
	}
	return nil
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

// ObjectID names an object.
type ObjectID struct {
	Kind      string // lower-case letters and -, at most MaxKind, such as workflow, user or token
	Namespace string // empty: it belongs to the installation
	Name      string // not empty
}

// Object is anything durable that is not a run: a version of a workflow, a
// schedule's state, a user, an alert. The log commits to its data by a salted
// hash, and the data of earlier revisions is overwritten by that of later ones.
// A deleted object keeps its revision for good, a row of a hundred bytes.
type Object struct {
	ObjectID

	// Revision is 1 for the first write of the ID, and one more with each,
	// deletions too. A batch whose revision does not follow the stored one fails
	// with a [RevisionError].
	Revision uint64
	// Data is JSON for people who look into the database, at most MaxObject; the
	// store asks for UTF-8 only. Empty when Deleted, which the first revision
	// cannot be.
	Data    []byte
	Deleted bool
	// Batch is the sequence of the batch that wrote it, and At its time; set
	// when read.
	Batch uint64
	At    time.Time
}

// EntryID is the place of an entry: the batch, and its number there from 0.
type EntryID struct {
	Batch    uint64
	Position uint32
}

// Entry says who did what, or was kept from it: a line of the audit log. The
// log commits to it by a salted hash, so that the line can be taken out without
// breaking a proof. Texts have at most MaxText bytes.
type Entry struct {
	// ID and At (that of the batch) are set when read.
	ID EntryID
	At time.Time
	// Forgotten is the batch that took the text out, 0: none did. Set when read;
	// then all that follows is empty.
	Forgotten uint64
	// Actor is who: user/ada, token/NAME of ada as user/ada, system/schedule.
	// Not empty.
	Actor string
	// Via is how the actor was known: session, token/ID, or empty.
	Via string
	// Action is what, such as run.start or log.read. Not empty.
	Action    string
	Namespace string
	// Object is on what: run/ID, workflow/NAME, user/NAME.
	Object string
	// Outcome is done, denied or failed.
	Outcome string
	// Reason is why, in the actor's words or those of who denied it.
	Reason string
	// Request names the request to the API, which the log of the server names
	// too.
	Request string
	// Detail is a JSON object with what else is worth knowing, never a secret;
	// or empty. At most MaxDetail bytes of UTF-8.
	Detail []byte
}

// Leaf is what an audit leaf commits to. Its Root is the Merkle root over
// RecordHashes, in the order of the batch, followed by ItemHashes (see
// [Batch.ItemHashes]).
type Leaf struct {
	audit.Leaf

	RecordHashes []audit.Hash
	ItemHashes   []audit.Hash
}
