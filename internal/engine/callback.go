package engine

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// Callback is a message from outside for the work that its token names: that it
// has ended, with Beat only that it goes on, or with Taker that a worker has it
// from now on. Decide refuses one for work that has ended, or that a later
// attempt has taken the place of, with [ErrNoWork].
type Callback struct {
	Token string
	// Output is the result; or Error says that the work failed.
	Output value.Value
	Error  *Error
	// Beat says that it goes on; Checkpoint, if not nil, is what the next attempt
	// finds then.
	Beat       bool
	Checkpoint []byte
	// Taker is the worker that takes work which is offered. Nobody else can.
	Taker string
	Actor string
}

// CheckpointLimit is the largest checkpoint of work that is done outside, in bytes.
const CheckpointLimit = 1 << 20

func (Callback) input() {}

// Answer is what a callback said while the attempt was still out.
type Answer struct {
	Output value.Value
	Err    *Error
}

// Token names an attempt in messages from outside. Who does not know the run's
// seed cannot guess it: its second half is a hash over the seed.
func Token(run *Run, a *Activation, attempt int) string {
	text := run.ID + "/" + strconv.FormatUint(uint64(a.ID), 10)
	words := binary.BigEndian.AppendUint64(nil, run.Seed)
	words = binary.BigEndian.AppendUint64(words, uint64(a.Generation))
	words = binary.BigEndian.AppendUint64(words, uint64(attempt))
	sum := sha256.Sum256(append(words, text...))
	return base64.RawURLEncoding.EncodeToString([]byte(text)) + "." + base64.RawURLEncoding.EncodeToString(sum[:18])
}

// TokenRun tells which run a token is of; false for a text that is no token.
func TokenRun(token string) (run string, ok bool) {
	run, _, ok = splitToken(token)
	return run, ok
}

func splitToken(token string) (run string, act ActID, ok bool) {
	head, _, found := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(head)
	if !found || err != nil {
		return "", 0, false
	}
	run, digits, found := strings.Cut(string(text), "/")
	n, err := strconv.ParseUint(digits, 10, 64)
	return run, ActID(n), found && err == nil && run != ""
}

// tokenFact is the token of the attempt that runs, or is about to.
func (d *decider) tokenFact(a *Activation) value.Value {
	attempt := a.Attempt
	if a.Phase == PhaseEntered {
		attempt++
	}
	return value.String(Token(d.run, a, attempt))
}

// planCallback finds the work that a message is for, and says what the message
// does: a heartbeat of work that owes none does nothing.
func (m *Machine) planCallback(run *Run, in *Callback) (*Activation, []Affected, error) {
	_, id, _ := splitToken(in.Token)
	a := run.Acts[id]
	if a == nil || a.Phase != PhaseAttempt && a.Phase != PhaseMessage || a.CancelAsked || a.Answer != nil || !sameToken(Token(run, a, a.Attempt), in.Token) {
		return nil, nil, ErrNoWork
	}
	does := DoesAnswer
	switch {
	case in.Taker != "":
		if err := m.takeable(run, a); err != nil {
			return nil, nil, err
		}
		does = DoesTake
	case in.Beat && a.Beat == 0 && in.Checkpoint == nil:
		return a, nil, nil
	case in.Beat:
		does = DoesBeat
	case m.node(run.Frames[a.Frame], a.Node).Task.Finish == workflow.FinishResult:
		return nil, nil, refusef(a.Path, "step %s ends with its own result, not with a message", a.Path)
	case in.Error == nil:
		t := m.node(run.Frames[a.Frame], a.Node).Task.Type
		if fault := wrongOutput(t, nullIfUndefined(in.Output)); fault != "" {
			return nil, nil, refusef(a.Path, "the output of step %s is not what the task type %s gives: %s", a.Path, t.Name, fault)
		}
	}
	return a, []Affected{{Path: a.Path, Does: does, Attempt: a.Attempt}}, nil
}

