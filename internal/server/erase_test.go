package server_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"connectrpc.com/connect"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/api/problem"
)

// TestErasedRuns: a run whose data was erased is shown with what is left, and
// does not go on. A log that a crash left is not shown, and goes at the next
// start.
func TestErasedRuns(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.namespace(t, "erased")
	w.apply(t, "erased", "kind: Workflow\nname: fails\nsteps: [{id: a, run: echo printed; exit 1, retry: {max_attempts: 1}}]\n"+
		"---\nkind: Workflow\nname: slow\nsteps: [{id: a, wait: {for: 1h}}]\n")
	run := w.begun(t, &regiev1.StartRunRequest{Namespace: "erased", Workflow: "fails"}).GetId()
	w.ended(t, "erased", run)
	live := w.begun(t, &regiev1.StartRunRequest{Namespace: "erased", Workflow: "slow"}).GetId()
	erase := func(run, reason string, dry bool) (*regiev1.EraseRunResponse, error) {
		return w.admin.runs.EraseRun(t.Context(), &regiev1.EraseRunRequest{Namespace: "erased", Run: run, Reason: reason, DryRun: dry})
	}
	for name, c := range map[string]struct{ run, reason, code string }{
		"live": {live, "r", "run_live"}, "unknown": {"none", "r", "run_not_found"}, "no reason": {run, "", "request_invalid"},
		"long reason": {run, strings.Repeat("r", 2000), "request_invalid"},
	} {
		for _, dry := range []bool{true, false} {
			if _, err := erase(c.run, c.reason, dry); problem.Of(err).GetCode() != c.code {
				t.Errorf("%s, dry run %v: %v", name, dry, err)
			}
		}
	}
	if a, err := erase(run, "request 1", true); err != nil || a.GetExisting() || a.GetLogs() != 1 || a.GetEvents() == 0 || a.GetPosition() != 0 {
		t.Errorf("dry run: %v, %v", a, err)
	}
	name := logFile(t, w)
	kept, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := erase(run, "request 1", false); err != nil || a.GetExisting() || a.GetLogs() != 1 || a.GetPosition() == 0 {
		t.Errorf("erased: %v, %v", a, err)
	}
	if _, err := os.Stat(name); !os.IsNotExist(err) {
		t.Errorf("the log: %v", err)
	}
	if a, err := erase(run, "request 2", false); err != nil || !a.GetExisting() || a.GetLogs() != 0 || a.GetEvents() != 0 {
		t.Errorf("erased again: %v, %v", a, err)
	}
	w.erasedIsShown(t, run)

	// A crash after the batch and before the deletion.
	if err := os.WriteFile(name, kept, 0o600); err != nil {
		t.Fatal(err)
	}
	w.erasedIsShown(t, run)
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	again, err := open(options{dir: w.dir, with: w})
	if err != nil {
		t.Fatal(err)
	}
	*w = *again
	if _, err := os.Stat(name); !os.IsNotExist(err) {
		t.Errorf("the log after a restart: %v", err)
	}
	w.erasedIsShown(t, run)
	if a, err := w.admin.system.Verify(t.Context(), &regiev1.VerifyRequest{}); err != nil || !a.GetOk() {
		t.Errorf("verified: %v, %v", a, err)
	}
}

// erasedIsShown looks at an erased run in every way that there is.
func (w *world) erasedIsShown(t *testing.T, run string) {
	t.Helper()
	ctx := t.Context()
	if a, err := w.admin.runs.GetRun(ctx, &regiev1.GetRunRequest{Namespace: "erased", Run: run, Steps: true}); err != nil ||
		len(a.GetSteps()) != 1 || a.GetRun().GetState() != "failed" || !a.GetRun().GetErased() {
		t.Errorf("the run: %v, %v", a, err)
	}
	if a, err := w.admin.runs.GetRunData(ctx, &regiev1.GetRunDataRequest{Namespace: "erased", Run: run, Steps: true}); err != nil ||
		!a.GetErased() || a.GetInput() != nil || len(a.GetSteps()) != 0 {
		t.Errorf("its data: %v, %v", a, err)
	}
	if a, err := w.admin.runs.Act(ctx, &regiev1.ActRequest{Namespace: "erased", Run: run, Action: regiev1.Action_ACTION_RETRY}); err != nil ||
		a.GetResults()[0].GetCode() != "run_erased" {
		t.Errorf("retried: %v, %v", a, err)
	}
	if a, err := w.admin.runs.Explain(ctx, &regiev1.ExplainRequest{Namespace: "erased", Run: run}); err != nil || !strings.Contains(a.GetText(), "erased") {
		t.Errorf("explained: %v, %v", a, err)
	}
	if _, err := w.admin.runs.GetLog(ctx, &regiev1.GetLogRequest{Namespace: "erased", Run: run, Step: "a"}); problem.Of(err).GetCode() != "run_erased" {
		t.Errorf("its log: %v", err)
	}
	stream, err := w.admin.runs.WatchLog(ctx, &regiev1.WatchLogRequest{Namespace: "erased", Run: run})
	if err == nil {
		if stream.Receive() {
			t.Errorf("its log: %v", stream.Msg())
		}
		err = stream.Err()
		_ = stream.Close()
	}
	if connect.CodeOf(err) != connect.CodeFailedPrecondition {
		t.Errorf("its log, followed: %v", err)
	}
	for _, path := range []string{"/events", "/why", "/log/text?step=a"} {
		if a := w.rest(t, w.token, "GET", "/v1/namespaces/erased/runs/"+run+path, ""); a.status >= 500 {
			t.Errorf("%s: status %d: %s", path, a.status, a.body)
		}
	}
}

// logFile is the one log that there is.
func logFile(t *testing.T, w *world) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(w.dir, "data", "logs", "*", "*"))
	if err != nil || len(names) != 1 {
		t.Fatalf("logs: %v, %v", names, err)
	}
	return names[0]
}
