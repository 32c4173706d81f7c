package teststate

import (
	"time"

	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/value"
)

// Run tests a state. It is deterministic. A request that is refused gives an
// *[Error]; whatever the state does is a response.
func Run(cfg Config, r Request) (Response, error) {
	t := &test{cfg: cfg, request: &r}
	if err := t.prepare(); err != nil {
		return Response{}, err
	}
	found, err := t.run(*t.state, true, t.answer)
	if err != nil {
		return Response{}, err
	}
	out := Response{Status: found.status, NextState: found.next, Output: found.output}
	if found.status != Succeeded {
		out.Error, out.Cause = found.err.Name, cause(found.err)
	}
	if r.Level == Debug || r.Level == Trace {
		if out.Inspection, err = t.inspect(found); err != nil {
			return Response{}, err
		}
	}
	return out, nil
}

// cause is the cause of an error: of an expression, what the expression said.
func cause(e *engine.Error) string {
	if said, ok := e.Details.Lookup("cause"); ok {
		return said.Text()
	}
	return e.Message
}

// test is one test.
type test struct {
	cfg       Config
	request   *Request
	state     *asl.State
	input     value.Value
	context   value.Value
	variables value.Value
}

// prepare checks the request and fills in what is not given.
func (t *test) prepare() error {
	r := t.request
	switch r.Level {
	case "":
		r.Level = Info
	case Info, Debug, Trace:
	default:
		return refuse(CodeValidation, "inspectionLevel %q is none of INFO, DEBUG and TRACE", r.Level)
	}
	s, err := r.state(t.cfg)
	if err != nil {
		return err
	}
	t.state = s
	if err := t.checkMock(); err != nil {
		return err
	}
	if err := t.checkConfiguration(); err != nil {
		return err
	}
	t.input, t.variables, t.context = r.Input, r.Variables, r.Context
	if t.input.IsUndefined() {
		t.input = value.Object()
	}
	if t.variables.IsUndefined() {
		t.variables = value.Object()
	}
	if t.context.IsUndefined() {
		t.context = t.firstContext()
	}
	if t.variables.Kind() != value.KindObject {
		return refuse(CodeValidation, "The variables must be an object with a member for each").withHint(`write {"name": value}`)
	}
	if t.context.Kind() != value.KindObject {
		return refuse(CodeValidation, "The context must be an object").withHint(`write {"Execution": {…}, "State": {…}, "StateMachine": {…}}`)
	}
	return nil
}

// firstContext is a context object as a first state sees it. Names and ARNs
// are placeholders.
func (t *test) firstContext() value.Value {
	const machine, execution = "TestState", "test"
	place := t.cfg.Place.OrDefault()
	text, object, m := value.String, value.Object, value.M
	now := text(t.cfg.Now.UTC().Format("2006-01-02T15:04:05.000Z07:00"))
	return object(
		m("Execution", object(
			m("Id", text(place.ARN("express", machine)+":"+execution)),
			m("Input", t.input),
			m("Name", text(execution)),
			m("RoleArn", text(place.Role)),
			m("StartTime", now),
		)),
		m("StateMachine", object(m("Id", text(place.ARN("stateMachine", machine))), m("Name", text(machine)))),
		m("State", object(
			m("Name", text(t.state.Name)),
			m("EnteredTime", now),
			m("RetryCount", value.Int(int64(t.request.Configuration.RetrierRetryCount))),
		)),
	)
}

// answer is how a task ends: with a result or an error.
type answer func(input value.Value) (value.Value, *engine.Error)

// run has the engine run a state; see [test.compile].
func (t *test) run(s asl.State, mocked bool, task answer) (*outcome, error) {
	m, err := t.compile(s, mocked)
	if err != nil {
		return nil, err
	}
	now := t.cfg.Now
	if now.IsZero() {
		now = time.Unix(0, 0).UTC()
	}
	d := &driver{machine: m, answer: task, retries: t.request.Configuration.RetrierRetryCount, now: now}
	return d.drive(t.input, t.cfg.Seed)
}

// answer is what the mock says, without which no state calls anything.
func (t *test) answer(in value.Value) (value.Value, *engine.Error) {
	mock := t.request.Mock
	switch {
	case mock.Error != nil:
		return value.Null, &engine.Error{Name: mock.Error.Error, Message: mock.Error.Cause}
	case t.state.Map != nil && t.exceeded(in):
		return value.Null, &engine.Error{
			Name: "States.ExceedToleratedFailureThreshold", Message: "The specified tolerated failure threshold was exceeded",
		}
	}
	return mock.Result, nil
}

// exceeded reports whether more items have failed than a Map tolerates. One
// that says nothing of it has no threshold here, as in AWS.
func (t *test) exceeded(in value.Value) bool {
	failures := t.request.Configuration.MapIterationFailureCount
	if most, ok := in.Get(inCount).Int(); ok && int64(failures) > most {
		return true
	}
	most, ok := in.Get(inPercentage).Float()
	items := max(t.request.Mock.Result.Len(), in.Get(inItems).Len(), 1)
	return ok && float64(failures)*100 > most*float64(items)
}
