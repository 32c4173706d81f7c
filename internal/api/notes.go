package api

import (
	"context"
	"errors"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
)

// maxNotes is how many notes of a run are shown, and how many runs that repeat it.
const maxNotes = 100

// actionComment is the action of notes in the audit log, which is where they are
// kept: the events of a run that has ended are over.
const actionComment = "run.comment"

// comment writes a note on a run. The events of one that goes on have it too.
func (a *API) comment(ctx context.Context, row *store.RunRow, order runtime.Order) (runtime.Done, error) {
	done, err := a.cfg.Runtime.Operate(ctx, order, engine.Comment{Action: order.Action})
	var refused *engine.Refusal
	if !errors.Is(err, runtime.ErrNotLive) && !errors.As(err, &refused) {
		return done, err
	}
	now, readErr := a.cfg.Store.Run(ctx, row.ID)
	switch {
	case readErr != nil:
		return done, readErr
	case !now.Ended():
		return done, err
	case len(order.Steps) > 0:
		return done, &engine.Refusal{Path: order.Steps[0], Message: "run " + string(row.ID) + " has ended: a note on it is about the whole of it"}
	case order.DryRun:
		return runtime.Done{Affected: []engine.Affected{{Does: engine.DoesComment}}}, nil
	}
	position, err := a.cfg.Registry.Record(ctx, order.Entries...)
	return runtime.Done{Affected: []engine.Affected{{Does: engine.DoesComment}}, Position: position}, err
}

// addNotes adds what people wrote on a run, and which runs repeat it.
func (a *API) addNotes(ctx context.Context, run store.RunID, out *regiev1.GetRunResponse) error {
	for _, action := range []string{actionComment, runtime.ActionRerunAs} {
		entries, err := a.cfg.Store.Entries(ctx, store.EntryQuery{OldestFirst: true, Object: "run/" + string(run), Action: action, Limit: maxNotes})
		if err != nil {
			return err
		}
		for i := range entries {
			e := &entries[i]
			if action == actionComment {
				out.Notes = append(out.Notes, &regiev1.Note{Actor: e.Actor, Text: e.Reason, At: timeOf(e.At)})
				continue
			}
			detail, err := value.Parse(e.Detail)
			if err != nil {
				return err
			}
			out.RerunAs = append(out.RerunAs, detail.Get("run").Text())
		}
	}
	return nil
}
