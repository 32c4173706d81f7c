package workflow

// Trigger starts runs by itself. Exactly one member is set.
type Trigger struct {
	Schedule *Schedule `json:"schedule,omitempty"`
}

// Schedule starts runs by the clock. It was checked when it was compiled: its
// texts can be read.
type Schedule struct {
	// ID names the schedule within the workflow, over all versions of it.
	ID string `json:"id"`
	// Cron are the expressions; each of them gives ticks (calendar.ParseCron).
	Cron []string `json:"cron"`
	// Zone is the IANA name of the zone in which they are read; empty: UTC.
	Zone string `json:"zone,omitempty"`
	// Calendar is the name of the calendar on whose days it fires; empty: every
	// day.
	Calendar string  `json:"calendar,omitempty"`
	CatchUp  CatchUp `json:"catch_up"`
	Overlap  Overlap `json:"overlap"`
	// Paused: it fires only once somebody resumes it.
	Paused bool `json:"paused,omitempty"`
	// Inputs is a constant object, what its runs are called with; nil: nothing.
	Inputs *Data `json:"inputs,omitempty"`
}

// CatchUp says what becomes of ticks that were missed in an outage.
type CatchUp struct {
	Policy CatchUpPolicy `json:"policy"`
	// Window is a duration: ticks that are later by more than that are never
	// caught up. Empty: without bound.
	Window string `json:"window,omitempty"`
}

// CatchUpPolicy says which late ticks start runs. The others are recorded as
// missed.
type CatchUpPolicy string

// The policies.
const (
	CatchUpAll    CatchUpPolicy = "all" // in order
	CatchUpLatest CatchUpPolicy = "latest"
	CatchUpNone   CatchUpPolicy = "none"
)

// Overlap says what becomes of a tick while a run of the schedule has not
// ended.
type Overlap string

// The policies.
const (
	OverlapAllow Overlap = "allow" // it starts a run beside it
	OverlapSkip  Overlap = "skip"  // it is missed
	// OverlapQueue: it waits until the run has ended. One tick waits; what comes
	// while it does is missed, unless every tick is to be caught up.
	OverlapQueue Overlap = "queue"
)
