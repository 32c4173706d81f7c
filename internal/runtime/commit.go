package runtime

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/store"
)

// commit is where the batch in flight stands.
type commit struct {
	// reading: its outcome is unknown, the sequence tells.
	reading bool
	// refused: the store said that it does not follow the last batch.
	refused bool
	// exists: the store said that the run which wants a key has it already,
	// which is so if the batch was written after all.
	exists *store.KeyTakenError
	// failures counts in a row; retryAt is when to go on, zero while the store
	// has something to do.
	failures int
	retryAt  time.Time
}

// send seals the batch that is being built and sends it off. If there is
// nothing to write, what waits in it leaves at once.
func (r *Reactor) send() {
	for !r.building.empty() {
		bad, err := r.building.seal(r.lease.Incarnation, r.now, r.limits.RecordBytes)
		if err == nil {
			r.inflight = r.building
			r.building = newBatch(r.inflight.sequence + 1)
			r.do(Commit{Batch: r.inflight.sealed})
			return
		}
		r.evict(bad, fmt.Errorf("store events: %w", err))
	}
	out := r.building.out
	r.building.out = nil
	r.release(out, r.building.sequence-1, nil)
}

// release lets outputs leave; what they answer can be seen at the position. Whose
// run was accepted in this batch, of these parts, gets its row.
func (r *Reactor) release(out []output, position uint64, parts map[store.RunID]*part) {
	for _, o := range out {
		if reply, ok := o.effect.(Reply); ok {
			reply.Position = position
			if p := parts[o.run]; o.submit && p != nil && p.accepted {
				reply.Row = p.stored(position)
			}
			r.reply(reply)
			continue
		}
		r.do(o.effect)
	}
}

func (r *Reactor) commitDone(m CommitDone) {
	if r.inflight == nil || m.Incarnation != r.lease.Incarnation || m.Sequence != r.inflight.sequence || r.commit.reading {
		return // an answer to somebody else, or a second one
	}
	var taken *store.KeyTakenError
	var revision *store.RevisionError
	switch {
	case m.Err == nil:
		r.committed()
	case errors.Is(m.Err, store.ErrLeaseLost):
		r.halt(m.Err, false)
	case errors.Is(m.Err, store.ErrUnknown):
		r.readSequence()
	case errors.Is(m.Err, store.ErrSequence):
		r.commit.refused = true
		r.readSequence()
	case errors.As(m.Err, &taken):
		r.keyTaken(taken)
	case errors.As(m.Err, &revision):
		r.revisionRefused(revision)
	case errors.Is(m.Err, store.ErrInvalid):
		r.invalid(m.Err)
	case errors.Is(m.Err, store.ErrErased), errors.Is(m.Err, store.ErrNotFound), errors.Is(m.Err, store.ErrCorrupt):
		r.halt(fmt.Errorf("%w: %w", errUntrusted, m.Err), true)
	case errors.Is(m.Err, store.ErrClosed):
		r.halt(m.Err, false)
	default:
		r.retryLater()
	}
}

// committed lets everything leave that waited for the batch in flight.
func (r *Reactor) committed() {
	b := r.inflight
	r.inflight, r.commit = nil, commit{}
	r.forgotten(b)
	for _, k := range b.keys {
		delete(r.keys, keyName{k.Namespace, k.Key})
	}
	for _, p := range b.programs {
		r.programs[p.Hash] = true
	}
	for _, p := range b.order {
		p.live.durable = true
		r.askNow(p.live)
		if p.ended != nil {
			delete(r.live, p.live.id)
			r.onDisk(p.live.id)
			r.tellWaiting(p)
		}
	}
	r.release(b.out, b.sequence, b.parts)
	for _, p := range b.order {
		r.do(Publish{Run: p.live.id, First: p.first, Events: p.events, Ended: p.ended, Offers: p.offers})
	}
}

func (r *Reactor) readSequence() {
	r.commit.reading, r.commit.retryAt = true, time.Time{}
	r.do(ReadSequence{Incarnation: r.lease.Incarnation})
}

// sequenceRead learns the outcome of the batch in flight. Nobody else writes
// under this lease: if its sequence is there, so is the batch.
func (r *Reactor) sequenceRead(m SequenceRead) {
	if r.inflight == nil || m.Incarnation != r.lease.Incarnation || !r.commit.reading {
		return
	}
	switch {
	case errors.Is(m.Err, store.ErrLeaseLost), errors.Is(m.Err, store.ErrClosed):
		r.halt(m.Err, false)
	case m.Err != nil:
		r.retryLater() // of the reading
	case m.Last == r.inflight.sequence:
		r.committed()
	case m.Last != r.inflight.sequence-1 || r.commit.refused:
		r.halt(fmt.Errorf("%w: store is at batch %d while batch %d is being written", errUntrusted, m.Last, r.inflight.sequence), true)
	case r.commit.exists != nil:
		taken := r.commit.exists
		r.commit.reading, r.commit.exists = false, nil
		r.expel(r.live[taken.Run], func(o output) Reply { return Reply{Run: taken.Run, Err: ErrRunExists} })
		r.resend()
	default:
		// It has not happened: the same bytes again. Should it happen late
		// after all, the store refuses the second as out of sequence.
		r.commit.reading = false
		r.retryLater()
	}
}

