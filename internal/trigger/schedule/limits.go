package schedule

import "time"

// Bounds of planning.
const (
	// OnTime is how late a tick may be and still be on time, so that catching
	// up does not apply to it: a restart takes seconds.
	OnTime = time.Minute
	// MaxSteps is how many steps one plan has.
	MaxSteps = 100
	// MaxMissed is how many missed ticks get a record each; more of them share
	// one, which says how many they are.
	MaxMissed = 100
	// MaxCatchUp is how many late ticks start runs where all are caught up;
	// those before them are missed.
	MaxCatchUp = 10_000
	// MaxCount is how many ticks one plan looks at; if there are more, all of
	// these are missed.
	MaxCount = 1_000_000
	// MaxAhead is how far ahead of the clock the last tick considered may lie.
	// Beyond it the clock was wrong before and was set back: ticks from now on
	// are considered again, and those that ran are found by their keys.
	MaxAhead = time.Minute
)

// Bounds of a Service.
const (
	// DefaultParallel is how many schedules are worked on at once, so that their
	// runs and records share commits.
	DefaultParallel = 64
	// RetryFirst, doubled each time up to RetryMax, is waited after a step that
	// failed.
	RetryFirst = 100 * time.Millisecond
	RetryMax   = 10 * time.Second
	// CheckEvery is how often the service looks whether the clock was set, and
	// whether a run that something waits for has ended.
	CheckEvery = time.Minute
)
