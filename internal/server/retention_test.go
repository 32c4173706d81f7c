package server_test

import (
	"path/filepath"
	"testing"
	"time"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/api/problem"
	"github.com/regie-dev/regie/internal/retention"
)

// TestRetention: what is too old goes while the server runs, data before runs,
// and all stays verifiable; the status says how much room is taken.
func TestRetention(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	for name, keep := range map[string]*regiev1.Retention{
		"runs": {KeepRuns: "29d"}, "data": {KeepPayloads: "59m"}, "logs": {KeepLogs: "soon"}, "last": {KeepLast: new(uint32(1001))},
	} {
		_, err := w.admin.identities.PutNamespace(t.Context(), &regiev1.PutNamespaceRequest{Name: "old", Retention: keep})
		if p := problem.Of(err); p.GetCode() != "request_invalid" || len(p.GetViolations()) != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
	keep := &regiev1.Retention{KeepRuns: "60d", KeepPayloads: "30d"}
	put, err := w.admin.identities.PutNamespace(t.Context(), &regiev1.PutNamespaceRequest{Name: "old", Retention: keep})
	if err != nil || put.GetNamespace().GetRetention().String() != keep.String() {
		t.Fatalf("put: %v, %v", put, err)
	}
	w.namespace(t, "kept")
	runs := map[string][]string{}
	for _, namespace := range []string{"old", "kept"} {
		w.apply(t, namespace, "kind: Workflow\nname: tells\nsteps: [{id: a, run: echo printed}]\n")
		for range 2 {
			run := w.begun(t, &regiev1.StartRunRequest{Namespace: namespace, Workflow: "tells"}).GetId()
			w.ended(t, namespace, run)
			runs[namespace] = append(runs[namespace], run)
		}
	}
	w.retained(t, runs, "whole", "whole", 4)
	w.restart(t, options{clock: shifted{by: 31 * 24 * time.Hour}})
	w.retained(t, runs, "erased", "erased", 2)
	w.restart(t, options{clock: shifted{by: 61 * 24 * time.Hour}})
	w.retained(t, runs, "gone", "erased", 2)
	if a, err := w.admin.audit.Prove(t.Context(), &regiev1.ProveRequest{Run: runs["old"][0]}); problem.Of(err).GetCode() != "run_removed" {
		t.Errorf("proof of a run that was removed: %v, %v", a, err)
	}
	if a, err := w.admin.system.Verify(t.Context(), &regiev1.VerifyRequest{}); err != nil || !a.GetOk() {
		t.Errorf("verified: %v, %v", a, err)
	}
	entries, err := w.admin.audit.ListEntries(t.Context(), &regiev1.ListEntriesRequest{Action: retention.ActionPass})
	if err != nil || len(entries.GetEntries()) != 3 { // data, its logs, and the run
		t.Errorf("on record: %v, %v", entries, err)
	}
	info, err := w.admin.system.GetInfo(t.Context(), &regiev1.GetInfoRequest{})
	if err != nil || info.GetUsage().GetDatabaseBytes() < 10_000 || info.GetUsage().GetLogsBytes() == 0 || info.GetUsage().GetMeasuredAt() == nil {
		t.Errorf("status: %v, %v", info.GetUsage(), err)
	}
}

// retained waits for a pass to end, and looks at what is left: of the two old
// runs so much, of others everything, and so many logs.
func (w *world) retained(t *testing.T, runs map[string][]string, first, second string, logs int) {
	t.Helper()
	eventually(t, "the pass of retention", func() bool {
		info, err := w.admin.system.GetInfo(t.Context(), &regiev1.GetInfoRequest{})
		return err == nil && info.GetUsage() != nil
	})
	state := func(namespace, run string) string {
		a, err := w.admin.runs.GetRun(t.Context(), &regiev1.GetRunRequest{Namespace: namespace, Run: run})
		switch {
		case problem.Of(err).GetCode() == "run_not_found":
			return "gone"
		case err != nil:
			return err.Error()
		case a.GetRun().GetErased():
			return "erased"
		}
		return "whole"
	}
	for i, want := range []string{first, second} {
		if got := state("old", runs["old"][i]); got != want {
			t.Errorf("old run %d is %s, want %s", i+1, got, want)
		}
		if got := state("kept", runs["kept"][i]); got != "whole" {
			t.Errorf("run %d of a namespace that keeps everything is %s", i+1, got)
		}
	}
	names, err := filepath.Glob(filepath.Join(w.dir, "data", "logs", "*", "*"))
	if err != nil || len(names) != logs {
		t.Errorf("%d logs, want %d: %v", len(names), logs, err)
	}
}
