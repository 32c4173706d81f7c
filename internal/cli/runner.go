package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/cli/view"
	"github.com/regie-dev/regie/internal/dispatch"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/history"
	"github.com/regie-dev/regie/internal/local"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/tasklog"
)

// runner is a Regie in this process, with what shows its runs.
type runner struct {
	c       *cli
	regie   *local.Regie
	monitor *monitor
	// interrupts are heard from before anything was begun; deaf ends that.
	interrupts interrupts
	deaf       func()
}

// openRunner opens a data folder and goes on with what is unfinished in it.
// Progress goes to standard output, but to standard error beside JSON.
func (c *cli) openRunner(ctx context.Context, f *runFlags, cfg local.Config) (*runner, error) {
	out := c.Stdout
	if c.output == outputJSON {
		out = c.Stderr
	}
	s := &runner{c: c}
	s.monitor = c.newMonitor(out, func() time.Time { return s.regie.Now() }, f.logs)
	cfg.Holder = c.commandLine()
	cfg.Clock, cfg.Environ, cfg.Proxy, cfg.Random = c.Clock, c.Environ(), c.Proxy, c.Random
	cfg.Log = slog.New(newNotices(s.monitor.say, c.Clock.Now))
	cfg.Started = s.monitor.started
	cfg.Output = func(ref dispatch.Ref, path string, chunk executor.Chunk) { s.monitor.output(ref, path, chunk) }
	s.interrupts.asked, s.deaf = c.interrupts()
	var err error
	if s.regie, err = local.Open(ctx, cfg); err != nil {
		s.deaf()
		return nil, folderFailure(err)
	}
	return s, nil
}

// close takes everything down in order.
func (s *runner) close() {
	if err := s.regie.Close(); err != nil {
		s.c.warn(err.Error())
	}
	s.deaf()
}

// finishOthers goes on with the runs that were left unfinished in the folder of
// --data, each with what it was started with.
func (c *cli) finishOthers(ctx context.Context, f *runFlags, languages map[string]expr.Language) error {
	if f.data == "" {
		return nil
	}
	dir, err := c.abs(f.data)
	if err != nil {
		return err
	}
	pending, err := local.Unfinished(ctx, dir)
	if err != nil {
		return folderFailure(err)
	}
	if len(pending) == 0 {
		return nil
	}
	s, err := c.openUnfinished(ctx, f, dir, languages, pending)
	if err != nil {
		return err
	}
	defer s.close()
	for _, p := range pending {
		s.monitor.say(fmt.Sprintf("Going on with run %s of %s, which was interrupted.", p.Run.ID, diagVisible(p.Run.Workflow)))
		run, err := s.follow(ctx, p.Run.ID)
		if err != nil {
			return err
		}
		s.monitor.say(fmt.Sprintf("Run %s: %s.", run.ID, run.State))
		if s.interrupts.times > 0 {
			return failf(exitFailed, "canceled", "interrupted while an earlier run went on; nothing else was started")
		}
	}
	return nil
}

// openUnfinished opens a folder to go on with runs of it.
func (c *cli) openUnfinished(ctx context.Context, f *runFlags, dir string, languages map[string]expr.Language, pending []local.Pending) (*runner, error) {
	cfg := local.Config{Dir: dir, Languages: languages, Virtual: true}
	for _, p := range pending {
		cfg.Virtual = cfg.Virtual && p.Launch.Virtual
	}
	cfg.Relaunch = func(_ store.RunID, l *local.Launch) (_ *local.Launch, err error) {
		path := l.SecretsPath
		if f.secrets != "" {
			if path, err = c.abs(f.secrets); err != nil {
				return nil, err
			}
		}
		if l.Secrets, err = c.secrets(path); err != nil {
			return nil, err
		}
		l.AllowHosts = append(l.AllowHosts, f.allowHosts...)
		return l, nil
	}
	return c.openRunner(ctx, f, cfg)
}

// resume goes on with a run that was interrupted.
func (c *cli) resume(ctx context.Context, f *runFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	dir, err := c.runFolder(f.resume, f.data)
	if err != nil {
		return err
	}
	languages := local.Languages()
	pending, err := local.Unfinished(ctx, dir)
	if err != nil {
		return folderFailure(err)
	}
	id := store.RunID(f.resume)
	found := false
	for _, p := range pending {
		found = found || p.Run.ID == id
	}
	if !found {
		return failf(exitInvalid, "not_unfinished", "run %s has ended, or is not there: there is nothing to go on with", id).
			withHint("`regie show %s` shows how it ended", id)
	}
	s, err := c.openUnfinished(ctx, f, dir, languages, pending)
	if err != nil {
		return err
	}
	defer s.close()
	s.monitor.say(fmt.Sprintf("Going on with run %s.", id))
	return s.show(ctx, id)
}

