// Package schedule knows which ticks of a schedule start runs, and starts them:
// each tick starts one run or is recorded as missed, also when the process is
// killed at any moment.
//
// [Next] is a pure planner: a [Schedule], what is remembered of it ([State]),
// the time, and whether a run of it is live, give the steps to take and the
// instant at which to look again.
//
//	plan := schedule.Next(&s, state, now, live)
//
// A [Service] takes the steps. After each it records the state that follows;
// a step that was taken and not recorded is taken again, and then finds the run
// that it started by its idempotency key, which never expires. A run that
// records a missed tick has the key of the tick too, so a tick cannot both run
// and be missed.
//
// # Times
//
// Only ticks after [Schedule.Since] count: the instant at which the schedule
// was first applied, was resumed after a pause, or was given other times. So
// nothing that lies in a pause or before the schedule is caught up, or recorded. A clock that
// is set back starts no tick twice; one that is set forward makes ticks late,
// and the policy of catching up decides.
//
// The package imports the clock and mailbox of the runtime, workflow and
// calendar; stores and the runtime itself are passed in.
package schedule
