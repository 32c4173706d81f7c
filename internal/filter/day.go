package filter

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/calendar"
	"github.com/regie-dev/regie/internal/duration"
)

// day is a date, or one counted from today.
type day struct {
	date   calendar.Date // zero: today and offset
	offset int
}

const dayHint = "write 2006-01-02, today, today-3 or today+3"

func parseDay(text string) (day, error) {
	rest, relative := strings.CutPrefix(text, "today")
	if !relative {
		d, err := calendar.ParseDate(text)
		if err != nil {
			return day{}, fmt.Errorf("%q is not a day", text)
		}
		return day{date: d}, nil
	}
	if rest == "" {
		return day{}, nil
	}
	digits := rest[1:]
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || rest[0] != '-' && rest[0] != '+' {
		return day{}, fmt.Errorf("%q is not a day", text)
	}
	if n > MaxDays {
		return day{}, fmt.Errorf("%q lies more than %d days away", text, MaxDays)
	}
	if rest[0] == '-' {
		return day{offset: -int(n)}, nil
	}
	return day{offset: int(n)}, nil
}

func (d day) on(today calendar.Date) calendar.Date {
	if !d.date.IsZero() {
		return d.date
	}
	return today.AddDays(d.offset)
}

func (d day) String() string {
	switch {
	case !d.date.IsZero():
		return d.date.String()
	case d.offset == 0:
		return "today"
	}
	return fmt.Sprintf("today%+d", d.offset)
}

// days is a range of days, both included.
type days struct {
	from, to         day
	openFrom, openTo bool
}

const rangeSign = ".."

func parseDays(text string) (days, error) {
	from, to, isRange := strings.Cut(text, rangeSign)
	if !isRange {
		d, err := parseDay(text)
		return days{from: d, to: d}, err
	}
	r := days{openFrom: from == "", openTo: to == ""}
	if r.openFrom && r.openTo {
		return days{}, fmt.Errorf("%q has neither begin nor end", text)
	}
	var err error
	if !r.openFrom {
		if r.from, err = parseDay(from); err != nil {
			return days{}, err
		}
	}
	if !r.openTo {
		if r.to, err = parseDay(to); err != nil {
			return days{}, err
		}
	}
	// Where one end moves with today and the other does not, whether the range
	// is empty depends on the day.
	same := r.from.date.IsZero() == r.to.date.IsZero()
	if !r.openFrom && !r.openTo && same && (r.from.date.Compare(r.to.date) > 0 || r.from.offset > r.to.offset) {
		return days{}, fmt.Errorf("%q ends before it begins", text)
	}
	return r, nil
}

// bounds returns the first and the last date, the zero Date where it is open.
func (r days) bounds(today calendar.Date) (from, to calendar.Date) {
	if !r.openFrom {
		from = r.from.on(today)
	}
	if !r.openTo {
		to = r.to.on(today)
	}
	return from, to
}

func (r days) contain(d, today calendar.Date) bool {
	from, to := r.bounds(today)
	return (r.openFrom || d.Compare(from) >= 0) && (r.openTo || d.Compare(to) <= 0)
}

func (r days) String() string {
	switch {
	case r.openFrom:
		return rangeSign + r.to.String()
	case r.openTo:
		return r.from.String() + rangeSign
	case r.from == r.to:
		return r.from.String()
	}
	return r.from.String() + rangeSign + r.to.String()
}

// moment is an instant: some time ago, or a time on a day, or a day as a whole.
type moment struct {
	isAgo bool
	ago   time.Duration
	day   day
	timed bool
	clock calendar.TimeOfDay
}

const momentHint = "write a duration such as 24h, a day such as today-1, or a time such as today-1T18:00"

func parseMoment(text string) (moment, error) {
	if d, err := duration.Parse(text); err == nil {
		return moment{isAgo: true, ago: d.Round(time.Millisecond)}, nil
	}
	date, clock, timed := strings.Cut(text, "T")
	d, err := parseDay(date)
	if err != nil {
		return moment{}, fmt.Errorf("%q is no time", text)
	}
	m := moment{day: d, timed: timed}
	if timed {
		if m.clock, err = calendar.ParseTimeOfDay(clock); err != nil {
			return moment{}, fmt.Errorf("%q is no time", text)
		}
	}
	return m, nil
}

// instant is when it is; of a whole day its begin, or its end if last is set.
func (m moment) instant(c Context, last bool) time.Time {
	if m.isAgo {
		return c.Now.Add(-m.ago)
	}
	d := m.day.on(c.today())
	if last && !m.timed {
		d = d.AddDays(1)
	}
	return d.At(m.clock, c.zone())
}

func (m moment) String() string {
	switch {
	case m.isAgo:
		return duration.Format(m.ago)
	case m.timed:
		return m.day.String() + "T" + m.clock.String()
	}
	return m.day.String()
}
