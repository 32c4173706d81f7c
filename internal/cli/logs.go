package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/regie-dev/regie/internal/cli/view"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/history"
	"github.com/regie-dev/regie/internal/local"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/tasklog"
	"github.com/regie-dev/regie/internal/value"
)

// followEvery is the time between two looks at a run that is followed.
const followEvery = 200 * time.Millisecond

// logFlags are the flags of `regie logs`.
type logFlags struct {
	remoteFlags

	data               string
	attempt            int
	follow, timestamps bool
}

func (c *cli) logsCommand() *cobra.Command {
	var f logFlags
	cmd := &cobra.Command{
		Use:   "logs RUN [STEP]",
		Short: "Show what the steps of a run printed",
		Long: `Shows what the last attempt of a step printed, or without STEP what all attempts
of all steps did, also while the run goes on. Each line begins with a mark that
no step can make itself: | for standard output, ! for standard error, = for what
Regie says. Secrets are masked. A run that is not on this machine is looked for on
the server of the context, see ` + "`regie show --help`" + `.`,
		Example: `  regie logs 01k9zq3vy2f8
  regie logs 01k9zq3vy2f8 'settle[3]' --attempt 1
  regie logs 01k9zq3vy2f8 -f`,
		GroupID: groupRun,
		Args:    arguments(1, 2, "RUN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			step := ""
			if len(args) > 1 {
				step = args[1]
			}
			switch {
			case f.attempt != 0 && step == "":
				return usagef("--attempt needs a STEP")
			case f.attempt < 0:
				return usagef("--attempt %d: attempts count from 1", f.attempt)
			case f.follow && c.output == outputJSON:
				return usagef("--follow has no end that JSON needs: choose one of both")
			}
			elsewhere, err := c.elsewhere(&f.remoteFlags, args[0], f.data)
			if err != nil {
				return err
			}
			if !elsewhere {
				return c.logs(cmd.Context(), &f, args[0], step)
			}
			r, err := c.connect(&f.remoteFlags)
			if err != nil {
				return err
			}
			return c.remoteLogs(cmd.Context(), r, &f, args[0], step)
		},
	}
	f.define(c, cmd)
	cmd.ValidArgsFunction = c.completeAnyRun(&f.remoteFlags)
	flags := cmd.Flags()
	flags.StringVar(&f.data, "data", "", "data folder `DIR`; by default it is found by the run's ID")
	flags.IntVar(&f.attempt, "attempt", 0, "`NUMBER` of the attempt to show; by default the last one")
	flags.BoolVarP(&f.follow, "follow", "f", false, "go on until the run, or the step, has ended")
	flags.BoolVar(&f.timestamps, "timestamps", false, "begin each line with its time")
	return cmd
}

func (c *cli) logs(ctx context.Context, f *logFlags, run, step string) error {
	v, err := c.openView(ctx, run, f.data)
	if err != nil {
		return err
	}
	defer v.Close()
	seen, err := c.readRun(ctx, v, store.RunID(run), false)
	if err != nil {
		return err
	}
	l := &logReader{c: c, view: v, flags: f, step: step, followed: map[attemptKey]*follower{}}
	if err := l.choose(seen); err != nil {
		return err
	}
	switch {
	case c.output == outputJSON:
		return l.document(seen)
	case f.follow:
		return l.follow(ctx, seen)
	}
	for _, a := range l.attempts(seen.tree.Run()) {
		if err := l.print(a); err != nil {
			return err
		}
	}
	return nil
}

// attemptKey names an attempt in a run; run-wide unique.
type attemptKey struct {
	act    engine.ActID
	number int
}

// loggedAttempt is an attempt whose log is wanted.
type loggedAttempt struct {
	attemptKey

	path  string
	tries int
	ended bool
}

// logReader shows logs of a run.
type logReader struct {
	c     *cli
	view  *local.View
	flags *logFlags
	run   store.RunID
	step  string

	mu       sync.Mutex // guards the output
	followed map[attemptKey]*follower
	stop     func() // ends following
}

