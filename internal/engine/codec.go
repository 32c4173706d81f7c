package engine

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/regie-dev/regie/internal/value"
)

// EventFormat is the storage format of events that this package writes and
// reads.
const EventFormat = 1

// controlRecord is the part without users' data, as it is read. An event
// without a time has that of the event before it.
type controlRecord struct {
	Format int     `json:"format"`
	Events []Event `json:"events"`
}

// userData is what an event holds of users' data, as it is read.
type userData struct {
	Input      value.Value   `json:"input"`
	Vars       value.Value   `json:"vars"`
	Output     value.Value   `json:"output"`
	Items      value.Value   `json:"items"`
	Error      *Error        `json:"error"`
	Warning    string        `json:"warning"`
	Text       string        `json:"text"`
	Checkpoint []byte        `json:"checkpoint"`
	Secrets    []SecretSlot  `json:"secrets"`
	Ops        []VarOp       `json:"ops"`
	Awaits     *Awaited      `json:"awaits"`
	Queue      *Queue        `json:"queue"`
	Artifacts  []Artifact    `json:"artifacts"`
	Recalled   *RestoredData `json:"recalled"`
}

// EncodeEvents writes events in storage format 1: control facts and users'
// data apart, the latter as an object keyed by the event's index. Equal events
// give equal bytes. The payload is nil when no event holds users' data.
//
// It writes JSON by hand, since storing an event is most of what a step costs;
// a test sees to it that no member of Event is forgotten.
func EncodeEvents(events []Event) (control, payload []byte, err error) {
	control = make([]byte, 0, 32+160*len(events))
	control = append(control, `{"format":`...)
	control = strconv.AppendInt(control, EventFormat, 10)
	control = append(control, `,"events":[`...)
	var last time.Time
	for i := range events {
		ev := &events[i]
		if i > 0 {
			control = append(control, ',')
		}
		if control, err = appendControl(control, ev, i == 0 || !ev.At.Equal(last)); err != nil {
			return nil, nil, fmt.Errorf("encode events: %w", err)
		}
		last = ev.At
		if !ev.hasUserData() {
			continue
		}
		if payload == nil {
			payload = append(payload, '{')
		} else {
			payload = append(payload, ',')
		}
		payload = append(payload, '"')
		payload = strconv.AppendInt(payload, int64(i), 10)
		payload = append(payload, `":`...)
		if payload, err = appendUserData(payload, ev); err != nil {
			return nil, nil, fmt.Errorf("encode events: %w", err)
		}
	}
	control = append(control, `]}`...)
	if payload != nil {
		payload = append(payload, '}')
	}
	return control, payload, nil
}

// object writes the members of a JSON object that are not zero.
type object struct {
	b     []byte
	begun bool
}

func (o *object) key(name string) {
	if o.begun {
		o.b = append(o.b, ',')
	} else {
		o.b = append(o.b, '{')
		o.begun = true
	}
	o.b = append(append(append(o.b, '"'), name...), `":`...)
}

func (o *object) text(name, s string) {
	if s != "" {
		o.key(name)
		o.b = value.AppendString(o.b, s)
	}
}

func (o *object) int(name string, n int64) {
	if n != 0 {
		o.key(name)
		o.b = strconv.AppendInt(o.b, n, 10)
	}
}

func (o *object) uint(name string, n uint64) {
	if n != 0 {
		o.key(name)
		o.b = strconv.AppendUint(o.b, n, 10)
	}
}

func (o *object) bool(name string, set bool) {
	if set {
		o.key(name)
		o.b = append(o.b, "true"...)
	}
}

func (o *object) time(name string, t time.Time) {
	if !t.IsZero() {
		o.key(name)
		o.b = append(o.b, '"')
		o.b = t.AppendFormat(o.b, time.RFC3339Nano)
		o.b = append(o.b, '"')
	}
}

