package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// MaxRunDepth is how deep runs may start runs; one below it fails with the error
// "depth".
const MaxRunDepth = 50

// Errors of child runs, beside those that the children themselves end with.
const (
	ErrChildNotFound     = "child_not_found"     // there is no such workflow or version
	ErrChildInputInvalid = "child_input_invalid" // it does not take this input
	ErrChildCanceled     = "child_canceled"      // somebody else canceled it
	ErrChildRefused      = "child_refused"       // it may not be started, or cannot go on
)

// Parent says which activation of which run started a run.
type Parent struct {
	Run string `json:"run"`
	Act ActID  `json:"act"`
	// Depth is how many runs stand above.
	Depth int `json:"depth"`
}

// CancelChild asks the run that an activation started to end. Its end is still
// awaited. It is given again by a recovery.
type CancelChild struct {
	Act    ActID
	Run    string
	Reason string
}

func (CancelChild) command() {}

// beginChild starts another workflow's run and waits for its end. A step that is
// retried by a person goes on with the run that it has.
func (d *decider) beginChild(a *Activation, n *workflow.Node, p *place) error {
	input := p.input
	var err error
	if n.Child.With != nil {
		if input, err = d.value(n.Child.With, p); err != nil {
			return err
		}
	}
	if input, err = d.inline(input); err != nil {
		return err
	}
	date, err := d.dateOf(n.Child.Date, p)
	if err != nil {
		return err
	}
	timeout, err := d.duration(n.Timeout, p, "timeout")
	if err != nil {
		return err
	}
	if d.run.Parent.depth()+1 > MaxRunDepth {
		return d.m.engineError(ErrDepth, fmt.Sprintf("runs have started each other more than %d deep", MaxRunDepth))
	}
	namespace, name := d.m.workflowNamed(n.Child.Workflow)
	what := Awaited{
		Kind: AwaitChild, Namespace: namespace, Name: name, Version: n.Child.Version, Date: date,
		Detach: n.Child.Detach, Abandon: n.Child.Cancel == workflow.ChildAbandon, Attempt: a.Attempt,
	}
	if before := a.Awaits; before != nil && before.Kind == AwaitChild && before.Attempt == a.Attempt {
		what.Run, what.Known, what.Version, what.Date, input = before.Run, before.Known, before.Version, before.Date, a.Input
	} else {
		what.Run = childRun(d.run.ID, d.run.Sequence+1, d.ctx.Now)
	}
	return d.await(a, what, nullIfUndefined(input), timeout)
}

func (p *Parent) depth() int {
	if p == nil {
		return 0
	}
	return p.Depth
}

// workflowNamed splits NAME or NAMESPACE/NAME.
func (m *Machine) workflowNamed(text string) (namespace, name string) {
	if namespace, name, ok := strings.Cut(text, "/"); ok {
		return namespace, name
	}
	return m.prog.Namespace, text
}

// dateOf evaluates a business date; that of the run if none is given.
func (d *decider) dateOf(data *workflow.Data, p *place) (string, error) {
	if data == nil {
		return d.run.BusinessDate, nil
	}
	v, err := d.value(data, p)
	if err != nil {
		return "", err
	}
	if v.IsNull() {
		return d.run.BusinessDate, nil
	}
	if _, err := time.Parse(time.DateOnly, v.Text()); err != nil {
		return "", d.m.engineError(ErrEvaluation, fmt.Sprintf("date: %s is no date; write it as 2006-01-02", v))
	}
	return v.Text(), nil
}

// runAlphabet writes run IDs, as those of other runs are written.
const runAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// childRun is the ID of the run that a run starts: it follows from the parent and
// the event, so that starting it again finds it, and sorts by the time.
func childRun(parent string, sequence uint64, now time.Time) string {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(parent+"\x00"), sequence))
	var out [26]byte
	millis := uint64(max(now.UnixMilli(), 0))
	for i := 9; i >= 0; i-- {
		out[i] = runAlphabet[millis&31]
		millis >>= 5
	}
	for i := range 16 {
		out[10+i] = runAlphabet[sum[i]&31]
	}
	return string(out[:])
}

// bound reports whether a stop of the activation stops the run that it started,
// whose end is then awaited.
func (a *Activation) bound() bool {
	return a.Phase == PhaseEvent && a.Awaits.Kind == AwaitChild && !a.Awaits.Detach && !a.Awaits.Abandon
}

// stopChild asks the run that the activation started to end, because of why, or
// because its own time is up.
func (d *decider) stopChild(a *Activation, why Reason, expired TimerKind) error {
	if err := d.emit(Event{Kind: EvStopping, Act: a.ID, State: Canceled, Reason: why, TimerKind: expired}); err != nil {
		return err
	}
	d.command(d.cancelChild(a))
	return nil
}

func (d *decider) cancelChild(a *Activation) CancelChild {
	return CancelChild{Act: a.ID, Run: a.Awaits.Run, Reason: fmt.Sprintf("step %s of run %s was stopped (%s)", a.Path, d.run.ID, a.Why)}
}

// expireAwait ends a wait whose time is up.
func (d *decider) expireAwait(a *Activation, kind TimerKind) error {
	switch {
	case a.CancelAsked:
		return nil // it is ending anyway
	case a.bound():
		return d.stopChild(a, ReasonTimedOut, kind)
	case a.Awaits.Kind == AwaitApproval:
		return d.unanswered(a)
	}
	return d.setError(a, d.expiredError(a, kind))
}

// ChildEnded is what the parent of a run is told of its end. Events is how many
// events the run has.
func ChildEnded(what *Awaited, end RunEnded, events uint64) Happened {
	h := Happened{Wait: what.ID, Known: events}
	switch end.State {
	case Succeeded:
		h.Output = Foreign(end.Output, what.Run)
		return h
	case Skipped, Canceled:
		h.Error = &Error{Name: ErrChildCanceled, Engine: ErrChildCanceled, Message: fmt.Sprintf("run %s of %s was %s", what.Run, what.Workflow(), end.State)}
	default:
		h.Error = &Error{Name: ErrFailed, Message: fmt.Sprintf("run %s of %s failed", what.Run, what.Workflow())}
	}
	details := value.Null
	if e := end.Error; e != nil {
		details = shown(nullIfUndefined(e.Details))
		if end.State == Failed {
			h.Error.Name = e.Name
			h.Error.Message += ": " + e.Message
		}
	}
	h.Error.Details = value.Object(
		value.M("run", value.String(what.Run)), value.M("workflow", value.String(what.Workflow())),
		value.M("state", value.String(string(end.State))), value.M("reason", value.String(string(end.Reason))), value.M("details", details))
	return h
}

// Workflow is the awaited workflow as it is written.
func (a *Awaited) Workflow() string {
	if a.Namespace == "" {
		return a.Name
	}
	return a.Namespace + "/" + a.Name
}

// childAwaited explains what an activation waits for that started a run.
func (w *whyer) childAwaited(a *Activation) Condition {
	return Condition{
		Kind: ConditionChildRun, Subject: a.Awaits.Run, Since: a.Since, Due: w.latest(a), Attempt: a.Attempt,
		Text: fmt.Sprintf("It waits for its child run %s of workflow %s since %s.", a.Awaits.Run, a.Awaits.Workflow(), stamp(a.Since)),
	}
}