// sameToken compares in a time that does not tell how much is the same.
func sameToken(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// Offered reports whether the activation's work is there to be taken: it is
// offered, nobody has taken it, and no hold keeps it from beginning.
func (m *Machine) Offered(run *Run, a *Activation) bool { return m.takeable(run, a) == nil }

// Activity names the work that a task offers, empty if it offers none.
func (m *Machine) Activity(run *Run, a *Activation) string {
	if !m.offers(run, a) {
		return ""
	}
	return a.Input.Get("activity").Text()
}

// TypeVersion is the version of the task type that a task is of, empty for none.
func (m *Machine) TypeVersion(run *Run, a *Activation) string {
	if t := m.node(run.Frames[a.Frame], a.Node).Task; t != nil && t.Type != nil {
		return t.Type.Version
	}
	return ""
}

func (m *Machine) takeable(run *Run, a *Activation) error {
	switch {
	case !m.offers(run, a):
		return refusef(a.Path, "step %s offers its work to nobody", a.Path)
	case a.Phase != PhaseMessage:
		return refusef(a.Path, "step %s does not offer its work now", a.Path)
	case a.Taker != "":
		return refusef(a.Path, "worker %s has taken the work of step %s", a.Taker, a.Path)
	case run.HoldOf(a.Path) != nil:
		return refusef(a.Path, "step %s is held", a.Path)
	}
	return nil
}

// offers reports whether the activation is a task whose work is offered.
func (m *Machine) offers(run *Run, a *Activation) bool {
	t := m.node(run.Frames[a.Frame], a.Node).Task
	return t != nil && t.Finish == workflow.FinishOffer
}

// callback takes a message for work that is out, or was handed over.
func (d *decider) callback(in Callback) error {
	a, affected, err := d.m.planCallback(d.run, &in)
	if err != nil {
		return err
	}
	d.dec.Affected = affected
	switch {
	case len(affected) == 0:
		return nil
	case in.Beat:
		if in.Checkpoint != nil {
			if err := d.emit(Event{Kind: EvCheckpoint, Act: a.ID, Attempt: a.Attempt, Checkpoint: in.Checkpoint}); err != nil {
				return err
			}
		}
		if a.Beat == 0 || d.young(a) {
			return nil
		}
		return d.beat(a)
	case in.Taker != "":
		return d.take(a, &in)
	}
	ev := Event{Kind: EvAnswered, Act: a.ID, Attempt: a.Attempt, Outcome: OutcomeSucceeded, Output: nullIfUndefined(in.Output), Actor: in.Actor}
	if in.Error != nil {
		ev.Outcome, ev.Output, ev.Error = OutcomeFailed, value.Undefined, TaskOutcome{Error: in.Error}.valid().Error
	}
	if err := d.emit(ev); err != nil {
		return err
	}
	d.clearTimers(a)
	d.goOnAfter(a)
	return nil
}

// goOnAfter queues what follows the result or error of a task.
func (d *decider) goOnAfter(a *Activation) {
	switch a.Phase {
	case PhaseResult:
		d.add(task{kind: taskResult, act: a.ID})
	case PhaseError:
		d.add(task{kind: taskError, act: a.ID})
	default:
	}
}

// applyAnswered keeps an answer until the attempt has ended, which nothing
// hurries any more, or ends the work with it.
func applyAnswered(run *Run, a *Activation, ev *Event) {
	a.Answer = &Answer{Output: ev.Output, Err: ev.Error}
	dropTimer(run, a, &a.Deadline)
	dropTimer(run, a, &a.Beat)
	if a.Phase == PhaseMessage {
		takeAnswer(a)
	}
}

// takeAnswer makes the answer the end of the work.
func takeAnswer(a *Activation) {
	a.State, a.Reason = Running, ReasonNone
	if a.Answer.Err != nil {
		a.Failures++
		a.Err, a.Phase, a.RuleAt = a.Answer.Err, PhaseError, 0
	} else {
		a.Result, a.Phase = a.Answer.Output, PhaseResult
	}
	a.Answer = nil
}

// take gives the work to a worker: its time begins.
func (d *decider) take(a *Activation, in *Callback) error {
	if err := d.emit(Event{Kind: EvTaken, Act: a.ID, Attempt: a.Attempt, Taker: in.Taker, Actor: in.Actor}); err != nil {
		return err
	}
	return d.watch(a, workflow.FinishMessage)
}

// watch sets the timers of an attempt that ends with a message: that of its
// heartbeat, and that of its timeout, which no worker keeps. Those of work that is
// offered begin when it is taken; the heartbeat of any other attempt begins with
// it ([Beat]).
func (d *decider) watch(a *Activation, finish workflow.Finish) error {
	if finish == workflow.FinishOffer {
		return nil
	}
	if finish != workflow.FinishResult && a.Timeout > 0 {
		if err := d.timer(a, TimerTimeout, d.ctx.Now.Add(a.Timeout), value.Undefined); err != nil {
			return err
		}
	}
	if a.Heartbeat == 0 || finish == workflow.FinishResult {
		return nil
	}
	return d.timer(a, TimerHeartbeat, d.ctx.Now.Add(a.Heartbeat), value.Undefined)
}

// beatsKept is how many heartbeats are recorded at most in the time that one may
// take to come: those in between change nothing.
const beatsKept = 10

// beat begins the time of the next heartbeat.
func (d *decider) beat(a *Activation) error {
	if err := d.timer(a, TimerHeartbeat, d.ctx.Now.Add(a.Heartbeat), value.Undefined); err != nil {
		return err
	}
	d.clearTimers(a)
	return nil
}

// expireAttempt ends work whose time is up, or that was silent for too long.
func (d *decider) expireAttempt(a *Activation, kind TimerKind) error {
	if a.Phase == PhaseMessage {
		return d.setError(a, d.expiredError(a, kind))
	}
	if a.CancelAsked {
		return nil // it is ending anyway
	}
	d.command(CancelTask{Act: a.ID, Attempt: a.Attempt, Path: a.Path})
	return d.emit(Event{Kind: EvStopping, Act: a.ID, State: Canceled, Reason: ReasonTimedOut, TimerKind: kind})
}

func (d *decider) expiredError(a *Activation, kind TimerKind) *Error {
	if kind == TimerKill {
		return d.killed(a)
	}
	if kind == TimerHeartbeat {
		return d.m.engineError(ErrHeartbeat, fmt.Sprintf("%s was silent for longer than its heartbeat (%s)", a.Path, a.Heartbeat.Round(time.Millisecond)))
	}
	what := a.Path
	if what == "" {
		what = "the run"
	}
	return d.m.engineError(ErrTimeout, what+" took longer than its timeout")
}