func (o *object) value(name string, v value.Value) {
	if !v.IsUndefined() {
		o.key(name)
		o.b = v.AppendStored(o.b)
	}
}

func (o *object) json(name string, x any) error {
	data, err := json.Marshal(x)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	o.key(name)
	o.b = append(o.b, data...)
	return nil
}

func appendControl(b []byte, ev *Event, withTime bool) ([]byte, error) {
	o := object{b: b}
	o.text("kind", string(ev.Kind))
	if withTime {
		o.time("at", ev.At)
	}
	o.uint("frame", uint64(ev.Frame))
	o.uint("act", uint64(ev.Act))
	o.text("path", ev.Path)
	o.int("node", int64(ev.Node))
	if len(ev.Nodes) > 0 {
		o.key("nodes")
		for i, n := range ev.Nodes {
			o.b = append(o.b, "[,"[min(i, 1)])
			o.b = strconv.AppendInt(o.b, int64(n), 10)
		}
		o.b = append(o.b, ']')
	}
	if len(ev.Acts) > 0 {
		o.key("acts")
		for i, id := range ev.Acts {
			o.b = append(o.b, "[,"[min(i, 1)])
			o.b = strconv.AppendUint(o.b, uint64(id), 10)
		}
		o.b = append(o.b, ']')
	}
	o.int("body", int64(ev.Body))
	o.text("role", string(ev.Role))
	o.uint("of", uint64(ev.Of))
	o.int("branch", int64(ev.Branch))
	o.int("index", int64(ev.Index))
	o.int("visit", int64(ev.Visit))
	o.int("attempt", int64(ev.Attempt))
	o.int("rule", int64(ev.Rule))
	o.text("state", string(ev.State))
	o.text("reason", string(ev.Reason))
	o.bool("handled", ev.Handled)
	o.text("outcome", string(ev.Outcome))
	o.uint("timer", uint64(ev.Timer))
	o.text("timer_kind", string(ev.TimerKind))
	o.time("due", ev.Due)
	if ev.Fence != (Fence{}) {
		o.key("fence")
		o.b = append(o.b, `{"incarnation":`...)
		o.b = strconv.AppendUint(o.b, ev.Fence.Incarnation, 10)
		o.b = append(o.b, `,"sequence":`...)
		o.b = strconv.AppendUint(o.b, ev.Fence.Sequence, 10)
		o.b = append(o.b, '}')
	}
	o.text("key", ev.Key)
	o.time("started_at", ev.StartedAt)
	o.time("ended_at", ev.EndedAt)
	appendUsage(&o, &ev.Usage)
	o.text("business_date", ev.BusinessDate)
	o.uint("seed", ev.Seed)
	o.text("actor", ev.Actor)
	o.text("taker", ev.Taker)
	o.text("trigger", ev.Trigger)
	o.int("count", int64(ev.Count))
	o.int("max_parallel", int64(ev.MaxParallel))
	o.int("max_failures", int64(ev.MaxFailures))
	o.uint("signal", ev.Signal)
	o.bool("same", ev.Same)
	o.uint("exit_to", uint64(ev.ExitTo))
	appendBeyond(&o, ev)
	o.int("timeout", int64(ev.Timeout))
	o.int("heartbeat", int64(ev.Heartbeat))
	err := appendRestored(&o, ev)
	return append(o.b, '}'), err
}

func appendRestored(o *object, ev *Event) error {
	if ev.Restored == nil {
		return nil
	}
	return o.json("restored", ev.Restored)
}

// appendBeyond writes what an event says of where a frame goes on, and of runs
// above and below.
func appendBeyond(o *object, ev *Event) {
	if ev.ExitNext != nil {
		o.key("exit_next")
		o.b = strconv.AppendInt(o.b, int64(*ev.ExitNext), 10)
	}
	o.uint("known", ev.Known)
	if ev.Parent == nil {
		return
	}
	o.key("parent")
	in := &object{b: o.b}
	in.text("run", ev.Parent.Run)
	in.uint("act", uint64(ev.Parent.Act))
	in.int("depth", int64(ev.Parent.Depth))
	in.b = append(in.b, '}')
	o.b = in.b
}

