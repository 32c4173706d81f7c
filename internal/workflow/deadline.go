package workflow

import (
	"fmt"
	"time"

	"github.com/regie-dev/regie/internal/calendar"
	"github.com/regie-dev/regie/internal/duration"
)

// Deadline says by when something must have begun or ended. Those of a run are
// judged beside the engine, by [Deadline.Due].
type Deadline struct {
	From DeadlineFrom `json:"from"`
	// At is a duration, from an instant, or a time of day (15:04), from a date.
	At   *Data  `json:"at"`
	Zone string `json:"zone,omitempty"` // of a time of day; empty: that of the program
	// Day counts days from the business date. Nil, for a time of day, means the
	// first such time that is not before the run was planned.
	Day *int `json:"day,omitempty"`
	// Start: the latest start; else the latest end. Least: the earliest end,
	// what ends before it is suspicious.
	Start bool         `json:"start,omitempty"`
	Least bool         `json:"least,omitempty"`
	Then  DeadlineThen `json:"then"`
}

// DeadlineFrom is what a deadline counts from.
type DeadlineFrom string

// The origins. Of a run, entered is its acceptance.
const (
	FromEntered DeadlineFrom = "entered"
	FromReady   DeadlineFrom = "ready"
	FromAttempt DeadlineFrom = "attempt"
	FromDate    DeadlineFrom = "date"
)

// DeadlineThen is what follows from passing a deadline.
type DeadlineThen string

// ThenFlag shows what is late, and leaves it alone; the others end it.
const (
	ThenFlag   DeadlineThen = "flag"
	ThenFail   DeadlineThen = "fail"
	ThenSkip   DeadlineThen = "skip"
	ThenCancel DeadlineThen = "cancel"
	ThenHook   DeadlineThen = "hook"
)

// RunTimes are the facts of a run that its deadlines count from.
type RunTimes struct {
	BusinessDate calendar.Date
	// Planned is when the run should have been accepted: the instant of the
	// tick that started it. Zero: when it was accepted.
	Planned  time.Time
	Accepted time.Time
	Zone     string // of the program
}

// Due is the instant of a deadline of a run. At must be constant.
func (d *Deadline) Due(run RunTimes) (time.Time, error) {
	text := ""
	if d.At != nil {
		text, _ = d.At.Const.Str()
	}
	switch d.From {
	case FromEntered:
		after, err := duration.Parse(text)
		if err != nil {
			return time.Time{}, fmt.Errorf("find the deadline: %w", err)
		}
		return run.Accepted.Add(after), nil
	case FromDate:
		return d.dueOnDate(text, run)
	case FromReady, FromAttempt: // of a node
	}
	return time.Time{}, fmt.Errorf("find the deadline: one from %q is none of a run", d.From)
}

// dueOnDate is the instant of a deadline that is a time of day.
func (d *Deadline) dueOnDate(text string, run RunTimes) (time.Time, error) {
	clock, err := calendar.ParseTimeOfDay(text)
	if err != nil {
		return time.Time{}, fmt.Errorf("find the deadline: %w", err)
	}
	name := d.Zone
	if name == "" {
		name = run.Zone
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return time.Time{}, fmt.Errorf("find the deadline: %w", err)
	}
	if d.Day != nil {
		return run.BusinessDate.AddDays(*d.Day).At(clock, zone), nil
	}
	planned := run.Planned
	if planned.IsZero() {
		planned = run.Accepted
	}
	day := calendar.DateOf(planned.In(zone))
	due := day.At(clock, zone)
	if due.Before(planned) {
		due = day.AddDays(1).At(clock, zone)
	}
	return due, nil
}
