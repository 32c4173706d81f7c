// Package supervised knows an executor whose tasks outlive Regie: it has them run
// by a supervisor, a process of its own, so that killing, restarting or upgrading
// the server ends none of them. They are found again, with all that they printed,
// and their result is taken.
//
// Sub-packages: supervisor is that process, wire what the two say to each other.
// It imports these, executor/process for its handles, and tasklog. It knows
// nothing of runs and workers.
//
// # For whoever starts a server
//
//	x, err := supervised.Open(ctx, supervised.Config{
//		Dir:   filepath.Join(dataDir, "supervisor"),
//		Build: build,
//		Spawn: &supervised.Spawn{Environ: os.Environ()},
//	})
//	w := worker.New(worker.Config{
//		Executors: map[string]executor.Executor{workflow.UsesProcess: x},
//		Dir:       x.Work(),
//		HandleOf:  func(_, dir string) (executor.Handle, error) { return supervised.HandleFor(dir) },
//		// …
//	})
//	…
//	w.Detach() // leave the tasks
//	x.Close()  // and the supervisor
//
// [Open] connects to the supervisor that runs, or starts one: this program with
// the argument supervisor (regie supervisor), with a session of its own, its log in
// control/log of its folder. Where the supervisor is started otherwise, such as by
// a unit of systemd as another user, Spawn is nil and Socket names its socket; see
// "Users". The attempts' folders are below [Executor.Work], which the supervisor
// chooses: the worker makes none itself.
//
// The outcome of a step is taken by the supervisor's executor: [Executor.Attach],
// which the worker calls for attempts of an earlier process, passes the output from
// the beginning, and the worker's log leaves out what it has already. So the log
// holds each byte once and in order.
//
// [Info.SameUser] is what a server warns of at its start and in /healthz: tasks can
// then read and change what the server can. [Executor.Last] has it at no cost;
// [Executor.Info] asks, and so tells whether the supervisor answers.
//
// Closing the executor ends no task. [Executor.Drain] is for a machine that is to
// be emptied.
//
// # When something is lost
//
//   - The server is killed: the supervisor goes on, keeps what tasks print and how
//     they end, and ends by itself [DefaultIdle] after its last task and caller.
//   - The connection is lost: it is made again, and the output goes on where it
//     was. A start whose answer was lost is repeated: the supervisor knows the task
//     by its folder, so it is started at most once.
//   - The supervisor is killed: the executor starts another on the same folder, or
//     waits for the one that somebody else starts. Tasks that had ended are found
//     in its journal. Those that ran lose their output, are watched to their end,
//     and then are not found: executor.ErrNotFound, a lost attempt.
//   - The machine goes down: ends that were told of were synced before.
//
// # Upgrades
//
// [Config.Build] is what tells builds apart; regie supervisor gives its own as
// cli.Build.ID, and so must the server. A server of another build goes on with the supervisor that runs, as long as both
// know a common version of the protocol, and asks it to retire: it takes tasks as
// before and ends as soon as it has none; the next start brings up one of the new
// build. On a machine that is never without tasks it stays until somebody drains
// it. Without a common version, [Open] fails and says what to do.
//
// Which variables tasks inherit, such as PATH, is settled when the supervisor is
// started.
//
// # Users
//
// Only who runs as the supervisor's user, or is named with --allow-uid, may speak
// to it: the kernel is asked. The executor in turn speaks only to its own user, to
// root, and to those in [Config.UIDs].
//
// With a supervisor of another user, tasks cannot read what only the server may:
//
//	regie supervisor --dir /var/lib/regie-tasks --socket /run/regie-tasks/socket --allow-uid 990
//
// As root, it starts steps with run_as as the user that they name, if the name is on
// its list, for all namespaces or for one. Its folder must be one that these users
// may pass, thus not below the server's data:
//
//	regie supervisor --dir /var/lib/regie-tasks --run-as batch,payments/settle --user nobody …
//
// Names are compared exactly and numbers are none. Root must be listed itself, and
// so must the supervisor's own user. A supervisor that runs as root refuses tasks
// without run_as of a server that does not, unless --user says as whom they run.
// Users are those of /etc/passwd.
package supervised
