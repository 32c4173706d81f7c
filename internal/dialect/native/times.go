package native

import (
	"time"

	"github.com/regie-dev/regie/internal/calendar"
	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// times takes the zone and the business date.
func (c *compiler) times() {
	if n := c.doc.Get("timezone"); n != nil && !c.zone(n) {
		c.prog.Zone = "" // its fault is reported once
	}
	c.businessDate(c.doc.Get("business_date"))
}

// zone checks the name of a time zone, if there is one.
func (c *compiler) zone(n *yamldoc.Node) bool {
	if n == nil || n.Kind != yamldoc.String {
		return false
	}
	_, err := time.LoadLocation(n.Text)
	known := err == nil && n.Text != "Local" && n.Text != ""
	if !known {
		c.errorAt(n, codeZone, "%q is not a time zone", n.Text).WithHint("write an IANA name such as Europe/Amsterdam or UTC")
	}
	return known
}

// timeOfDay checks a time of day, if there is one.
func (c *compiler) timeOfDay(n *yamldoc.Node, field string) {
	if n == nil || n.Kind != yamldoc.String {
		return
	}
	if _, err := calendar.ParseTimeOfDay(n.Text); err != nil {
		c.errorAt(n, descriptor.CodeInvalidValue, "`%s` must be a time of day such as 06:00; this is %q", field, n.Text)
	}
}

// effectiveFrom is when the workflow comes in force where it is applied, zero if
// it does not say.
func (c *compiler) effectiveFrom() time.Time {
	e := c.doc.Entry("effective_from")
	if e == nil {
		return time.Time{}
	}
	if c.cfg.RunOnce {
		c.noEffect(e.Key, "`regie run` runs the file as it is; a server waits for the date")
	}
	if at, err := time.Parse(time.RFC3339, scalarText(e.Value)); err == nil {
		return at
	}
	date, err := calendar.ParseDate(scalarText(e.Value))
	if err != nil {
		return time.Time{} // reported with the structure
	}
	zone, err := time.LoadLocation(c.prog.Zone)
	if err != nil {
		return time.Time{}
	}
	return date.At(0, zone)
}

func (c *compiler) businessDate(n *yamldoc.Node) {
	if n == nil || n.Kind != yamldoc.Map {
		return
	}
	b := &workflow.BusinessDate{Calendar: calendar.EveryDay}
	if cal := n.Get("calendar"); cal != nil && cal.Kind == yamldoc.String {
		b.Calendar = cal.Text
		c.calendar(cal)
	}
	if offset := n.Get("offset"); offset != nil {
		i, _ := offset.Value.Int()
		b.Offset = int(i)
	}
	if starts := n.Get("day_starts"); starts != nil {
		b.DayStarts = starts.Text
		c.timeOfDay(starts, "business_date.day_starts")
	}
	c.prog.BusinessDate = b
}

// calendar checks that a calendar is there: one of the built-in ones, so far.
func (c *compiler) calendar(n *yamldoc.Node) {
	if _, builtin := calendar.Builtin(n.Text); builtin {
		return
	}
	if c.set.Object(kindCalendar, c.prog.Namespace, n.Text) != nil {
		c.notYet(n, "calendar: "+n.Text, "calendars of kind Calendar")
		return
	}
	d := c.errorAt(n, codeCalendar, "there is no calendar %q", n.Text)
	if d.Hint = diag.DidYouMean(n.Text, calendar.BuiltinNames()); d.Hint == "" {
		d.WithHint("built-in calendars are every-day and weekdays; calendars of kind Calendar are not available yet")
	}
}
