package cel

import (
	"fmt"
	"slices"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/regie-dev/regie/internal/calendar"
	"github.com/regie-dev/regie/internal/expr"
)

const momentKinds = "date|datetime|string"

// dateFunctions are the rows about dates and calendars. They all read datetimes
// in the zone of the environment.
func dateFunctions() []function {
	const group = "Dates"
	rows := []function{
		{group: group, name: "date.add", sigs: []string{"(date|string,int|duration|string) -> date", "(datetime|string,int|duration|string) -> datetime"}, run: dateAdd,
			literals: map[int]func(string) error{1: checkDuration},
			doc:      "The date or datetime moved by days (an integer; the time of the clock stays) or by a length of time (a duration or its text). A date moves by whole days.",
			examples: []example{{`date.add(date("2026-02-27"), 2)`, `"2026-03-01"`}, {`date.add("2026-03-06", "1w")`, `"2026-03-13"`}, {`date.add(timestamp("2026-03-06T10:00:00Z"), "-90m")`, `"2026-03-06T08:30:00Z"`}}},
		{group: group, name: "date.addMonths", sigs: []string{"(date|string,int) -> date", "(datetime|string,int) -> datetime"}, run: dateAddMonths,
			doc: "The same day so many months later, or the last day of that month where it is shorter.", examples: []example{{`date.addMonths(date("2026-01-31"), 1)`, `"2026-02-28"`}}},
		{group: group, name: "date.diff", sigs: []string{"(" + momentKinds + "," + momentKinds + ") -> int"}, run: dateDiff,
			doc: "The number of days from the first to the second, on the calendar.", examples: []example{{`date.diff(date("2026-02-27"), date("2026-03-01"))`, `2`}}},
		{group: group, name: "date.format", sigs: []string{"(" + momentKinds + ",string,string?) -> string"}, run: dateFormat,
			literals: map[int]func(string) error{1: checkLayout, 2: checkZone},
			doc:      "The date or datetime as text, by a [layout](#layouts), in the zone of the workflow or the one named.",
			examples: []example{{`date.format(date("2026-03-06"), "%d-%m-%Y")`, `"06-03-2026"`}, {`date.format(timestamp("2026-03-06T23:30:00Z"), "%Y%m%d %H:%M", "Europe/Amsterdam")`, `"20260307 00:30"`}}},
		{group: group, name: "date.parse", sigs: []string{"(string,string,string?) -> any"}, run: dateParse,
			literals: map[int]func(string) error{1: checkLayout, 2: checkZone},
			doc:      "The date that a text says by a [layout](#layouts); the datetime, if the layout has a time, in the zone of the workflow or the one named.",
			examples: []example{{`date.parse("06-03-2026", "%d-%m-%Y")`, `"2026-03-06"`}, {`date.parse("20260306 1030", "%Y%m%d %H%M")`, `"2026-03-06T10:30:00Z"`}}},
		{group: group, name: "date.at", sigs: []string{"(" + momentKinds + ",string,string?) -> datetime"}, run: dateAt,
			literals: map[int]func(string) error{1: checkTimeOfDay, 2: checkZone},
			doc:      "The instant at which the clock shows the time on the date, in the zone of the workflow or the one named.",
			examples: []example{{`date.at(date("2026-03-06"), "06:30", "Europe/Amsterdam")`, `"2026-03-06T06:30:00+01:00"`}}},
		{group: group, name: "date.startOf", sigs: []string{"(" + momentKinds + ",string) -> date"}, run: func(c *call) (ref.Val, *expr.Error) { return c.period(false) },
			literals: map[int]func(string) error{1: checkPeriod},
			doc:      "The first day of the `week` (Monday), `month`, `quarter` or `year`.", examples: []example{{`date.startOf(date("2026-03-06"), "quarter")`, `"2026-01-01"`}}},
		{group: group, name: "date.endOf", sigs: []string{"(" + momentKinds + ",string) -> date"}, run: func(c *call) (ref.Val, *expr.Error) { return c.period(true) },
			literals: map[int]func(string) error{1: checkPeriod},
			doc:      "The last day of the `week`, `month`, `quarter` or `year`.", examples: []example{{`date.endOf(date("2026-02-06"), "month")`, `"2026-02-28"`}}},
	}
	for _, part := range []struct {
		name, doc, result string
		get               func(calendar.Date) int
	}{
		{"date.weekday", "The day of the week: 1 is Monday, 7 is Sunday.", "5", func(d calendar.Date) int { return isoWeekday(d.Weekday()) }},
		{"date.day", "The day of the month, from 1.", "6", func(d calendar.Date) int { return d.Day }},
		{"date.month", "The month, from 1.", "3", func(d calendar.Date) int { return int(d.Month) }},
		{"date.year", "The year.", "2026", func(d calendar.Date) int { return d.Year }},
		{"date.week", "The week of ISO 8601.", "10", func(d calendar.Date) int { _, week := d.ISOWeek(); return week }},
	} {
		rows = append(rows, function{group: group, name: part.name, sigs: []string{"(" + momentKinds + ") -> int"}, doc: part.doc,
			examples: []example{{part.name + `(date("2026-03-06"))`, part.result}},
			run: func(c *call) (ref.Val, *expr.Error) {
				m, fault := c.moment(0)
				return types.Int(part.get(m.day)), fault
			}})
	}
	rows = append(rows, calendarFunctions()...)
	for i := range rows {
		rows[i].zoned = true
	}
	return rows
}

