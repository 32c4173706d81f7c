package engine

import (
	"encoding/json"
	"fmt"

	"github.com/regie-dev/regie/internal/value"
)

// EventFormat is the storage format of events that this package writes and
// reads.
const EventFormat = 1

// controlRecord is the part without users' data.
type controlRecord struct {
	Format int     `json:"format"`
	Events []Event `json:"events"`
}

// userData is what an event holds of users' data.
type userData struct {
	Input      value.Value  `json:"input,omitzero"`
	Vars       value.Value  `json:"vars,omitzero"`
	Output     value.Value  `json:"output,omitzero"`
	Items      value.Value  `json:"items,omitzero"`
	Error      *Error       `json:"error,omitempty"`
	Warning    string       `json:"warning,omitempty"`
	Text       string       `json:"text,omitempty"`
	Checkpoint []byte       `json:"checkpoint,omitempty"`
	Secrets    []SecretSlot `json:"secrets,omitempty"`
	Ops        []VarOp      `json:"ops,omitempty"`
}

func (ev *Event) userData() (userData, bool) {
	u := userData{
		Input: ev.Input, Vars: ev.Vars, Output: ev.Output, Items: ev.Items, Error: ev.Error, Warning: ev.Warning,
		Text: ev.Text, Checkpoint: ev.Checkpoint, Secrets: ev.Secrets, Ops: ev.Ops,
	}
	some := !ev.Input.IsUndefined() || !ev.Vars.IsUndefined() || !ev.Output.IsUndefined() || !ev.Items.IsUndefined() ||
		ev.Error != nil || ev.Warning != "" || ev.Text != "" || ev.Checkpoint != nil || ev.Secrets != nil || ev.Ops != nil
	return u, some
}

// EncodeEvents writes events in storage format 1: control facts and users'
// data apart, the latter as an object keyed by the event's index. Equal events
// give equal bytes. The payload is nil when no event holds users' data.
func EncodeEvents(events []Event) (control, payload []byte, err error) {
	control, err = json.Marshal(controlRecord{Format: EventFormat, Events: events})
	if err != nil {
		return nil, nil, fmt.Errorf("encode events: %w", err)
	}
	for i := range events {
		u, some := events[i].userData()
		if !some {
			continue
		}
		data, err := json.Marshal(u)
		if err != nil {
			return nil, nil, fmt.Errorf("encode events: %w", err)
		}
		if payload == nil {
			payload = append(payload, '{')
		} else {
			payload = append(payload, ',')
		}
		payload = fmt.Appendf(payload, `"%d":`, i)
		payload = append(payload, data...)
	}
	if payload != nil {
		payload = append(payload, '}')
	}
	return control, payload, nil
}

// DecodeEvents reads them again. A nil payload gives events without users'
// data (an erased run).
func DecodeEvents(control, payload []byte) ([]Event, error) {
	var c controlRecord
	if err := json.Unmarshal(control, &c); err != nil {
		return nil, fmt.Errorf("decode events: %w", err)
	}
	if c.Format != EventFormat {
		return nil, fmt.Errorf("decode events: format %d is not known here (this Regie reads %d)", c.Format, EventFormat)
	}
	if payload == nil {
		return c.Events, nil
	}
	var users map[int]userData
	if err := json.Unmarshal(payload, &users); err != nil {
		return nil, fmt.Errorf("decode events: users' data: %w", err)
	}
	for i := range c.Events {
		u, ok := users[i]
		if !ok {
			continue
		}
		ev := &c.Events[i]
		ev.Input, ev.Vars, ev.Output, ev.Items, ev.Error = u.Input, u.Vars, u.Output, u.Items, u.Error
		ev.Warning, ev.Text, ev.Checkpoint, ev.Secrets, ev.Ops = u.Warning, u.Text, u.Checkpoint, u.Secrets, u.Ops
	}
	return c.Events, nil
}
