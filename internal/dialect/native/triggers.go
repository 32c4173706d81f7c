package native

import (
	"errors"
	"fmt"
	"time"

	"github.com/regie-dev/regie/internal/calendar"
	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// triggers compiles the schedules among `triggers`. Inputs and the business
// date are known by now.
func (c *compiler) triggers() {
	e := c.doc.Entry("triggers")
	if e == nil {
		return
	}
	if c.cfg.RunOnce {
		c.noEffect(e.Key, "`regie run` starts the workflow at once; a server starts it by its triggers")
	}
	seen := map[string]int{} // line of each ID
	for _, item := range e.Value.Items {
		n := item.Get("schedule")
		if n == nil || n.Kind != yamldoc.Map {
			continue
		}
		s := c.schedule(n)
		at := n.Get("id")
		if s.ID = scalarText(at); at == nil {
			s.ID, at = fmt.Sprintf("schedule%d", len(c.prog.Triggers)+1), n
		}
		if line, taken := seen[s.ID]; taken {
			c.errorAt(at, codeDuplicateSchedule, "the schedule ID %q is already taken, in line %d", s.ID, line).
				WithHint("schedules without `id` are called schedule1, schedule2, … by their place; choose another ID")
		}
		seen[s.ID] = at.Pos.Line
		c.prog.Triggers = append(c.prog.Triggers, workflow.Trigger{Schedule: s})
	}
}

// noEffect warns of a field that only a server applies.
func (c *compiler) noEffect(key *yamldoc.Node, why string) {
	c.list.Warnf(key.Pos, descriptor.CodeIgnored, "`%s` has no effect: %s", key.Text, why).WithLength(key.Length())
}

// schedule compiles one schedule but for its ID.
func (c *compiler) schedule(n *yamldoc.Node) *workflow.Schedule {
	s := &workflow.Schedule{Zone: c.prog.Zone, Overlap: workflow.OverlapAllow, CatchUp: c.catchUp(n.Get("catch_up"))}
	if zone := n.Get("timezone"); zone != nil && c.zone(zone) {
		s.Zone = zone.Text
	}
	table := c.crons(n.Get("cron"), s)
	if cal := n.Get("calendar"); cal != nil && cal.Kind == yamldoc.String {
		c.calendar(cal)
		s.Calendar = cal.Text
		var known bool
		if table.Days, known = calendar.Builtin(cal.Text); known && len(table.Crons) > 0 {
			c.firesAtAll(table, cal)
		}
	}
	if overlap := scalarText(n.Get("overlap")); overlap != "" {
		s.Overlap = workflow.Overlap(overlap)
	}
	s.Paused, _ = boolean(n.Get("paused"))
	s.Inputs = c.scheduleInputs(n)
	return s
}

// crons reads the expressions.
func (c *compiler) crons(n *yamldoc.Node, s *workflow.Schedule) calendar.Timetable {
	var table calendar.Timetable
	if n == nil {
		return table
	}
	items := n.Items
	if n.Kind == yamldoc.String {
		items = []*yamldoc.Node{n}
	}
	for _, item := range items {
		if item.Kind != yamldoc.String || expr.HasTemplate(item.Text) {
			continue // reported with the structure
		}
		cron, err := calendar.ParseCron(item.Text)
		var fault *calendar.CronError
		if errors.As(err, &fault) {
			code, what := codeCron, "not right"
			if fault.Later {
				code, what = descriptor.CodeLater, "not available yet"
			}
			c.list.Errorf(item.At(fault.Offset), code, "the cron expression is %s: %s", what, fault.Message).
				WithLength(max(1, fault.Length)).Hint = fault.Hint
			continue
		}
		s.Cron = append(s.Cron, item.Text)
		table.Crons = append(table.Crons, cron)
	}
	return table
}

// firesAtAll checks that expressions and calendar have a day in common.
func (c *compiler) firesAtAll(table calendar.Timetable, at *yamldoc.Node) {
	if _, fires := table.Next(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)); !fires {
		c.errorAt(at, codeCron, "the schedule never fires: none of its days is in the calendar %q", at.Text).
			WithHint("change the days of `cron`, or remove `calendar`")
	}
}

// catchUp reads what becomes of missed ticks.
func (c *compiler) catchUp(n *yamldoc.Node) workflow.CatchUp {
	out := workflow.CatchUp{Policy: workflow.CatchUpLatest}
	if c.prog.BusinessDate != nil {
		out.Policy = workflow.CatchUpAll
	}
	policy := n
	if n != nil && n.Kind == yamldoc.Map {
		policy = n.Get("policy")
		out.Window = scalarText(n.Get("window"))
	}
	if text := scalarText(policy); text != "" {
		out.Policy = workflow.CatchUpPolicy(text)
	}
	if e := n.Entry("window"); e != nil && out.Policy == workflow.CatchUpNone {
		c.errorAt(e.Key, codeMisplaced, "`window` has no meaning where nothing is caught up").WithHint("remove it, or write another `policy`")
	}
	return out
}

// scheduleInputs checks what the runs are called with against what the
// workflow declares.
func (c *compiler) scheduleInputs(n *yamldoc.Node) *workflow.Data {
	given := n.Get("inputs")
	var members []value.Member
	known := map[string]bool{}
	for i := range c.prog.Inputs {
		in := &c.prog.Inputs[i]
		known[in.Name] = true
		v := given.Get(in.Name)
		switch {
		case v != nil && v.Kind == yamldoc.String && expr.HasTemplate(v.Text): // reported with the structure
		case v != nil && v.Kind != yamldoc.Null:
			checked, ok := c.checked(v, in.Type, "the input")
			if ok {
				c.amongEnum(v, checked, in)
			}
			members = append(members, value.M(in.Name, checked))
		case in.Required:
			at := n
			if given != nil {
				at = given
			}
			c.errorAt(at, codeInput, "the schedule does not give the required input %q", in.Name).
				WithHint("add it to `inputs` of the schedule, or give it a `default`")
		}
	}
	for _, e := range entries(given) {
		if !known[e.Key.Text] {
			d := c.errorAt(e.Key, codeInput, "the workflow has no input %q", e.Key.Text)
			d.Hint = diag.DidYouMean(e.Key.Text, c.inputNames())
		}
	}
	if len(members) == 0 {
		return nil
	}
	return constant(value.Object(members...))
}

func (c *compiler) inputNames() []string {
	names := make([]string, len(c.prog.Inputs))
	for i := range c.prog.Inputs {
		names[i] = c.prog.Inputs[i].Name
	}
	return names
}
