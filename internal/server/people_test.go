package server_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/gen/regie/v1/regiev1connect"
	"github.com/regie-dev/regie/internal/api"
	"github.com/regie-dev/regie/internal/api/problem"
	"github.com/regie-dev/regie/internal/engine"
)

func (c *client) approvals(w *world) regiev1connect.ApprovalServiceClient {
	return regiev1connect.NewApprovalServiceClient(c.http, w.url)
}

func (c *client) signals(w *world) regiev1connect.SignalServiceClient {
	return regiev1connect.NewSignalServiceClient(c.http, w.url)
}

const pays = "kind: Workflow\nname: pay\nsteps: [{id: ask, approval: {count: %d, four_eyes: true, message: Pay?}}]\n"

// TestApprovals: who may not decide is refused, and on record; a decision is
// about one question of one run, is made once, and not after its end (row B78).
func TestApprovals(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.namespace(t, "pay")
	w.namespace(t, "risk")
	both := []string{"approver@pay", "author@pay", "operator@pay"}
	ada, ben, eve := w.user(t, "ada", both...), w.user(t, "ben", both...), w.user(t, "eve", both...)
	stranger := w.user(t, "mallory", "operator@pay", "approver@risk")
	apply := func(c *client, count int) {
		t.Helper()
		_, err := c.workflows.Apply(t.Context(), definitions("pay", fmt.Sprintf(pays, count)))
		if err != nil {
			t.Fatal(err)
		}
	}
	begin := func(c *client) string {
		t.Helper()
		a, err := c.runs.StartRun(t.Context(), &regiev1.StartRunRequest{Namespace: "pay", Workflow: "pay"})
		if err != nil {
			t.Fatal(err)
		}
		return a.GetRun().GetId()
	}
	decide := func(c *client, run string, question uint64, approve bool) (*regiev1.DecideApprovalResponse, error) {
		return c.approvals(w).DecideApproval(t.Context(), &regiev1.DecideApprovalRequest{
			Namespace: "pay", Run: run, Question: question, Approve: approve, Comment: "seen",
		})
	}
	denied := func() (n int) {
		for _, e := range w.entries(t, &regiev1.ListEntriesRequest{}) {
			if e.GetOutcome() == "denied" {
				n++
			}
		}
		return n
	}
	refused := func(c *client, run string, question uint64, code connect.Code, text string) {
		t.Helper()
		before := denied()
		_, err := decide(c, run, question, true)
		if connect.CodeOf(err) != code || !strings.Contains(err.Error(), text) {
			t.Errorf("%v, want %s: %s", err, code, text)
		}
		if after := denied(); after != before+1 {
			t.Errorf("refused with %q: %d entries, want %d", text, after, before+1)
		}
	}
	question := func(c *client, run string) *regiev1.Approval {
		t.Helper()
		all, err := c.approvals(w).ListApprovals(t.Context(), &regiev1.ListApprovalsRequest{Namespace: "-", Run: run})
		if err != nil || len(all.GetApprovals()) != 1 {
			t.Fatalf("approvals of run %s: %v, %v", run, all, err)
		}
		return all.GetApprovals()[0]
	}

	apply(ada, 1)
	first := begin(ben)
	refused(ada, first, 0, connect.CodePermissionDenied, "made this version")
	refused(ben, first, 0, connect.CodePermissionDenied, "started the run")
	refused(stranger, first, 0, connect.CodePermissionDenied, "approvals.decide")
	refused(eve, first, question(eve, first).GetQuestion()+1, connect.CodeAborted, "asks anew")
	if q := question(ada, first); q.GetRefusal() == "" || question(eve, first).GetRefusal() != "" {
		t.Errorf("ada is told %q", q.GetRefusal())
	}

	// Who makes another version decides on runs of the one before, not on its own.
	apply(eve, 2)
	second := begin(ben)
	refused(eve, second, 0, connect.CodePermissionDenied, "made this version")
	if a, err := decide(eve, first, question(eve, first).GetQuestion(), true); err != nil || !a.GetOver() {
		t.Errorf("%v, %v", a, err)
	}
	w.ended(t, "pay", first)
	refused(eve, first, 0, connect.CodeAborted, "has ended")

	// Once each; a rejection ends it, and a retry asks anew.
	if a, err := decide(ada, second, 0, true); err != nil || a.GetOver() || a.GetApprovals() != 1 || a.GetCount() != 2 {
		t.Errorf("%v, %v", a, err)
	}
	refused(ada, second, 0, connect.CodeAborted, "has decided")
	old := question(ada, second).GetQuestion()
	gil := w.user(t, "gil", both...)
	if a, err := decide(gil, second, old, false); err != nil || !a.GetOver() {
		t.Errorf("%v, %v", a, err)
	}
	w.ended(t, "pay", second)
	if _, err := ben.runs.Act(t.Context(), &regiev1.ActRequest{Namespace: "pay", Run: second, Action: regiev1.Action_ACTION_RETRY}); err != nil {
		t.Fatal(err)
	}
	refused(gil, second, old, connect.CodeAborted, "asks anew")
	if _, err := decide(gil, second, 0, true); err != nil {
		t.Error(err)
	}

	// A restart forgets nothing; a cancel ends the question.
	w.restart(t, options{})
	if got := len(question(gil, second).GetDecisions()); got != 1 {
		t.Errorf("%d decisions after a restart", got)
	}
	refused(gil, second, 0, connect.CodeAborted, "has decided")
	w.cancel(t, "pay", second)
	w.ended(t, "pay", second)
	refused(ada, second, 0, connect.CodeAborted, "has ended")
	if got := len(w.entries(t, &regiev1.ListEntriesRequest{Namespace: "pay", Action: "approval.approve"})); got != 3 {
		t.Errorf("%d approvals are on record", got)
	}
}

