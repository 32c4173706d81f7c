package server_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/api/problem"
)

// lister lists something by pages: the names of what is on one, and the token of
// the next.
type lister struct {
	name string
	page func(ctx context.Context, c *client, size int32, token string) (names []string, next string, err error)
}

// listers are all lists.
func listers(namespace string) []lister {
	runs := func(filter string) func(ctx context.Context, c *client, size int32, token string) ([]string, string, error) {
		return func(ctx context.Context, c *client, size int32, token string) ([]string, string, error) {
			a, err := c.runs.ListRuns(ctx, &regiev1.ListRunsRequest{Namespace: namespace, Filter: filter, PageSize: size, PageToken: token})
			return namesOf(a.GetRuns(), (*regiev1.Run).GetId), a.GetNextPageToken(), err
		}
	}
	return []lister{
		{"runs", runs("")}, {"runs by time", runs("sort:time")}, {"runs by name", runs("sort:name,-time")}, {"runs by state", runs("sort:-state")},
		{"runs by wait", runs("sort:-wait")}, {"runs by duration", runs("sort:duration")}, {"runs by attempt", runs("sort:-attempt,name")},
		{"runs by date", runs("sort:date")},
		{"workflows", func(ctx context.Context, c *client, size int32, token string) ([]string, string, error) {
			a, err := c.workflows.ListWorkflows(ctx, &regiev1.ListWorkflowsRequest{Namespace: namespace, PageSize: size, PageToken: token})
			return namesOf(a.GetWorkflows(), (*regiev1.Workflow).GetName), a.GetNextPageToken(), err
		}},
		{"versions", func(ctx context.Context, c *client, size int32, token string) ([]string, string, error) {
			a, err := c.workflows.ListVersions(ctx, &regiev1.ListVersionsRequest{Namespace: namespace, Workflow: "w0", PageSize: size, PageToken: token})
			return namesOf(a.GetVersions(), (*regiev1.Version).GetVersion), a.GetNextPageToken(), err
		}},
		{"objects", func(ctx context.Context, c *client, size int32, token string) ([]string, string, error) {
			a, err := c.workflows.ListObjects(ctx, &regiev1.ListObjectsRequest{Namespace: namespace, PageSize: size, PageToken: token})
			return namesOf(a.GetObjects(), (*regiev1.Object).GetName), a.GetNextPageToken(), err
		}},
		{"schedules", func(ctx context.Context, c *client, size int32, token string) ([]string, string, error) {
			a, err := c.schedules.ListSchedules(ctx, &regiev1.ListSchedulesRequest{Namespace: namespace, PageSize: size, PageToken: token})
			return namesOf(a.GetSchedules(), func(s *regiev1.Schedule) string { return s.GetWorkflow() + "/" + s.GetId() }), a.GetNextPageToken(), err
		}},
		{"alerts", func(ctx context.Context, c *client, size int32, token string) ([]string, string, error) {
			a, err := c.alerts.ListAlerts(ctx, &regiev1.ListAlertsRequest{Namespace: namespace, PageSize: size, PageToken: token})
			return namesOf(a.GetAlerts(), (*regiev1.Alert).GetId), a.GetNextPageToken(), err
		}},
		{"silences", func(ctx context.Context, c *client, size int32, token string) ([]string, string, error) {
			a, err := c.alerts.ListSilences(ctx, &regiev1.ListSilencesRequest{Namespace: namespace, PageSize: size, PageToken: token})
			return namesOf(a.GetSilences(), (*regiev1.Silence).GetId), a.GetNextPageToken(), err
		}},
		{"users", func(ctx context.Context, c *client, size int32, token string) ([]string, string, error) {
			a, err := c.identities.ListUsers(ctx, &regiev1.ListUsersRequest{PageSize: size, PageToken: token})
			return namesOf(a.GetUsers(), (*regiev1.User).GetName), a.GetNextPageToken(), err
		}},
		{"groups", func(ctx context.Context, c *client, size int32, token string) ([]string, string, error) {
			a, err := c.identities.ListGroups(ctx, &regiev1.ListGroupsRequest{PageSize: size, PageToken: token})
			return namesOf(a.GetGroups(), (*regiev1.Group).GetName), a.GetNextPageToken(), err
		}},
		{"tokens", func(ctx context.Context, c *client, size int32, token string) ([]string, string, error) {
			a, err := c.identities.ListTokens(ctx, &regiev1.ListTokensRequest{User: "-", PageSize: size, PageToken: token})
			return namesOf(a.GetTokens(), (*regiev1.Token).GetId), a.GetNextPageToken(), err
		}},
		{"namespaces", func(ctx context.Context, c *client, size int32, token string) ([]string, string, error) {
			a, err := c.identities.ListNamespaces(ctx, &regiev1.ListNamespacesRequest{PageSize: size, PageToken: token})
			return namesOf(a.GetNamespaces(), (*regiev1.Namespace).GetName), a.GetNextPageToken(), err
		}},
		{"entries", func(ctx context.Context, c *client, size int32, token string) ([]string, string, error) {
			a, err := c.audit.ListEntries(ctx, &regiev1.ListEntriesRequest{Namespace: namespace, PageSize: size, PageToken: token})
			return namesOf(a.GetEntries(), func(e *regiev1.Entry) string { return fmt.Sprint(e.GetBatch(), "/", e.GetNumber()) }), a.GetNextPageToken(), err
		}},
	}
}

