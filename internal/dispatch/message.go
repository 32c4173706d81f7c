package dispatch

import (
	"cmp"
	"time"

	"github.com/regie-dev/regie/internal/dispatch/match"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/store"
)

// Ref names an attempt.
type Ref struct {
	Run     store.RunID
	Act     engine.ActID
	Attempt int
	Fence   engine.Fence
}

// before reports whether the attempt is an earlier one of the same activation
// than o. Attempts of pipelined programs may share the fence of one batch.
func (r Ref) before(o Ref) bool {
	return r.Fence.Less(o.Fence) || r.Fence == o.Fence && r.Attempt < o.Attempt
}

// compare orders attempts.
func (r Ref) compare(o Ref) int {
	return cmp.Or(cmp.Compare(r.Run, o.Run), cmp.Compare(r.Act, o.Act), cmp.Compare(r.Attempt, o.Attempt),
		cmp.Compare(r.Fence.Incarnation, o.Fence.Incarnation), cmp.Compare(r.Fence.Sequence, o.Fence.Sequence))
}

// RefOf names the attempt that a task is.
func RefOf(t *engine.Task) Ref {
	return Ref{Run: store.RunID(t.Run), Act: t.Act, Attempt: t.Attempt, Fence: t.Fence}
}

// Message is something that the reactor is told: Ready, Reattach, Cancel,
// Settled and Recovered by the runtime; WorkerUp, WorkerDown, Heartbeat, Started,
// Beat and Ended by workers; SetBreaker by people, ReopenBreaker after a restart. That
// time has passed needs no message.
type Message interface{ message() }

// Ready hands over an attempt to be made. It is recorded and was never given to
// a worker.
type Ready struct {
	Task     engine.Task
	Priority int // higher goes first
	Via      Via
}

// Reattach asks for an attempt that was handed over before a restart. Worker
// looks for it itself and always says how it ended; empty: whoever turns out to
// have it.
type Reattach struct {
	Task   engine.Task
	Worker string
	Via    Via
}

// Cancel asks an attempt to stop. Its end is reported all the same.
type Cancel struct {
	Run     store.RunID
	Act     engine.ActID
	Attempt int
}

// Settled says that the result of an attempt is on disk, or that the attempt is
// not wanted: its result may be forgotten, and it need not go on.
type Settled struct{ Ref Ref }

// Recovered says that the runtime was made anew from the store, and has asked
// for all attempts that it wants. What it has not settled is told again.
type Recovered struct{}

// WorkerUp says that a worker takes tasks. What it has already, running or
// ended, it lists completely; whatever else was given to it is lost. A worker
// that is up may come up again.
type WorkerUp struct {
	Worker   string
	Capacity match.Capacity
	Has      []Held
}

// Held is an attempt that a worker has.
type Held struct {
	Ref   Ref
	Class match.Class
	// Outcome is its result if it has ended.
	Outcome *engine.TaskOutcome
}

// WorkerDown says that a worker takes nothing more and cannot be reached. Dead
// says that it is gone with everything that it ran.
type WorkerDown struct {
	Worker string
	Dead   bool
}

// Heartbeat says that a worker is there.
type Heartbeat struct{ Worker string }

// Started says that a worker has begun an attempt. It is a sign of life.
type Started struct {
	Worker string
	Ref    Ref
}

// Beat says that an attempt goes on. It is a sign of life.
type Beat struct {
	Worker string
	Ref    Ref
}

// Ended says how an attempt ended. Of one that the worker certainly did not
// start, the outcome's kind is not_started.
type Ended struct {
	Worker  string
	Ref     Ref
	Outcome engine.TaskOutcome
}

func (Ready) message()      {}
func (Reattach) message()   {}
func (Cancel) message()     {}
func (Settled) message()    {}
func (Recovered) message()  {}
func (WorkerUp) message()   {}
func (WorkerDown) message() {}
func (Heartbeat) message()  {}
func (Started) message()    {}
func (Beat) message()       {}
func (Ended) message()      {}

// Effect is something that the reactor wants done, in the order given: Assign,
// Kill, Forget, Report, Alive, Ask, WakeAt or Tripped.
type Effect interface{ effect() }

// Assign gives an attempt to a worker, once.
type Assign struct {
	Worker string
	Task   engine.Task
}

// Kill asks a worker to stop an attempt. It reports the end all the same.
type Kill struct {
	Worker string
	Ref    Ref
}

// Forget tells a worker that nobody needs the result of an attempt any more.
type Forget struct {
	Worker string
	Ref    Ref
}

// Report tells the runtime how an attempt ended. The answer is Settled.
type Report struct {
	Ref     Ref
	Outcome engine.TaskOutcome
}

// Alive tells the runtime that an attempt which owes heartbeats has begun, or
// goes on.
type Alive struct{ Ref Ref }

// Ask asks the runtime whether anybody wants an attempt that a worker runs and
// that nobody here has heard of. The answer is Reattach, or Settled.
type Ask struct{ Ref Ref }

// WakeAt asks for a call of Handle at that instant, in place of the one asked
// for before; zero: none is needed.
type WakeAt struct{ At time.Time }

func (Assign) effect() {}
func (Kill) effect()   {}
func (Forget) effect() {}
func (Report) effect() {}
func (Alive) effect()  {}
func (Ask) effect()    {}
func (WakeAt) effect() {}
