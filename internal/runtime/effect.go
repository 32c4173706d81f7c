package runtime

import (
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/store"
)

// Effect is something that the reactor wants done, at once and in the order
// given: Commit, ReadSequence, Dispatch, Reattach, CancelTask, Settled, Evaluate,
// Reload, Seek, Recall, Post, WakeAt, Reply, Publish, Quarantined or Halt.
type Effect interface{ effect() }

// Commit asks for the batch to be committed. The answer is CommitDone. There is
// one at a time; the same batch comes again if it failed.
type Commit struct{ Batch *store.Batch }

// ReadSequence asks for the store's last sequence. The answer is SequenceRead.
type ReadSequence struct{ Incarnation uint64 }

// Dispatch hands out an attempt. The answer is TaskEnded.
type Dispatch struct{ Task engine.Task }

// Reattach asks for an attempt that was handed out before a restart. The answer
// is TaskEnded.
type Reattach struct{ Task engine.Task }

// CancelTask asks an attempt to stop.
type CancelTask struct {
	Run     store.RunID
	Act     engine.ActID
	Attempt int
}

// Settled says that the end of an attempt is on disk, or that the attempt is no
// longer the current one: whoever keeps its result may forget it.
type Settled struct {
	Run     store.RunID
	Act     engine.ActID
	Attempt int
	Fence   engine.Fence
	// Refused: the result was not applied.
	Refused bool
}

// Evaluate asks for an evaluation. The answer is Evaluated with the same run
// and incarnation.
type Evaluate struct {
	Incarnation uint64
	Run         store.RunID
	Need        engine.NeedEval
}

// WakeAt asks for a call of Handle at that instant, in place of the one asked
// for before; zero: none is needed.
type WakeAt struct{ At time.Time }

// Reply answers a Submit, Cancel, Act, Write, Remove, Inspect or Survey.
type Reply struct {
	Caller Caller
	// Run is the run that was started or found; Existing says that it is that
	// of an earlier request with the same key.
	Run      store.RunID
	Existing bool
	// Position is the batch from which on readers see what is answered.
	Position uint64
	// Row is the row of the run as readers see it there, if that batch accepted
	// it; else nil.
	Row *store.RunRow
	// Affected is what an Act did.
	Affected []engine.Affected
	// Seen is the result of an Inspect.
	Seen any
	Err  error
}

// Publish shows events that have become durable to those who watch the run.
type Publish struct {
	Run    store.RunID
	First  uint64 // number of the first event
	Events []engine.Event
	// Ended is set with the last events of a run.
	Ended *engine.RunEnded
	// Offers says that work may be there for workers outside that was not before.
	Offers bool
}

// Quarantined says that a run was set aside. Reason wraps ErrQuarantined.
type Quarantined struct {
	Run    store.RunID
	Reason error
	Stack  []byte // of a panic
}

// Halt is the last effect of a reactor.
type Halt struct {
	// Reason is nil after Stop; store.ErrLeaseLost if another process leads.
	Reason error
	// Again says that a reactor made anew from the store can go on.
	Again bool
}

func (Commit) effect()       {}
func (ReadSequence) effect() {}
func (Dispatch) effect()     {}
func (Reattach) effect()     {}
func (CancelTask) effect()   {}
func (Settled) effect()      {}
func (Evaluate) effect()     {}
func (WakeAt) effect()       {}
func (Reply) effect()        {}
func (Publish) effect()      {}
func (Quarantined) effect()  {}
func (Halt) effect()         {}
