package server_test

import (
	"testing"

	"connectrpc.com/connect"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
)

// TestGraph: every step of a run has its node in the graph of its version, and
// the nodes say how far their steps have come.
func TestGraph(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.namespace(t, "graph")
	const text = `kind: Workflow
name: w
steps:
  - id: each
    foreach: "[1, 2, 3]"
    max_failures: 3
    steps:
      - {id: part, if: item != 2, fail: {name: wrong, message: no}}
  - id: tried
    retry: {max_attempts: 2}
    repeat: {until: turn >= 2, max: 5}
    steps: [{id: one, assign: {x: 1}}]
  - id: wrong
    fail: {name: bad, message: no}
    on_error: {steps: [{id: mend, assign: {y: 1}}]}
finally: [{id: last, assign: {z: 1}}]
`
	version := w.apply(t, "graph", text).GetChanges()[0].GetVersion()
	run := w.begun(t, &regiev1.StartRunRequest{Namespace: "graph", Workflow: "w"}).GetId()
	w.ended(t, "graph", run)

	of, err := w.admin.workflows.GetGraph(t.Context(), &regiev1.GetGraphRequest{Namespace: "graph", Workflow: "w"})
	if err != nil || of.GetVersion() != version {
		t.Fatalf("graph of %s: %v", of.GetVersion(), err)
	}
	nodes := map[string]*regiev1.GraphNode{}
	for _, n := range of.GetGraph().GetNodes() {
		nodes[n.GetId()] = n
	}
	steps, err := w.admin.runs.GetRun(t.Context(), &regiev1.GetRunRequest{Namespace: "graph", Run: run, Steps: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range steps.GetSteps() {
		if nodes[s.GetNode()] == nil {
			t.Errorf("step %s has the node %s, which is not there", s.GetPath(), s.GetNode())
		}
	}
	got, err := w.admin.runs.GetRunGraph(t.Context(), &regiev1.GetRunGraphRequest{Namespace: "graph", Run: run})
	if err != nil || len(got.GetGraph().GetNodes()) != len(nodes) {
		t.Fatalf("%d nodes: %v", len(got.GetGraph().GetNodes()), err)
	}
	states := map[string]*regiev1.GraphNodeState{}
	for _, s := range got.GetStates() {
		states[s.GetNode()] = s
	}
	if s := states["each[]/part"]; s.GetState() != "failed" || s.GetStates()["failed"] != 2 || s.GetStates()["skipped"] != 1 || s.GetPath() != "each[2]/part" {
		t.Errorf("%v", s)
	}
	for _, id := range []string{"tried[]/one", "wrong", "wrong/on_error/mend", "finally/last"} {
		if s := states[id]; s == nil || nodes[id] == nil {
			t.Errorf("node %s: %v", id, s)
		}
	}
	if got, err = w.admin.runs.GetRunGraph(t.Context(), &regiev1.GetRunGraphRequest{Namespace: "graph", Run: run, StatesOnly: true}); err != nil || got.GetGraph() != nil {
		t.Errorf("%v, %v", got.GetGraph(), err)
	}
	if a := w.rest(t, w.token, "GET", "/v1/namespaces/graph/runs/"+run+"/graph", ""); a.status != 200 {
		t.Error(a)
	}
	if a := w.rest(t, w.token, "GET", "/v1/namespaces/graph/workflows/w/graph?version="+version, ""); a.status != 200 {
		t.Error(a)
	}
	_, err = w.admin.workflows.GetGraph(t.Context(), &regiev1.GetGraphRequest{Namespace: "graph", Workflow: "w", Version: "none"})
	checkError(t, err, connect.CodeNotFound, "workflow_not_found")
	_, err = w.admin.runs.GetRunGraph(t.Context(), &regiev1.GetRunGraphRequest{Namespace: "default", Run: run})
	checkError(t, err, connect.CodeNotFound, "run_not_found")
}