func namesOf[T any](items []T, name func(T) string) []string {
	out := make([]string, len(items))
	for i := range items {
		out[i] = name(items[i])
	}
	return out
}

// TestPages: a list by pages has everything that was there at the beginning,
// each once and in the order of the whole list, though others come in between.
// Tokens are good for their own list only.
func TestPages(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.namespace(t, "pages")
	const n = 5
	var more []func()
	for i := range n {
		add := func() {
			w.apply(t, "pages", fmt.Sprintf("kind: Workflow\nname: w%d\ntriggers: [{schedule: {cron: \"0 1 * * *\"}}]\nsteps: [{id: a, fail: {name: wrong, message: no}}]\n"+
				"---\nkind: Workflow\nname: w0\ntriggers: [{schedule: {cron: \"%d 1 * * *\"}}]\nsteps: [{id: a, fail: {name: wrong, message: no}}]\n"+
				"---\nkind: Channel\nname: c%d\ntype: webhook\nurl: https://example.org/\n", i+1, i, i))
			run := w.begun(t, &regiev1.StartRunRequest{Namespace: "pages", Workflow: fmt.Sprintf("w%d", i+1)})
			w.ended(t, "pages", run.GetId())
			w.begun(t, &regiev1.StartRunRequest{Namespace: "pages", Workflow: "w0", Held: true})
			if _, err := w.admin.alerts.CreateSilence(t.Context(), &regiev1.CreateSilenceRequest{Namespace: "pages", Until: far(), Workflow: "other"}); err != nil {
				t.Fatal(err)
			}
			w.user(t, fmt.Sprintf("pages-%d", i), "viewer@pages")
			if _, err := w.admin.identities.PutGroup(t.Context(), &regiev1.PutGroupRequest{Name: fmt.Sprintf("g%d", i)}); err != nil {
				t.Fatal(err)
			}
			w.namespace(t, fmt.Sprintf("pages-%d", i))
		}
		if i < n-2 {
			add()
		} else {
			more = append(more, add)
		}
	}
	eventually(t, "all alerts", func() bool {
		a, err := w.admin.alerts.ListAlerts(t.Context(), &regiev1.ListAlertsRequest{Namespace: "pages"})
		return err == nil && len(a.GetAlerts()) == n-2
	})
	all := listers("pages")
	whole, pages, tokens := map[string][]string{}, map[string][]string{}, map[string]string{}
	for _, l := range all {
		names, next, err := l.page(t.Context(), w.admin, 1000, "")
		if err != nil || next != "" || len(names) < 2 {
			t.Fatalf("%s: %v, %q, %v", l.name, names, next, err)
		}
		whole[l.name] = names
		if l.name == "entries" { // asking is on record too
			whole[l.name] = names[1:]
		}
		if pages[l.name], tokens[l.name], err = l.page(t.Context(), w.admin, 1, ""); err != nil || tokens[l.name] == "" {
			t.Fatalf("%s: the first page: %v, %v", l.name, tokens[l.name], err)
		}
	}
	for i, l := range all {
		other := all[(i+1)%len(all)]
		_, _, err := l.page(t.Context(), w.admin, 1, tokens[other.name])
		checkError(t, err, connect.CodeInvalidArgument, "request_invalid")
	}
	for _, add := range more {
		add()
		for _, l := range all {
			if tokens[l.name] == "" {
				continue
			}
			names, next, err := l.page(t.Context(), w.admin, 2, tokens[l.name])
			if err != nil || len(names) == 0 || len(names) > 2 {
				t.Fatalf("%s: %v, %v", l.name, names, err)
			}
			pages[l.name], tokens[l.name] = append(pages[l.name], names...), next
		}
	}
	for _, l := range all {
		for tokens[l.name] != "" {
			names, next, err := l.page(t.Context(), w.admin, 2, tokens[l.name])
			if err != nil || len(names) == 0 {
				t.Fatalf("%s: %v, %v", l.name, names, err)
			}
			pages[l.name], tokens[l.name] = append(pages[l.name], names...), next
		}
		slices.Sort(whole[l.name])
		if l.name == "entries" {
			pages[l.name] = pages[l.name][1:]
		}
		got := slices.Clone(pages[l.name])
		slices.Sort(got)
		if len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Errorf("%s: something stands twice: %v", l.name, pages[l.name])
		}
		for _, name := range whole[l.name] {
			if !slices.Contains(got, name) {
				t.Errorf("%s: %s is missing in %v", l.name, name, pages[l.name])
			}
		}
	}
}

