package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/api"
	"github.com/regie-dev/regie/internal/cli/view"
	"github.com/regie-dev/regie/internal/datadir"
)

// elsewhere reports whether a run is one of a server: if the command line names
// one, or if the run is not here and a server is known.
func (c *cli) elsewhere(f *remoteFlags, run, data string) (bool, error) {
	switch {
	case f.named() && data != "":
		return false, usagef("--data is a folder of this machine, and a server is named: choose one")
	case f.named():
		return true, nil
	case data != "" || !c.configured():
		return false, nil
	}
	state, err := datadir.State(c.LookupEnv)
	if err != nil {
		return true, nil //nolint:nilerr // without a state directory no run is here
	}
	_, err = datadir.FindRun(state, run)
	return err != nil, nil
}

func (c *cli) showRemote(ctx context.Context, r *remote, id string, events bool) error {
	if events {
		return c.showRemoteEvents(ctx, r, id)
	}
	seen, withheld, err := r.readRun(ctx, id)
	if err != nil {
		return err
	}
	run := seen.outline.Run()
	if c.output == outputJSON {
		if withheld != nil {
			return withheld
		}
		c.printJSON(run.Document())
		return nil
	}
	color := c.color(c.Stdout)
	columns, _, _ := c.Terminal(c.Stdout)
	for _, l := range seen.outline.Lines(view.Frame{Now: c.Clock.Now(), Columns: columns, Color: color, Whole: true}) {
		printf(c.Stdout, "%s\n", l)
	}
	if run.State.Final() {
		_, _ = io.WriteString(c.Stdout, view.Summary(run, view.SummaryOptions{Color: color, Shown: true}))
	} else {
		printf(c.Stdout, "%s\n", whatNext(seen.run))
	}
	c.printNotes(seen)
	if seen.run.GetErased() {
		c.note("Its inputs, outputs, messages and logs were erased; `regie audit list --object run/" + run.ID + "` says by whom and why.")
	}
	if withheld != nil {
		c.note("Inputs, outputs and messages are not shown: " + withheld.Error())
	}
	return nil
}

// printNotes prints what people wrote on a run, and which runs repeat it.
func (c *cli) printNotes(seen *seenRemote) {
	for _, run := range seen.reruns {
		printf(c.Stdout, "It was rerun as %s.\n", diagVisible(run))
	}
	for _, n := range seen.notes {
		printf(c.Stdout, "%s, %s: %s\n", c.when(n.GetAt()), diagVisible(n.GetActor()), diagVisible(n.GetText()))
	}
}

// whatNext says what can be done about a run that has not ended.
func whatNext(run *regiev1.Run) string {
	switch {
	case run.GetQuarantined() != "":
		return "Regie set it aside: " + diagVisible(run.GetQuarantined())
	case run.GetHeld():
		return fmt.Sprintf("It is held, or steps of it are; `regie why %[1]s` says by whom, `regie release %[1]s` lets it go on.", run.GetId())
	}
	return fmt.Sprintf("It goes on; `regie watch %[1]s` follows it, `regie why %[1]s` says what it waits for.", run.GetId())
}

// showRemoteEvents lists what happened in a run so far.
func (c *cli) showRemoteEvents(ctx context.Context, r *remote, id string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	all := &regiev1.ListEventsResponse{}
	for {
		var after uint64
		if n := len(all.GetEvents()); n > 0 {
			after = all.GetEvents()[n-1].GetNumber()
		}
		page, err := r.runs.ListEvents(ctx, &regiev1.ListEventsRequest{Namespace: r.namespace, Run: id, After: after, Limit: api.MaxPage})
		if err != nil {
			return r.failure(err)
		}
		all.Events, all.Ended = append(all.Events, page.GetEvents()...), page.GetEnded()
		if page.GetEnded() || len(page.GetEvents()) == 0 {
			break
		}
	}
	if c.output == outputJSON {
		return c.printMessage(all)
	}
	for _, ev := range all.GetEvents() {
		printf(c.Stdout, "%5d  %s  %s\n", ev.GetNumber(), instantOf(ev.GetAt()).In(c.zone()).Format("2006-01-02 15:04:05.000"), diagVisible(strings.TrimSpace(ev.GetText())))
	}
	return nil
}
