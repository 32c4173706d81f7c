package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/api/routes"
)

// rule says who may call a route, and how it is called.
type rule struct {
	// roles are those that may: in a namespace, or for the installation. "public"
	// is everybody, "known" everybody who is known.
	roles        string
	installation bool
	write        bool
	// request is a call as JSON that does something, for those who may not. @NS@,
	// @RUN@ and so on are replaced. harmless, if there is one, is a call that
	// changes nothing for those who may, and ends with one of the codes.
	request, harmless, code string
	// limited is how that call ends for tokens that may less than their user.
	limited string
}

const (
	readers   = "viewer operator author approver admin auditor privacy"
	operators = "operator admin"
	authors   = "author admin"
	workers   = "worker admin"
)

// rules are written out here, and not taken from the product: the tables must
// agree. A route that is not here fails the test.
var rules = map[string]rule{
	"/healthz":      {roles: "public"},
	"/readyz":       {roles: "public"},
	"/openapi.json": {roles: "known"},
	"/metrics":      {roles: readers, installation: true},

	"regie.v1.RunService/StartRun": {roles: operators, write: true,
		request: `{"namespace":"@NS@","workflow":"good"}`, harmless: `{"namespace":"@NS@","workflow":"none"}`, code: "not_found"},
	"regie.v1.RunService/ListRuns":        {roles: readers, request: `{"namespace":"@NS@"}`},
	"regie.v1.RunService/CountRuns":       {roles: readers, request: `{"namespace":"@NS@"}`},
	"regie.v1.RunService/GetRun":          {roles: readers, request: `{"namespace":"@NS@","run":"@RUN@"}`},
	"regie.v1.RunService/GetRunGraph":     {roles: readers, request: `{"namespace":"@NS@","run":"@RUN@"}`},
	"regie.v1.RunService/ListStepHistory": {roles: readers, request: `{"namespace":"@NS@","workflow":"good"}`},
	"regie.v1.RunService/GetStatistics":   {roles: readers, request: `{"namespace":"@NS@","workflow":"good"}`},
	"regie.v1.RunService/CompareRuns": {roles: readers, request: `{"namespace":"@NS@","run":"@RUN@"}`,
		harmless: `{"namespace":"@NS@","run":"none"}`, code: "not_found"},
	"regie.v1.RunService/GetRunData":       {roles: readers, request: `{"namespace":"@NS@","run":"@RUN@"}`},
	"regie.v1.RunService/ListEvents":       {roles: readers, request: `{"namespace":"@NS@","run":"@RUN@"}`},
	"regie.v1.RunService/WatchRun":         {roles: readers, request: `{"namespace":"@NS@","run":"@RUN@"}`},
	"regie.v1.RunService/WatchRuns":        {roles: readers, request: `{"namespace":"@NS@"}`},
	"regie.v1.RunService/GetLog":           {roles: readers, request: `{"namespace":"@NS@","run":"@RUN@","step":"a"}`},
	"regie.v1.RunService/DownloadLog":      {roles: readers, request: `{"namespace":"@NS@","run":"@RUN@","step":"a"}`},
	"regie.v1.RunService/WatchLog":         {roles: readers, request: `{"namespace":"@NS@","run":"@RUN@"}`},
	"regie.v1.RunService/ListArtifacts":    {roles: readers, request: `{"namespace":"@NS@","run":"@RUN@"}`},
	"regie.v1.RunService/DownloadOutput":   {roles: readers, request: `{"namespace":"@NS@","run":"@RUN@","step":"a"}`},
	"regie.v1.RunService/DownloadArtifact": {roles: readers, request: `{"namespace":"@NS@","run":"@RUN@","step":"a","path":"hello.txt"}`},
	"regie.v1.RunService/ListCached":       {roles: readers, request: `{"namespace":"@NS@"}`},
	"regie.v1.RunService/ClearCache": {roles: operators, write: true,
		request: `{"namespace":"@NS@"}`, harmless: `{"namespace":"@NS@","workflow":"none"}`, code: "ok"},
	"regie.v1.RunService/Explain": {roles: readers, request: `{"namespace":"@NS@","run":"@RUN@"}`},
	"regie.v1.RunService/Act": {roles: operators, write: true,
		request:  `{"namespace":"@NS@","action":"ACTION_CANCEL","filter":"held"}`,
		harmless: `{"namespace":"@NS@","action":"ACTION_CANCEL","filter":"held","dry_run":true}`, code: "ok"},

	"regie.v1.RunService/HoldNamespace": {roles: operators, write: true,
		request: `{"namespace":"@NS@"}`, harmless: `{"namespace":"@NS@","dry_run":true}`, code: "ok"},
	"regie.v1.RunService/ReleaseNamespace": {roles: operators, write: true,
		request: `{"namespace":"@NS@"}`, harmless: `{"namespace":"@NS@","dry_run":true}`, code: "ok"},

	"regie.v1.RunService/EraseRun": {roles: "admin privacy", write: true,
		request:  `{"namespace":"@NS@","run":"@RUN@","reason":"request 1"}`,
		harmless: `{"namespace":"@NS@","run":"@RUN@","reason":"request 1","dry_run":true}`, code: "ok failed_precondition"},

	"regie.v1.WorkflowService/Apply": {roles: authors, write: true,
		request:  `{"namespace":"@NS@","files":[{"path":"w.yaml","content":"@BASE64@","definition":true}]}`,
		harmless: `{"namespace":"@NS@","files":[]}`, code: "invalid_argument"},
	"regie.v1.WorkflowService/Validate": {roles: readers,
		request: `{"namespace":"@NS@","files":[{"path":"w.yaml","content":"@BASE64@","definition":true}]}`},
	"regie.v1.WorkflowService/ListWorkflows": {roles: readers, request: `{"namespace":"@NS@"}`},
	"regie.v1.WorkflowService/GetWorkflow":   {roles: readers, request: `{"namespace":"@NS@","workflow":"good"}`},
	"regie.v1.WorkflowService/ListVersions":  {roles: readers, request: `{"namespace":"@NS@","workflow":"good"}`},
	"regie.v1.WorkflowService/DeleteWorkflow": {roles: authors, write: true,
		request: `{"namespace":"@NS@","workflow":"good"}`, harmless: `{"namespace":"@NS@","workflow":"none"}`, code: "not_found"},
	"regie.v1.WorkflowService/ActivateVersion": {roles: authors, write: true,
		request: `{"namespace":"@NS@","workflow":"good","version":"none"}`, harmless: `{"namespace":"@NS@","workflow":"none","version":"none"}`, code: "not_found"},
	"regie.v1.WorkflowService/CompareVersions": {roles: readers, request: `{"namespace":"@NS@","workflow":"good","from":"none"}`,
		harmless: `{"namespace":"@NS@","workflow":"good","from":"none"}`, code: "not_found"},
	"regie.v1.WorkflowService/GetGraph":    {roles: readers, request: `{"namespace":"@NS@","workflow":"good"}`},
	"regie.v1.WorkflowService/ListObjects": {roles: readers, request: `{"namespace":"@NS@"}`},

	"regie.v1.ScheduleService/ListSchedules": {roles: readers, request: `{"namespace":"@NS@"}`},
	"regie.v1.ScheduleService/ListTicks":     {roles: readers, request: `{"namespace":"@NS@"}`},
	"regie.v1.ScheduleService/GetSchedule":   {roles: readers, request: `{"namespace":"@NS@","workflow":"good","schedule":"@SCHEDULE@"}`},
	"regie.v1.ScheduleService/PauseSchedule": {roles: operators, write: true,
		request:  `{"namespace":"@NS@","workflow":"good","schedule":"@SCHEDULE@","paused":true}`,
		harmless: `{"namespace":"@NS@","workflow":"good","schedule":"none","paused":true}`, code: "not_found"},

	"regie.v1.AlertService/ListAlerts": {roles: readers, request: `{"namespace":"@NS@"}`},
	"regie.v1.AlertService/GetAlert":   {roles: readers, request: `{"namespace":"@NS@","alert":"@ALERT@"}`},
	"regie.v1.AlertService/UpdateAlert": {roles: operators, write: true,
		request: `{"namespace":"@NS@","alert":"@ALERT@","close":true}`, harmless: `{"namespace":"@NS@","alert":"none","close":true}`, code: "not_found"},
	"regie.v1.AlertService/ListSilences": {roles: readers, request: `{"namespace":"@NS@"}`},
	"regie.v1.AlertService/CreateSilence": {roles: operators, write: true,
		request: `{"namespace":"@NS@","until":"@FAR@"}`, harmless: `{"namespace":"@NS@"}`, code: "invalid_argument"},
	"regie.v1.AlertService/DeleteSilence": {roles: operators, write: true,
		request: `{"namespace":"@NS@","silence":"@SILENCE@"}`, harmless: `{"namespace":"@NS@","silence":"none"}`, code: "not_found"},

	"regie.v1.IdentityService/Login": {roles: "public", write: true, harmless: `{"password":"regie_admin_none"}`, code: "unauthenticated resource_exhausted"},
	"regie.v1.IdentityService/Logout": {roles: "known", write: true,
		request: `{"everywhere":true}`, harmless: `{}`, code: "invalid_argument"},
	"regie.v1.IdentityService/WhoAmI": {roles: "known", request: `{}`},
	"regie.v1.IdentityService/ChangePassword": {roles: "known", write: true,
		request: `{"old_password":"long enough 1","new_password":"long enough 2"}`, harmless: `{}`, code: "failed_precondition"},
	"regie.v1.IdentityService/ListUsers": {roles: "admin auditor", installation: true, request: `{}`},
	"regie.v1.IdentityService/CreateUser": {roles: "admin", installation: true, write: true,
		request: `{"name":"eve"}`, harmless: `{"name":"!"}`, code: "invalid_argument"},
	"regie.v1.IdentityService/UpdateUser": {roles: "admin", installation: true, write: true,
		request: `{"name":"target","disabled":true}`, harmless: `{"name":"none","disabled":true}`, code: "not_found"},
	"regie.v1.IdentityService/DeleteUser": {roles: "admin", installation: true, write: true,
		request: `{"name":"target"}`, harmless: `{"name":"none"}`, code: "not_found"},
	"regie.v1.IdentityService/ListGroups": {roles: "admin auditor", installation: true, request: `{}`},
	"regie.v1.IdentityService/PutGroup": {roles: "admin", installation: true, write: true,
		request: `{"name":"crowd","members":["target"]}`, harmless: `{"name":"!"}`, code: "invalid_argument"},
	"regie.v1.IdentityService/DeleteGroup": {roles: "admin", installation: true, write: true,
		request: `{"name":"people"}`, harmless: `{"name":"none"}`, code: "not_found"},
	"regie.v1.IdentityService/SetGrant": {roles: "admin", installation: true, write: true,
		request:  `{"subject":"user/target","grant":{"role":"admin","namespace":"*"}}`,
		harmless: `{"subject":"user/none","grant":{"role":"admin","namespace":"*"}}`, code: "not_found"},
	"regie.v1.IdentityService/ListTokens": {roles: "known", request: `{}`},
	"regie.v1.IdentityService/CreateToken": {roles: "known", write: true,
		request: `{"name":"more"}`, harmless: `{"expires_at":"2000-01-01T00:00:00Z"}`, code: "invalid_argument", limited: "permission_denied"},
	"regie.v1.IdentityService/RevokeToken": {roles: "known", write: true,
		request: `{"id":"@TOKEN@"}`, harmless: `{"id":"none"}`, code: "not_found"},
	"regie.v1.IdentityService/ListNamespaces": {roles: "known", request: `{}`},
	"regie.v1.IdentityService/PutNamespace": {roles: "admin", installation: true, write: true,
		request: `{"name":"@NS@","description":"taken"}`, harmless: `{"name":"!"}`, code: "invalid_argument"},
	"regie.v1.IdentityService/DeleteNamespace": {roles: "admin", installation: true, write: true,
		request: `{"name":"empty"}`, harmless: `{"name":"none"}`, code: "not_found"},

	"regie.v1.TaskService/TakeTask":      {roles: workers, write: true, request: `{"namespace":"@NS@","activity":"none"}`},
	"regie.v1.TaskService/CompleteTask":  {roles: workers, write: true, request: `{"namespace":"@NS@","token":"@WORK@"}`, harmless: `{"namespace":"@NS@","token":"none"}`, code: "not_found"},
	"regie.v1.TaskService/HeartbeatTask": {roles: workers, write: true, request: `{"namespace":"@NS@","token":"@WORK@"}`, harmless: `{"namespace":"@NS@","token":"none"}`, code: "not_found"},

	"regie.v1.LimitService/ListLimits": {roles: readers, request: `{"namespace":"@NS@"}`},
	"regie.v1.LimitService/GetLimit":   {roles: readers, request: `{"namespace":"@NS@","limit":"tapes"}`},
	"regie.v1.LimitService/SetLimit": {roles: operators, write: true,
		request: `{"namespace":"@NS@","limit":"tapes","capacity":9}`, harmless: `{"namespace":"@NS@","limit":"none","capacity":1}`, code: "not_found"},
	"regie.v1.LimitService/ListConditions": {roles: readers, request: `{"namespace":"@NS@"}`},
	"regie.v1.LimitService/AddCondition": {roles: operators, write: true,
		request: `{"namespace":"@NS@","name":"closed"}`, harmless: `{"namespace":"@NS@","name":""}`, code: "invalid_argument"},
	"regie.v1.LimitService/DeleteCondition": {roles: operators, write: true,
		request: `{"namespace":"@NS@","name":"open"}`, harmless: `{"namespace":"@NS@","name":"x","date":"never"}`, code: "invalid_argument"},
	"regie.v1.LimitService/ListBreakers": {roles: readers, request: `{"namespace":"@NS@"}`},
	"regie.v1.LimitService/SetBreaker": {roles: operators, write: true,
		request: `{"namespace":"@NS@","connection":"bank","open":true}`, harmless: `{"namespace":"@NS@","connection":"none","open":true}`, code: "not_found"},
	"regie.v1.SignalService/SendSignal": {roles: "operator admin worker messenger", write: true,
		request: `{"namespace":"@NS@","run":"@RUN@","name":"go"}`, harmless: `{"namespace":"@NS@","run":"@RUN@","name":""}`, code: "invalid_argument"},
	"regie.v1.ApprovalService/ListApprovals": {roles: readers, request: `{"namespace":"@NS@"}`},
	"regie.v1.ApprovalService/DecideApproval": {roles: "approver", write: true,
		request: `{"namespace":"@NS@","run":"@RUN@"}`, harmless: `{"namespace":"@NS@","run":"none"}`, code: "not_found"},

	"regie.v1.AuditService/ListEntries":   {roles: "admin auditor", installation: true, request: `{"page_size":1}`},
	"regie.v1.AuditService/GetCheckpoint": {roles: "admin auditor", installation: true, request: `{}`},
	"regie.v1.AuditService/Prove":         {roles: "admin auditor", installation: true, request: `{"run":"@RUN@"}`},
	"regie.v1.AuditService/Export":        {roles: "admin auditor", installation: true, request: `{}`},

	"regie.v1.SystemService/GetInfo": {roles: "known", request: `{}`},
	// These change nothing, but a read-only token is not for them.
	"regie.v1.SystemService/Verify": {roles: "admin", installation: true, write: true, request: `{}`},
	"regie.v1.SystemService/Backup": {roles: "admin", installation: true, write: true, request: `{}`},
	"regie.v1.SystemService/Drain": {roles: "admin", installation: true, write: true,
		request: `{"seconds":3600}`, harmless: `{"seconds":-1}`, code: "invalid_argument"},
}

