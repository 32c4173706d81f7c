package workflow_test

import (
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/calendar"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	instant, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return instant
}

func TestDateAt(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		zone string
		rule *workflow.BusinessDate
		at   string
		want string // or part of the error
	}{
		{"", nil, "2026-03-07T23:30:00Z", "2026-03-07"},
		{"Europe/Amsterdam", nil, "2026-03-07T23:30:00Z", "2026-03-08"},
		{"Europe/Amsterdam", &workflow.BusinessDate{Calendar: "weekdays", Offset: -1}, "2026-03-07T00:00:00Z", "2026-03-06"},
		{"", &workflow.BusinessDate{Calendar: "every-day", DayStarts: "06:00"}, "2026-03-07T05:59:00Z", "2026-03-06"},
		{"Nowhere", nil, "2026-03-07T05:59:00Z", "Nowhere"},
		{"", &workflow.BusinessDate{Calendar: "nl"}, "2026-03-07T05:59:00Z", `there is no calendar "nl"`},
		{"", &workflow.BusinessDate{Calendar: "weekdays", DayStarts: "6"}, "2026-03-07T05:59:00Z", `"6" is not a time of day`},
		{"", &workflow.BusinessDate{Calendar: "weekdays", Offset: 1 << 20}, "2026-03-07T05:59:00Z", "beyond"},
	} {
		p := &workflow.Program{Zone: test.zone, BusinessDate: test.rule}
		date, err := p.DateAt(at(t, test.at))
		if got := date.String(); err == nil && got != test.want || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %s, %v", test, got, err)
		}
	}
}

func TestDue(t *testing.T) {
	t.Parallel()
	text := func(s string) *workflow.Data { return workflow.Constant(value.String(s)) }
	next := 1
	same := 0
	run := workflow.RunTimes{
		BusinessDate: calendar.Date{Year: 2026, Month: 3, Day: 6}, Zone: "Europe/Amsterdam",
		Planned: at(t, "2026-03-07T00:00:00Z"), Accepted: at(t, "2026-03-07T07:00:00Z"), // an outage lay between
	}
	byHand := run
	byHand.Planned = time.Time{}
	for _, test := range []struct {
		name string
		d    workflow.Deadline
		run  workflow.RunTimes
		want string // or part of the error
	}{
		{"a duration", workflow.Deadline{From: workflow.FromEntered, At: text("1h30m")}, run, "2026-03-07T08:30:00Z"},
		{"the first such time after the tick", workflow.Deadline{From: workflow.FromDate, At: text("06:30")}, run, "2026-03-07T05:30:00Z"},
		{"the first such time after acceptance", workflow.Deadline{From: workflow.FromDate, At: text("06:30")}, byHand, "2026-03-08T05:30:00Z"},
		{"the minute itself", workflow.Deadline{From: workflow.FromDate, At: text("01:00")}, run, "2026-03-07T00:00:00Z"},
		{"the business date", workflow.Deadline{From: workflow.FromDate, At: text("06:30"), Day: &same}, run, "2026-03-06T05:30:00Z"},
		{"a day after the business date", workflow.Deadline{From: workflow.FromDate, At: text("06:30"), Day: &next}, run, "2026-03-07T05:30:00Z"},
		{"a zone of its own", workflow.Deadline{From: workflow.FromDate, At: text("06:30"), Zone: "Asia/Tokyo", Day: &next}, run, "2026-03-06T21:30:00Z"},
		{"no duration", workflow.Deadline{From: workflow.FromEntered, At: text("soon")}, run, "find the deadline"},
		{"nothing", workflow.Deadline{From: workflow.FromEntered}, run, "find the deadline"},
		{"no time", workflow.Deadline{From: workflow.FromDate, At: text("6")}, run, "not a time of day"},
		{"no zone", workflow.Deadline{From: workflow.FromDate, At: text("06:30"), Zone: "Nowhere"}, run, "Nowhere"},
		{"of a node", workflow.Deadline{From: workflow.FromAttempt, At: text("1h")}, run, `"attempt"`},
	} {
		due, err := test.d.Due(test.run)
		if got := due.UTC().Format(time.RFC3339); err == nil && got != test.want || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %s, %v", test.name, got, err)
		}
	}
}
