package teststate

import (
	"fmt"

	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/value"
)

// checkMock refuses a mock that does not fit the state, and a state that needs
// one and has none.
func (t *test) checkMock() error {
	mock, s := t.request.Mock, t.state
	takes := s.Type == asl.Task || s.Type == asl.Map || s.Type == asl.Parallel
	switch {
	case mock == nil:
		return t.unmocked()
	case mock.Result.IsUndefined() == (mock.Error == nil):
		return refuse(CodeValidation, "A test mock should have only one of the following fields: [result, errorOutput].")
	case t.request.RevealSecrets:
		return refuse(CodeValidation, "TestState does not support RevealSecrets when a mock is specified.")
	case !takes:
		return refuse(CodeValidation, "State type '%s' is not supported when a mock is specified", s.Type).
			withHint("leave the mock out: the state calls nothing")
	case mock.Error != nil:
		return nil
	case s.Type == asl.Task:
		return t.checkShape()
	}
	return t.checkItems()
}

// unmocked is about states without a mock.
func (t *test) unmocked() error {
	switch s := t.state; s.Type {
	case asl.Map, asl.Parallel:
		return refuse(CodeDefinition, "TestState API does not support Map or Parallel states. "+
			"Supported state types include: [Task, Wait, Pass, Succeed, Fail, Choice]").withHint("give a mock with what the " + string(s.Type) + " results in")
	case asl.Task:
		return refuse(CodeValidation, "A mock must be specified when testing a Task state: nothing here calls %s", s.Task.Resource.Text).
			withHint(`give a mock such as {"result": {…}} or {"errorOutput": {"error": "States.TaskFailed", "cause": "…"}}`)
	default:
		return nil
	}
}

// checkItems checks the mocked result of a Map or Parallel.
func (t *test) checkItems() error {
	result := t.request.Mock.Result
	switch s := t.state; {
	case s.Map != nil && s.Map.Writer != nil:
		if result.Kind() != value.KindObject {
			return refuse(CodeValidation, "Mocked result must be a JSON object.").withHint("a Map with a ResultWriter results in where it wrote to")
		}
	case result.Kind() != value.KindList:
		return refuse(CodeValidation, "Mocked result must be a JSON array.").withHint("one item for each item or branch")
	case s.Parallel != nil && result.Len() != len(s.Parallel.Branches):
		return refuse(CodeValidation, "Mocked result must contain the same number of items as number of Parallel branches.")
	case s.Map != nil && t.request.Configuration.MapIterationFailureCount > result.Len():
		return refuse(CodeValidation, "Map iteration failure count must be less than or equal to the number of Map iterations")
	}
	return nil
}

// checkConfiguration refuses what has no meaning for the state.
func (t *test) checkConfiguration() error {
	c, s := &t.request.Configuration, t.state
	switch {
	case c.RetrierRetryCount > MaxRetries:
		return refuse(CodeValidation, "retrierRetryCount is %d and must be at most %d", c.RetrierRetryCount, MaxRetries)
	case c.MapIterationFailureCount > 0 && s.Map == nil:
		return refuse(CodeValidation, "mapIterationFailureCount is for Map states, and '%s' is a %s", s.Name, s.Type)
	case c.MapItemReaderData != "" && (s.Map == nil || s.Map.Reader == nil):
		return refuse(CodeValidation, "mapItemReaderData is for Map states with an ItemReader, and '%s' has none", s.Name)
	case c.ErrorCausedByState == "":
		return nil
	}
	inner := map[string]bool{}
	visit := func(s *asl.State) { inner[s.Name] = true }
	switch {
	case s.Map != nil && s.Map.Processor != nil:
		s.Map.Processor.Each(visit)
	case s.Parallel != nil:
		for _, b := range s.Parallel.Branches {
			b.Each(visit)
		}
	}
	if !inner[c.ErrorCausedByState] {
		return refuse(CodeValidation, "errorCausedByState names '%s', which is no state inside '%s'", c.ErrorCausedByState, s.Name)
	}
	return nil
}

// checkShape holds the mocked result of a Task against the answer of its API.
func (t *test) checkShape() error {
	mode := t.request.Mock.Validation
	resource := t.state.Task.Resource
	form, known := shapes[resource.Service+":"+resource.Action]
	if mode == None || !known || resource.Kind != asl.Integration || resource.Pattern != asl.RequestResponse {
		return nil
	}
	if fault := form.check("", t.request.Mock.Result, mode != Present); fault != "" {
		return refuse(CodeValidation, "Mock result schema validation error: %s", fault).
			withHint(fmt.Sprintf(`mock what %s answers, or give the mock "fieldValidationMode": "NONE"`, resource.Text))
	}
	return nil
}