func (r *Reactor) retryLater() {
	wait := min(RetryFirst<<min(r.commit.failures, 20), RetryMax)
	r.commit.failures++
	r.commit.retryAt = r.now.Add(wait)
}

// retryCommit goes on with the batch in flight once its time has come.
func (r *Reactor) retryCommit() {
	if r.inflight == nil || r.commit.retryAt.IsZero() || r.commit.retryAt.After(r.now) {
		return
	}
	if r.commit.reading {
		r.readSequence()
		return
	}
	r.commit.retryAt = time.Time{}
	r.do(Commit{Batch: r.inflight.sealed})
}

// keyTaken takes the run out that wanted a key which another one has.
func (r *Reactor) keyTaken(taken *store.KeyTakenError) {
	b := r.inflight
	var wants store.RunID
	for _, k := range b.keys {
		if k.Namespace == taken.Namespace && k.Key == taken.Key {
			wants = k.Run
		}
	}
	if p := b.parts[taken.Run]; p != nil && p.accepted && (wants == "" || wants == taken.Run) {
		// The batch itself may be there, or another run of this ID.
		r.commit.exists = taken
		r.readSequence()
		return
	}
	if wants == "" {
		r.halt(fmt.Errorf("%w: %w, which no run of batch %d asked for", errUntrusted, taken, b.sequence), true)
		return
	}
	r.expel(r.live[wants], func(o output) Reply {
		switch {
		case !o.submit:
			return Reply{Run: wants, Err: ErrNotLive}
		case o.hash != taken.BodyHash:
			return Reply{Run: taken.Run, Err: ErrConflict}
		}
		return Reply{Run: taken.Run, Existing: true}
	})
	r.resend()
}

// resend sends the batch in flight again after something was taken out. It may
// be empty now; it is written all the same, since fencing numbers of the batch
// after it count on its sequence.
func (r *Reactor) resend() {
	if bad, err := r.inflight.seal(r.lease.Incarnation, r.now, r.limits.RecordBytes); err != nil {
		r.halt(fmt.Errorf("%w: encode events of run %s again: %w", errUntrusted, bad.id, err), true)
		return
	}
	r.do(Commit{Batch: r.inflight.sealed})
}

// expel takes a run that is not durable yet out of memory and of both batches,
// and answers those who wait for it. A run that is not durable has not
// asked the gate, so nothing of others hangs on it, and the rest of it stands.
func (r *Reactor) expel(l *live, answer func(output) Reply) {
	r.dropTimers(l, false)
	r.leaveGate(l, false)
	r.dropWaits(l)
	r.onDisk(l.id)
	l.run, l.quarantine = nil, ErrNotLive
	delete(r.live, l.id)
	for _, b := range []*batch{r.inflight, r.building} {
		if b == nil {
			continue
		}
		for _, k := range b.keys {
			if k.Run == l.id {
				delete(r.keys, keyName{k.Namespace, k.Key})
			}
		}
		b.remove(l.id)
		r.answerInstead(b, l.id, answer)
	}
}

// answerInstead drops the outputs of a run; callers among them get another
// answer.
func (r *Reactor) answerInstead(b *batch, run store.RunID, answer func(output) Reply) {
	kept := b.out[:0]
	for _, o := range b.out {
		if o.run != run {
			kept = append(kept, o)
			continue
		}
		if waiting, ok := o.effect.(Reply); ok {
			reply := answer(o)
			reply.Caller = waiting.Caller
			r.reply(reply)
		}
	}
	clear(b.out[len(kept):])
	b.out = kept
}

// invalid evicts the runs whose share of the batch in flight breaks the store's
// rules.
func (r *Reactor) invalid(err error) {
	sealed, found := r.inflight.sealed, false
	for _, p := range slices.Clone(r.inflight.order) {
		if fault := shareOf(sealed, p.live.id).Check(); fault != nil {
			found = true
			r.evict(p.live, fault)
		}
	}
	if !found {
		r.halt(fmt.Errorf("%w: %w", errUntrusted, err), true)
		return
	}
	r.resend()
}

// evict quarantines a run because what was decided for it cannot be stored, and
// takes that out of both batches. A run that is not durable yet never was.
func (r *Reactor) evict(l *live, reason error) {
	if l.quarantine == nil {
		r.quarantine(l, reason, nil)
	}
	r.onDisk(l.id) // it will not be: whoever waits learns why
	failed := l.quarantine
	answer := func(output) Reply { return Reply{Run: l.id, Err: failed} }
	if !l.durable {
		r.expel(l, answer)
		return
	}
	for _, b := range []*batch{r.inflight, r.building} {
		if b != nil {
			b.remove(l.id)
			r.answerInstead(b, l.id, answer)
		}
	}
}
