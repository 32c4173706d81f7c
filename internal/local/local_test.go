package local_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/regie-dev/regie/internal/datadir"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/dialect/native"
	"github.com/regie-dev/regie/internal/dispatch"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/local"
	"github.com/regie-dev/regie/internal/mock"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/secret"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/tasklog"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// patience bounds how long a test waits for a run.
const patience = time.Minute

// load compiles a definition.
func load(t *testing.T, text string) (*workflow.Program, []local.Object) {
	t.Helper()
	set, problems := native.Load(local.Native(local.Languages()), []native.Source{{Path: "test.yaml", Text: []byte(text)}})
	if diag.HasErrors(problems) {
		t.Fatal(problems)
	}
	var objects []local.Object
	for _, o := range set.Objects {
		objects = append(objects, local.Object{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, Type: o.Type, Fields: o.Fields})
	}
	if len(set.Workflows) == 0 {
		return nil, objects
	}
	return set.Workflows[0].Program, objects
}

func open(t *testing.T, cfg local.Config) *local.Regie {
	t.Helper()
	r, err := local.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func submit(t *testing.T, r *local.Regie, q local.Request) store.RunID {
	t.Helper()
	id, err := r.Submit(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func wait(t *testing.T, r *local.Regie, id store.RunID) runtime.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	result, err := r.Wait(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// TestRun: a run of scripts and connectors ends with its output, its attempts
// are heard of, and their logs are kept; closing leaves nothing behind.
func TestRun(t *testing.T) {
	defer goleak.VerifyNone(t)
	program, _ := load(t, `
kind: Workflow
name: hello
inputs: {who: {type: string}}
steps:
  - id: greet
    run: echo "hello, $WHO, from $REGIE_CALLED_FROM"; echo "n=1" > "$REGIE_OUTPUT"
    env: {WHO: "${{ inputs.who }}"}
  - id: note
    uses: log
    with: {message: "greeted ${{ inputs.who }}"}
outputs: {n: "${{ steps.greet.output.n }}", date: "${{ run.business_date }}"}
`)
	var mu sync.Mutex
	var started []dispatch.Ref
	var shown bytes.Buffer
	r, err := local.Open(t.Context(), local.Config{
		Dir: filepath.Join(t.TempDir(), "data"), Environ: os.Environ(), Launch: &local.Launch{Dir: "/called/from"},
		Started: func(ref dispatch.Ref, _ time.Time) {
			mu.Lock()
			defer mu.Unlock()
			started = append(started, ref)
		},
		Output: func(_ dispatch.Ref, path string, c executor.Chunk) {
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintf(&shown, "%s: %s", path, c.Data)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	id := submit(t, r, local.Request{Program: program, Input: value.MustParse(`{"who": "Ada"}`), BusinessDate: "2026-03-02"})
	result := wait(t, r, id)
	if result.State != engine.Succeeded || result.Output.String() != `{"n":"1","date":"2026-03-02"}` {
		t.Errorf("ended %s with %s, %v", result.State, result.Output, result.Error)
	}
	log, err := r.Log(id, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	lines, err := tasklog.Tail(log, 10)
	if err != nil || len(lines) != 1 || lines[0].Text != "hello, Ada, from /called/from" {
		t.Errorf("log %+v, %v", lines, err)
	}
	if _, err := r.Log(id, 1, 2); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("log of an attempt that was not made: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	if len(started) != 2 || started[0].Run != id || started[0].Attempt != 1 {
		t.Errorf("started: %+v", started)
	}
	if got, want := shown.String(), "greet: hello, Ada, from /called/from\nnote: greeted Ada\n"; got != want {
		t.Errorf("shown: %q, want %q", got, want)
	}
}

// TestGoesOn: a run whose process went away goes on with what it was started
// with: connections, variables, mocks and hosts.
func TestGoesOn(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	gate := filepath.Join(t.TempDir(), "gate")
	calls := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) { calls <- q.URL.Path }))
	defer server.Close()
	program, objects := load(t, `
kind: Connection
name: site
type: http
url: ${{ vars.SITE }}
---
kind: Workflow
name: long
steps:
  - id: hold
    run: until test -e "$GATE"; do sleep 0.05; done
    env: {GATE: "${{ vars.GATE }}"}
  - id: call
    uses: http.request
    with: {connection: site, path: /after}
  - id: faked
    run: exit 1
`)
	mocks, problems := mock.Parse("m", []byte("mocks: {faked: {output: {}}}"), mock.Which{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	_, port, err := net.SplitHostPort(strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	launch := &local.Launch{
		Objects: objects, Mocks: mocks, MocksText: []byte("mocks: {faked: {output: {}}}"), AllowHosts: []string{"localhost:" + port, "127.0.0.1:" + port},
		Vars: value.Object(value.M("SITE", value.String(server.URL)), value.M("GATE", value.String(gate))),
	}
	begun := make(chan struct{}, 10)
	first, err := local.Open(t.Context(), local.Config{Dir: dir, Launch: launch, Started: func(dispatch.Ref, time.Time) { begun <- struct{}{} }})
	if err != nil {
		t.Fatal(err)
	}
	id := submit(t, first, local.Request{Program: program})
	<-begun
	if _, err := local.Open(t.Context(), local.Config{Dir: dir}); !errors.Is(err, datadir.ErrHeld) {
		t.Errorf("a second Regie: %v", err)
	}
	if err := first.Close(); err != nil { // as if it were killed: the task is, too
		t.Fatal(err)
	}
	pending, err := local.Unfinished(t.Context(), dir)
	if err != nil || len(pending) != 1 || pending[0].Run.ID != id || len(pending[0].Launch.AllowHosts) != 2 || pending[0].Launch.Mocks == nil {
		t.Fatalf("unfinished: %+v, %v", pending, err)
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	second := open(t, local.Config{Dir: dir}) // with another launch of its own
	if result := wait(t, second, id); result.State != engine.Succeeded {
		t.Fatalf("ended %s, %v", result.State, result.Error)
	}
	if path := <-calls; path != "/after" {
		t.Errorf("called %s", path)
	}
	if left, err := local.Unfinished(t.Context(), dir); err != nil || len(left) != 0 {
		t.Errorf("unfinished afterwards: %+v, %v", left, err)
	}
}

// TestRelaunch: whoever goes on can say with what, or that it cannot be.
func TestRelaunch(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	program, _ := load(t, `
kind: Workflow
name: wait
steps:
  - wait: {for: 1h}
  - id: use
    run: test "$TOKEN" = correct-horse
    env: {TOKEN: "${{ secrets.TOKEN }}"}
`)
	first, err := local.Open(t.Context(), local.Config{Dir: dir, Launch: &local.Launch{SecretsPath: "/some/where"}})
	if err != nil {
		t.Fatal(err)
	}
	id := submit(t, first, local.Request{Program: program})
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	wrong := errors.New("no such folder")
	_, err = local.Open(t.Context(), local.Config{Dir: dir, Relaunch: func(store.RunID, *local.Launch) (*local.Launch, error) { return nil, wrong }})
	if !errors.Is(err, wrong) {
		t.Errorf("got %v", err)
	}
	second := open(t, local.Config{Dir: dir, Virtual: true, Relaunch: func(run store.RunID, l *local.Launch) (*local.Launch, error) {
		if run != id || l.SecretsPath != "/some/where" {
			t.Errorf("run %s with %+v", run, l)
		}
		env := map[string]string{"REGIE_SECRET_TOKEN": "correct-horse"}
		l.Secrets = secret.Env(func(name string) (string, bool) { text, ok := env[name]; return text, ok }, secret.EnvPrefix)
		return l, nil
	}})
	if result := wait(t, second, id); result.State != engine.Succeeded {
		t.Errorf("ended %s, %v", result.State, result.Error)
	}
}

// TestVirtual: on a virtual clock days pass at once, from the given start.
func TestVirtual(t *testing.T) {
	t.Parallel()
	program, _ := load(t, `
kind: Workflow
name: days
timezone: Europe/Amsterdam
business_date: {calendar: weekdays, offset: -1}
steps:
  - wait: {for: 3d}
outputs: {date: "${{ run.business_date }}"}
`)
	start := time.Date(2026, 3, 9, 0, 30, 0, 0, time.UTC) // a Monday, 01:30 in Amsterdam
	r := open(t, local.Config{Dir: filepath.Join(t.TempDir(), "data"), Virtual: true, Start: start})
	result := wait(t, r, submit(t, r, local.Request{Program: program}))
	if result.State != engine.Succeeded || result.Output.String() != `{"date":"2026-03-06"}` {
		t.Errorf("ended %s with %s, %v", result.State, result.Output, result.Error)
	}
	if got := r.Now().Sub(start); got < 72*time.Hour {
		t.Errorf("%s have passed", got)
	}
}

// TestVirtualRepeats: mocks on a virtual clock give the same events each time,
// however much happens side by side.
func TestVirtualRepeats(t *testing.T) {
	t.Parallel()
	program, _ := load(t, `
kind: Workflow
name: many
steps:
  - id: each
    foreach: lists.range(30)
    as: i
    max_parallel: 8
    run: exit 1
    retry: {max_attempts: 3, backoff: {initial: 10s, jitter: full}}
`)
	const text = `mocks: {"each[*]": [{error: {name: exit.1}, duration: 2s}, {output: {}, duration: 1s}]}`
	mocks, problems := mock.Parse("m", []byte(text), mock.Which{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var first string
	for i := range 5 {
		dir := filepath.Join(t.TempDir(), "data")
		r := open(t, local.Config{
			Dir: dir, Virtual: true, Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Launch: &local.Launch{Mocks: mocks, MocksText: []byte(text)},
		})
		id := submit(t, r, local.Request{Program: program})
		if result := wait(t, r, id); result.State != engine.Succeeded {
			t.Fatalf("ended %s, %v", result.State, result.Error)
		}
		view, err := local.OpenView(t.Context(), dir, local.Languages())
		if err != nil {
			t.Fatal(err)
		}
		events, err := store.Collect(view.Events(t.Context(), id, 1))
		if err := errors.Join(err, view.Close()); err != nil {
			t.Fatal(err)
		}
		control, payload, err := engine.EncodeEvents(events)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(control) + string(payload); i == 0 {
			first = got
		} else if got != first {
			t.Fatalf("run %d took another course", i+1)
		}
	}
}

// TestInputIsChecked: what Check finds, Submit refuses, and nothing is stored.
func TestInputIsChecked(t *testing.T) {
	t.Parallel()
	program, _ := load(t, "kind: Workflow\nname: one\ninputs: {n: {type: integer, required: true}}\nsteps: [{run: \"true\"}]\n")
	q := local.Request{Program: program, Input: value.MustParse(`{"m": 1}`), Run: "r1"}
	var fault *runtime.InputError
	if err := local.Check(local.Languages(), &local.Launch{}, q, time.Now()); !errors.As(err, &fault) || len(fault.Faults) != 2 {
		t.Errorf("check: %v", err)
	}
	dir := filepath.Join(t.TempDir(), "data")
	r := open(t, local.Config{Dir: dir})
	if _, err := r.Submit(t.Context(), q); !errors.As(err, &fault) {
		t.Errorf("submit: %v", err)
	}
	q.Input = value.MustParse(`{"n": 1}`)
	if err := local.Check(local.Languages(), &local.Launch{}, q, time.Now()); err != nil {
		t.Errorf("check: %v", err)
	}
	view, err := local.OpenView(t.Context(), dir, local.Languages())
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	if runs, err := view.Runs(t.Context(), 10); err != nil || len(runs) != 0 {
		t.Errorf("runs %+v, %v", runs, err)
	}
	if !view.Held() {
		t.Error("nobody has the folder")
	}
}

// TestBegun: an attempt that has printed nothing is known to have begun.
func TestBegun(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	program, _ := load(t, "kind: Workflow\nname: one\nsteps: [{id: a, run: sleep 600}]\n")
	begun := make(chan struct{}, 1)
	r := open(t, local.Config{Dir: dir, Started: func(dispatch.Ref, time.Time) { begun <- struct{}{} }})
	id := submit(t, r, local.Request{Program: program})
	select {
	case <-begun:
	case <-time.After(patience):
		t.Fatal("the step does not begin")
	}
	view, err := local.OpenView(t.Context(), dir, local.Languages())
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	if log, err := view.Log(id, 1, 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a log %v, %v of a step that printed nothing", log, err)
	}
	if !view.Begun(id, 1, 1) || view.Begun(id, 1, 2) || view.Begun(id, 2, 1) {
		t.Error("the step has not begun, or another has")
	}
}

// TestView: another reader sees runs, events and logs while they come to be.
func TestView(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	if _, err := local.OpenView(t.Context(), dir, nil); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a folder that is not there: %v", err)
	}
	if pending, err := local.Unfinished(t.Context(), dir); err != nil || pending != nil {
		t.Errorf("unfinished: %v, %v", pending, err)
	}
	program, _ := load(t, "kind: Workflow\nname: one\nsteps: [{id: a, run: echo here; exit 3}]\n")
	r := open(t, local.Config{Dir: dir})
	id := submit(t, r, local.Request{Program: program})
	if result := wait(t, r, id); result.State != engine.Failed || result.Error.Name != "exit.3" {
		t.Errorf("ended %s, %v", result.State, result.Error)
	}
	view, err := local.OpenView(t.Context(), dir, local.Languages())
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	row, err := view.Run(t.Context(), id)
	if err != nil || row.State != "failed" || row.Workflow != "one" {
		t.Errorf("row %+v, %v", row, err)
	}
	if m, err := view.Machine(t.Context(), id); err != nil || m.Program().Name != "one" {
		t.Errorf("machine: %v", err)
	}
	events, err := store.Collect(view.Events(t.Context(), id, 1))
	if err != nil || len(events) == 0 || !slices.ContainsFunc(events, func(e engine.Event) bool { return e.Kind == engine.EvRunEnded }) {
		t.Errorf("events %v, %v", events, err)
	}
	if !view.Begun(id, 1, 1) || view.Begun(id, 1, 2) {
		t.Error("an attempt that printed and ended has not begun, or the next one has")
	}
	log, err := view.Log(id, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if text, err := io.ReadAll(log); err != nil || !bytes.Contains(text, []byte("here")) {
		t.Errorf("log %q, %v", text, err)
	}
	if _, err := view.Run(t.Context(), "none"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a run that is not there: %v", err)
	}
}

// TestNeeds: an object says which variables and secrets it needs, and which
// objects a program reaches.
func TestNeeds(t *testing.T) {
	t.Parallel()
	program, objects := load(t, `
kind: Connection
name: mail
type: smtp
host: ${{ vars.MAIL_HOST }}
user: regie
password: ${{ secrets.MAIL_PASSWORD }}
---
kind: Channel
name: ops
type: smtp
connection: mail
from: regie@example.org
to: ["ops@${{ vars.DOMAIN }}"]
---
kind: Connection
name: other
type: http
url: https://example.org
---
kind: Workflow
name: tell
steps:
  - uses: notify.send
    with: {channel: ops, text: hello}
`)
	launch := &local.Launch{Objects: objects}
	var vars, secrets, used []string
	for i := range objects {
		o := &objects[i]
		if !launch.Uses(program, o) {
			continue
		}
		used, vars, secrets = append(used, o.Kind+" "+o.Name), append(vars, o.Vars()...), append(secrets, o.Secrets()...)
	}
	slices.Sort(used)
	slices.Sort(vars)
	if got := fmt.Sprint(used, vars, secrets); got != "[Channel ops Connection mail] [DOMAIN MAIL_HOST] [MAIL_PASSWORD]" {
		t.Error(got)
	}
}

// TestAllowHost: a host that is not allowed is refused, one that is named works;
// one that is not well-formed cannot be opened with.
func TestAllowHost(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	program, _ := load(t, "kind: Workflow\nname: call\ninputs: {url: {type: string}}\nsteps: [{uses: http.request, with: {url: \"${{ inputs.url }}\"}}]\n")
	for _, c := range []struct {
		allow []string
		want  engine.State
	}{{nil, engine.Failed}, {[]string{host}, engine.Succeeded}} {
		r := open(t, local.Config{Dir: filepath.Join(t.TempDir(), "data"), Launch: &local.Launch{AllowHosts: c.allow}})
		result := wait(t, r, submit(t, r, local.Request{Program: program, Input: value.Object(value.M("url", value.String(server.URL)))}))
		if result.State != c.want || c.want == engine.Failed && result.Error.Name != "egress_denied" {
			t.Errorf("allowed %v: %s, %v", c.allow, result.State, result.Error)
		}
	}
	if _, err := local.Open(t.Context(), local.Config{Dir: filepath.Join(t.TempDir(), "data"), Launch: &local.Launch{AllowHosts: []string{"x"}}}); err == nil {
		t.Error("opened with a host that is none")
	}
}
