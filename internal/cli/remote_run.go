package cli

import (
	"context"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/cli/view"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/history"
	"github.com/regie-dev/regie/internal/value"
)

// instantOf is a time of the API, zero if there is none.
func instantOf(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

// updateRun puts into run what the server says of it, without steps and data.
func updateRun(run *history.Run, in *regiev1.Run) {
	run.ID, run.Workflow, run.Namespace = in.GetId(), in.GetWorkflow(), in.GetNamespace()
	run.State, run.Reason = engine.State(in.GetState()), engine.Reason(in.GetReason())
	run.BusinessDate, run.Actor, run.Trigger = in.GetBusinessDate(), in.GetActor(), in.GetTrigger()
	run.StartedAt, run.EndedAt = instantOf(in.GetAcceptedAt()), instantOf(in.GetEndedAt())
}

// stepFrom is a step of a server as the views have it, without data.
func stepFrom(in *regiev1.Step) history.Step {
	s := history.Step{
		Act: engine.ActID(in.GetActivation()), Path: in.GetPath(), Parent: in.GetParent(), Kind: in.GetKind(),
		State: engine.State(in.GetState()), Reason: engine.Reason(in.GetReason()), Handled: in.GetHandled(), Held: in.GetHeld(),
		StartedAt: instantOf(in.GetActivatedAt()), EndedAt: instantOf(in.GetEndedAt()), WaitsUntil: instantOf(in.GetWaitsUntil()),
		Tries: int(in.GetAttempts()), Items: int(in.GetItems()), Done: int(in.GetItemsDone()), Failed: int(in.GetItemsFailed()),
		Activity: in.GetActivity(), Taker: in.GetTakenBy(), Child: in.GetChildRun(), Undone: in.GetUndone(),
	}
	if in.GetErrorName() != "" {
		s.Error = &engine.Error{Name: in.GetErrorName()}
	}
	if in.GetStartedAt() != nil {
		// Only that there was one is known, and when the last one began.
		s.Attempts = []history.Attempt{{Number: s.Tries, StartedAt: in.GetStartedAt().AsTime()}}
	}
	return s
}

// seenRemote is a run as a server shows it.
type seenRemote struct {
	run     *regiev1.Run
	outline *view.Outline
	notes   []*regiev1.Note
	reruns  []string
}

// readRun reads a run with its steps and data. withheld is why there are no
// data, if the caller may see the run but not those.
func (r *remote) readRun(ctx context.Context, id string) (seen *seenRemote, withheld, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	got, err := r.readSteps(ctx, id)
	if err != nil {
		return nil, nil, r.failure(err)
	}
	run := &history.Run{}
	updateRun(run, got.GetRun())
	seen = &seenRemote{run: got.GetRun(), outline: view.NewOutline(run), notes: got.GetNotes(), reruns: got.GetRerunAs()}
	for _, s := range got.GetSteps() {
		seen.outline.Put(stepFrom(s))
	}
	data, err := r.readData(ctx, run.ID)
	switch {
	case connect.CodeOf(err) == connect.CodePermissionDenied:
		return seen, r.failure(err), nil
	case err != nil:
		return nil, nil, r.failure(err)
	}
	return seen, nil, fillData(run, data)
}

// readSteps reads a run with all its steps.
func (r *remote) readSteps(ctx context.Context, id string) (*regiev1.GetRunResponse, error) {
	in := &regiev1.GetRunRequest{Namespace: r.namespace, Run: id, Steps: true}
	var steps []*regiev1.Step
	for {
		got, err := r.runs.GetRun(ctx, in)
		if err != nil {
			return nil, err
		}
		steps = append(steps, got.GetSteps()...)
		if in.StepsFrom = got.GetNextSteps(); in.GetStepsFrom() == 0 {
			got.Steps = steps
			return got, nil
		}
	}
}

// readData reads the payload of a run and of all its steps.
func (r *remote) readData(ctx context.Context, id string) (*regiev1.GetRunDataResponse, error) {
	in := &regiev1.GetRunDataRequest{Namespace: r.namespace, Run: id, Steps: true}
	var steps []*regiev1.StepData
	for {
		got, err := r.runs.GetRunData(ctx, in)
		if err != nil {
			return nil, err
		}
		steps = append(steps, got.GetSteps()...)
		if in.StepsFrom = got.GetNextSteps(); in.GetStepsFrom() == 0 {
			got.Steps = steps
			return got, nil
		}
	}
}

// fillData puts inputs, outputs and errors into a run and its steps, which have
// the same order.
func fillData(run *history.Run, data *regiev1.GetRunDataResponse) error {
	var in dataReader
	run.Input, run.Output, run.Error = in.value(data.GetInput()), in.value(data.GetOutput()), in.error(data.GetError())
	run.CancelReason = data.GetCancelReason()
	at := 0
	for _, d := range data.GetSteps() {
		for at < len(run.Steps) && run.Steps[at].Path != d.GetPath() {
			at++
		}
		if at == len(run.Steps) {
			break // it has begun since the steps were read
		}
		s := run.Steps[at]
		s.Input, s.Output, s.Warning = in.value(d.GetInput()), in.value(d.GetOutput()), d.GetWarning()
		if e := in.error(d.GetError()); e != nil {
			s.Error = e
		}
		at++
	}
	return in.failed
}

// dataReader reads values of the API. What cannot be read is kept as failed.
type dataReader struct{ failed error }

func (d *dataReader) value(in *regiev1.Json) value.Value {
	if in == nil {
		return value.Undefined
	}
	v, err := value.Parse([]byte(in.GetText()))
	if err != nil {
		d.failed = failf(exitInternal, "not_regie", "the server sent a value that is not JSON: %w", err)
	}
	return v
}

func (d *dataReader) error(in *regiev1.RunError) *engine.Error {
	if in == nil {
		return nil
	}
	return &engine.Error{Name: in.GetName(), Message: in.GetMessage(), Details: d.value(in.GetDetails())}
}
