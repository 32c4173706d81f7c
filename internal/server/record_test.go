package server_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/api"
	"github.com/regie-dev/regie/internal/api/routes"
	"github.com/regie-dev/regie/internal/datadir"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/local"
	"github.com/regie-dev/regie/internal/registry"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/runtime/clock"
	"github.com/regie-dev/regie/internal/server/home"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/store/sqlite"
)

// recorded is a call that must leave an entry.
type recorded struct{ route, request, action, object string }

// changes are calls that change something, one for each route that writes.
var changes = []recorded{
	{"RunService/StartRun", `{"namespace":"here","workflow":"good","held":true}`, "run.start", "run/"},
	{"SignalService/SendSignal", `{"namespace":"here","filter":"held","name":"go"}`, "run.signal", "run/"},
	{"RunService/Act", `{"namespace":"here","action":"ACTION_CANCEL","filter":"held"}`, "run.cancel", "run/"},
	{"WorkflowService/Apply", `{"namespace":"here","files":[{"path":"w.yaml","content":"@BASE64@","definition":true}]}`, "workflow.apply", "workflow/other"},
	{"WorkflowService/ActivateVersion", `{"namespace":"here","workflow":"good","version":"@VERSION@"}`, "workflow.activate", "workflow/good"},
	{"WorkflowService/DeleteWorkflow", `{"namespace":"here","workflow":"other"}`, "workflow.delete", "workflow/other"},
	{"ScheduleService/PauseSchedule", `{"namespace":"here","workflow":"good","schedule":"@SCHEDULE@","paused":true,"reason":"why"}`, "schedule.pause", "schedule/good/"},
	{"AlertService/UpdateAlert", `{"namespace":"here","alert":"@ALERT@","close":true}`, "alert.", "alert/@ALERT@"},
	{"AlertService/CreateSilence", `{"namespace":"here","until":"@FAR@"}`, "silence.create", "silence/"},
	{"AlertService/DeleteSilence", `{"namespace":"here","silence":"@SILENCE@"}`, "silence.", "silence/@SILENCE@"},
	{"LimitService/SetLimit", `{"namespace":"here","limit":"tapes","capacity":9}`, "limit.set", "limit/tapes"},
	{"RunService/HoldNamespace", `{"namespace":"here"}`, "namespace.hold", "namespace/here"},
	{"RunService/ReleaseNamespace", `{"namespace":"here"}`, "namespace.release", "namespace/here"},
	{"RunService/ClearCache", `{"namespace":"here"}`, "cache.clear", "cache"},
	{"LimitService/AddCondition", `{"namespace":"here","name":"closed","date":"2026-03-01"}`, "condition.add", "condition/closed"},
	{"LimitService/DeleteCondition", `{"namespace":"here","name":"closed","date":"2026-03-01"}`, "condition.delete", "condition/closed"},
	{"LimitService/SetBreaker", `{"namespace":"here","connection":"bank","open":true}`, "breaker.open", "connection/bank"},
	{"TaskService/TakeTask", `{"namespace":"here","activity":"pack","wait":"30s"}`, "task.take", "run/"},
	{"TaskService/CompleteTask", `{"namespace":"here","token":"@WORK@"}`, "task.complete", "run/"},
	{"IdentityService/CreateUser", `{"name":"eve"}`, "user.create", "user/eve"},
	{"IdentityService/UpdateUser", `{"name":"eve","disabled":true}`, "user.update", "user/eve"},
	{"IdentityService/DeleteUser", `{"name":"eve"}`, "user.delete", "user/eve"},
	{"IdentityService/PutGroup", `{"name":"crowd","members":["target"]}`, "group.", "group/crowd"},
	{"IdentityService/DeleteGroup", `{"name":"crowd"}`, "group.delete", "group/crowd"},
	{"IdentityService/SetGrant", `{"subject":"user/target","grant":{"role":"viewer","namespace":"*"}}`, "grant.", "user/target"},
	{"IdentityService/CreateToken", `{"name":"more"}`, "token.create", "token/"},
	{"IdentityService/RevokeToken", `{"id":"@TOKEN@"}`, "token.revoke", "token/@TOKEN@"},
	{"IdentityService/PutNamespace", `{"name":"more"}`, "namespace.", "namespace/more"},
	{"IdentityService/DeleteNamespace", `{"name":"more"}`, "namespace.delete", "namespace/more"},
}

