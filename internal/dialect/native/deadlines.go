package native

import (
	"time"

	"github.com/regie-dev/regie/internal/duration"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// deadlines compiles `deadline`: what a server watches runs by.
func (c *compiler) deadlines() {
	e := c.doc.Entry("deadline")
	if e == nil {
		return
	}
	if c.cfg.RunOnce {
		c.noEffect(e.Key, "`regie run` does not watch deadlines; a server does")
	}
	c.deadlineTime(e.Value, "start_by", true)
	c.deadlineTime(e.Value, "finish_by", false)
	most := c.deadlineDuration(e.Value, "at_most", false)
	least := c.deadlineDuration(e.Value, "at_least", true)
	if most > 0 && least > most {
		c.errorAt(e.Value.Get("at_least"), codeDeadline, "`at_least` is longer than `at_most`: every run would break one of them")
	}
}

// deadlineTime compiles a time of day.
func (c *compiler) deadlineTime(n *yamldoc.Node, field string, start bool) {
	at := n.Get(field)
	if at == nil {
		return
	}
	d := workflow.Deadline{From: workflow.FromDate, Start: start, Then: workflow.ThenFlag}
	if at.Kind == yamldoc.Map {
		if zone := at.Get("zone"); zone != nil && c.zone(zone) {
			d.Zone = zone.Text
		}
		if day := at.Get("day"); day != nil {
			if i, ok := day.Value.Int(); ok {
				days := int(i)
				d.Day = &days
			}
		}
		at = at.Get("time")
	}
	c.timeOfDay(at, "deadline."+field)
	d.At = constant(value.String(scalarText(at)))
	c.prog.Deadlines = append(c.prog.Deadlines, d)
}

// deadlineDuration compiles a length of time, which it returns.
func (c *compiler) deadlineDuration(n *yamldoc.Node, field string, least bool) time.Duration {
	at := n.Get(field)
	if at == nil {
		return 0
	}
	length, err := duration.Parse(scalarText(at))
	if err != nil {
		return 0 // reported with the structure
	}
	if length == 0 {
		c.errorAt(at, codeDeadline, "`deadline.%s` must be longer than nothing", field)
	}
	c.prog.Deadlines = append(c.prog.Deadlines, workflow.Deadline{
		From: workflow.FromEntered, At: constant(value.String(at.Text)), Least: least, Then: workflow.ThenFlag,
	})
	return length
}