func appendUsage(o *object, u *Usage) {
	if *u == (Usage{}) {
		return
	}
	o.key("usage")
	in := &object{b: o.b}
	if u.CPUSeconds != 0 {
		in.key("cpu_seconds")
		in.b = value.Float(u.CPUSeconds).Append(in.b)
	}
	in.int("peak_memory", u.PeakMemory)
	in.int("bytes_in", u.BytesIn)
	in.int("bytes_out", u.BytesOut)
	in.int("log_bytes", u.LogBytes)
	in.int("queue_time", int64(u.QueueTime))
	in.b = append(in.b, '}')
	o.b = in.b
}

func (ev *Event) hasUserData() bool {
	return !ev.Input.IsUndefined() || !ev.Vars.IsUndefined() || !ev.Output.IsUndefined() || !ev.Items.IsUndefined() ||
		ev.Error != nil || ev.Warning != "" || ev.Text != "" || ev.Checkpoint != nil || ev.Secrets != nil || ev.Ops != nil || ev.Awaits != nil || ev.Queue != nil ||
		ev.Artifacts != nil || ev.Recalled != nil
}

func appendUserData(b []byte, ev *Event) ([]byte, error) {
	o := object{b: b}
	o.value("input", ev.Input)
	o.value("vars", ev.Vars)
	o.value("output", ev.Output)
	o.value("items", ev.Items)
	if ev.Error != nil {
		if err := o.json("error", ev.Error); err != nil {
			return nil, err
		}
	}
	o.text("warning", ev.Warning)
	o.text("text", ev.Text)
	if ev.Checkpoint != nil {
		o.key("checkpoint")
		o.b = append(o.b, '"')
		o.b = base64.StdEncoding.AppendEncode(o.b, ev.Checkpoint)
		o.b = append(o.b, '"')
	}
	if ev.Secrets != nil {
		if err := o.json("secrets", ev.Secrets); err != nil {
			return nil, err
		}
	}
	if ev.Ops != nil {
		if err := o.json("ops", ev.Ops); err != nil {
			return nil, err
		}
	}
	if ev.Awaits != nil {
		if err := o.json("awaits", ev.Awaits); err != nil {
			return nil, err
		}
	}
	if ev.Queue != nil {
		if err := o.json("queue", ev.Queue); err != nil {
			return nil, err
		}
	}
	if ev.Artifacts != nil {
		if err := o.json("artifacts", ev.Artifacts); err != nil {
			return nil, err
		}
	}
	if ev.Recalled != nil {
		if err := o.json("recalled", ev.Recalled); err != nil {
			return nil, err
		}
	}
	return append(o.b, '}'), nil
}

// DecodeEvents reads them again. A nil payload gives events without users'
// data (an erased run).
func DecodeEvents(control, payload []byte) ([]Event, error) {
	// Every event begins with its kind: room for all of them, since events are
	// large and a slice that grows copies them.
	c := controlRecord{Events: make([]Event, 0, bytes.Count(control, []byte(`{"kind":`)))}
	if err := json.Unmarshal(control, &c); err != nil {
		return nil, fmt.Errorf("decode events: %w", err)
	}
	if c.Format != EventFormat {
		return nil, fmt.Errorf("decode events: format %d is not known here (this Regie reads %d)", c.Format, EventFormat)
	}
	for i := range c.Events {
		if i > 0 && c.Events[i].At.IsZero() {
			c.Events[i].At = c.Events[i-1].At
		}
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
		ev.Awaits, ev.Queue, ev.Artifacts, ev.Recalled = u.Awaits, u.Queue, u.Artifacts, u.Recalled
	}
	return c.Events, nil
}
