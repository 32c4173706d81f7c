package history_test

import (
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/dialect/asl/history"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// Whole histories stand in ../testdata/history.yaml: they are those of runs.

var at = time.Date(2026, 3, 2, 6, 0, 0, 250_000_000, time.UTC)

func pass() (*asl.Machine, *workflow.Program) {
	m := &asl.Machine{Flow: asl.Flow{States: []*asl.State{{Name: "A", Type: asl.Pass, Location: "/States/A"}}}}
	p := &workflow.Program{Bodies: []workflow.Body{{Nodes: []workflow.Node{{
		ID: "A", Kind: workflow.KindPass, Origin: workflow.Origin{Path: "/States/A", Kind: "Pass"},
	}}}}}
	return m, p
}

func TestValue(t *testing.T) {
	t.Parallel()
	m, p := pass()
	events, err := history.Of(m, p, []engine.Event{
		{Kind: engine.EvAccepted, At: at, Input: value.Int(1)},
		{Kind: engine.EvFrameOpened, At: at, Frame: 1, Role: engine.RoleMain},
		{Kind: engine.EvEntered, At: at, Frame: 1, Act: 1, Input: value.String("x")},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range events {
		got = append(got, events[i].Value().String())
	}
	want := `{"timestamp":"2026-03-02T06:00:00.250Z","type":"ExecutionStarted","id":1,"previousEventId":0,` +
		`"executionStartedEventDetails":{"input":"1","inputDetails":{"truncated":false}}}
{"timestamp":"2026-03-02T06:00:00.250Z","type":"PassStateEntered","id":2,"previousEventId":0,` +
		`"stateEnteredEventDetails":{"name":"A","input":"\"x\"","inputDetails":{"truncated":false}}}`
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
}

func TestFailure(t *testing.T) {
	t.Parallel()
	details := value.Object(value.M("error", value.String("E")), value.M("cause", value.String("c")))
	for _, test := range []struct {
		events      []history.Event
		name, cause string
	}{
		{nil, "", ""},
		{[]history.Event{{Type: "ExecutionStarted"}}, "", ""},
		{[]history.Event{{Type: "TaskFailed", Details: details}}, "", ""},
		{[]history.Event{{Type: "TaskFailed"}, {Type: "ExecutionFailed", Details: details}}, "E", "c"},
		{[]history.Event{{Type: "ExecutionAborted", Details: value.Object(value.M("cause", value.String("c")))}}, "", "c"},
	} {
		if name, cause := history.Failure(test.events); name != test.name || cause != test.cause {
			t.Errorf("%+v: %q, %q", test.events, name, cause)
		}
	}
}

// TestOfRefuses: events of another program are refused, not guessed at.
func TestOfRefuses(t *testing.T) {
	t.Parallel()
	m, p := pass()
	main := engine.Event{Kind: engine.EvFrameOpened, Frame: 1, Role: engine.RoleMain}
	for want, events := range map[string][]engine.Event{
		"history: event 1 (ended): activation 7 is not there":             {{Kind: engine.EvEnded, Act: 7}},
		"history: event 1 (frame_opened): activation 3 is not there":      {{Kind: engine.EvFrameOpened, Frame: 2, Role: engine.RoleBody, Act: 3}},
		"history: event 1 (frame_ended): frame 2 is not there":            {{Kind: engine.EvFrameEnded, Frame: 2}},
		"history: event 1 (entered): frame 1 is not there":                {{Kind: engine.EvEntered, Frame: 1, Act: 1}},
		"history: event 2 (entered): body 0 of the program has no node 5": {main, {Kind: engine.EvEntered, Frame: 1, Act: 1, Node: 5}},
		"history: event 2 (entered): the program has no body 9": {
			{Kind: engine.EvFrameOpened, Frame: 1, Role: engine.RoleMain, Body: 9}, {Kind: engine.EvEntered, Frame: 1, Act: 1},
		},
	} {
		if _, err := history.Of(m, p, events); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
