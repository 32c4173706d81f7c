// Package calendar knows civil dates, times of day and calendars: which days
// count, and which day a run belongs to.
//
// A [Date] has no zone; a [Calendar] is a set of dates. [BusinessDate] says to
// which date an instant belongs, in the zone of a workflow.
//
// The package is pure and imports nothing of Regie. Zones are passed in as
// *time.Location.
//
//	weekdays, _ := calendar.Builtin("weekdays")
//	friday := calendar.Date{Year: 2026, Month: time.March, Day: 6}
//	monday, err := weekdays.Next(friday) // 2026-03-09
package calendar