// TestApprovalByToken: a token that leaves a role out does not decide as one who
// has it.
func TestApprovalByToken(t *testing.T) {
	t.Parallel()
	w := shared
	w.namespace(t, "sign")
	w.apply(t, "sign", "kind: Workflow\nname: sign\nsteps: [{id: ask, approval: {roles: [operator]}}]\n")
	w.user(t, "signer", "approver@sign", "operator@sign")
	run := w.begun(t, &regiev1.StartRunRequest{Namespace: "sign", Workflow: "sign"}).GetId()
	decide := func(scopes ...string) error {
		c := w.as(w.newToken(t, &regiev1.CreateTokenRequest{User: "signer", Scopes: grantsOf(scopes...)}))
		_, err := c.approvals(w).DecideApproval(t.Context(), &regiev1.DecideApprovalRequest{Namespace: "sign", Run: run, Approve: true})
		return err
	}
	checkError(t, decide("approver@sign"), connect.CodePermissionDenied, "approval_denied")
	if err := decide("approver@sign", "operator@sign"); err != nil {
		t.Error(err)
	}
}

// TestExactlyOneWins: of two who do the same, or what excludes the other, at the
// same moment, one wins and the other is told (row B79).
func TestExactlyOneWins(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.namespace(t, "race")
	w.apply(t, "race", fmt.Sprintf(pays, 2))
	ada := w.user(t, "ada", "approver@race")
	race := func(do ...func() error) (won int, lost []error) {
		errs := make([]error, len(do))
		var all sync.WaitGroup
		for i := range do {
			all.Go(func() { errs[i] = do[i]() })
		}
		all.Wait()
		for _, err := range errs {
			if err == nil {
				won++
			} else {
				lost = append(lost, err)
			}
		}
		return won, lost
	}
	for round := range 8 {
		var runs sync.Map
		begin := func() error {
			a, err := w.admin.runs.StartRun(t.Context(), &regiev1.StartRunRequest{Namespace: "race", Workflow: "pay", IdempotencyKey: fmt.Sprint("key", round)})
			if err == nil {
				runs.Store(a.GetRun().GetId(), a.GetExisting())
			}
			return err
		}
		if won, lost := race(begin, begin); won != 2 {
			t.Errorf("the same key twice: %v", lost)
		}
		run, count := "", 0
		runs.Range(func(id, _ any) bool {
			run = id.(string)
			count++
			return true
		})
		if count != 1 {
			t.Fatalf("one key started %d runs", count)
		}
		approve := func() error {
			_, err := ada.approvals(w).DecideApproval(t.Context(), &regiev1.DecideApprovalRequest{Namespace: "race", Run: run, Approve: true})
			return err
		}
		if won, lost := race(approve, approve); won != 1 || connect.CodeOf(lost[0]) != connect.CodeAborted {
			t.Errorf("the same approval twice: %d won, %v", won, lost)
		}
		// The last approval, or the cancel.
		second := w.user(t, fmt.Sprint("second", round), "approver@race")
		canceled := false
		won, lost := race(func() error {
			_, err := second.approvals(w).DecideApproval(t.Context(), &regiev1.DecideApprovalRequest{Namespace: "race", Run: run, Approve: true})
			return err
		}, func() error {
			a, err := w.admin.runs.Act(t.Context(), &regiev1.ActRequest{Namespace: "race", Run: run, Action: regiev1.Action_ACTION_CANCEL})
			if err == nil && !a.GetResults()[0].GetDone() {
				return fmt.Errorf("refused: %s", a.GetResults()[0].GetMessage())
			}
			canceled = err == nil
			return err
		})
		w.ended(t, "race", run)
		end, err := w.admin.runs.GetRun(t.Context(), &regiev1.GetRunRequest{Namespace: "race", Run: run})
		if err != nil || won != 1 || (end.GetRun().GetState() == "canceled") != canceled {
			t.Errorf("approval and cancel: %d won, %v; canceled %v, and the run is %s, %v", won, lost, canceled, end.GetRun().GetState(), err)
		}
	}
	// A workflow is gone, or a run of it was started: it stays whole.
	for range 4 {
		w.apply(t, "race", fmt.Sprintf(pays, 2))
		run := ""
		_, lost := race(func() error {
			a, err := w.admin.runs.StartRun(t.Context(), &regiev1.StartRunRequest{Namespace: "race", Workflow: "pay"})
			run = a.GetRun().GetId()
			return err
		}, func() error {
			_, err := w.admin.workflows.DeleteWorkflow(t.Context(), &regiev1.DeleteWorkflowRequest{Namespace: "race", Workflow: "pay"})
			return err
		})
		switch {
		case run == "" && (len(lost) != 1 || connect.CodeOf(lost[0]) != connect.CodeNotFound):
			t.Errorf("not started, not deleted: %v", lost)
		case run != "":
			w.cancel(t, "race", run)
			w.ended(t, "race", run)
		}
	}
}