// reads are calls that show what only some may see.
var reads = []recorded{
	{"RunService/GetRunData", `{"namespace":"here","run":"@RUN@"}`, "payload.read", "run/@RUN@"},
	{"RunService/GetLog", `{"namespace":"here","run":"@RUN@","step":"a"}`, "log.read", "run/@RUN@"},
	{"RunService/DownloadLog", `{"namespace":"here","run":"@RUN@","step":"a"}`, "log.read", "run/@RUN@"},
	{"RunService/ListArtifacts", `{"namespace":"here","run":"@RUN@"}`, "artifact.read", "run/@RUN@"},
	{"RunService/DownloadOutput", `{"namespace":"here","run":"@RUN@","step":"a"}`, "output.read", "run/@RUN@"},
	{"RunService/DownloadArtifact", `{"namespace":"here","run":"@RUN@","step":"a","path":"hello.txt"}`, "artifact.read", "run/@RUN@"},
	{"RunService/WatchLog", `{"namespace":"here","run":"@RUN@"}`, "log.read", "run/@RUN@"},
	{"RunService/Explain", `{"namespace":"here","run":"@FAILED@"}`, "payload.read", "run/@FAILED@"},
	{"AuditService/ListEntries", `{"namespace":"here"}`, "audit.read", "audit"},
	{"AuditService/GetCheckpoint", `{}`, "audit.checkpoint", "audit"},
	{"AuditService/Prove", `{"run":"@RUN@"}`, "audit.prove", "run/@RUN@"},
	{"AuditService/Export", `{}`, "audit.export", "audit"},
	{"SystemService/Verify", `{}`, "system.verify", "installation"},
	{"SystemService/Backup", `{}`, "system.backup", "installation"},
}

// endings are changes after which there is nothing left to be read.
var endings = []recorded{
	{"RunService/EraseRun", `{"namespace":"here","run":"@RUN@","reason":"request 1"}`, "run.erase", "run/@RUN@"},
}

// unrecorded are routes that write and are not above: they are about the
// caller's own credential, or end the server, or come too often.
var unrecorded = map[string]string{
	"IdentityService/Login": "TestSessions", "IdentityService/Logout": "TestSessions", "IdentityService/ChangePassword": "TestSessions", "SystemService/Drain": "TestDrain",
	"TaskService/HeartbeatTask": "TestWorkOutside", "ApprovalService/DecideApproval": "TestApprovals",
}

// TestEverythingIsOnRecord: each change, and each read of payloads, logs and the
// audit log, leaves an entry with who, from where, what and which request.
func TestEverythingIsOnRecord(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	table, err := routes.Load()
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]*routes.Route{}
	for _, r := range table.Routes() {
		byName[strings.TrimPrefix(r.Name, "regie.v1.")] = r
	}
	for _, c := range slices.Concat(changes, reads, endings) {
		r := byName[c.route]
		if r == nil {
			t.Errorf("there is no %s", c.route)
			continue
		}
		delete(byName, c.route)
		before := s.entries(t, &regiev1.ListEntriesRequest{})
		if got := s.call(t, s.token, r, "connect json", s.texts.Replace(c.request)); got.code != "ok" {
			t.Errorf("%s: %s (%s)", c.route, got.code, got.message)
		}
		// Of several, such as of a bulk action, the last one will do.
		var found *regiev1.Entry
		all := s.entries(t, &regiev1.ListEntriesRequest{})
		for _, e := range all[:len(all)-len(before)] {
			if strings.HasPrefix(e.GetAction(), c.action) && strings.HasPrefix(e.GetObject(), s.texts.Replace(c.object)) && (c.action != "audit.read" || e.GetNamespace() != "") {
				found = e
			}
		}
		switch {
		case found == nil:
			t.Errorf("%s left no %s of %s", c.route, c.action, c.object)
		case found.GetActor() != "user/admin" || found.GetOutcome() != "done" || len(found.GetRequestId()) < 8 || !strings.HasPrefix(found.GetVia(), "token/"):
			t.Errorf("%s: on record is %v", c.route, found)
		case !strings.Contains(found.GetDetail(), `"remote":"127.0.0.1"`):
			t.Errorf("%s: where it came from is not on record: %v", c.route, found)
		}
	}
	for name, r := range byName {
		if r.Write && unrecorded[name] == "" {
			t.Errorf("%s writes and is not tested to be on record", name)
		}
	}
}

