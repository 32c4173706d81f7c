package calendar_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/regie-dev/regie/internal/calendar"
)

func date(t testing.TB, text string) calendar.Date {
	t.Helper()
	d, err := calendar.ParseDate(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func builtin(t testing.TB, name string) calendar.Calendar {
	t.Helper()
	c, ok := calendar.Builtin(name)
	if !ok {
		t.Fatalf("no calendar %q", name)
	}
	return c
}

func TestBuiltinNames(t *testing.T) {
	t.Parallel()
	for _, name := range calendar.BuiltinNames() {
		if got := builtin(t, name).Name(); got != name {
			t.Errorf("calendar %q calls itself %q", name, got)
		}
	}
	if _, ok := calendar.Builtin("nl-bank-days"); ok {
		t.Error("a calendar that is not built in was found")
	}
}

func TestAdd(t *testing.T) {
	t.Parallel()
	tests := []struct {
		calendar, from string
		n              int
		want           string
	}{
		{"every-day", "2026-03-07", 0, "2026-03-07"},
		{"every-day", "2024-02-28", 1, "2024-02-29"},
		{"every-day", "2026-01-01", -1, "2025-12-31"},
		{"weekdays", "2026-03-06", 1, "2026-03-09"}, // Friday
		{"weekdays", "2026-03-09", -1, "2026-03-06"},
		{"weekdays", "2026-03-07", -1, "2026-03-06"}, // Saturday
		{"weekdays", "2026-03-08", -1, "2026-03-06"},
		{"weekdays", "2026-03-07", 0, "2026-03-06"},
		{"weekdays", "2026-03-07", 1, "2026-03-09"},
		{"weekdays", "2026-03-09", 0, "2026-03-09"},
		{"weekdays", "2026-03-06", 5, "2026-03-13"},
		{"weekdays", "2026-03-06", -10, "2026-02-20"},
	}
	for _, test := range tests {
		got, err := builtin(t, test.calendar).Add(date(t, test.from), test.n)
		if err != nil || got.String() != test.want {
			t.Errorf("%s: %s and %d days = %s, %v; want %s", test.calendar, test.from, test.n, got, err, test.want)
		}
	}
}

func TestSearchIsBounded(t *testing.T) {
	t.Parallel()
	d := date(t, "2026-03-06")
	empty := calendar.New("never", func(calendar.Date) bool { return false })
	if _, err := empty.Next(d); err == nil {
		t.Error("a calendar without days gave a next day")
	}
	if _, err := builtin(t, "every-day").Add(d, calendar.MaxOffset+1); err == nil {
		t.Error("an offset beyond the bound was accepted")
	}
	if got, err := builtin(t, "weekdays").Add(d, -calendar.MaxOffset); err != nil || got.IsZero() {
		t.Errorf("the largest offset: %s, %v", got, err)
	}
	for _, edge := range []string{"0001-01-01", "9999-12-31"} {
		c := builtin(t, "every-day")
		_, before := c.Prev(date(t, edge))
		_, after := c.Next(date(t, edge))
		if (before == nil) == (after == nil) {
			t.Errorf("%s: exactly one side must be outside the years", edge)
		}
	}
}

// Invariant: Add and its inverse meet again on days of the calendar, and no
// day of it lies between a day and its Next.
func TestWeekdaysProperties(t *testing.T) {
	t.Parallel()
	weekdays := builtin(t, "weekdays")
	rapid.Check(t, func(t *rapid.T) {
		d := calendar.Date{Year: 2026, Month: 1, Day: 1}.AddDays(rapid.IntRange(-50_000, 50_000).Draw(t, "day"))
		n := rapid.IntRange(-300, 300).Draw(t, "n")
		start, err := weekdays.Add(d, 0)
		if err != nil {
			t.Fatal(err)
		}
		there, err := weekdays.Add(start, n)
		if err != nil {
			t.Fatal(err)
		}
		back, err := weekdays.Add(there, -n)
		if err != nil || back != start {
			t.Fatalf("%s and %d days is %s, and back is %s (%v)", start, n, there, back, err)
		}
		next, err := weekdays.Next(d)
		if err != nil || !weekdays.Contains(next) || next.Compare(d) <= 0 {
			t.Fatalf("next of %s is %s (%v)", d, next, err)
		}
		for between := d.AddDays(1); between != next; between = between.AddDays(1) {
			if weekdays.Contains(between) {
				t.Fatalf("next of %s is %s, but %s lies between", d, next, between)
			}
		}
	})
}

func TestBusinessDate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		accepted, zone, calendar, starts string
		offset                           int
		want                             string
	}{
		{"2026-03-06T23:30:00Z", "UTC", "every-day", "00:00", 0, "2026-03-06"},
		{"2026-03-06T23:30:00Z", "Europe/Amsterdam", "every-day", "00:00", 0, "2026-03-07"},
		{"2026-03-06T23:30:00Z", "Europe/Amsterdam", "weekdays", "00:00", 0, "2026-03-06"},
		{"2026-03-07T00:00:00Z", "Europe/Amsterdam", "weekdays", "00:00", -1, "2026-03-06"}, // Saturday 01:00
		{"2026-03-10T00:00:00Z", "Europe/Amsterdam", "weekdays", "00:00", -1, "2026-03-09"}, // Tuesday 01:00
		{"2026-03-10T04:59:00Z", "Europe/Amsterdam", "every-day", "06:00", 0, "2026-03-09"},
		{"2026-03-10T05:00:00Z", "Europe/Amsterdam", "every-day", "06:00", 0, "2026-03-10"},
		// The clock shows 02:30 twice on the morning of 25 October; both lie before 03:00.
		{"2026-10-25T00:30:00Z", "Europe/Amsterdam", "every-day", "03:00", 0, "2026-10-24"},
		{"2026-10-25T01:30:00Z", "Europe/Amsterdam", "every-day", "03:00", 0, "2026-10-24"},
		{"2026-10-25T02:00:00Z", "Europe/Amsterdam", "every-day", "03:00", 0, "2026-10-25"},
		{"2026-03-09T12:00:00Z", "America/Los_Angeles", "weekdays", "00:00", 3, "2026-03-12"},
	}
	for _, test := range tests {
		accepted, err := time.Parse(time.RFC3339, test.accepted)
		if err != nil {
			t.Fatal(err)
		}
		starts, err := calendar.ParseTimeOfDay(test.starts)
		if err != nil {
			t.Fatal(err)
		}
		spec := calendar.Spec{Calendar: builtin(t, test.calendar), Offset: test.offset, DayStarts: starts}
		got, err := calendar.BusinessDate(accepted, zone(t, test.zone), spec)
		if err != nil || got.String() != test.want {
			t.Errorf("%+v: got %s, %v", test, got, err)
		}
	}
}

func Example() {
	weekdays, _ := calendar.Builtin("weekdays")
	friday := calendar.Date{Year: 2026, Month: time.March, Day: 6}
	monday, err := weekdays.Next(friday)
	fmt.Println(monday, err)
	// Output: 2026-03-09 <nil>
}
