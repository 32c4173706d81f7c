package schedule

import (
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/calendar"
	"github.com/regie-dev/regie/internal/workflow"
)

// State is what is remembered durably of one schedule. The zero State is that
// of one whose ticks were never considered.
type State struct {
	// Through: every tick up to and including this instant was considered.
	Through time.Time `json:"through,omitzero"`
	// Waiting is a tick that starts once no run of the schedule is live.
	Waiting *calendar.Tick `json:"waiting,omitempty"`
	// Folding are missed ticks whose common record is being made.
	Folding *Fold `json:"folding,omitempty"`
}

// Fold is a number of ticks in a row.
type Fold struct {
	First calendar.Tick `json:"first"`
	Last  calendar.Tick `json:"last"`
	Count int           `json:"count"`
}

// Do is what a step does.
type Do string

// The kinds of steps.
const (
	DoStart  Do = "start"  // a run for the tick
	DoMiss   Do = "miss"   // record a tick, or several, as missed
	DoRecord Do = "record" // nothing but record the state
)

// Why says why a tick is missed.
type Why string

// The reasons.
const (
	WhyLate    Why = "late"    // catching up leaves it out
	WhyOverlap Why = "overlap" // a run of the schedule was live
	WhyRefused Why = "refused" // no run could be started
)

// Step is one thing to do, in order.
type Step struct {
	Do   Do
	Tick calendar.Tick
	Why  Why // of DoMiss
	// Fold are the ticks, Tick being the first, where they are several.
	Fold *Fold
	// State is to be recorded once the step is done.
	State State
}

// Plan is what to do about a schedule.
type Plan struct {
	Steps []Step
	// When there is no step: Wake is the instant at which to plan again, zero if
	// none is known; Waits says that the end of a run is a reason too.
	Wake  time.Time
	Waits bool
}

// planner makes one plan.
type planner struct {
	s     *Schedule
	state State
	live  bool
	plan  Plan
}

// Next plans what to do now about a schedule. The live argument says whether a
// run of it has not ended; it is read only unless overlapping is allowed. After
// its steps, plan again.
//
// The steps come in the order of the ticks: first those that are missed, then
// those that start, but for a tick that has waited longer.
func Next(s *Schedule, state State, now time.Time, live bool) Plan {
	if s.Paused {
		return Plan{}
	}
	p := &planner{s: s, state: state, live: live && s.Overlap != workflow.OverlapAllow}
	if fold := state.Folding; fold != nil {
		p.state.Folding, p.state.Through = nil, fold.Last.At
		p.add(Step{Do: DoMiss, Tick: fold.First, Why: WhyLate, Fold: fold})
	}
	p.waiting()
	from := p.from(now)
	// Where every tick waits its turn, the first that waits ends the search.
	turn := p.live && s.Overlap == workflow.OverlapQueue && s.CatchUp == workflow.CatchUpAll
	d := s.due(from, now, turn)
	stopped := !p.missed(d) || !p.start(d.kept)
	if len(p.plan.Steps) == 0 {
		p.plan.Waits = stopped || p.state.Waiting != nil
		if next, ok := s.Times.Next(from); ok && !stopped {
			p.plan.Wake = next.At
		}
	}
	return p.plan
}

// from is the instant after which ticks are to be considered. One that no clock
// can have shown, or none at all, becomes now.
func (p *planner) from(now time.Time) time.Time {
	limit := now.Add(MaxAhead)
	from := p.state.Through
	if since := p.s.Since; since.After(from) && !since.After(limit) {
		from = since
	}
	if from.IsZero() || from.After(limit) {
		from = now
		p.state.Through = now
		p.add(Step{Do: DoRecord})
	}
	return from
}

// add adds a step, after which the state is as it is now. It reports whether
// there is a place for another.
func (p *planner) add(step Step) bool {
	step.State = p.state
	p.plan.Steps = append(p.plan.Steps, step)
	return len(p.plan.Steps) < MaxSteps
}

