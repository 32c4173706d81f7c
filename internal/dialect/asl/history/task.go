package history

import (
	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// How the events of tasks begin.
const (
	taskService     = "Task"
	functionService = "LambdaFunction"
	activityService = "Activity"
)

// service is how the events of a task are called, by what it calls.
func (a *act) service() string {
	if a.state == nil || a.state.Task == nil {
		return taskService
	}
	switch a.state.Task.Resource.Kind {
	case asl.Function:
		return functionService
	case asl.Activity:
		return activityService
	case asl.Integration, asl.Unknown:
	}
	return taskService
}

// resource are the members that name what a task calls; events of functions and
// activities name it only when they are scheduled.
func (a *act) resource() []value.Member {
	if a.state == nil || a.state.Task == nil {
		return nil
	}
	r := a.state.Task.Resource
	if r.Kind != asl.Integration {
		return []value.Member{value.M("resource", value.String(r.Text))}
	}
	return []value.Member{value.M("resourceType", value.String(r.Service)), value.M("resource", value.String(r.Action+string(r.Pattern)))}
}

// goesOn reports whether the work goes on after the service has answered.
func (a *act) goesOn() bool {
	return a.state != nil && a.state.Task != nil && a.state.Task.Resource.Kind == asl.Integration && a.state.Task.Resource.Pattern != asl.RequestResponse
}

// attempt tells that an attempt is handed out.
func (h *history) attempt(a *act, ev *engine.Event) {
	if a.out { // what became of the one before is not known
		h.taskEnded(a, ev, "Failed", failure{"States.TaskFailed", "The outcome of the attempt is not known"}.members())
	}
	if !ev.Input.IsUndefined() { // the first; the others get the same
		a.timeout, a.heartbeat = ev.Timeout, ev.Heartbeat
	}
	arguments := a.input
	if a.node.Task != nil && a.node.Task.With != nil {
		arguments = argumentsIn(a.node.Task.With, a.input)
	}
	h.scheduled(a, ev, arguments)
}

// scheduled tells that work is handed out: to an activity's queue, where
// nobody has taken it yet, or to a service.
func (h *history) scheduled(a *act, ev *engine.Event, arguments value.Value) {
	a.out, a.handed, a.begun, a.answer = true, false, false, nil
	members := a.resource()
	switch service := a.service(); service {
	case taskService:
		members = append(members, asText("parameters", arguments))
	default:
		members = append(members, data("input", arguments)...)
	}
	h.tell(a, ev, a.service()+"Scheduled", details(append(members, seconds("timeoutInSeconds", a.timeout), seconds("heartbeatInSeconds", a.heartbeat))...))
	switch a.service() {
	case taskService:
		h.tell(a, ev, "TaskStarted", details(a.resource()...))
	case functionService:
		h.tell(a, ev, "LambdaFunctionStarted", value.Undefined)
	}
}

// attemptEnded tells how an attempt ended, or that it was handed over and a
// message will tell. Of one that was told to stop, and of one whose outcome is
// not known, more follows.
func (h *history) attemptEnded(a *act, ev *engine.Event) {
	message := a.node.Task != nil && a.node.Task.Finish != workflow.FinishResult && !ev.Same
	a.handed = true
	switch {
	case ev.Outcome == engine.OutcomeSucceeded && message:
		if a.service() == taskService {
			h.tell(a, ev, "TaskSubmitted", details(append(a.resource(), data("output", ev.Output)...)...))
		}
	case a.answer != nil: // that counts
	case ev.Outcome == engine.OutcomeSucceeded:
		h.taken(a, ev)
		h.taskSucceeded(a, ev)
	case ev.Outcome == engine.OutcomeFailed:
		if a.goesOn() && (ev.Same || a.state.Task.Resource.Pattern != asl.WaitForTaskToken) {
			h.taken(a, ev)
		}
		h.taskFailed(a, ev)
	case ev.Outcome == engine.OutcomeNotStarted:
		h.taskEnded(a, ev, "StartFailed", nil)
	}
	if a.answer != nil {
		said := *a.answer
		said.At = ev.At
		h.answered(a, &said)
	}
}

// answered tells what a message said, once the attempt that it is about was
// handed over.
func (h *history) answered(a *act, ev *engine.Event) {
	switch {
	case !a.handed:
		a.answer = ev
	case ev.Outcome == engine.OutcomeFailed:
		h.taskFailed(a, ev)
	default:
		if a.service() == activityService {
			h.taken(a, ev)
		}
		h.taskSucceeded(a, ev)
	}
}

// taken tells that a worker has taken the work of an activity, or that a service
// has answered that its job has begun. When that was is not always known: then it
// is told with the end.
func (h *history) taken(a *act, ev *engine.Event) {
	switch {
	case a.service() == activityService:
		if !a.begun {
			worker := value.Undefined
			if ev.Taker != "" {
				worker = details(text("workerName", ev.Taker))
			}
			h.tell(a, ev, "ActivityStarted", worker)
		}
		a.begun = true
	case a.goesOn():
		h.tell(a, ev, "TaskSubmitted", details(a.resource()...))
	}
}

func (h *history) taskSucceeded(a *act, ev *engine.Event) {
	a.result = ev.Output
	h.taskEnded(a, ev, "Succeeded", data("output", ev.Output))
}

// taskFailed tells that work has failed, or took too long.
func (h *history) taskFailed(a *act, ev *engine.Event) {
	e := errorOf(ev)
	a.err, a.failure = e, failure{e.Name, detail(e)}
	how := "Failed"
	if e.Engine == engine.ErrTimeout || e.Engine == engine.ErrHeartbeat {
		how = "TimedOut"
	} else if a.service() == activityService {
		h.taken(a, ev)
	}
	h.taskEnded(a, ev, how, a.failure.members())
}

// nested tells that an execution was started inside this one.
func (h *history) nested(a *act, ev *engine.Event) {
	if !a.out {
		h.scheduled(a, ev, ev.Input)
		h.taken(a, ev)
	}
}

// taskEnded tells of work that was handed out.
func (h *history) taskEnded(a *act, ev *engine.Event, how string, members []value.Member) {
	a.out = false
	if a.service() == taskService {
		members = append(a.resource(), members...)
	}
	h.tell(a, ev, a.service()+how, details(members...))
}

// argumentsIn finds the arguments of a state in the input of its task, which
// the target may have put inside something else.
func argumentsIn(with *workflow.Data, input value.Value) value.Value {
	if at, ok := find(with, input); ok {
		return at
	}
	return input
}

func find(d *workflow.Data, v value.Value) (value.Value, bool) {
	if d.Expr != nil {
		for i := range d.Expr.Bind {
			if d.Expr.Bind[i].From == (workflow.Source{Root: workflow.RootEffective}) {
				return v, true
			}
		}
	}
	for i := range d.Object {
		if at, ok := find(&d.Object[i].Data, v.Get(d.Object[i].Key)); ok {
			return at, true
		}
	}
	for i := range d.List {
		if at, ok := find(&d.List[i], v.At(i)); ok {
			return at, true
		}
	}
	return value.Undefined, false
}
