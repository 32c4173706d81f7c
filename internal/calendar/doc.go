// Package calendar knows civil dates, times of day and calendars: which days
// count, which day a run belongs to, and when a cron expression ticks.
//
// A [Date] has no zone; a [Calendar] is a set of dates. [BusinessDate] says to
// which date an instant belongs, in the zone of a workflow.
//
// A [Cron] is an expression of five fields; a [Timetable] joins several with a
// zone and the days on which they count, and gives their [Tick]s: the nominal
// local time, by which a tick is known, and the instant.
//
// The package is pure and imports nothing of Regie. Zones are passed in as
// *time.Location.
//
//	weekdays, _ := calendar.Builtin("weekdays")
//	friday := calendar.Date{Year: 2026, Month: time.March, Day: 6}
//	monday, err := weekdays.Next(friday) // 2026-03-09
//
//	cron, err := calendar.ParseCron("30 2 * * *")
//	tick, ok := cron.Next(time.Date(2026, 3, 28, 12, 0, 0, 0, amsterdam), amsterdam)
//	// tick.Nominal is 2026-03-29T02:30, which the clock skips; tick.At is 03:30+02:00
package calendar