// caller is somebody who calls every route.
type caller struct {
	name     string
	token    string
	known    bool
	readOnly bool
	limited  bool
	grants   []string // what counts in the end, as role@namespace
}

// may is what the table says.
func (c *caller) may(r rule, namespace string) bool {
	switch {
	case r.roles == "public":
		return true
	case !c.known || r.write && c.readOnly:
		return false
	case r.roles == "known":
		return true
	}
	for _, g := range c.grants {
		role, where, _ := strings.Cut(g, "@")
		if slices.Contains(strings.Fields(r.roles), role) && (where == "*" || !r.installation && where == namespace) {
			return true
		}
	}
	return false
}

// stage is a server with something of every kind.
type stage struct {
	*world

	texts   *strings.Replacer
	callers []caller
}

const (
	stageDefinition = `kind: Workflow
name: good
triggers: [{schedule: {cron: "0 1 * * *"}}]
steps: [{id: a, run: echo hello | tee hello.txt, artifacts: [hello.txt]}]
---
kind: Workflow
name: bad
steps: [{id: a, run: exit 1, retry: {max_attempts: 1}}]
---
kind: Channel
name: ops
type: webhook
url: https://example.org/hook
---
kind: Connection
name: bank
type: http
url: https://example.org
breaker: {failures: 3}
---
kind: Limit
name: tapes
capacity: 2
`
	otherDefinition = "kind: Workflow\nname: other\nsteps: [{id: a, run: echo other}]\n"
)

