package calendar

import (
	"iter"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// Cron is a parsed cron expression of five fields: minute, hour, day of the
// month, the month, day of the week. It is immutable; the zero Cron has no
// ticks.
//
// Where both days are restricted, one of them is enough; where one of them is
// written with a star (also */2), both must hold. That is how Vixie's cron
// reads them.
//
// # Daylight saving
//
// An expression is fixed if neither its minute nor its hour is written with a
// star: it names times of day (0 1 * * *, 30 1-3 * * *). Each of them comes
// exactly once on each of its days: when the clock shows it first, and when the
// clock skips it, later by what is skipped (02:30 becomes 03:30). Where two
// times of day come to the same instant that way, they are one tick.
//
// Any other expression (30 * * * *, */5 2 * * *) follows elapsed time: it ticks
// whenever the clock shows one of its times, so twice when the clock shows it
// twice, and not at all when the clock skips it.
type Cron struct {
	text string
	// Sets of numbers: bit n stands for n.
	minutes, hours, days, months, weekdays uint64
	either                                 bool // a day that is in days or in weekdays is enough
	fixed                                  bool
}

// Tick is a moment at which a schedule fires.
type Tick struct {
	// Nominal is the local time that the tick is for, 2006-01-02T15:04; a time
	// that the clock shows for the second time ends in ~2. No two ticks of one
	// schedule in one zone have the same. A time that the clock skips stands
	// here as it was asked for.
	Nominal string `json:"nominal"`
	// At is the instant, in the zone of the schedule.
	At time.Time `json:"at"`
}

// nominalLayout is the form of Tick.Nominal.
const nominalLayout = "2006-01-02T15:04"

// MaxAhead is how far ahead a tick is looked for.
const MaxAhead = 100 * 366 * 24 * time.Hour

// String returns the expression as it was written.
func (c Cron) String() string { return c.text }

// Fixed reports whether the expression names times of day, see [Cron].
func (c Cron) Fixed() bool { return c.fixed }

// Next returns the first tick after the instant. A nil zone is UTC. It reports
// false when there is none within [MaxAhead], or before the year 10000.
func (c Cron) Next(after time.Time, zone *time.Location) (Tick, bool) {
	return c.next(after, zone, Calendar{})
}

// Between gives the ticks after the one instant up to and including the other,
// in order.
func (c Cron) Between(after, until time.Time, zone *time.Location) iter.Seq[Tick] {
	return Timetable{Crons: []Cron{c}, Zone: zone}.Between(after, until)
}

// Timetable is when a schedule fires: at the ticks of all of its expressions
// that are for a day of the calendar. Ticks of one instant are one tick.
type Timetable struct {
	Crons []Cron
	Zone  *time.Location // nil: UTC
	Days  Calendar       // the zero value: every day
}

// Next returns the first tick after the instant, as [Cron.Next] does.
func (t Timetable) Next(after time.Time) (Tick, bool) {
	var first Tick
	found := false
	for _, c := range t.Crons {
		tick, ok := c.next(after, t.Zone, t.Days)
		switch {
		case !ok:
		case !found || tick.At.Before(first.At):
			first, found = tick, true
		case tick.At.Equal(first.At) && tick.shown():
			// Of a time that the clock shows and one that was moved there, the
			// first names the tick, whatever the order of the expressions.
			first = tick
		}
	}
	return first, found
}

// shown reports whether the tick comes when the clock shows its nominal time.
func (t Tick) shown() bool { return strings.HasPrefix(t.Nominal, t.At.Format(nominalLayout)) }

// Between gives the ticks after the one instant up to and including the other,
// in order.
func (t Timetable) Between(after, until time.Time) iter.Seq[Tick] {
	return func(yield func(Tick) bool) {
		for {
			tick, ok := t.Next(after)
			if !ok || tick.At.After(until) || !yield(tick) {
				return
			}
			after = tick.At
		}
	}
}

// Seconds, in which local times and instants are counted here. A local time is
// the Unix time at which UTC shows it.
const (
	minute = 60
	day    = 24 * 60 * minute
	// maxShift bounds the difference between two offsets of one zone.
	maxShift = 26 * 60 * minute
)

// The years that dates can have, as local times.
const (
	firstSecond = -62_135_596_800 // 0001-01-01T00:00
	lastSecond  = 253_402_300_799 // 9999-12-31T23:59:59
)

// period is a stretch of time in which the offset of a zone stays the same; the
// one before it may have the same offset too.
type period struct {
	start, end int64 // instants; the end does not belong to it
	offset     int64
}

func periodAt(instant int64, zone *time.Location) period {
	t := time.Unix(instant, 0).In(zone)
	_, offset := t.Zone()
	// Beyond the first and last change, far enough that no sum overflows.
	p := period{start: firstSecond - day, end: lastSecond + day, offset: int64(offset)}
	start, end := t.ZoneBounds()
	if !start.IsZero() {
		p.start = max(start.Unix(), p.start)
	}
	if !end.IsZero() {
		p.end = min(end.Unix(), p.end)
	}
	if p.end <= instant {
		// Past the zone's table package time counts 365 days to a year, so that
		// a period seems to have ended before the last day of a leap year. That
		// day then is a period by itself.
		p.start = floor(instant, day)
		p.end = p.start + day
	}
	return p
}

// floor is the greatest multiple of unit that is not above n.
func floor(n, unit int64) int64 {
	if rest := n % unit; rest < 0 {
		return n - rest - unit
	}
	return n - n%unit
}

// isFirst reports whether the zone has no period before this one.
func (p period) isFirst() bool { return p.start <= firstSecond-day }

// next is [Cron.Next] on days of the calendar.
func (c Cron) next(after time.Time, zone *time.Location, days Calendar) (Tick, bool) {
	if zone == nil {
		zone = time.UTC
	}
	from := max(after.Unix()+1, firstSecond)
	end := min(from+int64(MaxAhead/time.Second), lastSecond)
	for from < end {
		p := periodAt(from, zone)
		if tick, ok := c.within(p, from, min(p.end, end), zone, days); ok {
			return tick, true
		}
		from = p.end
	}
	return Tick{}, false
}

// within finds the first tick at an instant of [from, to), which lies in the period.
func (c Cron) within(p period, from, to int64, zone *time.Location, days Calendar) (Tick, bool) {
	at, nominal, again := to, int64(0), 0
	local := from + p.offset
	for {
		var ok bool
		if local, ok = c.match(local, to+p.offset, days); !ok {
			break
		}
		before := 0
		if local-p.offset < p.start+maxShift { // else only this period can show it
			before = len(shownAt(local, zone, p.start))
		}
		if before == 0 || !c.fixed {
			at, nominal, again = local-p.offset, local, before
			break
		}
		local += minute
	}
	if c.fixed {
		// Times that were skipped not long ago and are made up for now. One that
		// is shown at the same instant goes first.
		if skipped, moved, ok := c.moved(p, from, at, zone, days); ok {
			at, nominal, again = moved, skipped, 0
		}
	}
	if at >= to {
		return Tick{}, false
	}
	tick := Tick{Nominal: time.Unix(nominal, 0).UTC().Format(nominalLayout), At: time.Unix(at, 0).In(zone)}
	if again > 0 {
		tick.Nominal += "~" + strconv.Itoa(again+1)
	}
	return tick, true
}

// moved finds the first instant of [from, at) to which a local time is moved
// that the zone never shows. It walks back over the gaps that can reach so far.
func (c Cron) moved(p period, from, at int64, zone *time.Location, days Calendar) (local, moved int64, found bool) {
	for !p.isFirst() && p.start+maxShift > from {
		before := periodAt(p.start-1, zone)
		gapEnd := p.start + p.offset
		for skipped := max(p.start, from) + before.offset; ; skipped += minute {
			var ok bool
			if skipped, ok = c.match(skipped, min(gapEnd, at+before.offset), days); !ok {
				break
			}
			if len(shownAt(skipped, zone, lastSecond)) == 0 {
				at = skipped - before.offset
				local, moved, found = skipped, at, true
				break
			}
		}
		p = before
	}
	return local, moved, found
}

// shownAt lists the instants before end at which the clock of the zone shows
// the local time, in order.
func shownAt(local int64, zone *time.Location, end int64) []int64 {
	var out []int64
	for at := local - maxShift; at < min(local+maxShift, end); {
		p := periodAt(at, zone)
		if shown := local - p.offset; shown >= p.start && shown < min(p.end, end) {
			out = append(out, shown)
		}
		at = p.end
	}
	return out
}

// match finds the first local time of the expression in [from, to).
func (c Cron) match(from, to int64, days Calendar) (int64, bool) {
	from = max(from, firstSecond)
	start := floor(from, day)
	first := int((from - start + minute - 1) / minute) // minute of the day
	for start < min(to, lastSecond) {
		date := DateOf(time.Unix(start, 0).UTC())
		if !has(c.months, int(date.Month)) {
			start, first = time.Date(date.Year, date.Month+1, 1, 0, 0, 0, 0, time.UTC).Unix(), 0
			continue
		}
		if c.onDay(date) && days.Contains(date) {
			if m, ok := c.timeOfDay(first); ok {
				local := start + int64(m)*minute
				return local, local < to
			}
		}
		start, first = start+day, 0
	}
	return 0, false
}

// onDay reports whether the expression has the day, whose month it has.
func (c Cron) onDay(d Date) bool {
	ofMonth, ofWeek := has(c.days, d.Day), has(c.weekdays, int(d.Weekday()))
	if c.either {
		return ofMonth || ofWeek
	}
	return ofMonth && ofWeek
}

// timeOfDay finds the first minute of the day that is not before from.
func (c Cron) timeOfDay(from int) (int, bool) {
	hour, ok := nextBit(c.hours, from/60)
	if !ok {
		return 0, false
	}
	at := 0
	if hour == from/60 {
		at = from % 60
	}
	if m, ok := nextBit(c.minutes, at); ok {
		return hour*60 + m, true
	}
	if hour, ok = nextBit(c.hours, hour+1); !ok {
		return 0, false
	}
	m, ok := nextBit(c.minutes, 0)
	return hour*60 + m, ok
}

func has(set uint64, n int) bool { return set>>n&1 == 1 }

// nextBit finds the first member of the set from n on.
func nextBit(set uint64, n int) (int, bool) {
	if rest := set >> n << n; rest != 0 {
		return bits.TrailingZeros64(rest), true
	}
	return 0, false
}
