package calendar

import "time"

// Spec says how the business date of a run is found.
type Spec struct {
	// Calendar is the set of business days; the zero value has every day.
	Calendar Calendar
	// Offset moves the date by days of the calendar, see [Calendar.Add].
	Offset int
	// DayStarts is the time at which a day begins: a run accepted before it
	// belongs to the day before. Default 00:00.
	DayStarts TimeOfDay
}

// BusinessDate returns the date that a run accepted at the instant belongs to.
// The day and DayStarts are read in the zone; nil is UTC.
//
// With the calendar weekdays and offset -1, runs at 01:00 from Tuesday to
// Saturday have the dates Monday to Friday.
func BusinessDate(acceptedAt time.Time, zone *time.Location, spec Spec) (Date, error) {
	if zone == nil {
		zone = time.UTC
	}
	local := acceptedAt.In(zone)
	day := DateOf(local)
	if TimeOfDayOf(local) < spec.DayStarts {
		day = day.AddDays(-1)
	}
	return spec.Calendar.Add(day, spec.Offset)
}
