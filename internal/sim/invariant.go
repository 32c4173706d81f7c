package sim

// Invariant names something that must hold after every step, or at the end.
type Invariant string

// The invariants; numbers are those of the project's list.
const (
	NoLostRun     Invariant = "1 no lost run"           // what was acknowledged is on disk
	OneResult     Invariant = "2 one result an attempt" // applied once, of the current attempt, and what the worker said
	AtMostOnce    Invariant = "2b at most once"         // such tasks begin once
	Liveness      Invariant = "3 liveness"              // when nothing fails any more, everything ends
	Sequence      Invariant = "4 gapless events"        // of each run, and of batches
	Audit         Invariant = "4 audit log"             // every record and row is in it
	Slots         Invariant = "5 slots"                 // of a worker are not exceeded
	Order         Invariant = "7 order"                 // nodes start when recorded results say so
	Attempts      Invariant = "8 attempts"              // bounded, one after the other, spaced by backoff
	StartedOnce   Invariant = "8 attempts begin once"   //
	Undoing       Invariant = "9 compensation"          // what was done is undone once, the last first, and nothing else
	CanceledRun   Invariant = "11 cancel"               // no new attempts, all told to stop
	Children      Invariant = "12 children"             // agree with their parents, one for each try
	Timers        Invariant = "13 timers"               // never early, none left behind
	Outbox        Invariant = "17 outbox"               // nothing leaves before it is on disk, nothing is forgotten
	Idempotent    Invariant = "19 idempotent start"     // a key names one run
	Pinned        Invariant = "21 version pinning"      // a run keeps its program
	FoldIsState   Invariant = "22 fold equals state"    //
	FenceGrows    Invariant = "fence"                   // attempts carry the number of the batch that records them
	Structure     Invariant = "structure"               // events fit together
	TimeNeverBack Invariant = "time"                    // of batches grows, and is not ahead
	NoQuarantine  Invariant = "no quarantine"           // the engine decides without fault
	NoHalt        Invariant = "no halt"                 // store and memory never contradict each other
	Signals       Invariant = "signals"                 // each taken once, by the wait that began first, none lost
	Approvals     Invariant = "14 approvals"            // by enough different people who may, and not after the end
	HeldFailure   Invariant = "held failures"           // a failure is final only where nobody holds it
	Said          Invariant = "said"                    // steps end as operators say, and only what they may
	Keys          Invariant = "idempotency keys"        // one for all attempts, another after a redo
	Held          Invariant = "held"                    // what is held starts no attempt
	Recalled      Invariant = "recalled"                // what goes on after it was over has what it had
	NoRerun       Invariant = "no rerun"                // a retry reopens nothing that ended well
	Turns         Invariant = "turns"                   // of a loop: one after the other, counted, spaced, bounded
	Breakers      Invariant = "breakers"                // an open one keeps its attempts
	LimitsKept    Invariant = "6 limits"                // no more is held than there is, nor more runs of a key
	Large         Invariant = "large values"            // what is named is there, and the run's own
	Facts         Invariant = "conditions"              // what needs one begins while it holds
	Cached        Invariant = "cache"                   // an output that is used again was made, and is good
	PublishedOnce Invariant = "published once"          // watchers see each event once, in order
)
