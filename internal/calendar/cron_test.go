package calendar

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func zoneOf(t testing.TB, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func cronOf(t testing.TB, text string) Cron {
	t.Helper()
	c, err := ParseCron(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// lines shows ticks as "nominal -> instant", the first left out where the clock
// shows it then.
func lines(ticks []Tick) string {
	out := make([]string, len(ticks))
	for i, tick := range ticks {
		out[i] = tick.Nominal + " " + tick.At.Format("2006-01-02T15:04Z07:00")
	}
	return strings.Join(out, "\n")
}

func TestCronTicks(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, cron, zone, from, until, want string }{
		{"a fixed time in the gap moves", "30 2 * * *", "Europe/Amsterdam", "2026-03-28T00:00", "2026-03-31T00:00", `
			2026-03-28T02:30 2026-03-28T02:30+01:00
			2026-03-29T02:30 2026-03-29T03:30+02:00
			2026-03-30T02:30 2026-03-30T02:30+02:00`},
		{"a fixed time in the overlap comes once, first", "30 2 * * *", "Europe/Amsterdam", "2026-10-25T00:00", "2026-10-26T03:00", `
			2026-10-25T02:30 2026-10-25T02:30+02:00
			2026-10-26T02:30 2026-10-26T02:30+01:00`},
		{"a list and a range are fixed", "0,30 1-3 * * *", "Europe/Amsterdam", "2026-10-25T00:00", "2026-10-25T06:00", `
			2026-10-25T01:00 2026-10-25T01:00+02:00
			2026-10-25T01:30 2026-10-25T01:30+02:00
			2026-10-25T02:00 2026-10-25T02:00+02:00
			2026-10-25T02:30 2026-10-25T02:30+02:00
			2026-10-25T03:00 2026-10-25T03:00+01:00
			2026-10-25T03:30 2026-10-25T03:30+01:00`},
		{"what is moved to a time of the list is one tick", "30 2,3 * * *", "Europe/Amsterdam", "2026-03-29T00:00", "2026-03-30T00:00", `
			2026-03-29T03:30 2026-03-29T03:30+02:00`},
		{"wildcard hours come twice in the overlap", "30 * * * *", "Europe/Amsterdam", "2026-10-25T01:00", "2026-10-25T03:40", `
			2026-10-25T01:30 2026-10-25T01:30+02:00
			2026-10-25T02:30 2026-10-25T02:30+02:00
			2026-10-25T02:30~2 2026-10-25T02:30+01:00
			2026-10-25T03:30 2026-10-25T03:30+01:00`},
		{"wildcard hours have nothing in the gap", "30 * * * *", "Europe/Amsterdam", "2026-03-29T01:00", "2026-03-29T04:00", `
			2026-03-29T01:30 2026-03-29T01:30+01:00
			2026-03-29T03:30 2026-03-29T03:30+02:00`},
		{"wildcard minutes follow elapsed time", "*/20 2 * * *", "Europe/Amsterdam", "2026-10-25T00:00", "2026-10-25T06:00", `
			2026-10-25T02:00 2026-10-25T02:00+02:00
			2026-10-25T02:20 2026-10-25T02:20+02:00
			2026-10-25T02:40 2026-10-25T02:40+02:00
			2026-10-25T02:00~2 2026-10-25T02:00+01:00
			2026-10-25T02:20~2 2026-10-25T02:20+01:00
			2026-10-25T02:40~2 2026-10-25T02:40+01:00`},
		{"a gap of half an hour", "5,40 2 * * *", "Australia/Lord_Howe", "2026-10-04T00:00", "2026-10-05T00:00", `
			2026-10-04T02:05 2026-10-04T02:35+11:00
			2026-10-04T02:40 2026-10-04T02:40+11:00`},
		{"an overlap of half an hour", "40 1 * * *", "Australia/Lord_Howe", "2026-04-05T00:00", "2026-04-06T00:00", `
			2026-04-05T01:40 2026-04-05T01:40+11:00`},
		{"a day that is skipped", "0 12 * * *", "Pacific/Apia", "2011-12-29T00:00", "2012-01-01T00:00", `
			2011-12-29T12:00 2011-12-29T12:00-10:00
			2011-12-31T12:00 2011-12-31T12:00+14:00`},
		{"a date that is skipped", "0 12 30 12 *", "Pacific/Apia", "2011-01-01T00:00", "2012-12-31T00:00", `
			2011-12-30T12:00 2011-12-31T12:00+14:00
			2012-12-30T12:00 2012-12-30T12:00+14:00`},
		{"midnight in the gap", "@daily", "America/Sao_Paulo", "2018-11-03T12:00", "2018-11-05T12:00", `
			2018-11-04T00:00 2018-11-04T01:00-02:00
			2018-11-05T00:00 2018-11-05T00:00-02:00`},
		{"midnight in the gap of Beirut", "@midnight", "Asia/Beirut", "2022-03-26T12:00", "2022-03-28T12:00", `
			2022-03-27T00:00 2022-03-27T01:00+03:00
			2022-03-28T00:00 2022-03-28T00:00+03:00`},
		{"29 February", "0 0 29 FEB *", "", "2095-01-01T00:00", "2105-01-01T00:00", `
			2096-02-29T00:00 2096-02-29T00:00Z
			2104-02-29T00:00 2104-02-29T00:00Z`},
		{"either of two days", "0 0 13 * FRI", "", "2026-02-01T00:00", "2026-02-21T00:00", `
			2026-02-06T00:00 2026-02-06T00:00Z
			2026-02-13T00:00 2026-02-13T00:00Z
			2026-02-20T00:00 2026-02-20T00:00Z`},
		{"both days where one has a star", "0 0 */2 * 7", "", "2026-02-01T00:00", "2026-02-20T00:00", `
			2026-02-15T00:00 2026-02-15T00:00Z`},
		{"Sunday ends a week", "0 0 * * fri-sun", "", "2026-02-04T00:00", "2026-02-09T00:00", `
			2026-02-06T00:00 2026-02-06T00:00Z
			2026-02-07T00:00 2026-02-07T00:00Z
			2026-02-08T00:00 2026-02-08T00:00Z`},
		{"the last year", "0 0 1 1 *", "", "9998-01-01T00:00", "9999-12-31T00:00", `
			9999-01-01T00:00 9999-01-01T00:00Z`},
		{"the end of a leap year far ahead", "0 12 * * *", "Europe/Amsterdam", "2040-12-30T13:00", "2041-01-01T13:00", `
			2040-12-31T12:00 2040-12-31T12:00+01:00
			2041-01-01T12:00 2041-01-01T12:00+01:00`},
		{"before zones were regular", "0 12 * * *", "Europe/Amsterdam", "1937-06-30T00:00", "1937-07-02T00:00", `
			1937-06-30T12:00 1937-06-30T12:00+01:19
			1937-07-01T12:00 1937-07-01T12:00+01:20`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			zone := zoneOf(t, test.zone)
			from, err1 := time.ParseInLocation(nominalLayout, test.from, zone)
			until, err2 := time.ParseInLocation(nominalLayout, test.until, zone)
			if err := errors.Join(err1, err2); err != nil {
				t.Fatal(err)
			}
			got := lines(slices.Collect(cronOf(t, test.cron).Between(from, until, zone)))
			if want := strings.ReplaceAll(strings.TrimSpace(test.want), "\t", ""); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestCronEnds(t *testing.T) {
	t.Parallel()
	c := cronOf(t, "* * * * *")
	if tick, ok := c.Next(time.Date(9999, 12, 31, 23, 59, 0, 0, time.UTC), nil); ok {
		t.Errorf("a tick after the last year: %v", tick)
	}
	if tick, ok := c.Next(time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC), nil); !ok || tick.Nominal != "0001-01-01T00:00" {
		t.Errorf("the first tick of all: %v, %v", tick, ok)
	}
	if tick, ok := (Cron{}).Next(time.Unix(0, 0), nil); ok {
		t.Errorf("the zero expression ticks: %v", tick)
	}
	// A fraction of a second is after the tick.
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for after, want := range map[time.Time]time.Time{at.Add(-1): at, at: at.Add(time.Minute), at.Add(1): at.Add(time.Minute)} {
		if tick, _ := c.Next(after, nil); !tick.At.Equal(want) {
			t.Errorf("after %v: %v", after, tick.At)
		}
	}
}

// TestCronSkippedAndShown: a time that a zone skips and shows a little later, at
// a second change, comes once. No zone of this world has that, so one is made.
func TestCronSkippedAndShown(t *testing.T) {
	t.Parallel()
	change := time.Date(2030, 6, 1, 12, 0, 0, 0, time.UTC)
	number := binary.BigEndian.AppendUint32
	data := append([]byte("TZif"), make([]byte, 16)...)
	for _, count := range []uint32{0, 0, 0, 2, 3, 2} { // of changes, kinds and letters, the last three
		data = number(data, count)
	}
	data = number(data, uint32(change.Unix()))
	data = number(data, uint32(change.Add(10*time.Minute).Unix()))
	data = append(data, 1, 2)
	for _, offset := range []uint32{0, 60 * 60, 15 * 60} {
		data = append(number(data, offset), 0, 0)
	}
	zone, err := time.LoadLocationFromTZData("Made", append(data, "X\x00"...))
	if err != nil {
		t.Fatal(err)
	}
	got := lines(slices.Collect(cronOf(t, "5,45 12 * * *").Between(change.Add(-time.Hour), change.Add(2*time.Hour), zone)))
	// 12:05 was skipped and is made up for at 12:05Z; 12:45 is shown at 12:30Z.
	if want := "2030-06-01T12:05 2030-06-01T13:05+01:00\n2030-06-01T12:45 2030-06-01T12:45+00:15"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTimetable(t *testing.T) {
	t.Parallel()
	weekdays, _ := Builtin(Weekdays)
	table := Timetable{
		Crons: []Cron{cronOf(t, "30 2 * * *"), cronOf(t, "30 */3 * * *"), cronOf(t, "30 3 * * *")},
		Zone:  zoneOf(t, "Europe/Amsterdam"), Days: weekdays,
	}
	got := lines(slices.Collect(table.Between(time.Date(2026, 3, 27, 1, 30, 0, 0, time.UTC), time.Date(2026, 3, 30, 1, 0, 0, 0, time.UTC))))
	want := strings.Join([]string{
		"2026-03-27T03:30 2026-03-27T03:30+01:00", // of two expressions, and one tick
		"2026-03-27T06:30 2026-03-27T06:30+01:00",
		"2026-03-27T09:30 2026-03-27T09:30+01:00",
		"2026-03-27T12:30 2026-03-27T12:30+01:00",
		"2026-03-27T15:30 2026-03-27T15:30+01:00",
		"2026-03-27T18:30 2026-03-27T18:30+01:00",
		"2026-03-27T21:30 2026-03-27T21:30+01:00",
		"2026-03-30T00:30 2026-03-30T00:30+02:00", // not on the weekend between
		"2026-03-30T02:30 2026-03-30T02:30+02:00",
	}, "\n")
	if got = strings.Replace(got, "2026-03-27T02:30 2026-03-27T02:30+01:00\n", "", 1); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	table.Crons, table.Days = []Cron{cronOf(t, "30 2 * * *"), cronOf(t, "30 3 * * *")}, Calendar{}
	for range 2 { // whatever the order, the time that is shown names the tick
		tick, _ := table.Next(time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC))
		if tick.Nominal != "2026-03-29T03:30" {
			t.Errorf("named by %s", tick.Nominal)
		}
		slices.Reverse(table.Crons)
	}
	table.Crons, table.Days = []Cron{cronOf(t, "0 0 * * SUN")}, weekdays
	if tick, ok := table.Next(time.Unix(0, 0)); ok {
		t.Errorf("a Sunday among weekdays: %v", tick)
	}
}

func TestParseCronRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                      `character 1: the expression is empty; the fields are`,
		"* * * * * *":                           `character 1: 6 fields, the first for seconds, come later; write 5: minute, hour,`,
		"* * * * * * *":                         `character 11: it has 7 fields, 5 are allowed`,
		"60 25 * *":                             `character 10: the day of the week is missing: it has 4 of 5 fields`,
		"60 0 * * *":                            `character 1: the minute must be from 0 to 59; this is 60`,
		"0 25 * * *":                            `character 3: the hour must be from 0 to 23; this is 25`,
		"0 0 0 * *":                             `the day of the month must be from 1 to 31; this is 0`,
		"0 0 * 13 *":                            `the month must be from 1 to 12; this is 13`,
		"0 0 * * 8":                             `the day of the week must be from 0 to 7; this is 8`,
		"0 0 31 2 *":                            `it never ticks: no month among those of "2" has the day 31`,
		"30 2 31 2 *":                           `character 6: it never ticks`,
		"0 0 30,31 feb *":                       `it never ticks`,
		"0 0 31 4,6,9,11 *":                     `it never ticks`,
		"0 0 L * *":                             `character 5: "L": L, W, # and H are not available yet`,
		"0 0 15W * *":                           `not available yet`,
		"0 0 LW * *":                            `not available yet`,
		"0 0 * * 5L":                            `not available yet`,
		"0 0 * * FRI#2":                         `not available yet`,
		"H 3 * * *":                             `character 1: "H": L, W, # and H are not available yet`,
		"H(0-29)/10 * * * *":                    `not available yet`,
		"0 0 ? * *":                             `"?" is not a day of the month; write *`,
		"*/0 * * * *":                           `character 3: "0" is not a step`,
		"*/x * * * *":                           `"x" is not a step`,
		"*/ * * * *":                            `"" is not a step`,
		"*/60 * * * *":                          `the step 60 is larger than the range of the minute`,
		"5/15 * * * *":                          `the step has no range in the minute; write 5-59/15`,
		"5-1 * * * *":                           `the range 5-1 of the minute ends before it begins; write two: 5-59,0-1`,
		"0 0 * * SAT-MON":                       `the range SAT-MON of the day of the week ends before it begins`,
		"1,,2 * * * *":                          `character 3: a value is missing in the minute`,
		"-1 * * * *":                            `"" is not a minute`,
		"1.5 * * * *":                           `"1.5" is not a minute`,
		"00000 * * * *":                         `"00000" is not a minute`,
		"0 0 * FOO *":                           `"FOO" is not a month; write a number from 1 to 12 or a name such as JAN`,
		"0 0 * * MONDAY":                        `"MONDAY" is not a day of the week`,
		"é * * * *":                             `character 1: "é" is not a minute`,
		"@every 1ns":                            `character 1: intervals come with a later release`,
		"@reboot":                               `"@reboot" is not a name of a schedule`,
		"@fortnightly":                          `"@fortnightly" is not a name of a schedule`,
		"TZ=UTC 0 0 * * *":                      `a zone cannot stand in the expression; write ` + "`timezone`" + ` beside it`,
		strings.Repeat("0,", 500) + "0 * * * *": `longer than 1000 bytes`,
	} {
		_, err := ParseCron(text)
		var fault *CronError
		if !errors.As(err, &fault) {
			t.Errorf("%q: got %v", text, err)
			continue
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %s\nwant %s", text, err, want)
		}
	}
}

func TestParseCronReads(t *testing.T) {
	t.Parallel()
	for text, same := range map[string]string{
		"@Hourly":             "0 * * * *",
		"@weekly":             "0 0 * * 7",
		"@annually":           "0 0 1 JAN *",
		"  0\t0 1 * *  ":      "@monthly",
		"0 0 * jan-mar,Dec 1": "00 0 * 1,2,3,12 MON",
		"*/15 8-18/2 * * 1-5": "0,15,30,45 8,10,12,14,16,18 * * mon-fri",
	} {
		a, b := cronOf(t, text), cronOf(t, same)
		if a.String() != text {
			t.Errorf("%q: written as %q", text, a)
		}
		a.text, b.text = "", ""
		a.fixed, b.fixed = false, false // of the last pair only one is written with a star
		if a != b {
			t.Errorf("%q and %q differ: %+v, %+v", text, same, a, b)
		}
	}
	for text, want := range map[string]bool{
		"0 0 * * *": true, "0-30/10 1,2 * * *": true, "* 2 * * *": false, "0 */2 * * *": false, "5,*/20 2 * * *": false,
	} {
		if got := cronOf(t, text).Fixed(); got != want {
			t.Errorf("%q: fixed is %v", text, got)
		}
	}
}

// drawnCron is an expression with what it means, made without the parser.
type drawnCron struct {
	text   string
	sets   [5]map[int]bool
	starry [5]bool
}

func drawCron(t *rapid.T) drawnCron {
	var c drawnCron
	texts := make([]string, 5)
	for i, bounds := range [5][2]int{{0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 6}} {
		set := map[int]bool{}
		var items []string
		for range rapid.IntRange(1, 3).Draw(t, "items") {
			low := rapid.IntRange(bounds[0], bounds[1]).Draw(t, "low")
			high := rapid.IntRange(low, bounds[1]).Draw(t, "high")
			step := 1
			var item string
			switch rapid.SampledFrom([]string{"star", "every", "one", "range", "step"}).Draw(t, "form") {
			case "star":
				low, high, item, c.starry[i] = bounds[0], bounds[1], "*", true
			case "every":
				low, high, c.starry[i] = bounds[0], bounds[1], true
				step = rapid.IntRange(1, high-low).Draw(t, "step")
				item = fmt.Sprintf("*/%d", step)
			case "one":
				high, item = low, fmt.Sprint(low)
			case "range":
				item = fmt.Sprintf("%d-%d", low, high)
			default:
				if low == high {
					high, item = low, fmt.Sprint(low)
					break
				}
				step = rapid.IntRange(1, high-low).Draw(t, "step")
				item = fmt.Sprintf("%d-%d/%d", low, high, step)
			}
			items = append(items, item)
			for n := low; n <= high; n += step {
				set[n] = true
			}
		}
		c.sets[i], texts[i] = set, strings.Join(items, ",")
	}
	c.text = strings.Join(texts, " ")
	return c
}

func (c *drawnCron) matches(local time.Time) bool {
	day, weekday := c.sets[2][local.Day()], c.sets[4][int(local.Weekday())]
	onDay := day && weekday
	if !c.starry[2] && !c.starry[4] {
		onDay = day || weekday
	}
	return c.sets[0][local.Minute()] && c.sets[1][local.Hour()] && c.sets[3][int(local.Month())] && onDay
}

// brute lists the ticks after from up to until by looking at every minute. Both
// are whole minutes, as are the offsets of the zone.
func (c *drawnCron) brute(from, until time.Time, zone *time.Location) []Tick {
	shown := map[string]int{}
	moved := map[int64]Tick{}
	var out []Tick
	civil := func(t time.Time) time.Time {
		l := t.In(zone)
		return time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), 0, 0, time.UTC)
	}
	fixed := !c.starry[0] && !c.starry[1]
	// What was shown or skipped before from counts too.
	before := from.Add(-30 * time.Hour)
	last := civil(before.Add(-time.Minute))
	for at := before; !at.After(until); at = at.Add(time.Minute) {
		now := civil(at)
		for skipped := last.Add(time.Minute); fixed && skipped.Before(now); skipped = skipped.Add(time.Minute) {
			if c.matches(skipped) {
				made := at.Add(skipped.Sub(last) - time.Minute)
				moved[made.Unix()] = Tick{Nominal: skipped.Format(nominalLayout), At: made.In(zone)}
			}
		}
		last = now
		name := now.Format(nominalLayout)
		shown[name]++
		n := shown[name]
		switch {
		case c.matches(now) && (n == 1 || !fixed):
			if n > 1 {
				name += fmt.Sprintf("~%d", n)
			}
			out = append(out, Tick{Nominal: name, At: at.In(zone)})
		case moved[at.Unix()].Nominal != "":
			out = append(out, moved[at.Unix()])
		}
	}
	return slices.DeleteFunc(out, func(t Tick) bool { return !t.At.After(from) })
}

