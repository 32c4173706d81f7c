package calendar

import (
	"cmp"
	"fmt"
	"time"
)

// Date is a day of the Gregorian calendar, without zone. It is comparable; the
// zero Date is no date.
type Date struct {
	Year  int // 1 to 9999
	Month time.Month
	Day   int
}

// Years that a Date can have, as in RFC 3339.
const (
	MinYear = 1
	MaxYear = 9999
)

const dateLayout = "2006-01-02"

// ParseDate reads a date written as 2006-01-02.
func ParseDate(text string) (Date, error) {
	t, err := time.Parse(dateLayout, text)
	if err != nil || t.Year() < MinYear {
		return Date{}, fmt.Errorf("%q is not a date; write it as 2006-01-02", text)
	}
	return DateOf(t), nil
}

// DateOf returns the date of t in the zone of t.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date{y, m, d}
}

// String returns the date as 2006-01-02.
func (d Date) String() string {
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, int(d.Month), d.Day)
}

// MarshalText writes the date as 2006-01-02 and the zero Date as nothing.
func (d Date) MarshalText() ([]byte, error) {
	if d.IsZero() {
		return nil, nil
	}
	return []byte(d.String()), nil
}

// UnmarshalText reads what MarshalText writes.
func (d *Date) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*d = Date{}
		return nil
	}
	parsed, err := ParseDate(string(text))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}

// IsZero reports whether d is no date.
func (d Date) IsZero() bool { return d == Date{} }

// IsValid reports whether d is a day that exists, between the years 1 and 9999.
func (d Date) IsValid() bool {
	return d.Year >= MinYear && d.Year <= MaxYear && DateOf(d.utc()) == d
}

// utc is the midnight that begins d in UTC, the form in which dates are counted.
func (d Date) utc() time.Time { return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC) }

// Compare returns -1, 0 or 1 as d lies before, on or after other.
func (d Date) Compare(other Date) int {
	return cmp.Or(cmp.Compare(d.Year, other.Year), cmp.Compare(d.Month, other.Month), cmp.Compare(d.Day, other.Day))
}

// Weekday returns the day of the week.
func (d Date) Weekday() time.Weekday { return d.utc().Weekday() }

// ISOWeek returns the week of ISO 8601 and the year that it belongs to.
func (d Date) ISOWeek() (year, week int) { return d.utc().ISOWeek() }

// YearDay returns the day of the year, from 1.
func (d Date) YearDay() int { return d.utc().YearDay() }

// AddDays returns the date n days after d (before, if n is negative).
func (d Date) AddDays(n int) Date { return DateOf(d.utc().AddDate(0, 0, n)) }

// AddMonths returns the same day n months later (earlier, if n is negative),
// or the last day of that month where it is shorter: 31 January and one month
// is 28 or 29 February.
func (d Date) AddMonths(n int) Date {
	first := DateOf(time.Date(d.Year, d.Month+time.Month(n), 1, 0, 0, 0, 0, time.UTC))
	return Date{first.Year, first.Month, min(d.Day, first.MonthEnd().Day)}
}

// MonthEnd returns the last day of the month of d.
func (d Date) MonthEnd() Date {
	return DateOf(time.Date(d.Year, d.Month+1, 0, 0, 0, 0, 0, time.UTC))
}

// DaysUntil returns the number of days from d to other, negative if other lies
// before d.
func (d Date) DaysUntil(other Date) int {
	return int(other.utc().Sub(d.utc()) / (24 * time.Hour))
}

// At returns the instant at which the clocks of the zone show the time on d.
// A time that the zone skips on d counts from before the change (02:30 becomes
// 03:30); one that it shows twice is the first of the two. A nil zone is UTC.
func (d Date) At(clock TimeOfDay, zone *time.Location) time.Time {
	if zone == nil {
		zone = time.UTC
	}
	wall := d.utc().Add(time.Duration(clock) * time.Minute)
	_, before := wall.Add(-24 * time.Hour).In(zone).Zone()
	_, after := wall.Add(24 * time.Hour).In(zone).Zone()
	// The greater offset gives the earlier instant.
	for _, offset := range []int{max(before, after), min(before, after)} {
		t := wall.Add(-time.Duration(offset) * time.Second).In(zone)
		if _, actual := t.Zone(); actual == offset {
			return t
		}
	}
	return wall.Add(-time.Duration(before) * time.Second).In(zone)
}

// TimeOfDay is minutes since midnight, 0 to 1439.
type TimeOfDay int

// ParseTimeOfDay reads a time written as 15:04.
func ParseTimeOfDay(text string) (TimeOfDay, error) {
	t, err := time.Parse("15:04", text)
	if err != nil || len(text) != len("15:04") {
		return 0, fmt.Errorf("%q is not a time of day; write it as 15:04", text)
	}
	return TimeOfDayOf(t), nil
}

// TimeOfDayOf returns the time that the clock shows at t in the zone of t.
func TimeOfDayOf(t time.Time) TimeOfDay { return TimeOfDay(t.Hour()*60 + t.Minute()) }

// String returns the time as 15:04.
func (t TimeOfDay) String() string { return fmt.Sprintf("%02d:%02d", int(t)/60, int(t)%60) }