func newStage(t *testing.T) *stage {
	w := start(t, options{})
	s := &stage{world: w}
	for _, name := range []string{"here", "there", "empty"} {
		w.namespace(t, name)
	}
	w.release(t, "here", w.held(t, offering("here", "packing", "pack"), offering("here", "packed", "packed"))...)
	work := w.admin.take(t, "here", "packed", "")
	w.apply(t, "here", stageDefinition)
	run := w.begun(t, &regiev1.StartRunRequest{Namespace: "here", Workflow: "good"})
	w.ended(t, "here", run.GetId())
	bad := w.begun(t, &regiev1.StartRunRequest{Namespace: "here", Workflow: "bad"})
	w.ended(t, "here", bad.GetId())
	w.begun(t, &regiev1.StartRunRequest{Namespace: "here", Workflow: "good", Held: true})
	schedules, err := w.admin.schedules.ListSchedules(t.Context(), &regiev1.ListSchedulesRequest{Namespace: "here"})
	if err != nil {
		t.Fatal(err)
	}
	silence, err := w.admin.alerts.CreateSilence(t.Context(), &regiev1.CreateSilenceRequest{Namespace: "here", Workflow: "good", Until: far()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.admin.identities.CreateUser(t.Context(), &regiev1.CreateUserRequest{Name: "target"}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.admin.identities.PutGroup(t.Context(), &regiev1.PutGroupRequest{Name: "people", Members: []string{"target"}}); err != nil {
		t.Fatal(err)
	}
	token, err := w.admin.identities.CreateToken(t.Context(), &regiev1.CreateTokenRequest{Name: "target", User: "target"})
	if err != nil {
		t.Fatal(err)
	}
	alert := w.alert(t, "here")
	s.texts = strings.NewReplacer("@RUN@", run.GetId(), "@VERSION@", run.GetVersion(), "@SCHEDULE@", schedules.GetSchedules()[0].GetId(), "@ALERT@", alert.GetId(), "@FAILED@", alert.GetRun(),
		"@SILENCE@", silence.GetSilence().GetId(), "@TOKEN@", token.GetToken().GetId(), "@BASE64@", base64Of(otherDefinition),
		"@FAR@", far().AsTime().Format(time.RFC3339), "@WORK@", work.GetToken())
	s.cast(t)
	return s
}

// alert waits for an alert in a namespace.
func (w *world) alert(t *testing.T, namespace string) *regiev1.Alert {
	t.Helper()
	var found *regiev1.Alert
	eventually(t, "an alert in "+namespace, func() bool {
		a, err := w.admin.alerts.ListAlerts(t.Context(), &regiev1.ListAlertsRequest{Namespace: namespace})
		if err != nil {
			t.Fatal(err)
		}
		if len(a.GetAlerts()) > 0 {
			found = a.GetAlerts()[0]
		}
		return found != nil
	})
	return found
}

// cast makes the callers.
func (s *stage) cast(t *testing.T) {
	s.callers = []caller{{name: "nobody"}, {name: "bad token", token: "regie_no_such_token"}}
	add := func(name string, readOnly bool, scopes string, effective string, grants ...string) {
		user := strings.NewReplacer(" ", "-", "@", "-", "*", "all").Replace(name)
		if _, err := s.admin.identities.CreateUser(t.Context(), &regiev1.CreateUserRequest{Name: user, Grants: grantsOf(grants...)}); err != nil {
			t.Fatal(err)
		}
		q := &regiev1.CreateTokenRequest{User: user, ReadOnly: readOnly, Scopes: grantsOf(strings.Fields(scopes)...)}
		s.callers = append(s.callers, caller{name: name, token: s.newToken(t, q), known: true, readOnly: readOnly, limited: readOnly || scopes != "", grants: strings.Fields(effective)})
	}
	add("without roles", false, "", "")
	for role := range strings.FieldsSeq(readers + " worker") {
		for _, namespace := range []string{"here", "there", "*"} {
			g := role + "@" + namespace
			add(g, false, "", g, g)
		}
	}
	add("read-only admin", true, "", "admin@*", "admin@*")
	add("read-only operator", true, "", "operator@here", "operator@here")
	add("scoped to view", false, "viewer@here", "viewer@here", "admin@*")
	add("scoped elsewhere", false, "operator@there", "operator@there", "admin@*")
	add("scoped beyond", false, "admin@*", "viewer@here", "viewer@here")
	add("scoped read-only", true, "operator@here", "operator@here", "admin@*")
}

// TestEveryRouteForEveryCaller: each route, called by everybody in each protocol,
// lets in who the table above says and nobody else; what is refused changes
// nothing, says nothing about what there is, and is on record.
func TestEveryRouteForEveryCaller(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	table, err := routes.Load()
	if err != nil {
		t.Fatal(err)
	}
	before := s.everything(t)
	names := slices.Collect(maps.Keys(rules))
	var mu sync.Mutex
	refused := map[string]int{} // by caller
	t.Run("routes", func(t *testing.T) {
		for _, r := range table.Routes() {
			rule, ok := rules[r.Name]
			if !ok {
				t.Errorf("%s is in no rule: say who may call it", r.Name)
				continue
			}
			names = slices.DeleteFunc(names, func(n string) bool { return n == r.Name })
			t.Run(r.Name, func(t *testing.T) {
				t.Parallel()
				for i := range s.callers {
					refusals, logins := s.try(t, r, rule, &s.callers[i])
					if r.Name == "regie.v1.IdentityService/WhoAmI" && s.callers[i].token == "" {
						refusals = 0 // who asks only for themselves attempts nothing
					}
					mu.Lock()
					refused[s.callers[i].name] += refusals
					refused["nobody"] += logins
					mu.Unlock()
				}
			})
		}
	})
	if len(names) > 0 {
		t.Errorf("there are rules for routes that do not exist: %v", names)
	}
	if after := s.everything(t); after != before {
		t.Errorf("something was changed:\n%s\nthen\n%s", before, after)
	}
	s.checkRefusals(t, refused)
}

// try calls a route as somebody in every protocol, and counts the refusals and
// failed logins, which are nobody's.
func (s *stage) try(t *testing.T, r *routes.Route, rule rule, c *caller) (refused, logins int) {
	may := c.may(rule, "here")
	request := rule.request
	want := "ok"
	if may && rule.harmless != "" {
		request, want = rule.harmless, rule.code
		if c.limited && rule.limited != "" {
			want = rule.limited
		}
	}
	for _, protocol := range protocols {
		if !speaks(r, protocol) {
			continue
		}
		got := s.call(t, c.token, r, protocol, s.texts.Replace(strings.ReplaceAll(request, "@NS@", "here")))
		if may {
			switch got.code {
			case "permission_denied":
				refused++
			case "unauthenticated":
				logins++
			}
			if !slices.Contains(strings.Fields(want), got.code) {
				t.Errorf("%s by %s as %s: %s (%s), want %s", r.Name, protocol, c.name, got.code, got.message, want)
			}
			continue
		}
		refused++
		code, problem := "permission_denied", "permission_denied"
		if !c.known {
			code, problem = "unauthenticated", "unauthenticated"
		}
		if got.code != code || got.problem != problem {
			t.Errorf("%s by %s as %s: %s (%s: %s), want %s", r.Name, protocol, c.name, got.code, got.problem, got.message, code)
		}
		if protocol != "connect json" || !strings.Contains(request, "@NS@") {
			continue
		}
		// The same of what is not there, in a namespace that is not there.
		none := s.call(t, c.token, r, protocol, strings.NewReplacer("@NS@", "heer", "good", "dgoo", "@RUN@", "none", "@SCHEDULE@", "none",
			"@ALERT@", "none", "@SILENCE@", "none", "@BASE64@", base64Of(otherDefinition),
			"@FAR@", far().AsTime().Format(time.RFC3339)).Replace(request))
		refused++
		if strings.ReplaceAll(none.message, "heer", "here") != got.message || none.code != got.code || none.problem != got.problem {
			t.Errorf("%s as %s: refused as %q, and as %q where there is nothing", r.Name, c.name, got.message, none.message)
		}
	}
	return refused, logins
}

// everything is all that callers might have changed.
func (s *stage) everything(t *testing.T) string {
	t.Helper()
	ctx := t.Context()
	var out []string
	add := func(m proto.Message, err error) {
		if err != nil {
			t.Fatal(err)
		}
		text, err := protojson.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(text, &v); err != nil {
			t.Fatal(err)
		}
		text, _ = json.MarshalIndent(without(v, "lastUsedAt", "position", "nextPageToken"), "", " ")
		out = append(out, string(text))
	}
	c := s.admin
	add(answered(c.runs.ListRuns(ctx, &regiev1.ListRunsRequest{Namespace: "-"})))
	add(answered(c.workflows.ListWorkflows(ctx, &regiev1.ListWorkflowsRequest{Namespace: "-"})))
	add(answered(c.workflows.ListObjects(ctx, &regiev1.ListObjectsRequest{Namespace: "-"})))
	add(answered(c.schedules.ListSchedules(ctx, &regiev1.ListSchedulesRequest{Namespace: "-"})))
	add(answered(c.alerts.ListAlerts(ctx, &regiev1.ListAlertsRequest{Namespace: "-"})))
	add(answered(c.alerts.ListSilences(ctx, &regiev1.ListSilencesRequest{Namespace: "-"})))
	add(answered(c.identities.ListUsers(ctx, &regiev1.ListUsersRequest{})))
	add(answered(c.identities.ListGroups(ctx, &regiev1.ListGroupsRequest{})))
	add(answered(c.identities.ListTokens(ctx, &regiev1.ListTokensRequest{User: "-"})))
	add(answered(c.identities.ListNamespaces(ctx, &regiev1.ListNamespacesRequest{})))
	return strings.Join(out, "\n")
}

// answered makes of an answer of any type one of the common type.
func answered[T proto.Message](m T, err error) (proto.Message, error) { return m, err }

// without removes members of objects at any depth.
func without(v any, names ...string) any {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range names {
			delete(v, name)
		}
		for name := range v {
			v[name] = without(v[name], names...)
		}
	case []any:
		for i := range v {
			v[i] = without(v[i], names...)
		}
	}
	return v
}

// checkRefusals: after the end of the server every refusal is on record, one by
// one or counted.
func (s *stage) checkRefusals(t *testing.T, refused map[string]int) {
	t.Helper()
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	again, err := open(options{dir: s.dir, with: s.world})
	if err != nil {
		t.Fatal(err)
	}
	*s.world = *again // so that it is closed at the end
	want, got := map[string]int{}, map[string]int{}
	for i := range s.callers {
		actor := "user/" + strings.NewReplacer(" ", "-", "@", "-", "*", "all").Replace(s.callers[i].name)
		if !s.callers[i].known {
			actor = "anonymous"
		}
		want[actor] += refused[s.callers[i].name]
	}
	for _, e := range s.entries(t, &regiev1.ListEntriesRequest{}) {
		if e.GetOutcome() != "denied" {
			continue
		}
		n := 1
		if e.GetAction() == "denied" {
			var detail struct {
				Count int `json:"count"`
			}
			if err := json.Unmarshal([]byte(e.GetDetail()), &detail); err != nil {
				t.Fatal(err)
			}
			n = detail.Count
		} else if e.GetAction() != "session.open" && e.GetAction() != "api.call" || !strings.HasPrefix(e.GetObject(), "/metrics") && rules[e.GetObject()].roles == "" || e.GetRequestId() == "" {
			t.Errorf("a refusal is on record as %v", e)
		}
		got[e.GetActor()] += n
	}
	maps.DeleteFunc(want, func(_ string, n int) bool { return n == 0 })
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("refusals on record:\n%v, want\n%v", got, want)
	}
}

// entries lists the audit log.
func (w *world) entries(t *testing.T, q *regiev1.ListEntriesRequest) []*regiev1.Entry {
	t.Helper()
	var out []*regiev1.Entry
	q.PageSize = 1000
	for {
		a, err := w.admin.audit.ListEntries(context.WithoutCancel(t.Context()), q)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, a.GetEntries()...)
		if q.PageToken = a.GetNextPageToken(); q.GetPageToken() == "" {
			return out
		}
	}
}
