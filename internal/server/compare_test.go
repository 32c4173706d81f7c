package server_test

import (
	"testing"

	"connectrpc.com/connect"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
)

// TestCompareRuns: a run is compared with the last good one, or any other.
func TestCompareRuns(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.namespace(t, "compare")
	run := func(text, input string) string {
		w.apply(t, "compare", text)
		q := &regiev1.StartRunRequest{Namespace: "compare", Workflow: "w", Input: &regiev1.Json{Text: input}}
		id := w.begun(t, q).GetId()
		w.ended(t, "compare", id)
		return id
	}
	const head = "kind: Workflow\nname: w\ninputs: {n: {type: integer, default: 1}}\nsteps:\n"
	good := run(head+"  - {id: a, run: \"true\"}\n  - {id: old, assign: {x: 1}}\n", "{}")
	bad := run(head+"  - {id: a, run: exit 3}\n  - {id: new, assign: {x: 1}}\n", `{"n": 2}`)
	got, err := w.admin.runs.CompareRuns(t.Context(), &regiev1.CompareRunsRequest{Namespace: "compare", Run: bad})
	if err != nil || got.GetWith().GetId() != good || !got.GetVersionDiffers() || !got.GetInputDiffers() || got.GetInputUnknown() {
		t.Fatalf("%v: %v", got, err)
	}
	changes := map[string]string{}
	for _, s := range got.GetSteps() {
		changes[s.GetNode()] = s.GetChange()
	}
	if len(changes) != 3 || changes["a"] != "state" || changes["new"] != "added" || changes["old"] != "removed" {
		t.Errorf("%v", changes)
	}
	if got, err = w.admin.runs.CompareRuns(t.Context(), &regiev1.CompareRunsRequest{Namespace: "compare", Run: good, With: good}); err != nil ||
		got.GetVersionDiffers() || got.GetInputDiffers() || got.GetSteps()[0].GetChange() != "same" || got.GetSteps()[0].GetPercent() != 100 {
		t.Errorf("%v: %v", got, err)
	}
	if a := w.rest(t, w.token, "GET", "/v1/namespaces/compare/runs/"+bad+":compare", ""); a.status != 200 {
		t.Error(a)
	}
	_, err = w.admin.runs.CompareRuns(t.Context(), &regiev1.CompareRunsRequest{Namespace: "compare", Run: good})
	checkError(t, err, connect.CodeNotFound, "run_not_found")

	steps, err := w.admin.runs.GetRun(t.Context(), &regiev1.GetRunRequest{Namespace: "compare", Run: bad, Steps: true})
	if err != nil {
		t.Fatal(err)
	}
	if tries := steps.GetSteps()[0].GetTries(); len(tries) != 1 || tries[0].GetOutcome() != "failed" || tries[0].GetEndedAt() == nil || tries[0].GetErrorName() == "" {
		t.Errorf("%v", tries)
	}
}

// TestWhoIsNobody: who asks without a credential who they are is refused, which is
// no attempt at anything.
func TestWhoIsNobody(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	denials := func() int {
		a, err := w.admin.audit.ListEntries(t.Context(), &regiev1.ListEntriesRequest{Action: "api.call"})
		if err != nil {
			t.Fatal(err)
		}
		return len(a.GetEntries())
	}
	before := denials()
	for token, want := range map[string]int{"": 0, "regie_pat_wrong": 1} {
		_, err := w.as(token).identities.WhoAmI(t.Context(), &regiev1.WhoAmIRequest{})
		checkError(t, err, connect.CodeUnauthenticated, "unauthenticated")
		if now := denials(); now-before < want || want == 0 && now != before {
			t.Errorf("with the token %q: %d denials more", token, now-before)
		}
		before = denials()
	}
}