// waiting starts the tick that waits, if it may. One that waited when the
// schedule was paused belongs to the pause.
func (p *planner) waiting() {
	tick := p.state.Waiting
	if tick == nil || p.live {
		return
	}
	p.state.Waiting = nil
	if tick.At.After(p.s.Since) {
		p.add(Step{Do: DoStart, Tick: *tick})
		p.started()
	}
}

// started notes that a run is live.
func (p *planner) started() { p.live = p.s.Overlap != workflow.OverlapAllow }

// missed records what starts no run because it is late. It reports whether
// there is a place for more steps.
func (p *planner) missed(d due) bool {
	for _, tick := range d.missed {
		p.state.Through = tick.At
		if !p.add(Step{Do: DoMiss, Tick: tick, Why: WhyLate}) {
			return false
		}
	}
	if d.rest == nil {
		return true
	}
	// That these ticks belong together is recorded first: after a kill there
	// may be more of them, but the record that was begun has the key of the
	// first and says how many there were.
	p.state.Folding = d.rest
	p.add(Step{Do: DoRecord})
	p.state.Folding, p.state.Through = nil, d.rest.Last.At
	return p.add(Step{Do: DoMiss, Tick: d.rest.First, Why: WhyLate, Fold: d.rest})
}

// start starts runs, as far as they may overlap. It reports whether all ticks
// were considered.
func (p *planner) start(ticks []calendar.Tick) bool {
	for _, tick := range ticks {
		step := Step{Do: DoStart, Tick: tick}
		if p.live {
			switch {
			case p.s.Overlap == workflow.OverlapQueue && p.s.CatchUp == workflow.CatchUpAll:
				return false // it waits where it is, and so do those after it
			case p.s.Overlap == workflow.OverlapQueue && p.state.Waiting == nil:
				step.Do = DoRecord
				p.state.Waiting = &tick
			default:
				step.Do, step.Why = DoMiss, WhyOverlap
			}
		}
		p.state.Through = tick.At
		if step.Do == DoStart {
			p.started()
		}
		if !p.add(step) {
			return false
		}
	}
	return true
}

// due are the ticks that have come and were not considered.
type due struct {
	missed []calendar.Tick // the first of those that start no run
	rest   *Fold           // those after them
	kept   []calendar.Tick
}

func (d *due) miss(tick calendar.Tick) {
	switch {
	case d.rest != nil:
		d.rest.Last = tick
		d.rest.Count++
	case len(d.missed) <= MaxMissed:
		d.missed = append(d.missed, tick)
	default:
		// The first keeps a record of its own: it may have started a run that
		// was not recorded any more. No other one can have.
		d.rest = &Fold{First: d.missed[1], Last: tick, Count: len(d.missed)}
		d.missed = d.missed[:1]
	}
}

// due finds the ticks after the one instant up to the other, and which of them
// start no run because they are late. Those are always the first. If asked, it
// ends with the first tick that starts one.
func (s *Schedule) due(from, now time.Time, first bool) due {
	var d due
	var late, onTime []calendar.Tick
	most := MaxCatchUp
	if s.CatchUp == workflow.CatchUpLatest {
		most = 1
	}
	count := 0
	for tick := range s.Times.Between(from, now) {
		age := now.Sub(tick.At)
		switch {
		case age <= OnTime:
			onTime = append(onTime, tick)
		case s.CatchUp == workflow.CatchUpNone || s.Window > 0 && age > s.Window:
			d.miss(tick)
		default:
			if late = append(late, tick); len(late) > most {
				d.miss(late[0])
				late = late[1:]
			}
		}
		if count++; count >= MaxCount || first && len(late)+len(onTime) > 0 {
			break
		}
	}
	if s.CatchUp == workflow.CatchUpLatest && len(onTime) > 0 || count >= MaxCount {
		for _, tick := range late {
			d.miss(tick)
		}
		late = nil
	}
	d.kept = slices.Concat(late, onTime)
	return d
}