// TestErrorsInExplanations: whoever is shown the message of an error, also that
// of a step before the one that was asked about, has read payload.
func TestErrorsInExplanations(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.namespace(t, "why")
	w.apply(t, "why", "kind: Workflow\nname: fails\nsteps:\n  - {id: a, fail: {name: wrong, message: secret}}\n  - {id: b, assign: {x: 1}}\n"+
		"---\nkind: Workflow\nname: works\nsteps: [{id: a, assign: {x: 1}}]\n")
	for _, test := range []struct {
		workflow, step string
		shown          bool
	}{{"fails", "", true}, {"fails", "a", true}, {"fails", "b", true}, {"works", "", false}, {"works", "a", false}} {
		run := w.begun(t, &regiev1.StartRunRequest{Namespace: "why", Workflow: test.workflow}).GetId()
		w.ended(t, "why", run)
		why, err := w.admin.runs.Explain(t.Context(), &regiev1.ExplainRequest{Namespace: "why", Run: run, Step: test.step})
		if err != nil || strings.Contains(why.String(), "secret") != test.shown {
			t.Fatalf("%v: %v, %v", test, why, err)
		}
		entries, err := w.admin.audit.ListEntries(t.Context(), &regiev1.ListEntriesRequest{Namespace: "why", Action: "payload.read", Object: "run/" + run})
		if err != nil || len(entries.GetEntries()) > 0 != test.shown {
			t.Errorf("%v: on record are %v, %v", test, entries.GetEntries(), err)
		}
	}
}

// refusing is a store whose audit log takes nothing.
type refusing struct{ err error }

func (r refusing) Write(context.Context, []store.Object, []store.Entry) (uint64, error) {
	return 0, r.err
}

