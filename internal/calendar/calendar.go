package calendar

import (
	"fmt"
	"time"
)

// Bounds of the search for days.
const (
	MaxOffset = 10_000 // days of a calendar that Add moves, either way
	maxGap    = 3_660  // days in a row, about ten years, that a calendar may leave out
)

// Calendar is a set of dates. It is immutable and safe for concurrent use. The
// zero Calendar has every day.
type Calendar struct {
	name     string
	contains func(Date) bool
}

// New returns the calendar of the dates for which contains holds. The function
// must give the same answer each time and is called concurrently.
func New(name string, contains func(Date) bool) Calendar {
	return Calendar{name: name, contains: contains}
}

// Names of the built-in calendars.
const (
	EveryDay = "every-day"
	Weekdays = "weekdays"
)

// BuiltinNames lists the built-in calendars.
func BuiltinNames() []string { return []string{EveryDay, Weekdays} }

// Builtin returns the built-in calendar with the name, if there is one.
func Builtin(name string) (Calendar, bool) {
	switch name {
	case EveryDay:
		return Calendar{name: name}, true
	case Weekdays:
		return New(name, func(d Date) bool {
			day := d.Weekday()
			return day != time.Saturday && day != time.Sunday
		}), true
	}
	return Calendar{}, false
}

// Name is the name of the calendar.
func (c Calendar) Name() string {
	if c.name == "" {
		return EveryDay
	}
	return c.name
}

// Contains reports whether d is a day of the calendar.
func (c Calendar) Contains(d Date) bool { return c.contains == nil || c.contains(d) }

// Next returns the first day of the calendar after d.
func (c Calendar) Next(d Date) (Date, error) { return c.seek(d, 1) }

// Prev returns the last day of the calendar before d.
func (c Calendar) Prev(d Date) (Date, error) { return c.seek(d, -1) }

// seek walks from d, without d itself, to a day of the calendar.
func (c Calendar) seek(d Date, step int) (Date, error) {
	at := d
	for range maxGap {
		at = at.AddDays(step)
		if at.Year < MinYear || at.Year > MaxYear {
			return Date{}, fmt.Errorf("calendar %s leaves the years %d to %d", c.Name(), MinYear, MaxYear)
		}
		if c.Contains(at) {
			return at, nil
		}
	}
	return Date{}, fmt.Errorf("calendar %s has no day within %d days of %s", c.Name(), maxGap, d)
}

// Add returns the n-th day of the calendar after d, or before d if n is
// negative; d itself need not be one. Add(d, 0) is d if it is a day of the
// calendar, else the last one before it: a Saturday belongs to the Friday
// before. n lies between -[MaxOffset] and MaxOffset.
func (c Calendar) Add(d Date, n int) (Date, error) {
	if n < -MaxOffset || n > MaxOffset {
		return Date{}, fmt.Errorf("an offset of %d days is beyond %d", n, MaxOffset)
	}
	step := 1
	switch {
	case n == 0 && c.Contains(d):
		return d, nil
	case n == 0:
		return c.Prev(d)
	case n < 0:
		step, n = -1, -n
	}
	var err error
	for range n {
		if d, err = c.seek(d, step); err != nil {
			return Date{}, err
		}
	}
	return d, nil
}