// choose checks that there is such a step and attempt.
func (l *logReader) choose(seen *seenRun) error {
	run := seen.tree.Run()
	l.run = store.RunID(run.ID)
	if l.step == "" {
		return nil
	}
	var names []string
	for _, s := range run.Steps {
		names = append(names, s.Path)
		if s.Path != l.step {
			continue
		}
		switch {
		case l.flags.attempt > len(s.Attempts):
			return failf(exitInvalid, "not_found", "step %s has %s", l.step, count(len(s.Attempts), "attempt"))
		case len(l.attempts(run)) == 0 && !l.flags.follow:
			return failf(exitInvalid, "not_found", "step %s printed nothing: it is %s", l.step, s.State).
				withHint("`regie show %s` shows its steps", run.ID)
		}
		return nil
	}
	if l.flags.follow && !run.State.Final() {
		return nil // it may come
	}
	f := failf(exitInvalid, "not_found", "run %s has no step %s", run.ID, l.step)
	if meant := diag.Suggest(l.step, names); meant != "" {
		return f.withHint("did you mean %s?", meant)
	}
	return f.withHint("`regie show %s` shows its steps", run.ID)
}

// attempts are those whose logs are wanted, in the order in which they began:
// of a step that was named the last one, or the one that was asked for, and
// those of what is within it if it is a group.
func (l *logReader) attempts(run *history.Run) []loggedAttempt {
	var out []loggedAttempt
	for _, s := range run.Steps {
		if l.step != "" && s.Path != l.step && !within(s.Path, l.step) {
			continue
		}
		for i := range s.Attempts {
			a := loggedAttempt{attemptKey{s.Act, s.Attempts[i].Number}, s.Path, len(s.Attempts), s.Attempts[i].Outcome != ""}
			last := i == len(s.Attempts)-1
			if s.Path == l.step && (l.flags.attempt == 0 && !last || l.flags.attempt != 0 && l.flags.attempt != a.number) {
				continue
			}
			out = append(out, a)
		}
	}
	return out
}

// within reports whether a step lies within another one, by their paths.
func within(path, outer string) bool {
	rest, ok := strings.CutPrefix(path, outer)
	return ok && rest != "" && (rest[0] == '/' || rest[0] == '[' || rest[0] == '~')
}

// style is how the lines of an attempt are shown.
func (l *logReader) style(a loggedAttempt) tasklog.Style {
	color := l.c.color(l.c.Stdout)
	s := tasklog.Style{Colour: color}
	if l.flags.timestamps {
		s.Zone = l.c.zone()
	}
	if a.path != l.step {
		prefix := diagVisible(a.path)
		if a.tries > 1 {
			prefix += fmt.Sprintf(" #%d", a.number)
		}
		s.Prefix = view.Painter(color)(view.StyleFaint, prefix)
	}
	return s
}

// print shows what is there of an attempt.
func (l *logReader) print(a loggedAttempt) error {
	f, err := l.view.Log(l.run, a.act, a.number)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it printed nothing
	}
	if err != nil {
		return folderFailure(err)
	}
	defer f.Close()
	style := l.style(a)
	var buffer []byte
	for line, err := range tasklog.Lines(f) {
		if err != nil {
			return failf(exitInternal, "damaged", "the log of %s, attempt %d: %w", a.path, a.number, err)
		}
		buffer = style.Append(buffer[:0], line)
		if _, err := l.c.Stdout.Write(buffer); err != nil {
			return failf(exitInternal, "unwritable", "standard output cannot be written: %w", err)
		}
	}
	return nil
}

