package api

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"connectrpc.com/connect"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/gate"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
)

// checkOperation refuses what belongs to another action.
func checkOperation(m *regiev1.ActRequest) error {
	switch m.GetAction() {
	case regiev1.Action_ACTION_SET_SUCCEEDED, regiev1.Action_ACTION_SET_FAILED, regiev1.Action_ACTION_SKIP, regiev1.Action_ACTION_KILL,
		regiev1.Action_ACTION_RERUN, regiev1.Action_ACTION_FORCE:
		if len(m.GetSteps()) == 0 {
			return invalid("steps", "name the steps")
		}
	case regiev1.Action_ACTION_COMMENT:
		if m.GetReason() == "" {
			return invalid("reason", "the note is missing")
		}
	default:
	}
	if err := checkAdjustment(m); err != nil {
		return err
	}
	if err := checkWaits(m); err != nil {
		return err
	}
	if m.GetRedo() && m.GetAction() != regiev1.Action_ACTION_RERUN {
		return invalid("redo", "it belongs to ACTION_RERUN")
	}
	if len(m.GetPrerequisites()) > 0 && (m.GetAction() != regiev1.Action_ACTION_FORCE || len(m.GetPrerequisites()) > MaxNamedSteps) {
		return invalid("prerequisites", "they belong to ACTION_FORCE, and are at most %d", MaxNamedSteps)
	}
	named := m.GetErrorName() + m.GetErrorMessage()
	switch {
	case m.GetOutput() != nil && m.GetAction() != regiev1.Action_ACTION_SET_SUCCEEDED:
		return invalid("output", "it belongs to ACTION_SET_SUCCEEDED")
	case len(m.GetOutput().GetText()) > MaxInput:
		return invalid("output", "it has %d bytes, more than %d", len(m.GetOutput().GetText()), MaxInput)
	case named != "" && m.GetAction() != regiev1.Action_ACTION_SET_FAILED:
		return invalid("error_name", "it belongs to ACTION_SET_FAILED")
	case len(m.GetErrorName()) > MaxErrorName || strings.ContainsAny(m.GetErrorName(), " \t\r\n*"):
		return invalid("error_name", "it is longer than %d bytes, or has spaces or * in it", MaxErrorName)
	case len(m.GetErrorMessage()) > MaxReason || !utf8.ValidString(named) || strings.ContainsRune(named, 0):
		return invalid("error_message", "it is longer than %d bytes, or not text", MaxReason)
	}
	_, err := outputOf(m)
	return err
}

// conditionsOf are the conditions that a request adds or drops.
func conditionsOf(m *regiev1.ActRequest) []gate.Fact {
	facts := make([]gate.Fact, len(m.GetConditions()))
	for i, c := range m.GetConditions() {
		facts[i] = gate.Fact{Name: c.GetName(), Date: c.GetDate()}
	}
	return facts
}

// checkWaits refuses conditions that cannot be, or belong to another action.
func checkWaits(m *regiev1.ActRequest) error {
	waits := m.GetAction() == regiev1.Action_ACTION_ADD_WAIT || m.GetAction() == regiev1.Action_ACTION_DROP_WAIT
	switch n := len(m.GetConditions()); {
	case !waits && n > 0:
		return invalid("conditions", "they belong to ACTION_ADD_WAIT and ACTION_DROP_WAIT")
	case waits && (n == 0 || n > gate.MaxNeeds):
		return invalid("conditions", "there are %d; give at least one and at most %d", n, gate.MaxNeeds)
	case waits && len(m.GetSteps()) == 0:
		return invalid("steps", "name the steps")
	}
	for _, f := range conditionsOf(m) {
		if err := f.Check(); err != nil {
			return invalid("conditions", "%v", err)
		}
	}
	return nil
}

// checkAdjustment refuses a priority or a deadline that cannot be, or belongs to
// another action.
func checkAdjustment(m *regiev1.ActRequest) error {
	priority, at := m.GetPriority(), m.GetFinishBy()
	switch {
	case m.Priority != nil && m.GetAction() != regiev1.Action_ACTION_SET_PRIORITY:
		return invalid("priority", "it belongs to ACTION_SET_PRIORITY")
	case priority < -gate.MaxPriority || priority > gate.MaxPriority:
		return invalid("priority", "it is %d; it lies between %d and %d", priority, -gate.MaxPriority, gate.MaxPriority)
	case at != nil && m.GetAction() != regiev1.Action_ACTION_SET_DEADLINE:
		return invalid("finish_by", "it belongs to ACTION_SET_DEADLINE")
	case at != nil && (!at.IsValid() || at.AsTime().Year() > store.MaxYear || at.AsTime().Unix() <= 0):
		return invalid("finish_by", "it is no instant between 1970 and the year %d", store.MaxYear)
	case m.GetAction() == regiev1.Action_ACTION_SET_DEADLINE && len(m.GetSteps()) > 0:
		return invalid("steps", "a deadline is that of a whole run")
	}
	return nil
}

