package server_test

import (
	"testing"

	"connectrpc.com/connect"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
)

// TestCountRuns: runs are counted by state and by what they are of, within what
// the caller may see.
func TestCountRuns(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	for _, ns := range []string{"one", "two"} {
		w.namespace(t, ns)
		w.apply(t, ns, "kind: Workflow\nname: good\nsteps: [{id: a, assign: {x: 1}}]\n---\nkind: Workflow\nname: bad\nsteps: [{id: a, fail: {name: wrong, message: no}}]\n")
		for _, name := range []string{"good", "bad", "good"} {
			w.ended(t, ns, w.begun(t, &regiev1.StartRunRequest{Namespace: ns, Workflow: name}).GetId())
		}
		w.begun(t, &regiev1.StartRunRequest{Namespace: ns, Workflow: "good", Held: true})
	}
	count := func(c *client, q *regiev1.CountRunsRequest) *regiev1.CountRunsResponse {
		t.Helper()
		a, err := c.runs.CountRuns(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	all := count(w.admin, &regiev1.CountRunsRequest{Namespace: "-", By: "workflow"})
	total := all.GetTotal()
	if total.GetRuns() != 8 || total.GetHeld() != 2 || total.GetStates()["succeeded"] != 4 || total.GetStates()["failed"] != 2 || all.GetAtLeast() {
		t.Errorf("%v", all)
	}
	if g := all.GetGroups(); len(g) != 4 || g[0].GetNamespace() != "one" || g[0].GetWorkflow() != "good" || g[0].GetRuns() != 3 || g[3].GetStates()["failed"] != 1 {
		t.Errorf("%v", g)
	}
	if failed := count(w.admin, &regiev1.CountRunsRequest{Namespace: "one", Filter: "state:failed"}); failed.GetTotal().GetRuns() != 1 || len(failed.GetGroups()) != 0 {
		t.Errorf("%v", failed)
	}
	mine := count(w.user(t, "ada", "viewer@two"), &regiev1.CountRunsRequest{Namespace: "-", By: "namespace"})
	if mine.GetTotal().GetRuns() != 4 || len(mine.GetGroups()) != 1 || mine.GetGroups()[0].GetNamespace() != "two" {
		t.Errorf("%v", mine)
	}
	if a := w.rest(t, w.token, "GET", "/v1/namespaces/-/runs:count?filter=since:1h&by=workflow", ""); a.status != 200 {
		t.Error(a)
	}
	_, err := w.admin.runs.CountRuns(t.Context(), &regiev1.CountRunsRequest{Namespace: "-", By: "moon"})
	checkError(t, err, connect.CodeInvalidArgument, "request_invalid")
	_, err = w.admin.runs.CountRuns(t.Context(), &regiev1.CountRunsRequest{Namespace: "-", Filter: "stat:x"})
	checkError(t, err, connect.CodeInvalidArgument, "filter_invalid")
}
