package runtime

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// Request asks for a run.
type Request struct {
	Program *Prepared
	// Input is the run's input as given; Vars the namespace variables that the
	// program names.
	Input value.Value
	Vars  value.Value
	// BusinessDate is 2006-01-02.
	BusinessDate string
	Seed         uint64
	Actor        string
	Trigger      string
	// Due is by when the run should end, for lists; zero: whenever.
	Due time.Time
	// Held holds the run from the start, for HoldReason: nothing of it begins
	// until it is released.
	Held       bool
	HoldReason string
	// Skip, if not empty, makes a run that ends at once as skipped, for this
	// reason, such as engine.ReasonMissed.
	Skip engine.Reason
	// Entries are the audit records of the request: they are committed in the
	// batch of the run, and not if an earlier request had started it. One that
	// names no object gets the run's.
	Entries []store.Entry
	// Key is an idempotency key, empty for none: the same key gives the same
	// run for KeyRetention. Body is what was asked for, in the caller's words:
	// the same key with another body is refused.
	Key  string
	Body []byte
	// KeyForever has the key name its run for good.
	KeyForever bool
	// Run is the run's ID; empty: one is made.
	Run store.RunID
	// Parent is the run that starts it, nil for none.
	Parent *engine.Parent
}

// TriggerRerun is what the trigger of a run begins with that repeats another one,
// whose ID follows; ActionRerunAs is the action of the entry that names it with the
// one that it repeats.
const (
	TriggerRerun  = "rerun/"
	ActionRerunAs = "run.rerun_as"
)

// Accepted is the answer to a Request.
type Accepted struct {
	Run store.RunID
	// Existing: an earlier request with the same key started it.
	Existing bool
	// Position is the batch from which on readers see the run.
	Position uint64
	// Row is what they see there, if that batch accepted it; else nil.
	Row *store.RunRow
}

// InputError says what is wrong with the input of a run.
type InputError struct{ Faults []engine.InputFault }

func (e *InputError) Error() string {
	texts := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		texts[i] = f.String()
	}
	return strings.Join(texts, "; ")
}

// Prepare links a compiled program, so that runs of it can be asked for.
func (s *Service) Prepare(p *workflow.Program) (*Prepared, error) { return s.machines.Prepare(p) }

// Submit asks for a run and returns once it is durable. Errors: *InputError,
// ErrConflict, ErrBusy, ErrStopping, ErrRunExists; ErrUnknown, and the error of
// ctx, mean that the run may exist.
func (s *Service) Submit(ctx context.Context, q Request) (Accepted, error) {
	now := s.clock.Now()
	if q.Run == "" {
		id, err := s.cfg.NewID(now)
		if err != nil {
			return Accepted{}, err
		}
		q.Run = id
	}
	m, err := q.submit(now)
	if err != nil {
		return Accepted{}, err
	}
	if err := s.checkEntries(m.Entries); err != nil {
		return Accepted{}, err
	}
	if q.Key != "" {
		known, err := s.cfg.Store.Key(ctx, q.Program.Machine.Program().Namespace, q.Key)
		switch {
		case err == nil:
			m.Known = &known
		case !errors.Is(err, store.ErrNotFound):
			return Accepted{}, fmt.Errorf("look up idempotency key: %w", err)
		}
	}
	reply, err := s.call(ctx, func(c Caller) Message {
		m.Caller = c
		return m
	})
	return Accepted{Run: reply.Run, Existing: reply.Existing, Position: reply.Position, Row: reply.Row}, err
}

// submit checks the request and makes the message of it.
func (q *Request) submit(now time.Time) (Submit, error) {
	if !q.Run.Valid() {
		return Submit{}, fmt.Errorf("%q is not a run ID", q.Run)
	}
	if len(q.Key) > store.MaxText || !utf8.ValidString(q.Key) || strings.ContainsRune(q.Key, 0) {
		return Submit{}, fmt.Errorf("idempotency key %.40q is longer than %d bytes, not UTF-8, or has a NUL", q.Key, store.MaxText)
	}
	q.Entries = slices.Clone(q.Entries)
	for i := range q.Entries {
		if q.Entries[i].Object == "" {
			q.Entries[i].Object = "run/" + string(q.Run)
		}
	}
	if old, ok := strings.CutPrefix(q.Trigger, TriggerRerun); ok && len(q.Entries) > 0 {
		e := q.Entries[0]
		e.Action, e.Object, e.Detail = ActionRerunAs, "run/"+old, fmt.Appendf(nil, `{"run":%q}`, q.Run)
		q.Entries = append(q.Entries, e)
	}
	accept := engine.Accept{
		Held: q.Held, HoldReason: q.HoldReason, Skip: q.Skip,
		Input: q.Input, Vars: q.Vars, BusinessDate: q.BusinessDate, Seed: q.Seed, Actor: q.Actor, Trigger: q.Trigger, Parent: q.Parent,
	}
	var faults []engine.InputFault
	if accept.Input, faults = q.Program.Machine.CheckInput(string(q.Run), accept, now); len(faults) > 0 {
		return Submit{}, &InputError{Faults: faults}
	}
	m := Submit{
		Run: q.Run, Machine: q.Program.Machine, Program: q.Program.Stored, Accept: accept,
		Key: q.Key, KeyExpires: keyExpires(q, now), BodyHash: sha256.Sum256(q.Body), Due: q.Due, Entries: q.Entries,
	}
	return m, nil
}

