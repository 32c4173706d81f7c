package sim

import (
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// loopModel is what the events say of a loop.
type loopModel struct {
	max, base int
	turn      int            // that began last
	open      engine.FrameID // of that turn, 0 once it has ended
	failed    bool           // it failed, and that ends the loop
	tooMany   bool
	hurried   bool // nobody waits for the next turn
	began     time.Time
	ended     time.Time // of the last turn
}

// loopOpened takes the begin of a loop.
func (m *model) loopOpened(a *actModel, ev *engine.Event) {
	loop := m.node(a).Loop
	if loop == nil || a.loop != nil || ev.Count != whole(loop.Max) {
		m.violatef(Turns, "a loop begins in activation %d, with at most %d turns", ev.Act, ev.Count)
		return
	}
	a.loop = &loopModel{max: ev.Count, began: ev.At}
}

// whole is a constant number, 0 for none.
func whole(d *workflow.Data) int {
	if d == nil {
		return 0
	}
	n, _ := d.Const.Int()
	return int(n)
}

// turnOpened checks that a turn follows the one before: the next number, after
// its end and the wait, within the bound, and nothing is kept of it.
func (m *model) turnOpened(ev *engine.Event) {
	a := m.acts[ev.Act]
	if a == nil || ev.Role != engine.RoleBody || m.node(a).Loop == nil {
		return
	}
	l, loop := a.loop, m.node(a).Loop
	switch {
	case l == nil || ev.Index != l.turn+1 || l.open != 0 || l.failed || a.stopping:
		m.violatef(Turns, "turn %d of activation %d begins, stopping %v: %+v", ev.Index, ev.Act, a.stopping, l)
		return
	case l.max > 0 && ev.Index > l.base+l.max:
		m.violatef(Turns, "turn %d of activation %d, which may have %d after %d", ev.Index, ev.Act, l.max, l.base)
	case !l.hurried && l.turn > 0 && ev.At.Before(l.ended.Add(parse(loop.Delay))), l.turn > 0 && loop.Grid != nil && !ev.At.After(l.ended):
		m.violatef(Turns, "turn %d of activation %d at %v, the one before ended at %v", ev.Index, ev.Act, ev.At, l.ended)
	case l.turn > 0 && holds(loop.Until), loop.While != nil && !holds(loop.While):
		m.violatef(Turns, "turn %d of activation %d, though the loop is over", ev.Index, ev.Act)
	}
	if kept := m.run.Acts[ev.Act].Closed.Live; kept > 0 {
		m.violatef(Turns, "turn %d of activation %d begins while %d frames of others are kept", ev.Index, ev.Act, kept)
	}
	l.turn, l.open, l.hurried = ev.Index, ev.Frame, false
}

// holds is the truth of a condition of a generated program, which reads it from
// the run's input.
func holds(e *workflow.Expr) bool { return e != nil && strings.HasSuffix(e.Source, "yes") }

// turnEnded takes the end of a turn.
func (m *model) turnEnded(ev *engine.Event) {
	if a := m.acts[ev.Act]; a != nil && a.loop != nil && a.loop.open == ev.Frame {
		a.loop.open, a.loop.ended = 0, ev.At
		a.loop.failed = ev.State == engine.Failed && m.node(a).Loop.FailedTurn != workflow.GoOn
	}
}

// turnReopened takes a turn that a person has given a new chance.
func (m *model) turnReopened(f *frameModel, id engine.FrameID) {
	a := m.acts[f.owner]
	if a == nil || a.loop == nil || f.role != engine.RoleBody {
		return
	}
	if a.loop.open != 0 {
		m.violatef(Turns, "a turn of activation %d is reopened beside another: %+v", f.owner, a.loop)
	}
	a.loop.open, a.loop.failed = id, false
}

// loopEvent takes what else happens to a loop.
func (m *model) loopEvent(a *actModel, ev *engine.Event) {
	l, loop := a.loop, m.node(a).Loop
	switch {
	case loop == nil || l == nil:
	case ev.Kind == engine.EvRetry && !ev.Same:
		a.loop = nil
	case ev.Kind == engine.EvTimerSet && ev.TimerKind == engine.TimerTurn:
		late := ev.Due.Sub(ev.At)
		grid := parse(loop.Grid)
		if l.open != 0 || grid == 0 && late != parse(loop.Delay) || grid > 0 && (late > grid || ev.Due.Sub(l.began)%grid != 0) {
			m.violatef(Turns, "the turn after %d of activation %d is due %v later", l.turn, ev.Act, late)
		}
	case ev.Kind == engine.EvError && ev.Error.Engine == engine.ErrTooManyTurns && !l.failed: // its own
		l.tooMany = true
		if l.open != 0 || l.turn != l.base+l.max || loop.While == nil && loop.Until == nil {
			m.violatef(Turns, "activation %d had too many turns: %+v", ev.Act, l)
		}
	case ev.Kind == engine.EvResult:
		m.loopResult(a, ev)
	}
}

// loopResult checks that the loop was over.
func (m *model) loopResult(a *actModel, ev *engine.Event) {
	l, loop := a.loop, m.node(a).Loop
	over := l.turn == l.base+l.max
	switch {
	case loop.Until != nil:
		over = l.turn > 0 && holds(loop.Until)
	case loop.While != nil:
		over = !holds(loop.While)
	}
	if !over || l.open != 0 || l.failed || l.turn == 0 && !value.Equal(ev.Output, value.Null) {
		m.violatef(Turns, "the loop of activation %d ends well with %s: %+v", ev.Act, ev.Output, l)
	}
}

// reopened gives a loop that had too many turns as many again.
func (l *loopModel) reopened() {
	if l != nil && l.tooMany {
		l.tooMany, l.base = false, l.turn
	}
}