// submit starts a run. Who asks to end the process meanwhile gets the run
// canceled once it is there; the second time leaves, and nobody knows whether it
// is.
func (s *runner) submit(ctx context.Context, request local.Request) error {
	ctx, stop := s.interrupts.during(ctx, func(context.Context) {})
	defer stop()
	_, err := s.regie.Submit(ctx, request)
	if errors.Is(context.Cause(ctx), errLeft) {
		return failf(exitFailed, "left", "left before run %s was known to be recorded", request.Run).
			withHint("see whether it is: regie show %s", request.Run)
	}
	if err != nil {
		return submitFailure(err)
	}
	return nil
}

// show follows a run to its end and prints its result.
func (s *runner) show(ctx context.Context, id store.RunID) error {
	run, err := s.follow(ctx, id)
	if err != nil {
		return err
	}
	// Children that nobody awaits go on.
	if err := s.regie.WaitAll(ctx); err != nil {
		s.c.warn("child runs have not ended: " + err.Error())
	} else if err := s.regie.SetEnded(true); err != nil {
		s.c.warn(err.Error())
	}
	if s.c.output == outputJSON {
		s.c.printJSON(run.Document())
	} else {
		s.printSummary(run)
	}
	if run.State != engine.Succeeded {
		return ended(exitFailed)
	}
	return nil
}

// follow shows a run until it ends. The first request to end the process
// cancels the run, the second leaves at once.
func (s *runner) follow(ctx context.Context, id store.RunID) (*history.Run, error) {
	machine, err := s.regie.Machine(ctx, id)
	if err != nil {
		return nil, err
	}
	tree := view.NewTree(history.NewBuilder(string(id), machine), machine.Program())
	s.monitor.begin(tree)
	watcher := s.regie.Watch(id, 1)
	defer watcher.Close()
	ctx, stop := s.interrupts.during(ctx, func(ctx context.Context) {
		if !s.c.quiet {
			s.monitor.say("Canceling the run; Ctrl-C again leaves at once.")
		}
		err := s.regie.Cancel(ctx, id, "user", "interrupted")
		if err != nil && ctx.Err() == nil && !errors.Is(err, runtime.ErrNotLive) {
			s.monitor.say("The run cannot be canceled: " + diagVisible(err.Error()))
		}
	})
	defer stop()
	err = s.monitor.watch(ctx, watcher)
	s.monitor.end()
	switch {
	case err == nil:
		return tree.Run(), nil
	case errors.Is(context.Cause(ctx), errLeft):
		return nil, failf(exitFailed, "left", "left run %s before its end", id).withHint("go on with it: regie run --resume %s", id)
	case errors.Is(err, runtime.ErrQuarantined):
		return nil, failf(exitInternal, "quarantined", "run %s was set aside because deciding it failed: %w", id, err).
			withHint("this is a defect of Regie; the run is kept as it was")
	}
	return nil, failf(exitInternal, "internal", "run %s cannot go on: %w", id, err).withHint("what was recorded is kept; go on with it: regie run --resume %s", id)
}

// summaryLines is how many of the last lines of a failed step are shown.
const summaryLines = 10

// printSummary prints the end of a run for people.
func (s *runner) printSummary(run *history.Run) {
	o := view.SummaryOptions{Color: s.c.color(s.c.Stdout)}
	if step := view.FailedStep(run); step != nil && run.State != engine.Succeeded && !s.monitor.logs {
		o.Log = s.lastLines(store.RunID(run.ID), step)
	}
	_, _ = io.WriteString(s.c.Stdout, view.Summary(run, o))
}

// lastLines are the last lines of the log of a step's last attempt.
func (s *runner) lastLines(run store.RunID, step *history.Step) []string {
	f, err := s.regie.Log(run, step.Act, step.Tries)
	if err != nil {
		return nil // it printed nothing
	}
	defer f.Close()
	lines, err := tasklog.Tail(f, summaryLines)
	out := make([]string, 0, len(lines))
	for _, l := range lines {
		text := string(tasklog.Style{Colour: s.c.color(s.c.Stdout)}.Append(nil, l))
		out = append(out, strings.TrimSuffix(text, "\n"))
	}
	if err != nil {
		out = append(out, "= "+diagVisible(err.Error()))
	}
	return out
}