// environmentProd is the environment in which what operators do is confirmed.
const environmentProd = "prod"

// checkConfirmed refuses what ends or starts something in production and was not
// confirmed.
func (a *API) checkConfirmed(m *regiev1.ActRequest) error {
	switch m.GetAction() {
	case regiev1.Action_ACTION_HOLD, regiev1.Action_ACTION_COMMENT:
		return nil
	default:
	}
	if m.GetConfirmed() || m.GetDryRun() {
		return nil
	}
	return a.needsNoConfirmation(m.GetNamespace())
}

// needsNoConfirmation refuses what was not confirmed in production.
func (a *API) needsNoConfirmation(namespace string) error {
	environment := a.cfg.System.Info().Environment
	if n, ok := a.cfg.Access.Namespace(namespace); ok && n.Environment != "" {
		environment = n.Environment
	}
	if environment != environmentProd {
		return nil
	}
	return refuse(connect.CodeFailedPrecondition, "confirmation_needed",
		fmt.Sprintf("namespace %s is of the environment %s, where this has to be confirmed", namespace, environment),
		"look at a dry run first; then confirm it: `--yes`, or \"confirmed\": true")
}

// outputOf is the output that a step is to have.
func outputOf(m *regiev1.ActRequest) (value.Value, error) {
	if m.GetOutput() == nil {
		return value.Null, nil
	}
	v, err := value.Parse([]byte(m.GetOutput().GetText()))
	if err != nil {
		return value.Null, invalid("output", "it is not JSON: %v", err)
	}
	return v, nil
}

// operate does an action that is one of the engine's inputs.
func (a *API) operate(ctx context.Context, m *regiev1.ActRequest, order runtime.Order) (runtime.Done, error) {
	in, err := operationOf(m, order.Action)
	if err != nil {
		return runtime.Done{}, err
	}
	return a.cfg.Runtime.Operate(ctx, order, in)
}

// operationOf is the input of the engine that a request asks for.
func operationOf(m *regiev1.ActRequest, order engine.Action) (engine.Input, error) {
	switch m.GetAction() {
	case regiev1.Action_ACTION_SET_SUCCEEDED:
		output, err := outputOf(m)
		return engine.Settle{Action: order, As: engine.Succeeded, Output: output}, err
	case regiev1.Action_ACTION_SET_FAILED:
		return engine.Settle{Action: order, As: engine.Failed, Error: &engine.Error{Name: m.GetErrorName(), Message: m.GetErrorMessage()}}, nil
	case regiev1.Action_ACTION_SKIP:
		return engine.Settle{Action: order, As: engine.Skipped}, nil
	case regiev1.Action_ACTION_KILL:
		return engine.Kill{Action: order}, nil
	case regiev1.Action_ACTION_RUN_NOW:
		return engine.RunNow{Action: order}, nil
	case regiev1.Action_ACTION_RERUN:
		return engine.Rerun{Action: order, Redo: m.GetRedo()}, nil
	case regiev1.Action_ACTION_FORCE:
		return engine.Force{Action: order, Prerequisites: m.GetPrerequisites()}, nil
	case regiev1.Action_ACTION_ADD_WAIT:
		return engine.AddWait{Action: order, Conditions: conditionsOf(m)}, nil
	case regiev1.Action_ACTION_DROP_WAIT:
		return engine.DropWait{Action: order, Conditions: conditionsOf(m)}, nil
	case regiev1.Action_ACTION_SET_PRIORITY:
		in := engine.SetPriority{Action: order}
		if m.Priority != nil {
			priority := int(m.GetPriority())
			in.Priority = &priority
		}
		return in, nil
	case regiev1.Action_ACTION_SET_DEADLINE:
		in := engine.SetDeadline{Action: order}
		if m.GetFinishBy() != nil {
			in.FinishBy = store.Time(m.GetFinishBy().AsTime())
		}
		return in, nil
	default: // the enum has no other
		return engine.Compensate{Action: order}, nil
	}
}

// repeated finds the run that a new one repeats, and its input.
func (a *API) repeated(ctx context.Context, m *regiev1.StartRunRequest) (store.RunRow, value.Value, error) {
	row, err := a.find(ctx, m.GetNamespace(), m.GetRerunOf())
	if err != nil {
		return row, value.Null, err
	}
	if row.Workflow != m.GetWorkflow() {
		return row, value.Null, invalid("rerun_of", "run %s is of workflow %s", row.ID, row.Workflow)
	}
	seen, erased, err := a.history(ctx, &row, func(int, string) bool { return false })
	switch {
	case err != nil:
		return row, value.Null, failure(err)
	case erased && m.GetInput() == nil:
		return row, value.Null, invalid("input", "the input of run %s was erased: give one", row.ID)
	}
	return row, seen.Run().Input, nil
}