func calendarFunctions() []function {
	const group = "Calendars"
	return []function{
		{group: group, name: "calendar", fold: true, sigs: []string{"(string) -> calendar"}, run: calendarOf,
			doc: "The calendar with the name: `every-day` or `weekdays`.", examples: []example{{`calendar("weekdays").next(date("2026-03-06"))`, `"2026-03-09"`}}},
		{group: group, name: "add", member: true, sigs: []string{"(calendar," + momentKinds + ",int) -> date"},
			doc:      "The n-th day of the calendar after the date, or before it for a negative n. For 0 it is the date itself, or the last day of the calendar before it.",
			examples: []example{{`calendar("weekdays").add(date("2026-03-06"), 1)`, `"2026-03-09"`}, {`calendar("weekdays").add(date("2026-03-07"), -1)`, `"2026-03-06"`}},
			run: func(c *call) (ref.Val, *expr.Error) {
				n, fault := c.integer(2, 0)
				if fault != nil {
					return nil, fault
				}
				// The calendar refuses what is beyond MaxOffset.
				if fault := c.m.spend(uint64(min(max(n, -n), calendar.MaxOffset)), c.at); fault != nil {
					return nil, fault
				}
				return c.inCalendar(func(k calendar.Calendar, d calendar.Date) (calendar.Date, error) { return k.Add(d, n) })
			}},
		{group: group, name: "next", member: true, sigs: []string{"(calendar," + momentKinds + ") -> date"},
			doc: "The first day of the calendar after the date.", examples: []example{{`calendar("weekdays").next(date("2026-03-06"))`, `"2026-03-09"`}},
			run: func(c *call) (ref.Val, *expr.Error) { return c.inCalendar(calendar.Calendar.Next) }},
		{group: group, name: "prev", member: true, sigs: []string{"(calendar," + momentKinds + ") -> date"},
			doc: "The last day of the calendar before the date.", examples: []example{{`calendar("weekdays").prev(date("2026-03-09"))`, `"2026-03-06"`}},
			run: func(c *call) (ref.Val, *expr.Error) { return c.inCalendar(calendar.Calendar.Prev) }},
		{group: group, name: "contains", member: true, sigs: []string{"(calendar," + momentKinds + ") -> bool"},
			doc: "Whether the date is a day of the calendar.", examples: []example{{`calendar("weekdays").contains(date("2026-03-07"))`, `false`}},
			run: calendarContains},
	}
}

