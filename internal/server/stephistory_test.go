package server_test

import (
	"fmt"
	"testing"

	"connectrpc.com/connect"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
)

// TestStepHistory: the steps of the runs of a workflow stand side by side, in
// pages both ways, and are summed up.
func TestStepHistory(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.namespace(t, "grid")
	const n = 5
	var runs []string
	for i := range n {
		state := "assign: {x: 1}"
		if i == 2 {
			state = "fail: {name: wrong, message: no}"
		}
		w.apply(t, "grid", fmt.Sprintf("kind: Workflow\nname: w\nsteps:\n  - {id: first, assign: {x: %d}}\n  - id: each\n    foreach: \"[1, 2]\"\n    steps: [{id: part, %s}]\n  - {id: last, assign: {x: 1}}\n", i, state))
		run := w.begun(t, &regiev1.StartRunRequest{Namespace: "grid", Workflow: "w"}).GetId()
		w.ended(t, "grid", run)
		runs = append(runs, run)
	}
	ask := func(q *regiev1.ListStepHistoryRequest) *regiev1.ListStepHistoryResponse {
		t.Helper()
		q.Namespace, q.Workflow = "grid", "w"
		a, err := w.admin.runs.ListStepHistory(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	whole := ask(&regiev1.ListStepHistoryRequest{})
	if len(whole.GetRuns()) != n || whole.GetRuns()[0].GetId() != runs[n-1] || whole.GetNextPageToken() != "" || int(whole.GetTotalRows()) != len(whole.GetRows()) {
		t.Errorf("%d runs, %d of %d rows", len(whole.GetRuns()), len(whole.GetRows()), whole.GetTotalRows())
	}
	rows := map[string]*regiev1.StepHistory{}
	for _, r := range whole.GetRows() {
		rows[r.GetNode()] = r
	}
	part := rows["each[]/part"]
	if len(part.GetCells()) != n || part.GetCells()[2].GetState() != "failed" || part.GetCells()[2].GetErrorName() != "wrong" || part.GetCells()[0].GetSteps() != 2 {
		t.Errorf("%v", part)
	}
	if whole.GetRows()[0].GetNode() != "first" {
		t.Errorf("the first row is %v", whole.GetRows()[0])
	}
	older := ask(&regiev1.ListStepHistoryRequest{PageSize: 2, RowsLimit: 1, RowsFrom: 1})
	if len(older.GetRuns()) != 2 || len(older.GetRows()) != 1 || older.GetRows()[0].GetNode() != whole.GetRows()[1].GetNode() {
		t.Errorf("%v", older)
	}
	if older = ask(&regiev1.ListStepHistoryRequest{PageSize: 2, PageToken: older.GetNextPageToken()}); older.GetRuns()[0].GetId() != runs[n-3] {
		t.Errorf("%v", older.GetRuns())
	}
	if failed := ask(&regiev1.ListStepHistoryRequest{Filter: "state:failed"}); len(failed.GetRuns()) != 1 {
		t.Errorf("%v", failed.GetRuns())
	}
	statistics, err := w.admin.runs.GetStatistics(t.Context(), &regiev1.GetStatisticsRequest{Namespace: "grid", Workflow: "w", Node: "each[]/part"})
	if err != nil || statistics.GetWorkflow().GetCount() != n || statistics.GetWorkflow().GetFailed() != 1 || len(statistics.GetSteps()) != 1 {
		t.Fatalf("%v: %v", statistics, err)
	}
	if s := statistics.GetSteps()[0]; s.GetCount() < 2*(n-1)+1 || s.GetSucceeded() != 2*(n-1) || s.GetRunP95().AsDuration() < s.GetRunP50().AsDuration() {
		t.Errorf("%v", s)
	}
	for _, path := range []string{"history?page_size=2", "statistics?steps=true"} {
		if a := w.rest(t, w.token, "GET", "/v1/namespaces/grid/workflows/w/"+path, ""); a.status != 200 {
			t.Error(a)
		}
	}
	for _, q := range []*regiev1.ListStepHistoryRequest{
		{PageSize: 101}, {RowsLimit: 501}, {PageToken: "none"},
	} {
		q.Namespace, q.Workflow = "grid", "w"
		_, err := w.admin.runs.ListStepHistory(t.Context(), q)
		checkError(t, err, connect.CodeInvalidArgument, "request_invalid")
	}
	_, err = w.admin.runs.ListStepHistory(t.Context(), &regiev1.ListStepHistoryRequest{Namespace: "grid", Workflow: "w", Filter: "sort:name"})
	checkError(t, err, connect.CodeInvalidArgument, "filter_invalid")
	_, err = w.admin.runs.GetStatistics(t.Context(), &regiev1.GetStatisticsRequest{Namespace: "grid", Workflow: "w", Runs: 101})
	checkError(t, err, connect.CodeInvalidArgument, "request_invalid")
}