// TestSignals: a signal is taken once, kept within bounds, and refused with words
// beyond them (row B80).
func TestSignals(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.namespace(t, "talk")
	w.apply(t, "talk", "kind: Workflow\nname: listen\nsteps: [{id: go, wait: {signal: go}}, {id: kept, wait: {signal: other}}]\noutputs: {kept: \"${{ steps.kept.output }}\"}\n")
	run := w.begun(t, &regiev1.StartRunRequest{Namespace: "talk", Workflow: "listen"}).GetId()
	send := func(name, data, key string) (*regiev1.SendSignalResponse, error) {
		q := &regiev1.SendSignalRequest{Namespace: "talk", Run: run, Name: name, IdempotencyKey: key}
		if data != "" {
			q.Data = &regiev1.Json{Text: data}
		}
		return w.admin.signals(w).SendSignal(t.Context(), q)
	}
	if a := w.raw(t, w.admin.token, "POST", "/v1/namespaces/talk/signals", `{"run":"`+run+`","name":"go","data":"`+strings.Repeat("x", 20<<20)+`"}`); a.status != 413 {
		t.Errorf("20 MiB: %d", a.status)
	}
	if _, err := send("go", `"`+strings.Repeat("x", engine.MaxSignalData)+`"`, ""); problem.Of(err).GetCode() != "signal_too_large" {
		t.Errorf("more than 256 KiB: %v", err)
	}
	for i := range engine.MaxSignals {
		if a, err := send("other", fmt.Sprint(i), fmt.Sprint("k", i)); err != nil || len(a.GetResults()[0].GetSteps()) > 0 {
			t.Fatalf("signal %d: %v, %v", i, a, err)
		}
	}
	if _, err := send("unknown", "", ""); err == nil || !strings.Contains(err.Error(), "keeps 100 signals already") {
		t.Errorf("one too many: %v", err)
	}
	if _, err := send("other", "0", "k0"); err != nil { // it came
		t.Error(err)
	}
	if a, err := send("go", `{"n":1}`, ""); err != nil || strings.Join(a.GetResults()[0].GetSteps(), " ") != "go" {
		t.Errorf("%v, %v", a, err)
	}
	w.ended(t, "talk", run)
	if data := w.restData(t, "talk", run); !strings.Contains(data, `"kept":0`) {
		t.Errorf("the oldest is taken first: %s", data)
	}
	if _, err := send("go", "", ""); connect.CodeOf(err) != connect.CodeFailedPrecondition {
		t.Errorf("after the end: %v", err)
	}
}

