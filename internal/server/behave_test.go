package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/api"
	"github.com/regie-dev/regie/internal/api/problem"
	"github.com/regie-dev/regie/internal/server"
)

// TestSessions: a login by password opens a session with a cookie, which other
// sites cannot use, and which ends.
func TestSessions(t *testing.T) {
	t.Parallel()
	w := shared
	const password, next = "correct horse battery", "staple correct horse"
	if _, err := w.admin.identities.CreateUser(t.Context(), &regiev1.CreateUserRequest{Name: "sessions", Password: password, Grants: grantsOf("admin@*")}); err != nil {
		t.Fatal(err)
	}
	login := func(password string) answer {
		return w.rest(t, "", "POST", "/v1/login", fmt.Sprintf(`{"user":"sessions","password":%q}`, password))
	}
	if a := login("wrong horse battery"); a.status != http.StatusUnauthorized || a.header.Get("Set-Cookie") != "" {
		t.Errorf("a wrong password: status %d, %s", a.status, a.header)
	}
	a := login(password)
	set := a.header.Get("Set-Cookie")
	if a.status != http.StatusOK || !strings.Contains(set, "HttpOnly") || !strings.Contains(set, "SameSite=Strict") || strings.Contains(a.body, "regie_pat_") {
		t.Fatalf("status %d, %s, %s", a.status, set, a.body)
	}
	cookie, _, _ := strings.Cut(set, ";")
	if a := w.rest(t, "", "GET", "/v1/whoami", "", "Cookie", cookie); a.status != http.StatusOK || !strings.Contains(a.body, `"via":"session"`) {
		t.Errorf("with the cookie: status %d: %s", a.status, a.body)
	}
	create := func(header ...string) answer {
		return w.rest(t, "", "PUT", "/v1/groups/by-session", `{}`, append([]string{"Cookie", cookie}, header...)...)
	}
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"},
		{"Sec-Fetch-Site", "cross-site", "Origin", w.url},
	} {
		if a := create(header...); a.status != http.StatusForbidden && a.status != http.StatusUnauthorized {
			t.Errorf("%v: status %d: %s", header, a.status, a.body)
		}
	}
	if a := w.rest(t, "", "GET", "/v1/whoami", "", "Cookie", cookie, "Sec-Fetch-Site", "cross-site"); a.status != http.StatusUnauthorized {
		t.Errorf("read for another site: status %d", a.status)
	}
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"} {
		if a := w.rest(t, "", "POST", "/v1/users", `{"name":"form"}`, "Cookie", cookie, "Content-Type", "", "Content-Type", kind); a.status != http.StatusUnsupportedMediaType {
			t.Errorf("a form: status %d", a.status)
		}
	}
	if a := create("Sec-Fetch-Site", "same-origin", "Origin", w.url); a.status != http.StatusOK {
		t.Errorf("from the own site: status %d: %s", a.status, a.body)
	}
	second, _, _ := strings.Cut(login(password).header.Get("Set-Cookie"), ";")
	if a := w.rest(t, "", "POST", "/v1/password", fmt.Sprintf(`{"old_password":%q,"new_password":%q}`, password, next), "Cookie", cookie); a.status != http.StatusOK {
		t.Errorf("change of the password: status %d: %s", a.status, a.body)
	}
	if a := w.rest(t, "", "GET", "/v1/whoami", "", "Cookie", second); a.status != http.StatusUnauthorized {
		t.Errorf("another session after the change: status %d", a.status)
	}
	if a := w.rest(t, "", "POST", "/v1/logout", `{}`, "Cookie", cookie); a.status != http.StatusOK || !strings.Contains(a.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("logout: status %d, %s", a.status, a.header)
	}
	if a := w.rest(t, "", "GET", "/v1/whoami", "", "Cookie", cookie); a.status != http.StatusUnauthorized {
		t.Errorf("after the logout: status %d", a.status)
	}
	if a := login(password); a.status != http.StatusUnauthorized {
		t.Errorf("the old password: status %d", a.status)
	}
	token, err := w.as("").identities.Login(t.Context(), &regiev1.LoginRequest{User: "sessions", Password: next, TokenName: "cli"})
	if err != nil {
		t.Fatal(err)
	}
	if me, err := w.as(token.GetSecret()).identities.WhoAmI(t.Context(), &regiev1.WhoAmIRequest{}); err != nil || me.GetUser() != "sessions" {
		t.Errorf("%v, %v", me, err)
	}
	actions := map[string]bool{}
	for _, e := range w.entries(t, &regiev1.ListEntriesRequest{}) {
		if e.GetActor() == "user/sessions" || e.GetObject() == "user/sessions" {
			actions[e.GetAction()+" "+e.GetOutcome()] = true
		}
	}
	for _, action := range []string{"session.open done", "session.end done", "password.change done", "token.create done"} {
		if !actions[action] {
			t.Errorf("there is no %s on record, but %v", action, actions)
		}
	}
}