// TestWhatCannotBeRecordedIsNotShown: payloads, logs and the audit log stay
// closed while reading them cannot be put on record.
func TestWhatCannotBeRecordedIsNotShown(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.namespace(t, "closed")
	w.apply(t, "closed", "kind: Workflow\nname: tell\ninputs: {text: {type: string}}\nsteps: [{id: a, run: echo $TEXT; exit 1, env: {TEXT: \"${{ inputs.text }}\"}, retry: {max_attempts: 1}}]\n")
	run := w.begun(t, &regiev1.StartRunRequest{Namespace: "closed", Workflow: "tell", Input: &regiev1.Json{Text: `{"text":"canary"}`}}).GetId()
	w.ended(t, "closed", run)
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	defer func() { // so that the world can be closed
		again, err := open(options{dir: w.dir, with: w})
		if err != nil {
			t.Fatal(err)
		}
		*w = *again
	}()
	folder, err := home.Open(t.Context(), filepath.Join(w.dir, "data"), home.Owner("test", time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	full := errors.New("the disk is full")
	a := api.New()
	languages := local.Languages()
	service := runtime.NewService(runtime.ServiceConfig{Store: folder.Store, Languages: languages, Clock: clock.Real{}})
	r, err := registry.Open(t.Context(), folder.Store, refusing{full}, a.Tables()...)
	if err != nil {
		t.Fatal(err)
	}
	a.Begin(api.Config{Store: folder.Store, Runtime: service, Machines: runtime.NewMachines(languages), Registry: r, Logs: readLogs{folder}, Now: time.Now})
	ctx := api.WithIdentity(t.Context(), access.Identity{User: "admin"})
	_, data := a.GetRunData(ctx, &regiev1.GetRunDataRequest{Namespace: "closed", Run: run})
	_, log := a.GetLog(ctx, &regiev1.GetLogRequest{Namespace: "closed", Run: run, Step: "a"})
	_, why := a.Explain(ctx, &regiev1.ExplainRequest{Namespace: "closed", Run: run})
	_, entries := a.ListEntries(ctx, &regiev1.ListEntriesRequest{})
	_, checkpoint := a.GetCheckpoint(ctx, &regiev1.GetCheckpointRequest{})
	_, proof := a.Prove(ctx, &regiev1.ProveRequest{Run: run})
	// The streams have none to send to: they must not come so far.
	for name, err := range map[string]error{
		"data": data, "log": log, "why": why, "entries": entries, "checkpoint": checkpoint, "proof": proof,
		"download": a.DownloadLog(ctx, &regiev1.DownloadLogRequest{Namespace: "closed", Run: run, Step: "a"}, nil),
		"output":   a.DownloadOutput(ctx, &regiev1.DownloadOutputRequest{Namespace: "closed", Run: run, Step: "a"}, nil),
		"artifact": a.DownloadArtifact(ctx, &regiev1.DownloadArtifactRequest{Namespace: "closed", Run: run, Step: "a", Path: "x"}, nil),
		"watch":    a.WatchLog(ctx, &regiev1.WatchLogRequest{Namespace: "closed", Run: run}, nil),
		"export":   a.Export(ctx, &regiev1.ExportRequest{}, nil),
		"backup":   a.Backup(ctx, &regiev1.BackupRequest{}, nil),
	} {
		if !errors.Is(err, full) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type readLogs struct{ home *home.Folder }

func (l readLogs) Log(run store.RunID, act engine.ActID, attempt int) (*os.File, error) {
	return l.home.ReadLog(run, act, attempt)
}

// canaries are secrets that must not be found anywhere.
const (
	canarySecret   = "canary-of-the-secret-8f3a"
	canaryPassword = "canary of the password 51c2"
)

// TestSecretsStayInside (row B40): values of secrets, passwords and tokens are in
// no answer, no log, no audit log and no file but their own; and a namespace has
// its own secrets and variables only.
func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "secrets", "vault"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "secrets", "vault", "KEY"), []byte(canarySecret), 0o600); err != nil {
		t.Fatal(err)
	}
	w := start(t, options{dir: dir})
	if _, err := w.admin.identities.PutNamespace(t.Context(), &regiev1.PutNamespaceRequest{Name: "vault", Vars: map[string]string{"color": `"red"`}}); err != nil {
		t.Fatal(err)
	}
	w.namespace(t, "beside")
	const text = `kind: Workflow
name: keyed
steps:
  - {id: color, assign: {color: "${{ vars.color }}"}, continue_on_error: true}
  - id: a
    run: 'echo "$KEY"; echo "$KEY" | base64; echo "result=$KEY" > "$REGIE_OUTPUT"; echo "$KEY" >&2; exit 3'
    env: {KEY: "${{ secrets.KEY }}"}
    retry: {max_attempts: 1}
---
kind: Channel
name: ops
type: webhook
url: https://example.org/
secret: ${{ secrets.KEY }}
`
	if _, err := w.admin.identities.CreateUser(t.Context(), &regiev1.CreateUserRequest{Name: "carl", Password: canaryPassword, Grants: grantsOf("viewer@*"), IdempotencyKey: "carl"}); err != nil {
		t.Fatal(err)
	}
	token := w.newToken(t, &regiev1.CreateTokenRequest{User: "carl"})
	if a := w.rest(t, "", "POST", "/v1/login", `{"user":"carl","password":`+jsonText(canaryPassword)+`}`); a.status != 200 {
		t.Fatal(a)
	}
	if a := w.rest(t, "", "POST", "/v1/login", `{"user":`+jsonText(canaryPassword)+`,"password":"carl"}`); a.status != 401 {
		t.Fatal(a)
	}
	var shown []string
	runs := map[string]string{}
	for _, namespace := range []string{"vault", "beside"} {
		w.apply(t, namespace, text)
		run := w.begun(t, &regiev1.StartRunRequest{Namespace: namespace, Workflow: "keyed"}).GetId()
		runs[namespace] = run
		w.ended(t, namespace, run)
		base := "/v1/namespaces/" + namespace
		for _, path := range []string{
			base + "/runs/" + run + "?steps=true", base + "/runs/" + run + "/data?steps=true", base + "/runs/" + run + "/events", base + "/runs/" + run + "/why",
			base + "/runs/" + run + "/log/text?step=a", base + "/runs/" + run + "/log?step=a", base + "/workflows", base + "/workflows/keyed", base + "/objects", base + "/alerts",
			"/v1/audit/proof?run=" + run,
		} {
			a := w.rest(t, w.token, "GET", path, "")
			shown = append(shown, path+"\n"+a.body)
			if a.status != 200 && !strings.Contains(path, "/log") {
				t.Errorf("%s: status %d: %s", path, a.status, a.body)
			}
		}
	}
	for _, path := range []string{"/v1/users", "/v1/tokens?user=-", "/v1/audit/entries", "/v1/audit/export", "/v1/system", "/metrics", "/v1/namespaces", "/v1/system/backup"} {
		shown = append(shown, path+"\n"+w.rest(t, w.token, "GET", path, "").body)
	}
	// Of the other namespace there is neither the secret nor the variable.
	vault, beside := w.restData(t, "vault", runs["vault"]), w.restData(t, "beside", runs["beside"])
	if !strings.Contains(vault, "red") || strings.Contains(beside, "red") || !strings.Contains(beside, "KEY") {
		t.Errorf("namespaces are not apart:\n%s\n%s", vault, beside)
	}
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	shown = append(shown, w.log.String())
	_ = filepath.WalkDir(filepath.Join(dir, "data"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			text, _ := os.ReadFile(path)
			shown = append(shown, path+"\n"+string(text))
		}
		return nil
	})
	again, err := open(options{dir: dir, with: w})
	if err != nil {
		t.Fatal(err)
	}
	*w = *again
	for _, text := range shown {
		where, _, _ := strings.Cut(text, "\n")
		for name, canary := range map[string]string{"secret": canarySecret, "password": canaryPassword, "token": token, "admin's token": w.token} {
			for _, form := range []string{canary, strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(canary)), "=")[:20]} {
				if strings.Contains(text, form) {
					t.Errorf("the %s is in %.200s", name, where)
				}
			}
		}
	}
}