// moment is argument i as a date or datetime.
func (c *call) moment(i int) (moment, *expr.Error) {
	m, err := readMoment(c.args[i], c.m.zone)
	if err != nil {
		return moment{}, c.fail(expr.InvalidValue, "%s", err)
	}
	return m, nil
}

// zone is argument i as a zone, or the one of the evaluation.
func (c *call) zone(i int) (*time.Location, *expr.Error) {
	if i >= len(c.args) {
		return c.m.zone, nil
	}
	name, fault := c.text(i)
	if fault != nil {
		return nil, fault
	}
	zone, err := loadZone(name)
	if err != nil {
		return nil, c.fail(expr.InvalidValue, "%s", err)
	}
	return zone, nil
}

// loadZone finds a zone by its IANA name; the empty name is UTC.
func loadZone(name string) (*time.Location, error) {
	const local = "Local" // would be the zone of the machine
	zone, err := time.LoadLocation(name)
	if err != nil || name == local {
		return nil, fmt.Errorf("there is no time zone %q; use a name such as Europe/Amsterdam", name)
	}
	return zone, nil
}

func checkZone(name string) error {
	_, err := loadZone(name)
	return err
}

func checkDuration(text string) error {
	_, err := parseDuration(text)
	return err
}

func checkTimeOfDay(text string) error {
	_, err := calendar.ParseTimeOfDay(text)
	return err
}

// failDate is the error of an operation on dates.
func (c *call) failDate(err error) *expr.Error { return c.fail(codeOf(err.Error()), "%s", err) }

// maxDays bounds what dates move by; more leaves the years that exist.
const maxDays = 4_000_000

func dateAdd(c *call) (ref.Val, *expr.Error) {
	m, fault := c.moment(0)
	if fault != nil {
		return nil, fault
	}
	var out ref.Val
	var err error
	switch amount := c.args[1].(type) {
	case types.Int:
		if amount > maxDays || amount < -maxDays {
			return nil, c.fail(expr.Overflow, "date overflow: %d days", amount)
		}
		out, err = m.onDay(m.day.AddDays(int(amount)))
	case types.Duration:
		out, err = m.add(amount.Duration)
	case types.String:
		var d ref.Val
		if d, err = parseDuration(string(amount)); err == nil {
			out, err = m.add(d.(types.Duration).Duration)
		}
	default:
		return nil, c.mismatch()
	}
	if err != nil {
		return nil, c.failDate(err)
	}
	return out, nil
}

func dateAddMonths(c *call) (ref.Val, *expr.Error) {
	m, fault := c.moment(0)
	if fault != nil {
		return nil, fault
	}
	n, fault := c.integer(1, 0)
	if fault != nil {
		return nil, fault
	}
	if n > maxDays || n < -maxDays {
		return nil, c.fail(expr.Overflow, "date overflow: %d months", n)
	}
	out, err := m.onDay(m.day.AddMonths(n))
	if err != nil {
		return nil, c.failDate(err)
	}
	return out, nil
}

func dateDiff(c *call) (ref.Val, *expr.Error) {
	from, fault := c.moment(0)
	if fault != nil {
		return nil, fault
	}
	to, fault := c.moment(1)
	if fault != nil {
		return nil, fault
	}
	return types.Int(from.day.DaysUntil(to.day)), nil
}

func dateFormat(c *call) (ref.Val, *expr.Error) {
	zone, fault := c.zone(2)
	if fault != nil {
		return nil, fault
	}
	m, err := readMoment(c.args[0], zone)
	if err != nil {
		return nil, c.fail(expr.InvalidValue, "%s", err)
	}
	layout, fault := c.text(1)
	if fault != nil {
		return nil, fault
	}
	at := m.at
	if !m.isTime {
		at = m.day.At(0, time.UTC)
	}
	text, err := formatTime(at, layout)
	if err != nil {
		return nil, c.fail(expr.InvalidValue, "%s", err)
	}
	return types.String(text), nil
}

