package sim

import (
	"encoding/json"
	"hash/fnv"
	"time"

	"github.com/regie-dev/regie/internal/dispatch"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
)

// batchLog is what is known of the durable batches.
type batchLog struct {
	sequence    uint64
	incarnation uint64
	at          time.Time
	live        int // runs that have not ended
	keys        map[string]store.RunID
	gate        gateLog
}

func ref(run store.RunID, act engine.ActID, attempt int, fence engine.Fence) dispatch.Ref {
	return dispatch.Ref{Run: run, Act: act, Attempt: attempt, Fence: fence}
}

// durable takes in a batch at the moment in which it becomes durable.
func (s *simulation) durable(b *store.Batch) {
	l := &s.log
	if b.Sequence != l.sequence+1 || b.Incarnation < l.incarnation {
		s.violatef(Sequence, "batch %d of incarnation %d after batch %d of %d", b.Sequence, b.Incarnation, l.sequence, l.incarnation)
	}
	if b.At.Before(l.at) || b.At.After(s.now) {
		s.violatef(TimeNeverBack, "batch %d at %v, the one before at %v, now %v", b.Sequence, b.At, l.at, s.now)
	}
	l.sequence, l.incarnation, l.at = b.Sequence, b.Incarnation, b.At
	s.gateBatch(b)
	taken := len(s.plenty.taken)
	defer func() {
		s.checkShares()
		s.checkCapacity()
		s.checkRate(taken)
	}()
	for i := range b.Runs {
		s.durableRow(&b.Runs[i])
	}
	for i := range b.Records {
		r := &b.Records[i]
		m := s.models[r.Run]
		if m == nil {
			s.violatef(Structure, "record of run %s, which has no row", r.Run)
			return
		}
		ended := m.ended
		m.record(r, b)
		switch {
		case !ended && m.ended:
			l.live--
		case ended && !m.ended:
			l.live++
		}
		state, _ := m.run.Status()
		if row := m.row; s.broken == nil && (row.State != string(state) || row.Held != m.run.Held() || row.Ended() != m.ended || row.Ended() == row.EndedAt.IsZero()) {
			s.violatef(FoldIsState, "run %s is %s after event %d, its row says %s, held %v", r.Run, state, m.events, row.State, row.Held)
		}
	}
	for _, k := range b.Keys {
		if l.keys == nil {
			l.keys = map[string]store.RunID{}
		}
		if other, taken := l.keys[k.Key]; taken {
			s.violatef(Idempotent, "key %s names run %s and run %s", k.Key, other, k.Run)
		}
		l.keys[k.Key] = k.Run
	}
}

func (s *simulation) durableRow(row *store.RunRow) {
	m := s.models[row.ID]
	if m == nil {
		m = newModel(s, row)
		if m.program == nil {
			s.violatef(Pinned, "run %s has a program that nobody asked for", row.ID)
			return
		}
		s.asked(row)
		s.models[row.ID] = m
		s.order = append(s.order, row.ID)
		s.log.live++
	}
	if row.Program != m.hash {
		s.violatef(Pinned, "run %s changed its program", row.ID)
	}
	m.row = *row
}

// attemptOf finds what is on disk of an attempt; nil if nothing.
func (s *simulation) attemptOf(r dispatch.Ref) (*model, *actModel, *attemptModel) {
	m := s.models[r.Run]
	if m == nil {
		return nil, nil, nil
	}
	a := m.acts[r.Act]
	if a == nil || r.Attempt < 1 || r.Attempt > len(a.attempts) || a.attempts[r.Attempt-1].fence != r.Fence {
		return m, a, nil
	}
	return m, a, &a.attempts[r.Attempt-1]
}

// checkDispatch: nothing is acted on before it is on disk, but by pipelined
// programs, whose run must be.
func (s *simulation) checkDispatch(t *engine.Task) {
	m, a, attempt := s.attemptOf(dispatch.RefOf(t))
	if attempt != nil {
		m.sameKey(a, t)
	}
	if attempt == nil && (m == nil || !m.program.Pipelined || t.AtMostOnce) {
		s.violatef(Outbox, "run %s, %s: attempt %d leaves before it is on disk", t.Run, t.Path, t.Attempt)
	}
}

// attemptEnded reports whether an attempt has ended: whoever stopped it may have
// been handled in the same batch.
func (a *actModel) attemptEnded(attempt int) bool {
	return attempt <= len(a.attempts) && a.attempts[attempt-1].ended
}

func (s *simulation) checkCancelTask(e runtime.CancelTask) {
	m := s.models[e.Run]
	if m == nil || m.acts[e.Act] == nil || !m.acts[e.Act].stopping && !m.acts[e.Act].ended && !m.acts[e.Act].attemptEnded(e.Attempt) {
		s.violatef(Outbox, "run %s: activation %d is told to stop before that is on disk", e.Run, e.Act)
	}
}

// checkSettled: a result may be forgotten once it is on disk, or once it is on
// disk that it does not count.
func (s *simulation) checkSettled(e runtime.Settled) {
	m, a, attempt := s.attemptOf(ref(e.Run, e.Act, e.Attempt, e.Fence))
	current := m != nil && a != nil && attempt != nil && !attempt.ended && e.Attempt == len(a.attempts) && !m.ended
	if current || !e.Refused && (attempt == nil || !attempt.ended) {
		s.violatef(Outbox, "run %s: attempt %d of activation %d is settled, refused %v, but is not on disk", e.Run, e.Attempt, e.Act, e.Refused)
	}
}