// Inspect calls look with the state of a live run, on the loop: it must be
// quick, change nothing and keep nothing. What it returns is returned once
// everything that it saw is durable. ErrNotLive for a run that is not there or
// has ended; a panic of look is an error.
func (s *Service) Inspect(ctx context.Context, run store.RunID, look func(View) any) (any, error) {
	reply, err := s.call(ctx, func(c Caller) Message {
		return Inspect{Run: run, Look: look, Caller: c}
	})
	return reply.Seen, err
}

// TaskEnded reports the end of an attempt. It never blocks.
func (s *Service) TaskEnded(run store.RunID, fence engine.Fence, end engine.TaskEnded) {
	s.box.Post(TaskEnded{Run: run, Fence: fence, End: end})
}

// TaskBeat reports that an attempt has begun, or goes on. It never blocks.
func (s *Service) TaskBeat(run store.RunID, fence engine.Fence, beat engine.Beat) {
	s.box.Post(TaskBeat{Run: run, Fence: fence, Beat: beat})
}

// TaskFound reports an attempt that a worker runs and nobody asked for; if no
// run wants it, it is settled. It never blocks.
func (s *Service) TaskFound(run store.RunID, act engine.ActID, attempt int, fence engine.Fence) {
	s.box.Post(TaskFound{Run: run, Act: act, Attempt: attempt, Fence: fence})
}

// call sends a message to the loop and waits for the reply.
func (s *Service) call(ctx context.Context, message func(Caller) Message) (Reply, error) {
	replies := make(chan Reply, 1)
	s.mu.Lock()
	s.last++
	caller := s.last
	s.callers[caller] = replies
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.callers, caller)
		s.mu.Unlock()
	}()
	if !s.box.Post(message(caller)) {
		return Reply{}, ErrStopping
	}
	select {
	case reply := <-replies:
		return reply, reply.Err
	case <-ctx.Done():
		return Reply{}, ctx.Err()
	case <-s.done:
		select {
		case reply := <-replies:
			return reply, reply.Err
		default:
			return Reply{}, ErrUnknown
		}
	}
}

func (s *Service) answer(ctx context.Context, reply Reply) {
	if q, ok := s.sought(reply.Caller); ok {
		if errors.Is(reply.Err, ErrStopping) {
			return // who leads next asks again
		}
		m, err := s.seeker().Replied(&q, reply)
		s.goOn(ctx, q, m, err)
		return
	}
	s.mu.Lock()
	replies := s.callers[reply.Caller]
	delete(s.callers, reply.Caller)
	s.mu.Unlock()
	if replies != nil {
		replies <- reply
	}
}

// answerAll answers everybody who waits.
func (s *Service) answerAll(err error) {
	s.mu.Lock()
	callers := s.callers
	s.callers, s.seeking = map[Caller]chan Reply{}, map[Caller]Seek{}
	s.mu.Unlock()
	for _, replies := range callers {
		replies <- Reply{Err: err}
	}
}

// Result is how a run ended.
type Result struct {
	State  engine.State
	Reason engine.Reason
	Output value.Value
	Error  *engine.Error
}

// Wait waits for the end of a run. Errors: ErrQuarantined, store.ErrNotFound,
// ErrStopping, and that of ctx.
func (s *Service) Wait(ctx context.Context, run store.RunID) (Result, error) {
	ended := s.hub.wait(run)
	defer s.hub.forget(run, ended)
	for {
		row, err := s.cfg.Store.Run(ctx, run)
		if err != nil {
			return Result{}, fmt.Errorf("wait for run %s: %w", run, err)
		}
		if row.Ended() {
			return s.ended(ctx, &row)
		}
		select {
		case end := <-ended:
			if end.err != nil {
				return Result{}, end.err
			}
			if end.ended != nil {
				return Result{State: end.ended.State, Reason: end.ended.Reason, Output: end.ended.Output, Error: end.ended.Error}, nil
			}
		case <-ctx.Done():
			return Result{}, ctx.Err()
		case <-s.done:
			return Result{}, ErrStopping
		}
	}
}

func (s *Service) ended(ctx context.Context, row *store.RunRow) (Result, error) {
	machine, err := s.machines.Stored(ctx, s.cfg.Store, row.Program)
	if err != nil {
		return Result{}, err
	}
	run, err := Fold(ctx, s.cfg.Store, machine, row.ID)
	if err != nil {
		return Result{}, err
	}
	return Result{State: run.State, Reason: run.Reason, Output: run.Output, Error: run.Err}, nil
}

// Watch shows the committed events of a run, from number first (from 1) on.
// Close the watcher when done.
func (s *Service) Watch(run store.RunID, first uint64) *Watcher {
	return s.hub.watch(run, first, s.done)
}

// Quarantine is why a run is set aside; nil if it is not.
func (s *Service) Quarantine(run store.RunID) error { return s.hub.reason(run) }

// keyExpires is until when the key of a request names its run; zero: for good.
func keyExpires(q *Request, now time.Time) time.Time {
	if q.KeyForever {
		return time.Time{}
	}
	return now.Add(KeyRetention)
}
