// Package process knows how to run a task as a process of the machine: its
// folders, its environment, its output, its end, and how to find it again
// after a crash of Regie.
//
// It imports executor and value, and knows nothing of runs, stores or
// workflows. What depends on the operating system stands in files that end in
// _linux.go and _darwin.go.
//
//	x, err := process.New(process.Config{})
//	defer x.Close()
//	h, err := x.Start(ctx, executor.Task{Script: "echo hello", Dir: dir})
//	result, err := x.Wait(ctx, h)
//	err = x.Release(h)
//
// # The attempt's folder
//
// Below Task.Dir, until Release:
//
//	state    what is needed to find the task again, see below
//	script   Task.Script, mode 0700
//	work/    the working directory, with the bundle's files
//	tmp/     $TMPDIR
//	out/     holds $REGIE_OUTPUT (output), $REGIE_CHECKPOINT (checkpoint) and $REGIE_HEARTBEAT (heartbeat)
//
// state is text. Each line is one JSON object and ends with a line feed; a
// last line without it was cut by a crash and does not count. The lines are:
//
//	{"format":1,"task":"RUN/STEP/ATTEMPT"}
//	{"pid":4711,"start":"BOOT/STARTTIME"}
//	{"ended":{"exit_code":75,"error_name":"exit.75", ... "ended_at":"2026-01-02T03:04:05Z"}}
//
// The first is written before the process is started, the second right after,
// the third when all of it has ended. STARTTIME is that of the system's
// process table, BOOT names the boot. Whoever supervises the task holds an
// exclusive flock on the file. The file survives a crash of Regie; it is not
// synced, because a task does not survive a crash of the machine either.
//
// # Ends
//
// The process leads a session and a group of its own. TERM and KILL go to the
// group. When the main process has ended, output that descendants still hold
// open is read for [Config.DrainTime]; then all that the task left is killed:
// its group, its session, and processes elsewhere whose environment names the
// same $REGIE_OUTPUT, such as daemons with a session of their own. These are
// found in /proc. A task that wants something to live on has to ask another
// service to start it. A daemon that also replaced its environment is found only
// with [Config.Orphans], which is for a process that does nothing else: the
// kernel then gives it all orphans below it, and it cannot share a process with
// code that waits for other children.
//
// An orphan belongs to the task whose session or $REGIE_OUTPUT it has, or among
// whose descendants it, or the leader of its session, was seen when their memory
// was looked at. If nothing of that tells, it belongs to the only task that ran
// when it began; if there were several it is killed when the last of these has
// ended, which may be later than the end of its own.
//
// # Users
//
// With [Config.Users] tasks can run as other users, if this process may change
// to them: with their groups, HOME, USER, LOGNAME and a plain SHELL. The script,
// work, tmp and out are then the user's; the folder itself and state are not.
// The folders above must let the user pass.
//
// If Regie is killed, the kernel kills the main process with it (Linux, unless
// [Config.Outlive]); the next Wait on the handle ends what is left, and returns
// executor.ErrNotFound, because the exit status went to nobody.
package process