// checkAssign: an attempt that is given to a worker is the current one as far
// as the disk knows.
func (s *simulation) checkAssign(e dispatch.Assign) {
	s.note("assign", e.Worker, e.Task.Path, uint64(e.Task.Attempt))
	s.checkDispatch(&e.Task)
	s.checkGate(&e.Task)
	s.checkLine(&e.Task)
	if s.world.deeds[dispatch.RefOf(&e.Task)] != nil {
		s.violatef(StartedOnce, "run %s, %s: attempt %d is given to %s, and was given to somebody before", e.Task.Run, e.Task.Path, e.Task.Attempt, e.Worker)
	}
}

// checkStart: what begins outside was recorded before (invariant 7).
func (s *simulation) checkStart(t *engine.Task) {
	s.checkDispatch(t)
	m, a, attempt := s.attemptOf(dispatch.RefOf(t))
	if attempt == nil {
		return // pipelined
	}
	if attempt.ended && attempt.outcome == engine.OutcomeNotStarted {
		s.violatef(OneResult, "run %s, %s: attempt %d begins after it was said that it never will", t.Run, t.Path, t.Attempt)
	}
	f := m.frames[a.frame]
	if !f.entered[a.node] {
		s.violatef(Order, "run %s, %s begins and was never entered", t.Run, t.Path)
	}
}

// checkPublish: watchers see what is durable, each event once and in order.
func (s *simulation) checkPublish(e runtime.Publish, published map[store.RunID]uint64) {
	m := s.models[e.Run]
	last := e.First + uint64(len(e.Events)) - 1
	if m == nil || last > m.events {
		s.violatef(Outbox, "run %s: events up to %d are shown before they are on disk", e.Run, last)
		return
	}
	if before := published[e.Run]; before != 0 && e.First != before+1 {
		s.violatef(PublishedOnce, "run %s: events from %d are shown after event %d", e.Run, e.First, before)
	}
	published[e.Run] = last
	if (e.Ended != nil) != (m.ended && last == m.events) || e.Ended != nil && e.Ended.State != m.state {
		s.violatef(PublishedOnce, "run %s: end %+v is shown at event %d of %d", e.Run, e.Ended, last, m.events)
	}
}

// statesCompared counts comparisons among the faults of a report.
const statesCompared = "(states compared)"

// digest is a hash of all that is seen of a run's state.
func digest(run *engine.Run) uint64 {
	data, err := json.Marshal(run)
	if err != nil {
		panic(err)
	}
	h := fnv.New64a()
	h.Write(data)
	return h.Sum64()
}

// seen is what an inspection of a live run tells.
type seen struct {
	events uint64
	digest uint64
}

// inspect compares a live run, as the runtime has it, with the fold of what is
// on disk (invariant 22).
func (s *simulation) inspect(id store.RunID) {
	s.server.tellRuntime(runtime.Inspect{Run: id, Caller: inspector, Look: func(v runtime.View) any {
		return seen{v.Run.Sequence, digest(v.Run)}
	}})
}

// inspector is the caller of inspections; clients' callers are smaller.
const inspector runtime.Caller = 1 << 62

func (s *simulation) inspected(e runtime.Reply) {
	got, ok := e.Seen.(seen)
	m := s.models[e.Run]
	if !ok || m == nil || m.events != got.events {
		return // ended meanwhile, or more is on disk by now
	}
	s.faults[statesCompared]++
	if want := digest(m.run); got.digest != want {
		s.suspect = m
		s.violatef(FoldIsState, "run %s at event %d: its state in memory is not the fold of its events", e.Run, got.events)
	}
}

// atTheEnd checks what must hold once everything could end.
func (s *simulation) atTheEnd() {
	if !s.finished() {
		s.violateLiveness()
		return
	}
	if err := s.server.store.Verify(ctx()); err != nil {
		s.violatef(Audit, "%v", err)
	}
	for _, id := range s.order {
		row, err := s.server.store.Run(ctx(), id)
		if err != nil {
			s.violatef(NoLostRun, "run %s: %v", id, err)
			continue
		}
		if m := s.models[id]; row.State != string(m.state) || row.Events != m.events {
			s.violatef(FoldIsState, "run %s is %s at event %d, its row says %s at %d", id, m.state, m.events, row.State, row.Events)
		}
	}
	timers, err := s.server.store.Timers(ctx(), s.now.AddDate(100, 0, 0), 0)
	if err != nil || len(timers) > 0 {
		s.violatef(Timers, "rows of timers are left: %v %v", timers, err)
	}
	s.clients.atTheEnd()
}

// violateLiveness says what has not ended.
func (s *simulation) violateLiveness() {
	for _, id := range s.order {
		m := s.models[id]
		if m.ended {
			continue
		}
		s.suspect = m
		for act, a := range m.acts {
			if !a.ended && len(a.attempts) > 0 && !a.attempts[len(a.attempts)-1].ended {
				s.violatef(Liveness, "run %s has not ended after %v without faults: attempt %d of activation %d is out: %+v",
					id, s.options.Calm, len(a.attempts), act, s.world.deeds[ref(id, act, len(a.attempts), a.attempts[len(a.attempts)-1].fence)])
				return
			}
		}
		s.violatef(Liveness, "run %s has not ended after %v without faults: canceled %v, unknown %v, %d activations, timers %v",
			id, s.options.Calm, m.canceled, m.unknown, m.live, m.timers)
		return
	}
	for _, w := range s.pool {
		for _, j := range w.jobs {
			s.violatef(Outbox, "%s still has attempt %v (%+v), which nobody needs", w.name, j.ref, j.outcome)
			return
		}
	}
	s.violatef(Liveness, "clients or the server are not done after %v without faults: %s", s.options.Calm, s.clients.waiting())
}
