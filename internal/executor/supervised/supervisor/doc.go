// Package supervisor knows how to run tasks for a Regie that may be killed,
// restarted or replaced meanwhile: the process behind package supervised, which
// describes the whole.
//
// It imports executor/process, which runs the tasks, wire and tasklog. What is
// in memory is only what a running task needs; what has to outlive the process
// is on disk.
//
//	err := supervisor.Serve(ctx, supervisor.Config{Dir: "/var/lib/regie/supervisor", Environ: os.Environ()})
//
// # Folder
//
//	control/          mode 0700
//	control/lock      held while a supervisor has the folder
//	control/socket    where it listens, unless told otherwise
//	control/log       what it logs, if a server started it
//	control/journal   ends of tasks that were not taken yet, see journal.go
//	work/             directories of attempts (RUN/ATTEMPT), unless told otherwise
//
// Within an attempt's directory, besides what package process puts there:
//
//	spool    what the task printed, as a log of package tasklog, not masked
//
// The folder and work are of mode 0700, or 0711 if tasks may run as other users,
// who have to get to their own directories. Who may enter control, or is the
// supervisor's user, can read what tasks printed with the secrets in it, until
// the task is released.
//
// # Ends
//
// When nothing is left of a task, its result, what it left in $REGIE_OUTPUT and
// $REGIE_CHECKPOINT, and what it printed (up to 32 KiB of log; what is longer has
// a sync of its own) go to the journal. Tasks that end at the same time share one
// sync. Only then callers are told. Release takes all of it away.
//
// A supervisor that was killed has lost its running tasks: the next one finds
// them by their state files, watches them to their end, and tells that they are
// not found. Tasks that had ended are told of as if nothing had happened.
package supervisor
