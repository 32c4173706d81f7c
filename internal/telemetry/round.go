package telemetry

import (
	"cmp"
	"fmt"
	"iter"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/history"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/workflow"
)

// round is what of a run went on until it ended: from its acceptance, or from a
// retry after it had ended.
type round struct {
	run    string
	number int // from 1
	start  time.Time
	end    time.Time
	state  engine.State
	reason engine.Reason
	err    *engine.Error

	// steps are those that did something in the round, in order; acts the same.
	steps []*step
	acts  map[engine.ActID]*step
	// names are those of errors that are no data, see knownNames.
	names map[string]bool
}

// step is what an activation did in a round.
type step struct {
	act, parent      engine.ActID
	name, path, kind string
	start, end       time.Time
	state            engine.State
	reason           engine.Reason
	handled          bool
	err              *engine.Error
	attempts         []attempt
	before           int  // the last round in which it did something, 0: none
	left             bool // it has no span
}

// attempt is one try in a round.
type attempt struct {
	number                int
	decided, started, end time.Time
	outcome               engine.OutcomeKind
	err                   *engine.Error
}

// folding makes the rounds of a run out of its events.
type folding struct {
	builder *history.Builder
	now     *round
	parents map[engine.ActID]engine.ActID
	byPath  map[string]engine.ActID
	seen    map[engine.ActID]int // the last round in which a step did something
}

// fold finds the round that ended at the instant, or else the last that ended;
// nil if none has.
func fold(run string, m *engine.Machine, records iter.Seq2[store.Record, error], endedAt time.Time) (*round, error) {
	f := &folding{
		builder: history.NewBuilder(run, m), parents: map[engine.ActID]engine.ActID{}, byPath: map[string]engine.ActID{},
		seen: map[engine.ActID]int{}, now: &round{run: run, acts: map[engine.ActID]*step{}, names: knownNames(m.Program())},
	}
	var ended *round
	for record, err := range records {
		var events []engine.Event
		if err == nil {
			events, err = engine.DecodeEvents(record.Control, record.Payload)
		}
		if err != nil {
			return nil, fmt.Errorf("read events of run %s: %w", run, err)
		}
		for i := range events {
			if err := f.add(&events[i]); err != nil {
				return nil, err
			}
			if events[i].Kind != engine.EvRunEnded {
				continue
			}
			// The store keeps times to the microsecond.
			if ended = f.now; ended.end.Truncate(time.Microsecond).Equal(endedAt.Truncate(time.Microsecond)) {
				return ended, nil
			}
		}
	}
	return ended, nil
}

func (f *folding) add(ev *engine.Event) error {
	over := !f.now.end.IsZero()
	changed, err := f.builder.Add(ev)
	if err != nil {
		return err
	}
	switch ev.Kind {
	case engine.EvAccepted:
		f.now.number, f.now.start = 1, ev.At
	case engine.EvRunEnded:
		v := f.builder.Run()
		f.now.end, f.now.state, f.now.reason, f.now.err = ev.At, v.State, v.Reason, v.Error
	case engine.EvRetryAsked:
		if over {
			f.now = &round{run: f.now.run, number: f.now.number + 1, start: ev.At, acts: map[engine.ActID]*step{}, names: f.now.names}
		}
	default:
		for _, s := range changed {
			if s.Act != 0 {
				f.change(s, ev)
			}
		}
	}
	return nil
}

// change takes in what happened to a step.
func (f *folding) change(v *history.Step, ev *engine.Event) {
	if ev.Kind == engine.EvEntered {
		f.parents[v.Act] = f.byPath[v.Parent]
		f.byPath[v.Path] = v.Act
	}
	s := f.now.acts[v.Act]
	if s == nil {
		s = &step{
			act: v.Act, parent: f.parents[v.Act], name: cmp.Or(v.Name, v.Kind, "step"), path: v.Path, kind: v.Kind,
			start: ev.At, before: f.seen[v.Act],
		}
		f.now.acts[v.Act], f.seen[v.Act] = s, f.now.number
		f.now.steps = append(f.now.steps, s)
	}
	s.state, s.reason = v.State, v.Reason
	if ev.Error != nil && (ev.Kind == engine.EvAttemptEnded || ev.Error.Engine != "") {
		f.now.names[ev.Error.Name] = true
	}
	switch ev.Kind {
	case engine.EvAttempt:
		s.attempts = append(s.attempts, attempt{number: ev.Attempt, decided: ev.At})
	case engine.EvAttemptEnded:
		for i := range s.attempts {
			if a := &s.attempts[i]; a.number == ev.Attempt {
				a.started, a.end, a.outcome, a.err = ev.StartedAt, ev.EndedAt, ev.Outcome, ev.Error
				if a.end.IsZero() {
					a.end = ev.At
				}
			}
		}
	case engine.EvEnded:
		s.end, s.handled, s.err = ev.At, v.Handled, v.Error
	case engine.EvReopened:
		s.end, s.handled, s.err = time.Time{}, false, nil
	default:
	}
}

// knownNames are names of errors that stand in the program, as they are. Others
// that are no data of users come from the engine, executors and connectors.
func knownNames(p *workflow.Program) map[string]bool {
	names := map[string]bool{engine.ErrFailed: true}
	for i := range p.Errors {
		names[p.Errors[i].Name] = true
	}
	raised := func(r *workflow.Raise) {
		if r != nil && r.Name != nil && !r.Name.Const.IsUndefined() {
			names[r.Name.Const.Text()] = true
		}
	}
	for i := range p.Bodies {
		for j := range p.Bodies[i].Nodes {
			n := &p.Bodies[i].Nodes[j]
			raised(n.Raise)
			if n.Exit != nil {
				raised(n.Exit.Error)
			}
		}
	}
	return names
}