// follow shows logs until the run, or the step, has ended, or nobody goes on
// with the run.
func (l *logReader) follow(ctx context.Context, seen *seenRun) error {
	ctx, cancel := context.WithCancel(ctx)
	var following sync.WaitGroup
	defer following.Wait()
	defer cancel()
	l.stop = cancel
	stop := l.c.interrupted(ctx, func(int) { cancel() })
	defer stop()
	ticks := time.NewTicker(followEvery)
	defer ticks.Stop()
	for {
		for _, a := range l.attempts(seen.tree.Run()) {
			if err := l.begin(ctx, a, &following); err != nil {
				return err
			}
		}
		if l.over(seen) {
			following.Wait()
			return nil
		}
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return nil
		}
		var err error
		if seen, err = l.c.readRun(ctx, l.view, l.run, false); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if !seen.held && !seen.tree.Run().State.Final() {
			l.c.warn(fmt.Sprintf("run %s was interrupted; go on with it: regie run --resume %s", l.run, l.run))
			return nil
		}
	}
}

// endTime is how long the end of a log is waited for when its attempt has
// ended. It is there by then, unless a crash came between.
const endTime = time.Second

// follower follows the log of one attempt.
type follower struct {
	cancel context.CancelFunc
	done   chan struct{} // closed at its end
}

// begin follows the log of an attempt, if it is there and nobody does. Of one
// that has ended it waits for the end of the log, within bounds, so that what
// came first is shown first.
func (l *logReader) begin(ctx context.Context, a loggedAttempt, following *sync.WaitGroup) error {
	one := l.followed[a.attemptKey]
	if one == nil {
		f, err := l.view.Log(l.run, a.act, a.number)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // not yet, or never
		}
		if err != nil {
			return folderFailure(err)
		}
		one = &follower{done: make(chan struct{})}
		ctx, one.cancel = context.WithCancel(ctx)
		l.followed[a.attemptKey] = one
		following.Go(func() {
			defer close(one.done)
			defer one.cancel()
			l.followOne(ctx, a, f)
		})
	}
	if a.ended {
		end := time.AfterFunc(endTime, one.cancel)
		<-one.done
		end.Stop()
	}
	return nil
}

// over reports whether nothing more can come.
func (l *logReader) over(seen *seenRun) bool {
	if seen.tree.Run().State.Final() {
		return true
	}
	return l.step != "" && slices.ContainsFunc(seen.tree.Run().Steps, func(s *history.Step) bool {
		return s.Path == l.step && s.State.Final()
	})
}

// followOne shows the log of an attempt until its end.
func (l *logReader) followOne(ctx context.Context, a loggedAttempt, f *os.File) {
	defer f.Close()
	style := l.style(a)
	err := tasklog.Follow(ctx, f, -1, func(line tasklog.Line) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		_, err := l.c.Stdout.Write(style.Append(nil, line))
		return err
	})
	if errors.Is(err, syscall.EPIPE) {
		l.stop() // nobody reads on
		return
	}
	if err != nil && ctx.Err() == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.c.warn(fmt.Sprintf("the log of %s, attempt %d: %v", diagVisible(a.path), a.number, err))
	}
}

// document prints the lines as JSON: {"run", "lines": [{"at", "step", "attempt",
// "stream", "text"}]}.
func (l *logReader) document(seen *seenRun) error {
	var lines []value.Value
	for _, a := range l.attempts(seen.tree.Run()) {
		f, err := l.view.Log(l.run, a.act, a.number)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return folderFailure(err)
		}
		for line, err := range tasklog.Lines(f) {
			if err != nil {
				f.Close()
				return failf(exitInternal, "damaged", "the log of %s, attempt %d: %w", a.path, a.number, err)
			}
			lines = append(lines, value.Object(
				value.M("at", instant(line.At)), value.M("step", value.String(a.path)), value.M("attempt", value.Int(int64(a.number))),
				value.M("stream", value.String(line.Stream.String())), value.M("text", value.String(strings.ToValidUTF8(line.Text, "\uFFFD")))))
		}
		f.Close()
	}
	l.c.printJSON(value.Object(value.M("run", value.String(string(l.run))), value.M("lines", value.List(lines...))))
	return nil
}
