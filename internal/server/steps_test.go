package server_test

import (
	"fmt"
	"slices"
	"testing"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/api"
	"github.com/regie-dev/regie/internal/api/problem"
)

// wide has more steps than the answers of the test show.
const wide = `kind: Workflow
name: wide
steps:
  - {id: each, foreach: lists.range(50), assign: {x: item}}
`

// TestManySteps reads the steps and the data of a run in parts that are bounded.
func TestManySteps(t *testing.T) {
	t.Parallel()
	w := shared
	w.namespace(t, "wide")
	w.apply(t, "wide", wide)
	run := w.begun(t, &regiev1.StartRunRequest{Namespace: "wide", Workflow: "wide"}).GetId()
	w.ended(t, "wide", run)
	var steps, data []string
	for in := (&regiev1.GetRunRequest{Namespace: "wide", Run: run, Steps: true, StepsLimit: 20}); ; {
		a, err := w.admin.runs.GetRun(t.Context(), in)
		if err != nil || len(a.GetSteps()) > 20 {
			t.Fatalf("%d steps in one answer, %v", len(a.GetSteps()), err)
		}
		for _, s := range a.GetSteps() {
			steps = append(steps, s.GetPath())
		}
		if in.StepsFrom = a.GetNextSteps(); in.GetStepsFrom() == 0 {
			break
		}
	}
	for in := (&regiev1.GetRunDataRequest{Namespace: "wide", Run: run, Steps: true, StepsLimit: 20}); ; {
		a, err := w.admin.runs.GetRunData(t.Context(), in)
		if err != nil || len(a.GetSteps()) > 20 {
			t.Fatalf("data of %d steps in one answer, %v", len(a.GetSteps()), err)
		}
		for _, s := range a.GetSteps() {
			data = append(data, s.GetPath())
		}
		if in.StepsFrom = a.GetNextSteps(); in.GetStepsFrom() == 0 {
			break
		}
	}
	want := []string{"each"}
	for i := range 50 {
		want = append(want, fmt.Sprintf("each[%d]", i))
	}
	if !slices.Equal(steps, want) || !slices.Equal(data, want) {
		t.Errorf("%d steps and data of %d, want %d", len(steps), len(data), len(want))
	}
	one, err := w.admin.runs.GetRunData(t.Context(), &regiev1.GetRunDataRequest{Namespace: "wide", Run: run, Paths: []string{"each[49]"}})
	if err != nil || len(one.GetSteps()) != 1 || one.GetNextSteps() != 0 {
		t.Errorf("one step: %v, %v", one, err)
	}
	none, err := w.admin.runs.GetRun(t.Context(), &regiev1.GetRunRequest{Namespace: "wide", Run: run, Steps: true, StepsFrom: 1 << 62})
	if err != nil || len(none.GetSteps()) != 0 || none.GetNextSteps() != 0 {
		t.Errorf("behind the last: %v, %v", none, err)
	}
	_, err = w.admin.runs.GetRun(t.Context(), &regiev1.GetRunRequest{Namespace: "wide", Run: run, Steps: true, StepsLimit: api.MaxSteps + 1})
	if p := problem.Of(err); p.GetCode() != "request_invalid" {
		t.Errorf("too many at once: %v", err)
	}
}