// around are instants near changes of the zones.
var around = []struct{ zone, at string }{
	{"Europe/Amsterdam", "2026-03-29T01:00:00Z"}, {"Europe/Amsterdam", "2026-10-25T01:00:00Z"},
	{"America/New_York", "2027-03-14T07:00:00Z"}, {"America/New_York", "2027-11-07T06:00:00Z"},
	{"Australia/Lord_Howe", "2026-10-03T15:30:00Z"}, {"Australia/Lord_Howe", "2026-04-04T15:00:00Z"},
	{"Pacific/Apia", "2011-12-30T10:00:00Z"}, {"Pacific/Apia", "2020-09-26T11:00:00Z"},
	{"America/Sao_Paulo", "2018-11-04T03:00:00Z"}, {"America/Sao_Paulo", "2018-02-18T02:00:00Z"},
	{"Asia/Beirut", "2022-03-26T22:00:00Z"}, {"Asia/Beirut", "2022-10-29T21:00:00Z"},
	{"Asia/Kolkata", "2026-03-29T01:00:00Z"}, {"Africa/Casablanca", "2026-02-15T02:00:00Z"},
	{"Antarctica/Troll", "2026-03-29T01:00:00Z"}, {"Pacific/Kwajalein", "1993-08-20T12:00:00Z"},
	{"UTC", "2028-02-29T00:00:00Z"}, {"Europe/Amsterdam", "2040-12-31T12:00:00Z"}, {"America/New_York", "2040-03-11T07:00:00Z"},
}

