package api

import (
	"context"
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/filter"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
)

// MaxLiveSteps bounds how many steps of one run are looked at for what they wait
// for: more of them say nothing new.
const MaxLiveSteps = 1000

// liveFacts asks the runtime what only the memory knows about live runs.
func (a *API) liveFacts(ctx context.Context, now time.Time) map[store.RunID]filter.Live {
	out := map[store.RunID]filter.Live{}
	type task struct {
		run store.RunID
		act engine.ActID
	}
	var tasks []task
	err := a.cfg.Runtime.Survey(ctx, func(v runtime.View) bool {
		if v.Run == nil { // in quarantine, nothing is known of it
			return true
		}
		live := filter.Live{}
		var since time.Time
		looked := 0
		for id, act := range v.Run.Acts {
			if act.State.Final() {
				continue
			}
			if looked++; looked > MaxLiveSteps {
				break
			}
			switch {
			case act.Reason != "":
				live.Waiting = append(live.Waiting, string(act.Reason))
			case act.State == engine.Queued || act.State == engine.Running:
				tasks = append(tasks, task{v.Row.ID, id})
			}
			if act.State == engine.Waiting && (since.IsZero() || act.Since.Before(since)) {
				since = act.Since
			}
		}
		if v.Row.Held {
			live.Waiting = append(live.Waiting, "hold")
		}
		slices.Sort(live.Waiting)
		live.Waiting = slices.Compact(live.Waiting)
		if !since.IsZero() {
			live.Wait = now.Sub(since)
		}
		out[v.Row.ID] = live
		return true
	})
	if err != nil {
		if ctx.Err() == nil {
			a.cfg.Log.WarnContext(ctx, "live runs could not be looked at", "error", err)
		}
		return out
	}
	for _, t := range tasks {
		worker, place := a.cfg.Workers.Place(t.run, t.act)
		live := out[t.run]
		switch {
		case place > 0:
			live.Waiting = append(live.Waiting, "slot")
		case worker != "" && !slices.Contains(live.Workers, worker):
			live.Workers = append(live.Workers, worker)
		case worker == "":
			if _, blocked := a.cfg.Breakers.Blocked(t.run, t.act); blocked {
				live.Waiting = append(live.Waiting, "breaker")
			}
		}
		out[t.run] = live
	}
	return out
}