// TestHeldStart: a run that is started held begins nothing until it is released;
// bulk actions say what they would do, and what they did to each.
func TestHeldStartAndBulkActions(t *testing.T) {
	t.Parallel()
	w := shared
	w.namespace(t, "bulk")
	w.apply(t, "bulk", quick+"---\n"+asleep)
	var held []string
	for range 3 {
		held = append(held, w.begun(t, &regiev1.StartRunRequest{Namespace: "bulk", Workflow: "quick", Held: true, Reason: "not yet"}).GetId())
	}
	asleep := w.begun(t, &regiev1.StartRunRequest{Namespace: "bulk", Workflow: "asleep"}).GetId()
	done := w.begun(t, &regiev1.StartRunRequest{Namespace: "bulk", Workflow: "quick"}).GetId()
	w.ended(t, "bulk", done)
	act := func(q *regiev1.ActRequest) map[string]*regiev1.ActResult {
		q.Namespace = "bulk"
		a, err := w.admin.runs.Act(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]*regiev1.ActResult{}
		for _, r := range a.GetResults() {
			out[r.GetRun()] = r
		}
		return out
	}
	position := func() uint64 {
		info, err := w.admin.runs.ListRuns(t.Context(), &regiev1.ListRunsRequest{Namespace: "bulk"})
		if err != nil {
			t.Fatal(err)
		}
		most := uint64(0)
		for _, r := range info.GetRuns() {
			most = max(most, r.GetPosition())
		}
		return most
	}
	before := position()
	for action, q := range map[string]*regiev1.ActRequest{
		"release": {Action: regiev1.Action_ACTION_RELEASE, Filter: "held"}, "cancel": {Action: regiev1.Action_ACTION_CANCEL, Filter: "state:pending,queued,running,waiting"},
		"hold": {Action: regiev1.Action_ACTION_HOLD, Filter: "name:asleep"}, "retry": {Action: regiev1.Action_ACTION_RETRY, Runs: []string{done}},
	} {
		q.DryRun = true
		results := act(q)
		if len(results) == 0 {
			t.Errorf("%s: nothing would be done", action)
		}
		for run, r := range results {
			if r.GetDone() == (action == "retry") || r.GetDone() == (r.GetCode() != "") {
				t.Errorf("%s of %s: %v", action, run, r)
			}
		}
	}
	if after := position(); after != before {
		t.Errorf("dry runs changed something")
	}
	results := act(&regiev1.ActRequest{Action: regiev1.Action_ACTION_RELEASE, Runs: []string{held[0], done, "none", asleep}, Reason: "go"})
	if !results[held[0]].GetDone() || results[done].GetCode() != "run_ended" || results["none"].GetCode() != "run_not_found" || results[asleep].GetDone() && len(results[asleep].GetSteps()) > 0 {
		t.Errorf("released: %v", results)
	}
	w.ended(t, "bulk", held[0])
	if results := act(&regiev1.ActRequest{Action: regiev1.Action_ACTION_CANCEL, Filter: "-state:succeeded", Reason: "all of it"}); len(results) != 3 {
		t.Errorf("canceled: %v", results)
	}
	for _, run := range []string{held[1], held[2], asleep} {
		if events := w.ended(t, "bulk", run); events[len(events)-1].GetState() != "canceled" {
			t.Errorf("%s ended as %v", run, events[len(events)-1])
		}
	}
	for name, q := range map[string]*regiev1.ActRequest{
		"nothing":        {Action: regiev1.Action_ACTION_HOLD},
		"two ways":       {Action: regiev1.Action_ACTION_HOLD, Run: done, Filter: "late"},
		"no action":      {Run: done},
		"unknown action": {Run: done, Action: 99},
		"steps of many":  {Action: regiev1.Action_ACTION_RETRY, Runs: []string{done}, Steps: slices.Repeat([]string{"a"}, api.MaxStepsOfMany+1)},
		"too many":       {Action: regiev1.Action_ACTION_HOLD, Runs: slices.Repeat([]string{"x"}, api.MaxActed+1)},
		"long reason":    {Action: regiev1.Action_ACTION_HOLD, Run: done, Reason: strings.Repeat("a", api.MaxReason+1)},
	} {
		q.Namespace = "bulk"
		_, err := w.admin.runs.Act(t.Context(), q)
		if connect.CodeOf(err) != connect.CodeInvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLogs: a log by lines, from any of them on, its end, as text, and while it
// grows.
func TestLogs(t *testing.T) {
	t.Parallel()
	w := shared
	w.namespace(t, "logs")
	gate := filepath.Join(t.TempDir(), "gate")
	w.apply(t, "logs", fmt.Sprintf(`kind: Workflow
name: talk
steps:
  - id: a
    run: 'for i in 1 2 3 4 5; do echo line $i; done; printf half; while ! test -e %s; do sleep 0.01; done; echo " whole"; echo last'
`, gate))
	run := w.begun(t, &regiev1.StartRunRequest{Namespace: "logs", Workflow: "talk"}).GetId()
	get := func(q *regiev1.GetLogRequest) *regiev1.GetLogResponse {
		q.Namespace, q.Run, q.Step = "logs", run, "a"
		a, err := w.admin.runs.GetLog(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	texts := func(lines []*regiev1.LogLine) string {
		return strings.Join(namesOf(lines, func(l *regiev1.LogLine) string { return l.GetText() }), "|")
	}
	w.until(t, "logs", run, func(e *regiev1.Event) bool { return e.GetType() == "attempt" })
	eventually(t, "the half line", func() bool { return strings.HasSuffix(texts(get(&regiev1.GetLogRequest{}).GetLines()), "half") })
	half := get(&regiev1.GetLogRequest{})
	if half.GetNextOffset() != 5 || !half.GetLines()[5].GetMore() || half.GetMore() {
		t.Errorf("a line that has not ended: %v", half)
	}
	ctx, cut := context.WithTimeout(t.Context(), patience)
	defer cut()
	stream, err := w.admin.runs.WatchLog(ctx, &regiev1.WatchLogRequest{Namespace: "logs", Run: run, Step: "a", Attempt: 1, Offset: 3})
	if err != nil {
		t.Fatal(err)
	}
	var watched []*regiev1.LogLine
	offset := int64(0)
	for len(watched) < 2 && stream.Receive() {
		watched, offset = append(watched, stream.Msg().GetLines()...), stream.Msg().GetNextOffset()
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for stream.Receive() {
		watched, offset = append(watched, stream.Msg().GetLines()...), stream.Msg().GetNextOffset()
	}
	if err := stream.Err(); err != nil || texts(watched) != "line 4|line 5|half whole|last" || offset != 7 {
		t.Errorf("watched %s to %d: %v", texts(watched), offset, err)
	}
	w.ended(t, "logs", run)
	if rest := get(&regiev1.GetLogRequest{Offset: half.GetNextOffset()}); texts(rest.GetLines()) != "half whole|last" || rest.GetNextOffset() != 7 {
		t.Errorf("the rest: %v", rest)
	}
	if page := get(&regiev1.GetLogRequest{Offset: 2, Limit: 2}); texts(page.GetLines()) != "line 3|line 4" || page.GetNextOffset() != 4 || !page.GetMore() {
		t.Errorf("a page: %v", page)
	}
	if tail := get(&regiev1.GetLogRequest{Tail: true, Limit: 2}); texts(tail.GetLines()) != "half whole|last" || tail.GetLines()[1].GetStream() != "stdout" {
		t.Errorf("the end: %v", tail)
	}
	if beyond := get(&regiev1.GetLogRequest{Offset: 100}); len(beyond.GetLines()) != 0 || beyond.GetNextOffset() != 100 || beyond.GetMore() {
		t.Errorf("beyond the end: %v", beyond)
	}
	if a := w.rest(t, w.token, "GET", "/v1/namespaces/logs/runs/"+run+"/log/text?step=a", ""); a.body != "line 1\nline 2\nline 3\nline 4\nline 5\nhalf whole\nlast\n" {
		t.Errorf("as text: %q", a.body)
	}
	none, err := w.admin.runs.WatchLog(ctx, &regiev1.WatchLogRequest{Namespace: "logs", Run: run, Step: "none"})
	if err == nil {
		none.Receive()
		err = none.Err()
	}
	checkError(t, err, connect.CodeNotFound, "step_not_found")
}

// TestLogsOfManyAttempts: a run with more attempts than are followed at once is
// shown whole.
func TestLogsOfManyAttempts(t *testing.T) {
	t.Parallel()
	w := shared
	w.namespace(t, "logs-many")
	items := strings.TrimSuffix(strings.Repeat("0,", api.MaxFollowed+5), ",")
	w.apply(t, "logs-many", "kind: Workflow\nname: chorus\nsteps: [{id: a, foreach: \"["+items+"]\", run: echo sung}]\n")
	run := w.begun(t, &regiev1.StartRunRequest{Namespace: "logs-many", Workflow: "chorus"}).GetId()
	stream, err := w.admin.runs.WatchLog(t.Context(), &regiev1.WatchLogRequest{Namespace: "logs-many", Run: run})
	if err != nil {
		t.Fatal(err)
	}
	sung := map[string]int{}
	for stream.Receive() {
		for _, l := range stream.Msg().GetLines() {
			sung[l.GetStep()]++
		}
	}
	if err := stream.Err(); err != nil || len(sung) != api.MaxFollowed+5 {
		t.Errorf("%d sang, %v", len(sung), err)
	}
}

// TestExplain: each kind of condition, said by the server.
func TestExplain(t *testing.T) {
	t.Parallel()
	w := start(t, options{config: func(c *server.Config) { c.Processes = 1 }})
	w.namespace(t, "why")
	w.apply(t, "why", `kind: Workflow
name: waits
graph:
  nap: {wait: {for: 10h}}
  after: {needs: [nap], run: echo}
  never: {needs: [nap], if: "1 > 2", run: echo}
  first: {run: "exec sleep 1000"}
  second: {needs: [], run: "exec sleep 1000"}
  again: {uses: http.request, with: {url: "http://127.0.0.1:1/"}, retry: {max_attempts: 3, backoff: {initial: 1h}}}
  wide: {foreach: "[1, 2]", max_parallel: 1, steps: [{id: nap, wait: {for: 10h}}]}
---
kind: Workflow
name: ends
graph:
  bad: {run: exit 1, retry: {max_attempts: 1}}
  after: {needs: [bad], run: echo}
  no: {if: "false", run: echo}
`)
	run := w.begun(t, &regiev1.StartRunRequest{Namespace: "why", Workflow: "waits"}).GetId()
	t.Cleanup(func() { w.cancel(t, "why", run) })
	held := w.begun(t, &regiev1.StartRunRequest{Namespace: "why", Workflow: "ends", Held: true, Reason: "not yet"}).GetId()
	explain := func(run, step string) *regiev1.ExplainResponse {
		a, err := w.admin.runs.Explain(t.Context(), &regiev1.ExplainRequest{Namespace: "why", Run: run, Step: step})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	// kinds are "path kind" of all conditions, those that are not met with a !.
	kinds := func(a *regiev1.ExplainResponse) []string {
		var out []string
		add := func(path string, all []*regiev1.Condition) {
			for _, c := range all {
				mark := "!"
				if c.GetMet() {
					mark = ""
				}
				if c.GetText() == "" {
					t.Errorf("%s %s says nothing", path, c)
				}
				out = append(out, strings.TrimSpace(path+" "+mark+c.GetKind()))
			}
		}
		add("", a.GetConditions())
		for _, s := range a.GetSteps() {
			add(s.GetPath(), s.GetConditions())
			if s.GetText() == "" || s.GetState() == "" {
				t.Errorf("%s has no text or state: %v", s.GetPath(), s)
			}
		}
		return out
	}
	eventually(t, "one task runs and one waits", func() bool {
		all := kinds(explain(run, ""))
		return slices.ContainsFunc(all, func(k string) bool { return strings.HasSuffix(k, "!slot") }) &&
			slices.ContainsFunc(all, func(k string) bool { return strings.HasSuffix(k, "!worker") }) && slices.Contains(all, "again !retry")
	})
	all := kinds(explain(run, ""))
	for _, want := range []string{"nap !timer", "after !need", "never !need", "again !retry", "wide !children", "wide[0]/nap !timer"} {
		if !slices.Contains(all, want) {
			t.Errorf("there is no %q in %v", want, all)
		}
	}
	for _, s := range explain(run, "").GetSteps() {
		for _, c := range s.GetConditions() {
			switch c.GetKind() {
			case "slot":
				if c.GetPlace() != 1 || s.GetState() != "queued" {
					t.Errorf("a slot: %v", s)
				}
			case "worker":
				if c.GetOn() != "local" || s.GetState() != "running" {
					t.Errorf("a worker: %v", s)
				}
			case "timer", "retry":
				if c.GetExpected() == nil {
					t.Errorf("without its time: %v", s)
				}
			}
		}
	}
	if a := explain(held, ""); !slices.Contains(kinds(a), "!hold") || !strings.Contains(a.GetText(), "not yet") {
		t.Errorf("held: %v", a)
	}
	if _, err := w.admin.runs.Act(t.Context(), &regiev1.ActRequest{Namespace: "why", Run: run, Action: regiev1.Action_ACTION_CANCEL}); err != nil {
		t.Fatal(err)
	}
	w.ended(t, "why", run)
	if a := explain(run, ""); a.GetState() != "canceled" || !slices.Contains(kinds(a), "ended") {
		t.Errorf("canceled: %v", a)
	}
	if _, err := w.admin.runs.Act(t.Context(), &regiev1.ActRequest{Namespace: "why", Run: held, Action: regiev1.Action_ACTION_RELEASE}); err != nil {
		t.Fatal(err)
	}
	w.ended(t, "why", held)
	for step, want := range map[string]string{"bad": "ended", "after": "upstream", "no": "if"} {
		if got := kinds(explain(held, step)); !slices.ContainsFunc(got, func(k string) bool {
			return strings.HasPrefix(k, step+" ") && strings.HasSuffix(strings.ReplaceAll(k, "!", ""), want)
		}) {
			t.Errorf("%s: %v, want %s", step, got, want)
		}
	}
	_, err := w.admin.runs.Explain(t.Context(), &regiev1.ExplainRequest{Namespace: "why", Run: held, Step: "none"})
	checkError(t, err, connect.CodeNotFound, "step_not_found")
}

// hook is a webhook that keeps what it got.
type hook struct {
	*httptest.Server

	mu     sync.Mutex
	bodies []string
}

func newHook(t *testing.T) *hook {
	h := &hook{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.bodies = append(h.bodies, string(text))
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) got(part string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.ContainsFunc(h.bodies, func(b string) bool { return strings.Contains(b, part) })
}

// TestAlerts: a failed and a late run open an alert, which is told to a webhook,
// gets an owner and notes, and is closed, by hand or by what repairs it.
func TestAlerts(t *testing.T) {
	t.Parallel()
	w := shared
	h := newHook(t)
	if _, err := w.admin.identities.PutNamespace(t.Context(), &regiev1.PutNamespaceRequest{Name: "alerts", AlertChannels: []string{"ops"}}); err != nil {
		t.Fatal(err)
	}
	gate := filepath.Join(t.TempDir(), "gate")
	w.apply(t, "alerts", fmt.Sprintf(`kind: Workflow
name: breaks
steps: [{id: a, run: test -e %s, retry: {max_attempts: 1}}]
---
kind: Workflow
name: slow
deadline: {finish_by: {time: "00:01", day: 0}}
steps: [{id: a, wait: {for: 10h}}]
---
kind: Channel
name: ops
type: webhook
url: %s/hook
`, gate, h.URL))
	run := w.begun(t, &regiev1.StartRunRequest{Namespace: "alerts", Workflow: "breaks"}).GetId()
	w.ended(t, "alerts", run)
	failed := w.alert(t, "alerts")
	if failed.GetCause() != "failed" || failed.GetWorkflow() != "breaks" || failed.GetRun() != run || failed.GetState() != "open" {
		t.Errorf("the alert is %v", failed)
	}
	eventually(t, "the message", func() bool { return h.got("breaks") })
	get := func() *regiev1.GetAlertResponse {
		a, err := w.admin.alerts.GetAlert(t.Context(), &regiev1.GetAlertRequest{Namespace: "alerts", Alert: failed.GetId()})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	eventually(t, "the delivery is known", func() bool {
		d := get().GetDeliveries()
		return len(d) == 1 && d[0].GetChannel() == "ops" && d[0].GetState() == "sent"
	})
	owner := w.user(t, "alerts-owner", "operator@alerts")
	if _, err := owner.alerts.UpdateAlert(t.Context(), &regiev1.UpdateAlertRequest{
		Namespace: "alerts", Alert: failed.GetId(), Acknowledged: proto.Bool(true), Owner: proto.String("alerts-owner"), Note: "looking at it",
	}); err != nil {
		t.Fatal(err)
	}
	if a := get(); a.GetAlert().GetState() != "acknowledged" || a.GetAlert().GetOwner() != "alerts-owner" || a.GetAlert().GetAcknowledgedBy() != "user/alerts-owner" ||
		len(a.GetNotes()) != 1 || a.GetNotes()[0].GetActor() != "user/alerts-owner" {
		t.Errorf("acknowledged: %v", a)
	}
	_, err := owner.alerts.UpdateAlert(t.Context(), &regiev1.UpdateAlertRequest{Namespace: "alerts", Alert: failed.GetId(), Owner: proto.String("nobody-there")})
	checkError(t, err, connect.CodeInvalidArgument, "request_invalid")
	// It closes when what failed succeeds.
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w.ended(t, "alerts", w.begun(t, &regiev1.StartRunRequest{Namespace: "alerts", Workflow: "breaks"}).GetId())
	eventually(t, "it is closed", func() bool { return get().GetAlert().GetState() == "closed" })
	_, err = owner.alerts.UpdateAlert(t.Context(), &regiev1.UpdateAlertRequest{Namespace: "alerts", Alert: failed.GetId(), Acknowledged: proto.Bool(true)})
	checkError(t, err, connect.CodeFailedPrecondition, "alert_closed")
	// A late run, which is silenced, is shown and not told.
	if _, err := owner.alerts.CreateSilence(t.Context(), &regiev1.CreateSilenceRequest{Namespace: "alerts", Workflow: "slo*", Until: far(), Reason: "known"}); err != nil {
		t.Fatal(err)
	}
	w.begun(t, &regiev1.StartRunRequest{Namespace: "alerts", Workflow: "slow", BusinessDate: "2020-01-01"})
	late := w.alert(t, "alerts")
	if late.GetCause() != "late" || !late.GetSilenced() {
		t.Errorf("the alert is %v", late)
	}
	if a, err := owner.alerts.UpdateAlert(t.Context(), &regiev1.UpdateAlertRequest{Namespace: "alerts", Alert: late.GetId(), Close: true}); err != nil || a.GetAlert().GetState() != "closed" {
		t.Errorf("%v, %v", a, err)
	}
	closed, err := owner.alerts.ListAlerts(t.Context(), &regiev1.ListAlertsRequest{Namespace: "alerts", States: []string{"closed"}})
	if err != nil || len(closed.GetAlerts()) != 2 || h.got("slow") {
		t.Errorf("%v, %v", closed, err)
	}
}

// TestErrors: what is wrong is said by a stable code, where, and with what to do.
func TestErrors(t *testing.T) {
	t.Parallel()
	w := shared
	w.namespace(t, "errors")
	w.apply(t, "errors", "kind: Workflow\nname: typed\ninputs: {n: {type: integer, required: true}}\nsteps: [{id: a, run: echo}]\n")
	_, applied := w.admin.workflows.Apply(t.Context(), definitions("errors", "kind: Workflow\nname: x\nsteps:\n  - {id: a, rum: echo}\n"))
	_, missing := w.admin.workflows.Apply(t.Context(), definitions("no-such-namespace", quick))
	_, input := w.admin.runs.StartRun(t.Context(), &regiev1.StartRunRequest{Namespace: "errors", Workflow: "typed", Input: &regiev1.Json{Text: `{"n":"x","m":1}`}})
	_, list := w.admin.runs.StartRun(t.Context(), &regiev1.StartRunRequest{Namespace: "errors", Workflow: "typed", Input: &regiev1.Json{Text: `[]`}})
	_, date := w.admin.runs.StartRun(t.Context(), &regiev1.StartRunRequest{Namespace: "errors", Workflow: "typed", BusinessDate: "2026-02-30"})
	_, workflow := w.admin.runs.StartRun(t.Context(), &regiev1.StartRunRequest{Namespace: "errors", Workflow: "none"})
	_, run := w.admin.runs.GetRun(t.Context(), &regiev1.GetRunRequest{Namespace: "errors", Run: "none"})
	_, size := w.admin.runs.ListRuns(t.Context(), &regiev1.ListRunsRequest{Namespace: "errors", PageSize: 1001})
	_, bundle := w.admin.workflows.Apply(t.Context(), definitions("errors", "kind: Workflow\nname: x\nfiles: [\"missing/**\", \"../up\"]\nsteps: [{id: a, run: echo}]\n"))
	_, version := w.admin.workflows.GetWorkflow(t.Context(), &regiev1.GetWorkflowRequest{Namespace: "errors", Workflow: "typed", Version: "0123456789abcdef"})
	_, used := w.admin.identities.DeleteNamespace(t.Context(), &regiev1.DeleteNamespaceRequest{Name: "errors"})
	_, paths := w.admin.workflows.Apply(t.Context(), &regiev1.ApplyRequest{Namespace: "errors", Files: []*regiev1.SourceFile{{Path: "../w.yaml", Content: []byte(quick), Definition: true}}})
	_, twice := w.admin.workflows.Apply(t.Context(), &regiev1.ApplyRequest{Namespace: "errors", Files: []*regiev1.SourceFile{
		{Path: "w.yaml", Content: []byte(quick), Definition: true}, {Path: "w.yaml", Content: []byte(quick), Definition: true},
	}})
	_, inside := w.admin.workflows.Apply(t.Context(), &regiev1.ApplyRequest{Namespace: "errors", Files: []*regiev1.SourceFile{
		{Path: "w.yaml", Content: []byte(quick), Definition: true}, {Path: "w.yaml/x", Content: []byte("x")},
	}})
	for name, tt := range map[string]struct {
		err  error
		code connect.Code
		slug string
		text string // of all that is said
	}{
		"definition":       {applied, connect.CodeInvalidArgument, "definition_invalid", "unknown_field"},
		"no namespace":     {missing, connect.CodeNotFound, "namespace_not_found", "no-such-namespace"},
		"input":            {input, connect.CodeInvalidArgument, "input_invalid", "integer"},
		"input is a list":  {list, connect.CodeInvalidArgument, "request_invalid", "object"},
		"date":             {date, connect.CodeInvalidArgument, "request_invalid", "business_date"},
		"no workflow":      {workflow, connect.CodeNotFound, "workflow_not_found", "none"},
		"no run":           {run, connect.CodeNotFound, "run_not_found", "none"},
		"page size":        {size, connect.CodeInvalidArgument, "request_invalid", "page_size"},
		"bundle":           {bundle, connect.CodeInvalidArgument, "definition_invalid", "missing/**"},
		"no version":       {version, connect.CodeNotFound, "workflow_not_found", "0123456789abcdef"},
		"namespace in use": {used, connect.CodeFailedPrecondition, "namespace_in_use", "errors"},
		"path":             {paths, connect.CodeInvalidArgument, "files_invalid", "../w.yaml"},
		"path twice":       {twice, connect.CodeInvalidArgument, "files_invalid", "w.yaml"},
		"file in a file":   {inside, connect.CodeInvalidArgument, "files_invalid", "w.yaml/x"},
	} {
		checkError(t, tt.err, tt.code, tt.slug)
		text := told(tt.err)
		if !strings.Contains(text, tt.text) {
			t.Errorf("%s: %s does not say %q", name, text, tt.text)
		}
		if strings.Contains(text, w.dir) || strings.Contains(text, os.TempDir()) || strings.Contains(text, "apply-") {
			t.Errorf("%s: it tells of the server's folders: %s", name, text)
		}
	}
	// Without a fault of the definition warnings come with the answer.
	a, err := w.admin.workflows.Validate(t.Context(), &regiev1.ValidateRequest{Namespace: "errors", Files: definitions("", "kind: Workflow\nname: x\nfiles: [\"missing/**\"]\nsteps: [{id: a, run: echo}]\n").GetFiles()})
	if err != nil || strings.Contains(a.String(), w.dir) || strings.Contains(a.String(), os.TempDir()) {
		t.Errorf("%v, %v", a, err)
	}
}

// told is all that an error tells.
func told(err error) string {
	text, _ := json.Marshal(problem.Of(err))
	return err.Error() + " " + string(text)
}