// TestCronAgainstBruteForce: an expression has exactly the ticks that looking at
// every minute finds, each after the one before, each under its own name.
func TestCronAgainstBruteForce(t *testing.T) {
	t.Parallel()
	zones := map[string]*time.Location{}
	for _, a := range around {
		zones[a.zone] = zoneOf(t, a.zone)
	}
	rapid.Check(t, func(t *rapid.T) {
		drawn := drawCron(t)
		c, err := ParseCron(drawn.text)
		if err != nil && strings.Contains(err.Error(), "never ticks") {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		spot := rapid.SampledFrom(around).Draw(t, "spot")
		zone := zones[spot.zone]
		at, err := time.Parse(time.RFC3339, spot.at)
		if err != nil {
			t.Fatal(err)
		}
		from := at.Add(-time.Duration(rapid.IntRange(0, 40*60).Draw(t, "minutes before")) * time.Minute)
		until := at.Add(time.Duration(rapid.IntRange(0, 40*60).Draw(t, "minutes after")) * time.Minute)
		got := slices.Collect(c.Between(from, until, zone))
		want := drawn.brute(from, until, zone)
		if lines(got) != lines(want) {
			t.Fatalf("%s in %s from %s to %s:\ngot\n%s\nwant\n%s", drawn.text, spot.zone, from, until, lines(got), lines(want))
		}
		names := map[string]bool{}
		for i, tick := range got {
			if names[tick.Nominal] || i > 0 && !got[i-1].At.Before(tick.At) {
				t.Fatalf("tick %d: %v after %v", i, tick, got[max(0, i-1)])
			}
			names[tick.Nominal] = true
		}
	})
}

// FuzzParseCron: whatever is written, reading it ends with an expression that
// ticks, or with an error at a place within the text.
func FuzzParseCron(f *testing.F) {
	for _, text := range []string{"30 2 * * *", "*/15 8-18/2 * JAN-MAR,12 1-5", "@daily", "0 0 29 2 1", "H(0-29) 0 L * FRI#2", "0 0 31 2 *", "é"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCron(text)
		if err != nil {
			var fault *CronError
			if !errors.As(err, &fault) || fault.Offset < 0 || fault.Offset+fault.Length > len(text) && fault.Length > 1 || fault.Offset > len(text) {
				t.Fatalf("error at no place of %q: %#v", text, err)
			}
			return
		}
		tick, ok := c.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), nil)
		if !ok {
			t.Fatalf("%q never ticks", text)
		}
		if c.Describe() == "" {
			t.Fatalf("%q has no description", text)
		}
		if again, ok := c.Next(tick.At.Add(-time.Second), nil); !ok || again != tick {
			t.Fatalf("%q: %v, then %v", text, tick, again)
		}
	})
}
