package engine

// Kill ends steps that run: their attempts are told to stop, or what is inside
// them is canceled, and they fail with the error killed. Handlers are offered it,
// retry rules only if they name it.
type Kill struct{ Action }

// RunNow ends the wait for an instant: that of a wait, before the next attempt or
// before the next turn of a loop. Steps are the paths of what waits or of what
// lies around it; none: all waits of the run.
type RunNow struct{ Action }

// Comment is a note on a run or on steps of it, and changes nothing else.
type Comment struct{ Action }

func (Kill) input()    {}
func (RunNow) input()  {}
func (Comment) input() {}

// planKill finds what is to be killed.
func (m *Machine) planKill(run *Run, in *Action) (acts []ActID, affected []Affected, err error) {
	if run.State.Final() {
		return nil, nil, refusef("", "run %s has ended: it is %s", run.ID, run.State)
	}
	if len(in.Steps) == 0 {
		return nil, nil, refusef("", "name the steps: cancel ends a whole run")
	}
	seen := map[string]bool{}
	for _, path := range in.Steps {
		if seen[path] {
			continue
		}
		seen[path] = true
		a := run.actAt(path)
		switch {
		case a == nil && !m.hasPath(path):
			return nil, nil, refusef(path, "workflow %s has no step %s", m.prog.Name, path)
		case a == nil:
			return nil, nil, refusef(path, "step %s does not run: skip it, or set it failed", path)
		}
		if err := m.killable(run, a); err != nil {
			return nil, nil, err
		}
		acts = append(acts, a.ID)
		affected = append(affected, Affected{Path: path, Does: DoesKill, Attempt: a.Attempt})
	}
	return acts, affected, nil
}

// killable refuses what does not run.
func (m *Machine) killable(run *Run, a *Activation) error {
	switch {
	case a.Phase == PhaseEnded:
		return refusef(a.Path, "step %s has ended: it is %s", a.Path, a.State)
	case a.CancelAsked || a.Phase == PhaseUnwinding || a.Phase == PhaseResult || a.Phase == PhaseError:
		return refusef(a.Path, "step %s is ending", a.Path)
	}
	for _, id := range a.Open.all() {
		if f := run.Frames[id]; f.Role == RoleCatch || f.Role == RolePredicate {
			return refusef(a.Path, "the error of step %s is being handled: kill what runs in %s", a.Path, f.Path)
		}
	}
	switch a.Phase {
	case PhaseAttempt, PhaseMessage, PhaseFrames:
		return nil
	case PhaseEvent:
		if a.Awaits.Kind == AwaitChild {
			return nil
		}
	default:
	}
	return refusef(a.Path, "step %s does not run, it waits: skip it, or set it failed", a.Path)
}

// kill tells steps to stop. What one of them ends with it is not killed any more.
func (d *decider) kill(in *Action) error {
	acts, affected, err := d.m.planKill(d.run, in)
	if err != nil {
		return err
	}
	d.dec.Affected = affected
	for _, id := range acts {
		a := d.run.Acts[id]
		if a == nil || a.CancelAsked || a.Phase == PhaseEnded {
			continue
		}
		if a.Phase == PhaseAttempt {
			d.command(CancelTask{Act: a.ID, Attempt: a.Attempt, Path: a.Path})
		}
		framed := a.Phase == PhaseFrames
		if err := d.emit(Event{
			Kind: EvStopping, Act: a.ID, State: Canceled, Reason: ReasonKilled, TimerKind: TimerKill, Actor: in.Actor, Text: in.Reason,
		}); err != nil {
			return err
		}
		switch {
		case a.bound():
			d.command(d.cancelChild(a))
		case framed:
			err = d.stopFrames(a, ReasonKilled)
		case a.Phase != PhaseAttempt:
			err = d.unwound(a)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// killed is the error of a step that was killed.
func (d *decider) killed(a *Activation) *Error {
	actor, reason := "", ""
	if a.By != nil {
		actor, reason = a.By.Actor, a.By.Reason
	}
	return TaskOutcome{Error: d.m.engineError(ErrKilled, by("killed", actor, reason))}.valid().Error
}

// planRunNow finds the timers that are to fire now.
func (m *Machine) planRunNow(run *Run, in *Action) (timers []TimerID, affected []Affected, err error) {
	if run.State.Final() {
		return nil, nil, refusef("", "run %s has ended: it is %s", run.ID, run.State)
	}
	hit := make([]bool, len(in.Steps))
	held, anyHeld := make([]string, len(in.Steps)), ""
	for _, id := range inOrder(run.Timers) {
		t := run.Timers[id]
		a := run.Acts[t.Act]
		if !t.heldBack() || a.Timer != id {
			continue
		}
		wanted, kept := len(in.Steps) == 0, run.HoldOf(a.Path) != nil
		for i, path := range in.Steps {
			switch {
			case !covers(path, a.Path):
			case kept:
				held[i] = a.Path
			default:
				wanted, hit[i] = true, true
			}
		}
		switch {
		case kept:
			anyHeld = a.Path
		case wanted:
			timers = append(timers, id)
			affected = append(affected, Affected{Path: a.Path, Does: DoesRunNow})
		}
	}
	for i, path := range in.Steps {
		switch {
		case hit[i]:
		case !m.hasPath(path):
			return nil, nil, refusef(path, "workflow %s has no step %s", m.prog.Name, path)
		case held[i] != "":
			return nil, nil, refusef(held[i], "step %s is held: release it first", held[i])
		default:
			return nil, nil, refusef(path, "step %s does not wait for an instant", path)
		}
	}
	switch {
	case len(timers) == 0 && anyHeld != "":
		return nil, nil, refusef(anyHeld, "step %s is held: release it first", anyHeld)
	case len(timers) == 0:
		return nil, nil, refusef("", "nothing in run %s waits for an instant", run.ID)
	}
	return timers, affected, nil
}

// runNow fires timers before their time.
func (d *decider) runNow(in *Action) error {
	timers, affected, err := d.m.planRunNow(d.run, in)
	if err != nil {
		return err
	}
	d.dec.Affected = affected
	for _, id := range timers {
		t := d.run.Timers[id]
		if t == nil {
			continue // what fired before ended what waited
		}
		d.command(ClearTimer{Timer: id})
		if err := d.fire(t, in); err != nil {
			return err
		}
	}
	return nil
}

// planComment refuses a note that says nothing, or is about no step.
func (m *Machine) planComment(run *Run, in *Action) ([]Affected, error) {
	switch {
	case in.Reason == "":
		return nil, refusef("", "the note is empty")
	case run.State.Final():
		return nil, refusef("", "run %s has ended: it is %s", run.ID, run.State)
	case len(in.Steps) == 0:
		return []Affected{{Does: DoesComment}}, nil
	}
	var affected []Affected
	for _, path := range in.Steps {
		if !m.hasPath(path) {
			return nil, refusef(path, "workflow %s has no step %s", m.prog.Name, path)
		}
		affected = append(affected, Affected{Path: path, Does: DoesComment})
	}
	return affected, nil
}

func (d *decider) comment(in *Action) error {
	affected, err := d.m.planComment(d.run, in)
	if err != nil {
		return err
	}
	d.dec.Affected = affected
	for i := range affected {
		if err := d.emit(Event{Kind: EvCommented, Path: affected[i].Path, Actor: in.Actor, Text: in.Reason}); err != nil {
			return err
		}
	}
	return nil
}
