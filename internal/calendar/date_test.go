package calendar_test

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/regie-dev/regie/internal/calendar"
)

func TestParseDate(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"2026-03-06", "0001-01-01", "9999-12-31", "2024-02-29"} {
		d, err := calendar.ParseDate(good)
		if err != nil || d.String() != good || !d.IsValid() {
			t.Errorf("%s: %s, %v", good, d, err)
		}
	}
	for _, bad := range []string{"", "2026-3-6", "2026-02-29", "0000-01-01", "20260306", "2026-03-06T00:00:00Z", " 2026-03-06", "10000-01-01"} {
		if d, err := calendar.ParseDate(bad); err == nil {
			t.Errorf("%q was read as %s", bad, d)
		}
	}
	if (calendar.Date{}).IsValid() || (calendar.Date{Year: 2026, Month: 2, Day: 29}).IsValid() {
		t.Error("a day that does not exist counts as valid")
	}
}

func TestParseTimeOfDay(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]calendar.TimeOfDay{"00:00": 0, "06:30": 390, "23:59": 1439} {
		got, err := calendar.ParseTimeOfDay(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, bad := range []string{"", "24:00", "6:30", "06:60", "06:30:00", "6"} {
		if got, err := calendar.ParseTimeOfDay(bad); err == nil {
			t.Errorf("%q was read as %s", bad, got)
		}
	}
}

func TestDateText(t *testing.T) {
	t.Parallel()
	type row struct {
		Day calendar.Date `json:"day"`
	}
	for _, text := range []string{`{"day":"2026-03-06"}`, `{"day":""}`} {
		var r row
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Fatal(err)
		}
		if back, err := json.Marshal(r); err != nil || string(back) != text {
			t.Errorf("%s became %s, %v", text, back, err)
		}
	}
	var r row
	if err := json.Unmarshal([]byte(`{"day":"6 March"}`), &r); err == nil {
		t.Error("a date in words was read")
	}
}

func TestAddMonths(t *testing.T) {
	t.Parallel()
	tests := []struct {
		from string
		n    int
		want string
	}{
		{"2026-01-31", 1, "2026-02-28"},
		{"2024-01-31", 1, "2024-02-29"},
		{"2026-03-31", -1, "2026-02-28"},
		{"2026-12-15", 1, "2027-01-15"},
		{"2026-01-15", -1, "2025-12-15"},
		{"2024-02-29", 12, "2025-02-28"},
		{"2026-05-31", -25, "2024-04-30"},
	}
	for _, test := range tests {
		if got := date(t, test.from).AddMonths(test.n).String(); got != test.want {
			t.Errorf("%s and %d months = %s, want %s", test.from, test.n, got, test.want)
		}
	}
}

func TestAt(t *testing.T) {
	t.Parallel()
	tests := []struct{ zone, day, clock, want string }{
		{"UTC", "2026-03-06", "06:30", "2026-03-06T06:30:00Z"},
		{"Europe/Amsterdam", "2026-03-06", "06:30", "2026-03-06T06:30:00+01:00"},
		{"Europe/Amsterdam", "2026-03-29", "02:30", "2026-03-29T03:30:00+02:00"}, // skipped
		{"Europe/Amsterdam", "2026-03-29", "03:00", "2026-03-29T03:00:00+02:00"},
		{"Europe/Amsterdam", "2026-10-25", "02:30", "2026-10-25T02:30:00+02:00"}, // shown twice
		{"Europe/Amsterdam", "2026-10-25", "03:00", "2026-10-25T03:00:00+01:00"},
		{"America/New_York", "2026-03-08", "02:15", "2026-03-08T03:15:00-04:00"},
		{"Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-04T02:45:00+11:00"}, // by half an hour
		{"America/Sao_Paulo", "2018-11-04", "00:00", "2018-11-04T01:00:00-02:00"},   // midnight skipped
		{"Pacific/Apia", "2011-12-30", "12:00", "2011-12-31T12:00:00+14:00"},        // a day skipped
	}
	for _, test := range tests {
		clock, err := calendar.ParseTimeOfDay(test.clock)
		if err != nil {
			t.Fatal(err)
		}
		if got := date(t, test.day).At(clock, zone(t, test.zone)).Format(time.RFC3339); got != test.want {
			t.Errorf("%s %s %s = %s, want %s", test.zone, test.day, test.clock, got, test.want)
		}
	}
	if got := date(t, "2026-03-06").At(0, nil); !got.Equal(time.Date(2026, 3, 6, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("without zone: %s", got)
	}
}

// Invariants: days count like time.Time does in UTC, order agrees with the
// count, and text survives.
func TestDateProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := calendar.Date{Year: 2000, Month: 1, Day: 1}.AddDays(rapid.IntRange(-700_000, 2_900_000).Draw(t, "day"))
		n := rapid.IntRange(-30_000, 30_000).Draw(t, "n")
		e := d.AddDays(n)
		if got := d.DaysUntil(e); got != n {
			t.Fatalf("%s to %s is %d days, want %d", d, e, got, n)
		}
		if got := d.Compare(e); got != -sign(n) {
			t.Fatalf("%s compared with %s is %d", d, e, got)
		}
		if back, err := calendar.ParseDate(d.String()); err != nil || back != d {
			t.Fatalf("%s was read as %s, %v", d, back, err)
		}
	})
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}
