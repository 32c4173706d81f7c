package native

import (
	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// Bounds of what starts and watches runs.
const (
	maxTriggers    = 100 // of a workflow
	maxCrons       = 20  // of a schedule
	maxDeadlineDay = 366 // days that a deadline lies from the business date
)

func deadline() *descriptor.Object {
	at := &descriptor.Object{Name: "deadline_time", Doc: "A time of day.", Fields: []descriptor.Field{
		{Name: "time", Type: text(), Required: true, Doc: "Time of day: 15:04."},
		{Name: "zone", Type: text(), Doc: "IANA name of the zone. Default: that of the workflow."},
		{Name: "day", Type: ranged(kind(descriptor.Integer), -maxDeadlineDay, maxDeadlineDay), Doc: "Days after the business date. " +
			"Without it: the first such time that is not before the run was planned, which is the nominal time of its schedule, or when it was started by hand."},
	}}
	return &descriptor.Object{
		Name: "deadline", Doc: "By when a run must have started or ended, and how long it may and must take.",
		Example: "finish_by: {time: \"06:30\", day: 1}\nat_most: 3h",
		Fields: []descriptor.Field{
			{Name: "start_by", Type: oneOf(text(), object(at)), Doc: "Latest start."},
			{Name: "finish_by", Type: oneOf(text(), object(at)), Doc: "Latest end."},
			{Name: "at_most", Type: kind(descriptor.Duration), Doc: "Longest duration."},
			{Name: "at_least", Type: kind(descriptor.Duration), Doc: "Shortest duration: a run that ends earlier probably did nothing."},
		},
	}
}

func trigger() *descriptor.Object {
	o := &descriptor.Object{Name: "trigger", Doc: "Starts runs.", Example: "schedule: {cron: \"0 1 * * *\", calendar: weekdays}", Fields: []descriptor.Field{
		{Name: "schedule", Type: object(schedule()), Doc: "Starts runs by the clock."},
	}}
	group := descriptor.Group{Fields: []string{"schedule"}, Needed: true, What: "what starts a run"}
	for _, other := range []struct{ name, doc string }{
		{"webhook", "Starts a run for each signed HTTP request."}, {"kafka", "Starts runs for messages of Kafka."},
		{"amqp", "Starts runs for messages of an AMQP broker."}, {"nats", "Starts runs for messages of NATS."},
		{"mqtt", "Starts runs for messages of an MQTT broker."}, {"file", "Starts a run when a file arrives."},
		{"blob", "Starts a run when an object arrives in a store."}, {"asset", "Starts a run when an asset is updated."},
		{"workflow", "Starts a run when a run of another workflow ends."},
	} {
		o.Fields = append(o.Fields, descriptor.Field{
			Name: other.name, Type: mapOf(descriptor.String, kind(descriptor.Any)), Doc: other.doc, Ignored: "so far only schedules start runs",
		})
		group.Fields = append(group.Fields, other.name)
	}
	o.OneOfGroups = []descriptor.Group{group}
	return o
}

func schedule() *descriptor.Object {
	policies := []descriptor.EnumValue{
		{Text: string(workflow.CatchUpAll), Doc: "All, in order."},
		{Text: string(workflow.CatchUpLatest), Doc: "The latest only."},
		{Text: string(workflow.CatchUpNone), Doc: "None."},
	}
	catchUp := &descriptor.Object{Name: "catch_up", Doc: "What becomes of ticks missed in an outage.", Example: "policy: all\nwindow: 2d", Fields: []descriptor.Field{
		{Name: "policy", Type: text(), Enum: policies, Doc: "Which of them start runs. Default: `all` where the workflow has a business date, else `latest`."},
		{Name: "window", Type: kind(descriptor.Duration), Doc: "Ticks that are later by more than this start no run. Default: without bound."},
	}}
	return &descriptor.Object{
		Name: "schedule", Doc: "Starts runs by the clock. A tick that starts no run is recorded as a skipped run with the reason `missed`, but for those of a pause.",
		Example:     "cron: \"0 1 * * 1-5\"\ntimezone: Europe/Amsterdam\ncatch_up: {policy: all, window: 2d}\noverlap: queue",
		OneOfGroups: []descriptor.Group{{Fields: []string{"cron", "every"}, Needed: true, What: "when it fires"}},
		Fields: []descriptor.Field{
			{Name: "id", Type: kind(descriptor.Identifier), Doc: "Name of the schedule within the workflow, by which it is known over all versions. Default: `schedule1`, `schedule2`, … by its place."},
			{Name: "cron", Type: oneOf(text(), ranged(list(text()), 1, maxCrons)), Doc: "Cron expression, or several: minute, hour, day of the month, name or number of the month, day of the week; or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`. " +
				"Days are those of both day fields if one of them has a star, else of either. Where neither minute nor hour has a star, each time comes exactly once on its day: " +
				"at its first occurrence when the clock is set back, later by the gap when it skips the time. Other expressions follow elapsed time.", Example: `cron: "30 2 * * 1-5"`},
			{Name: "every", Type: kind(descriptor.Duration), Later: "intervals", Doc: "Interval."},
			{Name: "calendar", Type: kind(descriptor.Name), Doc: "Calendar of the days on which it fires: the built-in `every-day` or `weekdays`, or one of kind Calendar."},
			{Name: "timezone", Type: text(), Doc: "IANA name of the zone. Default: that of the workflow."},
			{Name: "catch_up", Type: oneOf(text(), object(catchUp)), Enum: policies, Doc: "What becomes of ticks missed in an outage; those that are late by a minute at most are on time. Default: `all` where the workflow has a business date, else `latest`."},
			{Name: "overlap", Type: text(), Default: str(string(workflow.OverlapAllow)), Doc: "What becomes of a tick while a run of the schedule has not ended.", Enum: []descriptor.EnumValue{
				{Text: string(workflow.OverlapAllow), Doc: "It starts a run beside it."},
				{Text: string(workflow.OverlapSkip), Doc: "It is missed."},
				{Text: string(workflow.OverlapQueue), Doc: "It waits. One tick waits, what comes meanwhile is missed; with `catch_up: all` every tick waits its turn."},
			}},
			{Name: "paused", Type: kind(descriptor.Boolean), Default: value.False, Doc: "Does not fire until somebody resumes it. Ticks of a pause are not caught up."},
			{Name: "inputs", Type: mapOf(descriptor.Identifier, kind(descriptor.Any)), Doc: "Inputs of the runs."},
		},
	}
}
