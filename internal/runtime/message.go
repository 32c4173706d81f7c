package runtime

import (
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/gate"
	"github.com/regie-dev/regie/internal/store"
)

// Message is something that the reactor is told: Loaded, Submit, Cancel, Act, Write,
// Remove, Inspect, Survey, Reloaded, TaskEnded, TaskBeat, TaskFound, Evaluated,
// Outside, SeekAgain, SetLimits, SetCondition, LookGate, LookCache, ClearCache,
// CommitDone, SequenceRead, Drain or Stop. That time has passed needs no message: every call of Handle says it.
type Message interface{ message() }

// Caller names who waits for a Reply. The zero Caller waits for none.
type Caller uint64

// Loaded hands over a live run that was read from the store. All of them come
// in the first call of Handle, in the order of acceptance.
type Loaded struct {
	Row     store.RunRow
	Machine *engine.Machine
	// Run is the fold of the stored events.
	Run *engine.Run
	// Past is what an ended run was around the steps of a rerun; nil: nobody asked.
	Past *engine.Run
	// Err, if not nil, says why the run could not be read or folded: it is
	// quarantined.
	Err error
}

// Submit asks for a run.
type Submit struct {
	Run     store.RunID
	Machine *engine.Machine
	Program store.Program
	// Accept is the first input, already checked by Machine.CheckInput.
	Accept engine.Accept
	// Key is the idempotency key, empty for none, unique in the namespace until
	// KeyExpires; BodyHash tells apart what was asked for with it.
	Key        string
	KeyExpires time.Time
	BodyHash   [32]byte
	// Known is what the store said about the key just before, nil if nothing.
	Known *store.Key
	// Due is by when the run should end, for lists; zero: whenever.
	Due time.Time
	// Wanted: only if a step waits for the run as its child.
	Wanted bool
	// Entries are committed with the run, and not if it existed.
	Entries []store.Entry
	Caller  Caller
}

// Cancel asks a run to end.
type Cancel struct {
	Run    store.RunID
	Actor  string
	Reason string
	// Entries are committed with the cancel, and not if it was asked for before.
	Entries []store.Entry
	Caller  Caller
}

// Inspect looks at a live run. Look is called at once and must change nothing
// and keep nothing; its result is given in a Reply, once everything that it
// shows is durable.
type Inspect struct {
	Run    store.RunID
	Look   func(View) any
	Caller Caller
}

// View is a live run.
type View struct {
	Row     store.RunRow
	Machine *engine.Machine
	Run     *engine.Run
	// Standing is where an activation stands with the gate, or with 0 the run; false
	// if it is not there.
	Standing func(act engine.ActID) (gate.Standing, bool)
	// Quarantine is why the run is set aside, and Run then nil.
	Quarantine error
}

// TaskBeat is a sign of life of an attempt; nobody waits for what comes of it.
type TaskBeat struct {
	Run   store.RunID
	Fence engine.Fence
	Beat  engine.Beat
}

// TaskEnded is the end of an attempt. The fence is the one that the attempt was
// handed out with.
type TaskEnded struct {
	Run   store.RunID
	Fence engine.Fence
	End   engine.TaskEnded
}

// TaskFound says that a worker runs an attempt which nobody asked for since the
// restart. If the run does not want it, the answer is Settled.
type TaskFound struct {
	Run     store.RunID
	Act     engine.ActID
	Attempt int
	Fence   engine.Fence
}

// Evaluated answers an Evaluate.
type Evaluated struct {
	Incarnation uint64
	Run         store.RunID
	Result      engine.Evaluated
}

// CommitDone answers a Commit with what the store returned.
type CommitDone struct {
	Incarnation uint64
	Sequence    uint64
	Err         error
}

// SequenceRead answers a ReadSequence.
type SequenceRead struct {
	Incarnation uint64
	Last        uint64
	Err         error
}

// Drain: take no more runs; those that are there go on.
type Drain struct{}

// Stop: decide nothing more, commit what was decided, then halt. Results that
// come later are not settled, so whoever has them keeps them.
type Stop struct{}

func (Loaded) message()       {}
func (Submit) message()       {}
func (Cancel) message()       {}
func (Inspect) message()      {}
func (TaskEnded) message()    {}
func (TaskBeat) message()     {}
func (TaskFound) message()    {}
func (Evaluated) message()    {}
func (CommitDone) message()   {}
func (SequenceRead) message() {}
func (Drain) message()        {}
func (Stop) message()         {}