// TestSignalsOfAFilter: a filter reaches all live runs, however many there are,
// and however many have ended since.
func TestSignalsOfAFilter(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.namespace(t, "talk")
	w.apply(t, "talk", "kind: Workflow\nname: listen\nsteps: [{id: go, wait: {signal: go}}]\n")
	oldest := w.begun(t, &regiev1.StartRunRequest{Namespace: "talk", Workflow: "listen"}).GetId()
	var starting sync.WaitGroup
	for range api.ActedAtOnce {
		starting.Go(func() {
			for range (api.MaxActed + api.ActedAtOnce - 1) / api.ActedAtOnce {
				if _, err := w.admin.runs.StartRun(t.Context(), &regiev1.StartRunRequest{Namespace: "talk", Workflow: "listen", Held: true}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	starting.Wait()
	send := func(filter string) (took []string) {
		t.Helper()
		for token, first := "", true; token != "" || first; first = false {
			a, err := w.admin.signals(w).SendSignal(t.Context(), &regiev1.SendSignalRequest{Namespace: "talk", Filter: filter, Name: "other", PageToken: token})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range a.GetResults() {
				if !r.GetDone() {
					t.Fatalf("it was not taken: %v", r)
				}
				took = append(took, r.GetRun())
			}
			token = a.GetNextPageToken()
		}
		return took
	}
	if took := send("name:listen"); len(took) <= api.MaxActed || took[len(took)-1] != oldest {
		t.Errorf("%d runs took it, without the oldest", len(took))
	}
	for more := true; more; {
		a, err := w.admin.runs.Act(t.Context(), &regiev1.ActRequest{Namespace: "talk", Filter: "held", Action: regiev1.Action_ACTION_CANCEL})
		if err != nil {
			t.Fatal(err)
		}
		more = a.GetMore()
	}
	if took := send("name:listen"); !slices.Equal(took, []string{oldest}) {
		t.Errorf("%d runs took it, want the only live one", len(took))
	}
	if took := send("state:canceled"); len(took) > 0 {
		t.Errorf("%d runs that have ended took it", len(took))
	}
	_, err := w.admin.signals(w).SendSignal(t.Context(), &regiev1.SendSignalRequest{Namespace: "talk", Run: oldest, Name: "other", PageToken: "x"})
	checkError(t, err, connect.CodeInvalidArgument, problem.CodeInvalid)
}
