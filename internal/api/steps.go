package api

import (
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/catalog"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/history"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/workflow/graph"
)

// steps are the steps of a run as the API shows them, without payload.
func (a *API) steps(row *store.RunRow, run *history.Run) []*regiev1.Step {
	out := make([]*regiev1.Step, 0, len(run.Steps))
	for _, s := range run.Steps {
		out = append(out, a.step(row, s))
	}
	return out
}

func (a *API) step(row *store.RunRow, s *history.Step) *regiev1.Step {
	out := &regiev1.Step{
		Path: s.Path, Kind: s.Kind, State: string(s.State), Reason: string(s.Reason),
		ActivatedAt: timeOf(s.StartedAt), EndedAt: timeOf(s.EndedAt), Attempts: uint32(s.Tries), Activation: uint64(s.Act),
		Parent: s.Parent, Handled: s.Handled, Held: s.Held && !s.State.Final(), WaitsUntil: timeOf(s.WaitsUntil),
		Items: uint32(s.Items), ItemsDone: uint32(s.Done), ItemsFailed: uint32(s.Failed),
		Activity: s.Activity, TakenBy: s.Taker, ChildRun: s.Child, Undone: s.Undone,
		Node: graph.NodeOf(s.Path),
	}
	out.Tries = tries(s.Attempts)
	if n := len(s.Attempts); n > 0 {
		last := &s.Attempts[n-1]
		out.StartedAt = timeOf(last.StartedAt)
		// That an attempt has begun is no event: a worker says so.
		if s.State == engine.Queued && last.StartedAt.IsZero() {
			if worker, place := a.cfg.Workers.Place(row.ID, s.Act); worker != "" && place == 0 {
				out.State = string(engine.Running)
			}
		}
	}
	if s.Error != nil {
		out.ErrorName = s.Error.Name
	}
	return out
}

// MaxTries is how many attempts of a step are shown, the last ones.
const MaxTries = 20

func tries(attempts []history.Attempt) []*regiev1.Attempt {
	var out []*regiev1.Attempt
	for i := max(0, len(attempts)-MaxTries); i < len(attempts); i++ {
		at := &attempts[i]
		one := &regiev1.Attempt{
			Number: uint32(at.Number), Outcome: string(at.Outcome), DecidedAt: timeOf(at.DecidedAt), StartedAt: timeOf(at.StartedAt),
			EndedAt: timeOf(at.EndedAt), LogBytes: at.Usage.LogBytes, CpuTime: durationpb.New(time.Duration(at.Usage.CPUSeconds * float64(time.Second))), PeakMemory: at.Usage.PeakMemory,
		}
		if at.Error != nil {
			one.ErrorName = at.Error.Name
		}
		out = append(out, one)
	}
	return out
}

// lastAttempt is the number of the last attempt of a step, 0 if there is none.
func lastAttempt(s *history.Step) int {
	if n := len(s.Attempts); n > 0 {
		return s.Attempts[n-1].Number
	}
	return 0
}

// stepAt finds the last step at a path.
func stepAt(run *history.Run, path string) *history.Step {
	for _, s := range slices.Backward(run.Steps) {
		if s.Path == path {
			return s
		}
	}
	return nil
}

func labelsOf(about map[string]string) map[string]string { return catalog.Labels(about) }