func (w *world) restData(t *testing.T, namespace, run string) string {
	t.Helper()
	return w.rest(t, w.token, "GET", "/v1/namespaces/"+namespace+"/runs/"+run+"/data?steps=true", "").body
}

// TestBackupIsWhole (row B20): what the API sends as a backup opens, verifies and
// has everything; one that was cut off or changed does not.
func TestBackupIsWhole(t *testing.T) {
	t.Parallel()
	w := shared
	w.namespace(t, "backup")
	w.apply(t, "backup", quick)
	run := w.begun(t, &regiev1.StartRunRequest{Namespace: "backup", Workflow: "quick"}).GetId()
	w.ended(t, "backup", run)
	stream, err := w.admin.system.Backup(t.Context(), &regiev1.BackupRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	for stream.Receive() {
		text.Write(stream.Msg().GetData())
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	check := func(content []byte) error {
		path := filepath.Join(t.TempDir(), "backup.db")
		if err := os.WriteFile(path, content, 0o400); err != nil {
			t.Fatal(err)
		}
		s, err := sqlite.OpenBackup(t.Context(), sqlite.Config{Path: path, Key: keyOf(t, w)})
		if err != nil {
			return err
		}
		defer s.Close()
		if err := s.Verify(t.Context()); err != nil {
			return err
		}
		row, err := s.Run(t.Context(), store.RunID(run))
		if err == nil && row.State != "succeeded" {
			t.Errorf("the run is %v", row)
		}
		return err
	}
	if err := check(text.Bytes()); err != nil {
		t.Error(err)
	}
	changed := bytes.Clone(text.Bytes())
	for i := len(changed) / 2; i < len(changed)/2+4096; i++ {
		changed[i] ^= 0xff
	}
	for name, content := range map[string][]byte{"cut off": text.Bytes()[:text.Len()/2], "empty": {}, "changed": changed} {
		if err := check(content); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
	rest, err := io.ReadAll(strings.NewReader(w.rest(t, w.token, "GET", "/v1/system/backup", "").body))
	if err != nil || check(rest) != nil {
		t.Errorf("by REST: %v, %v", err, check(rest))
	}
	entries, err := os.ReadDir(filepath.Join(w.dir, "data", "tmp"))
	if err != nil || len(entries) != 0 {
		t.Errorf("it left %v, %v", entries, err)
	}
}

// keyOf is the key of the world's data folder.
func keyOf(t *testing.T, w *world) [datadir.KeySize]byte {
	t.Helper()
	dir, err := datadir.View(filepath.Join(w.dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	key, err := dir.Key()
	if err != nil {
		t.Fatal(err)
	}
	return key
}