func dateParse(c *call) (ref.Val, *expr.Error) {
	text, fault := c.text(0)
	if fault != nil {
		return nil, fault
	}
	layout, fault := c.text(1)
	if fault != nil {
		return nil, fault
	}
	zone, fault := c.zone(2)
	if fault != nil {
		return nil, fault
	}
	t, onlyDate, err := parseTime(text, layout, zone)
	if err != nil {
		return nil, c.fail(expr.InvalidValue, "%s", err)
	}
	if !calendar.DateOf(t).IsValid() {
		return nil, c.fail(expr.InvalidValue, "the layout %q does not say a whole date", layout)
	}
	if onlyDate {
		return date{calendar.DateOf(t)}, nil
	}
	return types.Timestamp{Time: t}, nil
}

func dateAt(c *call) (ref.Val, *expr.Error) {
	m, fault := c.moment(0)
	if fault != nil {
		return nil, fault
	}
	text, fault := c.text(1)
	if fault != nil {
		return nil, fault
	}
	clock, err := calendar.ParseTimeOfDay(text)
	if err != nil {
		return nil, c.fail(expr.InvalidValue, "%s", err)
	}
	zone, fault := c.zone(2)
	if fault != nil {
		return nil, fault
	}
	return types.Timestamp{Time: m.day.At(clock, zone)}, nil
}

func dateOf(c *call) (ref.Val, *expr.Error) {
	m, fault := c.moment(0)
	return date{m.day}, fault
}

var periods = []string{"week", "month", "quarter", "year"}

func checkPeriod(name string) error {
	if slices.Contains(periods, name) {
		return nil
	}
	return unknownWord("period", name, periods)
}

// period is the first or last day of the period around the date.
func (c *call) period(last bool) (ref.Val, *expr.Error) {
	m, fault := c.moment(0)
	if fault != nil {
		return nil, fault
	}
	name, fault := c.text(1)
	if fault != nil {
		return nil, fault
	}
	if err := checkPeriod(name); err != nil {
		return nil, c.fail(expr.InvalidValue, "%s", err)
	}
	d := m.day
	months := map[string]int{"month": 1, "quarter": 3, "year": 12}[name]
	var first, end calendar.Date
	if months == 0 {
		first = d.AddDays(1 - isoWeekday(d.Weekday()))
		end = first.AddDays(6)
	} else {
		first = calendar.Date{Year: d.Year, Month: d.Month - (d.Month-1)%time.Month(months), Day: 1}
		end = first.AddMonths(months - 1).MonthEnd()
	}
	if last {
		first = end
	}
	if !first.IsValid() {
		return nil, c.fail(expr.Overflow, "date overflow: the %s leaves the years that exist", name)
	}
	return date{first}, nil
}

func calendarOf(c *call) (ref.Val, *expr.Error) {
	name, fault := c.text(0)
	if fault != nil {
		return nil, fault
	}
	v, err := findCalendar(name)
	if err != nil {
		return nil, c.fail(expr.InvalidValue, "%s", err)
	}
	return v, nil
}

// inCalendar moves the date of argument 1 in the calendar of argument 0.
func (c *call) inCalendar(move func(calendar.Calendar, calendar.Date) (calendar.Date, error)) (ref.Val, *expr.Error) {
	k, ok := c.args[0].(calendarVal)
	if !ok {
		return nil, c.mismatch()
	}
	m, fault := c.moment(1)
	if fault != nil {
		return nil, fault
	}
	d, err := move(k.Calendar, m.day)
	if err != nil {
		return nil, c.fail(expr.InvalidValue, "%s", err)
	}
	return date{d}, nil
}

// calendarContains is contains() on a calendar, and on a text CEL's own.
func calendarContains(c *call) (ref.Val, *expr.Error) {
	k, ok := c.args[0].(calendarVal)
	if !ok {
		return c.callNative()
	}
	m, fault := c.moment(1)
	if fault != nil {
		return nil, fault
	}
	return types.Bool(k.Contains(m.day)), nil
}
