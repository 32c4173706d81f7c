package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/cli/view"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/history"
)

// picture is something live on a terminal, or lines where there is none.
type picture struct {
	canvas

	c *cli

	mu    sync.Mutex                       // guards what lines draws
	lines func(columns, rows int) []string // the picture as it is now
}

// newPicture makes a picture on out, where results do not go if they are JSON.
func (c *cli) newPicture(lines func(columns, rows int) []string) *picture {
	out := c.Stdout
	if c.output == outputJSON {
		out = c.Stderr
	}
	return &picture{canvas: c.newCanvas(out), c: c, lines: lines}
}

// during draws while f runs, and leaves the last picture where it is.
func (p *picture) during(f func() error) error {
	if p.screen == nil {
		return f()
	}
	stop := p.always(func() { p.draw(0) })
	err := f()
	stop()
	p.draw(maxFinalRows)
	p.screen.Keep()
	return err
}

// draw draws the picture, in so many rows or those of the terminal.
func (p *picture) draw(rows int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	columns, most := p.size()
	if rows == 0 {
		rows = most
	}
	p.screen.Draw(p.lines(columns, rows))
}

// liveRun shows a run of a server while it goes on.
type liveRun struct {
	*picture

	outline *view.Outline
	plain   *view.Plain
	silent  bool // shows nothing
}

// followRun follows a run of a server to its end, from the first event or from
// where it stands. The stream goes on after a cut. silent shows nothing.
func (c *cli) followRun(ctx context.Context, r *remote, run *regiev1.Run, fromStart, silent bool) error {
	l := &liveRun{outline: view.NewOutline(&history.Run{}), plain: view.NewPlain(c.zone()), silent: silent}
	l.picture = c.newPicture(func(columns, rows int) []string {
		return l.outline.Lines(view.Frame{Now: c.Clock.Now(), Columns: columns, Rows: rows, Color: l.color})
	})
	updateRun(l.outline.Run(), run)
	in := &regiev1.WatchRunRequest{Namespace: r.namespace, Run: run.GetId(), Steps: true}
	if !fromStart {
		in.After = run.GetEvents()
	}
	watch := func() error {
		for answer, err := range r.streams.WatchRun(ctx, in) {
			if err != nil {
				return err
			}
			l.take(answer)
		}
		return nil
	}
	var err error
	if silent {
		err = watch()
	} else {
		err = l.during(watch)
	}
	return r.failure(err)
}

// take shows what has changed.
func (l *liveRun) take(answer *regiev1.WatchRunResponse) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if answer.GetRun() != nil {
		updateRun(l.outline.Run(), answer.GetRun())
	}
	at := l.c.Clock.Now()
	if events := answer.GetEvents(); len(events) > 0 {
		at = instantOf(events[len(events)-1].GetAt())
	}
	tell := l.screen == nil && !l.silent
	if tell {
		l.tellRun(answer.GetEvents())
	}
	for _, in := range answer.GetSteps() {
		step := l.outline.Put(stepFrom(in))
		if tell {
			fmt.Fprint(l.out, l.plain.Step(step, at))
		}
	}
}

// tellRun prints a line for what happens to the run as a whole.
func (l *liveRun) tellRun(events []*regiev1.Event) {
	run := l.outline.Run()
	for _, ev := range events {
		text := ""
		switch engine.EventKind(ev.GetType()) {
		case engine.EvAccepted:
			text = "started, " + diagVisible(run.Workflow)
			if run.BusinessDate != "" {
				text += " for " + run.BusinessDate
			}
		case engine.EvCancelAsked:
			text = "is being canceled"
		case engine.EvRetryAsked:
			text = "is tried again"
		case engine.EvHeld, engine.EvReleased:
			if ev.GetPath() == "" {
				text = "is " + ev.GetType()
			}
		default:
		}
		if text != "" {
			fmt.Fprint(l.out, l.plain.Run(run, text, instantOf(ev.GetAt())))
		}
	}
}

// errWatched says that the user has seen enough.
var errWatched = errors.New("left")

// untilLeft is ctx until the user asks to leave; its cause is then errWatched.
func (c *cli) untilLeft(ctx context.Context) (_ context.Context, stop func()) {
	ctx, leave := context.WithCancelCause(ctx)
	end := c.interrupted(ctx, func(int) { leave(errWatched) })
	return ctx, func() {
		leave(nil)
		end()
	}
}

func left(ctx context.Context) bool { return errors.Is(context.Cause(ctx), errWatched) }

// finishRun prints how a run of a server ended, and ends the command as `regie
// run` does.
func (c *cli) finishRun(ctx context.Context, r *remote, id string, shown bool) error {
	seen, withheld, err := r.readRun(ctx, id)
	if err != nil {
		return err
	}
	run := seen.outline.Run()
	switch {
	case c.output == outputJSON && withheld != nil:
		return withheld
	case c.output == outputJSON:
		c.printJSON(run.Document())
	default:
		o := view.SummaryOptions{Color: c.color(c.Stdout), Shown: shown}
		if step := view.FailedStep(run); step != nil && run.State != engine.Succeeded {
			o.Log = c.remoteTail(ctx, r, run.ID, step)
		}
		_, _ = io.WriteString(c.Stdout, view.Summary(run, o))
	}
	if run.State != engine.Succeeded {
		return ended(exitFailed)
	}
	return nil
}