// TestFilters: the filter line, over runs in every kind of state.
func TestFilters(t *testing.T) {
	t.Parallel()
	w := shared
	w.namespace(t, "filters")
	w.namespace(t, "filters-too")
	w.apply(t, "filters", `kind: Workflow
name: good
folder: /fin/eod
owner: ada
labels: {crit: high}
steps: [{id: a, run: echo hello}]
---
kind: Workflow
name: gl_bad
folder: /fin
steps: [{id: a, run: exit 1, retry: {max_attempts: 2, backoff: {initial: 1ms}}}]
---
kind: Workflow
name: late
deadline: {finish_by: {time: "00:01", day: 0}}
steps: [{id: a, wait: {for: 10h}}]
---
kind: Workflow
name: running
steps: [{id: a, run: "echo begun; exec sleep 1000"}]
`)
	w.apply(t, "filters-too", quick)
	ada := w.user(t, "ada", "operator@filters", "operator@filters-too")
	ids := map[string]string{}
	begin := func(name string, q *regiev1.StartRunRequest) {
		a, err := ada.runs.StartRun(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		ids[a.GetRun().GetId()] = name
	}
	begin("good", &regiev1.StartRunRequest{Namespace: "filters", Workflow: "good", BusinessDate: "2026-03-01"})
	begin("bad", &regiev1.StartRunRequest{Namespace: "filters", Workflow: "gl_bad", BusinessDate: "2026-03-02"})
	begin("late", &regiev1.StartRunRequest{Namespace: "filters", Workflow: "late", BusinessDate: "2026-03-03"})
	begin("held", &regiev1.StartRunRequest{Namespace: "filters", Workflow: "good", Held: true})
	begin("running", &regiev1.StartRunRequest{Namespace: "filters", Workflow: "running"})
	begin("too", &regiev1.StartRunRequest{Namespace: "filters-too", Workflow: "quick"})
	named := map[string]string{}
	for id, name := range ids {
		named[name] = id
	}
	for name, namespace := range map[string]string{"good": "filters", "bad": "filters", "too": "filters-too"} {
		w.ended(t, namespace, named[name])
	}
	t.Cleanup(func() { w.cancel(t, "filters", named["running"]) })
	find := func(namespace, filter string) ([]string, error) {
		a, err := ada.runs.ListRuns(t.Context(), &regiev1.ListRunsRequest{Namespace: namespace, Filter: filter})
		return namesOf(a.GetRuns(), func(r *regiev1.Run) string { return ids[r.GetId()] }), err
	}
	eventually(t, "a worker has the task", func() bool {
		got, err := find("filters", "worker:local name:running")
		return err == nil && len(got) == 1
	})
	for _, tt := range []struct{ namespace, filter, want string }{
		{"filters", "", "running held late bad good"},
		{"-", "", "too running held late bad good"},
		{"-", "namespace:filters-too", "too"},
		{"-", "name:filters-too/quick", "too"},
		{"filters", "namespace:filters-too", ""},
		{"filters", "state:succeeded", "good"},
		{"filters", "state:failed,succeeded", "bad good"},
		{"filters", "-state:failed,succeeded", "running held late"},
		{"filters", "late", "late"},
		{"filters", "held", "held"},
		{"filters", "-held -late", "running bad good"},
		{"filters", "waiting:timer", "late"},
		{"filters", "waiting:hold", "held"},
		// Where runs were that have ended nobody knows: they are shown.
		{"filters", "worker:local", "running bad good"},
		{"filters", "worker:lo* -state:failed,succeeded", "running"},
		{"filters", "worker:other -state:failed,succeeded", ""},
		{"filters", "wait<1h", "late"},
		{"filters", "wait>1h", ""},
		{"filters", "duration<1h state:failed,succeeded", "bad good"},
		{"filters", "attempt>1", "bad"},
		{"filters", "attempt=1", "running good"},
		{"filters", `name~"gl_*"`, "bad"},
		{"filters", "name:gl_bad,late", "late bad"},
		{"filters", "folder:/fin/**", "held bad good"},
		{"filters", "folder:/fin/*", "held good"},
		{"filters", "folder:/fin", "bad"},
		{"filters", "label:crit", "held good"},
		{"filters", "label:crit=low", ""},
		{"filters", "owner:me", "held good"},
		{"filters", "-owner:me", "running late bad"},
		{"filters", "actor:me", "running held late bad good"},
		{"filters", "actor:admin", ""},
		{"filters", "trigger:manual", "running held late bad good"},
		{"filters", "date:2026-03-01..2026-03-02", "bad good"},
		{"filters", "date:2026-03-02..", "running held late bad"},
		{"filters", "since:1h", "running held late bad good"},
		{"filters", "until:1h", ""},
		{"filters", "id:" + named["good"], "good"},
		{"filters", "sort:time", "good bad late held running"},
		{"filters", "sort:name -held", "bad good late running"},
		{"filters", "sort:-attempt state:failed,succeeded", "bad good"},
		{"filters", "reason:attempts_exhausted", "bad"},
	} {
		got, err := find(tt.namespace, tt.filter)
		if err != nil || strings.Join(got, " ") != tt.want {
			t.Errorf("%s %q: %v, %v, want %s", tt.namespace, tt.filter, got, err, tt.want)
		}
	}
	// Row B55: what is no filter is refused, and nothing reaches a statement.
	for _, line := range []string{
		"sort:name;drop table", "sort:none", `name:%' OR 1=1`, "q:x", "state:done", "name:\"", "wait>x", "date:yesterday..", "-", ":", "state:",
		strings.Repeat("late ", 65), strings.Repeat("a", 5000), "owner", "late:yes", "(name:a)",
	} {
		if _, err := find("filters", line); connect.CodeOf(err) != connect.CodeInvalidArgument || problem.Of(err).GetCode() != "filter_invalid" {
			t.Errorf("%.100q: %v", line, err)
		}
	}
	for _, line := range []string{"name:%", "name:_____", `name:"%' OR '1'='1"`, `name:"\\%"`, `name:"' --"`} {
		if got, err := find("filters", line); err != nil || len(got) != 0 {
			t.Errorf("%q: %v, %v", line, got, err)
		}
	}
}

// TestPageTokens (row B55): a token that was tampered with, or is of another
// list, is refused.
func TestPageTokens(t *testing.T) {
	t.Parallel()
	w := shared
	for _, token := range []string{"x", "!", "e30", base64Of("{}"), base64Of(`{"of":"runs\ndefault\n","at":{"before":7}}`), strings.Repeat("A", 100_000)} {
		for _, l := range listers("default") {
			_, _, err := l.page(t.Context(), w.admin, 1, strings.TrimRight(token, "="))
			if l.name != "versions" { // there is no such workflow
				checkError(t, err, connect.CodeInvalidArgument, "request_invalid")
			}
		}
	}
	// One whose form is right may say anything, and finds at most nothing.
	for _, at := range []string{
		`{"before":"' OR 1=1 --"}`, `{"before":"../.."}`, `{"before":"zzzz"}`, `{"at":"0001-01-01T00:00:00Z"}`, `{"at":"9999-12-31T23:59:59Z","before":"\u0000"}`,
	} {
		token := strings.TrimRight(base64URL(fmt.Sprintf(`{"of":"runs\ndefault\n","at":%s}`, at)), "=")
		_, err := w.admin.runs.ListRuns(t.Context(), &regiev1.ListRunsRequest{Namespace: "default", PageToken: token})
		if err != nil {
			checkError(t, err, connect.CodeInvalidArgument, "request_invalid")
		}
	}
	for _, after := range []string{`{}`, `{"id":"x"}`, `{"id":"x","p":[]}`, `{"id":"x","p":[{},{}]}`, `null`, `7`, `x`} {
		token := strings.TrimRight(base64URL(fmt.Sprintf(`{"of":"runs\ndefault\nsort:name","at":{"after":%q}}`, after)), "=")
		_, err := w.admin.runs.ListRuns(t.Context(), &regiev1.ListRunsRequest{Namespace: "default", Filter: "sort:name", PageToken: token})
		checkError(t, err, connect.CodeInvalidArgument, "request_invalid")
	}
}

// TestPositions: who gives the position of a write reads what it wrote; one that
// is not there yet is waited for.
func TestPositions(t *testing.T) {
	t.Parallel()
	w := shared
	w.namespace(t, "positions")
	w.apply(t, "positions", quick)
	for range 20 {
		a, err := w.admin.runs.StartRun(t.Context(), &regiev1.StartRunRequest{Namespace: "positions", Workflow: "quick", Held: true})
		if err != nil {
			t.Fatal(err)
		}
		if a.GetPosition() == 0 || a.GetRun().GetPosition() > a.GetPosition() {
			t.Errorf("position %d of %v", a.GetPosition(), a.GetRun())
		}
		if _, err := w.admin.runs.GetRun(t.Context(), &regiev1.GetRunRequest{Namespace: "positions", Run: a.GetRun().GetId(), MinPosition: a.GetPosition()}); err != nil {
			t.Error(err)
		}
		list, err := w.admin.runs.ListRuns(t.Context(), &regiev1.ListRunsRequest{Namespace: "positions", PageSize: 1, MinPosition: a.GetPosition()})
		if err != nil || list.GetRuns()[0].GetId() != a.GetRun().GetId() || list.GetPosition() < a.GetPosition() {
			t.Errorf("%v, %v", list, err)
		}
	}
	info, err := w.admin.system.GetInfo(t.Context(), &regiev1.GetInfoRequest{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = w.admin.runs.ListRuns(ctx, &regiev1.ListRunsRequest{Namespace: "positions", MinPosition: info.GetPosition() + 1_000_000})
	if connect.CodeOf(err) != connect.CodeDeadlineExceeded {
		t.Errorf("a position far ahead: %v", err)
	}
	for i := range uint64(5) {
		waited := make(chan error, 1)
		go func() {
			_, err := w.admin.runs.ListRuns(t.Context(), &regiev1.ListRunsRequest{Namespace: "positions", MinPosition: info.GetPosition() + i + 1})
			waited <- err
		}()
		w.begun(t, &regiev1.StartRunRequest{Namespace: "positions", Workflow: "quick", Held: true})
		if err := <-waited; err != nil {
			t.Error(err)
		}
	}
}
