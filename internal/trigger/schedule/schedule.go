package schedule

import (
	"fmt"
	"time"

	"github.com/regie-dev/regie/internal/calendar"
	"github.com/regie-dev/regie/internal/duration"
	"github.com/regie-dev/regie/internal/workflow"
)

// Key names a schedule over all versions of its workflow.
type Key struct {
	Namespace string
	Workflow  string
	ID        string
}

// String is namespace/workflow/id.
func (k Key) String() string { return k.Namespace + "/" + k.Workflow + "/" + k.ID }

// Schedule is one schedule as it is in force.
type Schedule struct {
	Key   Key
	Times calendar.Timetable
	// CatchUp says which late ticks start runs; those that are later than
	// Window, if it is not zero, never do.
	CatchUp workflow.CatchUpPolicy
	Window  time.Duration
	Overlap workflow.Overlap
	Paused  bool
	// Since is when the schedule was first applied, last resumed, or its times
	// were last changed: only ticks after it count. So a new version of a
	// workflow changes nothing, and times that nobody had asked for before are
	// not caught up.
	Since time.Time
	// Inputs is what runs are called with, a constant object; nil: nothing.
	Inputs *workflow.Data
	// BusinessDate and Zone, those of the workflow, say for which date a run is.
	BusinessDate *workflow.BusinessDate
	Zone         string
}

// Zones are time zones by name, so that schedules share them: one takes many
// kilobytes. Not safe for concurrent use.
type Zones map[string]*time.Location

func (z Zones) load(name string) (*time.Location, error) {
	if zone, ok := z[name]; ok {
		return zone, nil
	}
	zone, err := time.LoadLocation(name)
	if err == nil && z != nil {
		z[name] = zone
	}
	return zone, err
}

// Of returns the schedules of a program, in force since the instant. Whoever
// keeps when they were applied and resumed, and what is paused by hand, sets
// Since and Paused. An error lies in the program, or in what this Regie and this
// machine know of calendars and time zones.
func Of(p *workflow.Program, since time.Time, zones Zones) ([]Schedule, error) {
	var out []Schedule
	for _, t := range p.Triggers {
		if t.Schedule == nil {
			continue
		}
		s, err := compile(t.Schedule, zones)
		if err != nil {
			return nil, fmt.Errorf("read schedule %s of workflow %s: %w", t.Schedule.ID, p.Name, err)
		}
		s.Key = Key{Namespace: p.Namespace, Workflow: p.Name, ID: t.Schedule.ID}
		s.Since, s.BusinessDate, s.Zone = since, p.BusinessDate, p.Zone
		out = append(out, *s)
	}
	return out, nil
}

func compile(t *workflow.Schedule, zones Zones) (*Schedule, error) {
	s := &Schedule{CatchUp: t.CatchUp.Policy, Overlap: t.Overlap, Paused: t.Paused, Inputs: t.Inputs}
	for _, text := range t.Cron {
		cron, err := calendar.ParseCron(text)
		if err != nil {
			return nil, err
		}
		s.Times.Crons = append(s.Times.Crons, cron)
	}
	var err error
	if s.Times.Zone, err = zones.load(t.Zone); err != nil {
		return nil, err
	}
	if t.Calendar != "" {
		var known bool
		if s.Times.Days, known = calendar.Builtin(t.Calendar); !known {
			return nil, fmt.Errorf("there is no calendar %q", t.Calendar)
		}
	}
	if t.CatchUp.Window != "" {
		if s.Window, err = duration.Parse(t.CatchUp.Window); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// TickKey is the idempotency key of the run of a tick, within the namespace.
// The zone belongs to it: the same local time elsewhere is another tick.
func (s *Schedule) TickKey(tick calendar.Tick) string {
	zone := "UTC"
	if s.Times.Zone != nil {
		zone = s.Times.Zone.String()
	}
	return fmt.Sprintf("schedule/%s/%s/%s[%s]", s.Key.Workflow, s.Key.ID, tick.Nominal, zone)
}
