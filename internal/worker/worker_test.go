package worker_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/dispatch"
	"github.com/regie-dev/regie/internal/dispatch/match"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/mock"
	"github.com/regie-dev/regie/internal/runtime/clock"
	"github.com/regie-dev/regie/internal/secret"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/worker"
	"github.com/regie-dev/regie/internal/workflow"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(play(role))
	}
	goleak.VerifyTestMain(m)
}

const token = "s3cr3t-t0ken-value"

// listener collects what the worker reports.
type listener struct {
	mu      sync.Mutex
	started int
	beats   int
	ends    chan engine.TaskOutcome
}

func newListener() *listener { return &listener{ends: make(chan engine.TaskOutcome, 100)} }

func (l *listener) Beat(dispatch.Ref) {
	l.mu.Lock()
	l.beats++
	l.mu.Unlock()
}

func (l *listener) Started(dispatch.Ref) {
	l.mu.Lock()
	l.started++
	l.mu.Unlock()
}

func (l *listener) Ended(_ dispatch.Ref, o engine.TaskOutcome) { l.ends <- o }

// scripted is an executor that does what its function says.
type scripted struct {
	start   func(t executor.Task) error
	result  func(t executor.Task) (executor.Result, error)
	mu      sync.Mutex
	tasks   map[executor.Handle]executor.Task
	stopped map[executor.Handle]chan struct{}
	freed   int
}

func newScripted(result func(executor.Task) (executor.Result, error)) *scripted {
	return &scripted{result: result, tasks: map[executor.Handle]executor.Task{}, stopped: map[executor.Handle]chan struct{}{}}
}

func (s *scripted) Name() string { return workflow.UsesProcess }

func (s *scripted) Start(_ context.Context, t executor.Task) (executor.Handle, error) {
	if s.start != nil {
		if err := s.start(t); err != nil {
			return "", err
		}
	}
	h := executor.Handle(t.Dir)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tasks[h], s.stopped[h] = t, make(chan struct{})
	return h, nil
}

func (s *scripted) Wait(_ context.Context, h executor.Handle) (executor.Result, error) {
	s.mu.Lock()
	t, ok := s.tasks[h]
	stopped := s.stopped[h]
	s.mu.Unlock()
	if !ok {
		return executor.Result{}, executor.ErrNotFound
	}
	if t.Script == "sleep" {
		<-stopped
		return executor.Result{ErrorName: "canceled"}, nil
	}
	return s.result(t)
}

func (s *scripted) Stop(h executor.Handle, _ time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.stopped[h])
	return nil
}

func (s *scripted) Release(executor.Handle) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.freed++
	return nil
}

// caller is a connector that answers with what its function says.
type caller func(ctx context.Context, c connector.Call) (connector.Result, error)

func (caller) Describe() *connector.Descriptor { return &connector.Descriptor{Name: "call"} }

func (f caller) Call(ctx context.Context, c connector.Call) (connector.Result, error) {
	return f(ctx, c)
}

// memoryLog keeps what was logged.
type memoryLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *memoryLog) Write(c executor.Chunk) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(&l.text, "%d:%s", c.Stream, c.Data)
	return nil
}

func (l *memoryLog) Close() error { return nil }

func setup(t *testing.T, change func(*worker.Config)) (*worker.Worker, *listener, *memoryLog) {
	t.Helper()
	log := &memoryLog{}
	cfg := worker.Config{
		Dir: t.TempDir(), Clock: clock.Real{}, Capacity: match.Capacity{match.Process: 2},
		OpenLog: func(*engine.Task) (worker.Log, error) { return log, nil },
		Secrets: func(string) secret.Source {
			return secret.Env(func(name string) (string, bool) { return token, name == "REGIE_SECRET_TOKEN" }, secret.EnvPrefix)
		},
		Languages: map[string]expr.Language{},
		HandleOf:  func(_, dir string) (executor.Handle, error) { return executor.Handle(dir), nil },
	}
	change(&cfg)
	w := worker.New(cfg)
	l := newListener()
	w.Listen(l)
	t.Cleanup(w.Close)
	return w, l, log
}

func processTask(script string) engine.Task {
	return engine.Task{
		Run: "r1", Act: 3, Path: "load", Attempt: 1, Uses: workflow.UsesProcess, Fence: engine.Fence{Incarnation: 1, Sequence: 2},
		Input:   value.Object(value.M(workflow.ProcessScript, value.String(script)), value.M(workflow.ProcessEnv, value.Object(value.M("T", value.String("***"))))),
		Secrets: []engine.SecretSlot{{Path: []string{workflow.ProcessEnv, "T"}, Parts: []engine.SecretPart{{Text: "Bearer "}, {Secret: "TOKEN"}}}},
	}
}

// TestProcess: a secret reaches the environment and nothing else, and what the
// task prints and returns is masked.
func TestProcess(t *testing.T) {
	t.Parallel()
	x := newScripted(func(task executor.Task) (executor.Result, error) {
		half := len(token) / 2
		task.Output(executor.Chunk{Stream: executor.Stdout, Data: []byte("using " + token[:half])})
		task.Output(executor.Chunk{Stream: executor.Stdout, Data: []byte(token[half:] + " now\n")})
		if got := task.Env[0].Value; got != "Bearer "+token {
			t.Errorf("environment has %q", got)
		}
		return executor.Result{Output: value.Object(value.M("echo", value.String(token))), Warning: "saw " + token, Usage: executor.Usage{CPUSeconds: 1.5}}, nil
	})
	w, l, log := setup(t, func(c *worker.Config) { c.Executors = map[string]executor.Executor{workflow.UsesProcess: x} })
	task := processTask("echo")
	w.Assign(task)
	w.Assign(task) // a second hand-over of the same attempt changes nothing
	o := <-l.ends
	if o.Kind != engine.OutcomeSucceeded || o.Output.String() != `{"echo":"***"}` || o.Warning != "saw ***" || o.Usage.CPUSeconds != 1.5 {
		t.Errorf("outcome %+v", o)
	}
	if got := log.text.String(); strings.Contains(got, token[:8]) || !strings.Contains(got, "***") {
		t.Errorf("log %q", got)
	}
	if l.started != 1 || w.Attempts() != 1 {
		t.Errorf("started %d, has %d", l.started, w.Attempts())
	}
	w.Forget(dispatch.RefOf(&task))
	if w.Attempts() != 0 || x.freed != 1 {
		t.Errorf("has %d after Forget, released %d", w.Attempts(), x.freed)
	}
}

func TestProcessEnds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		result executor.Result
		err    error
		start  error
		kind   engine.OutcomeKind
		error  string
	}{
		"exit code":   {result: executor.Result{ErrorName: "exit.3", ErrorMessage: "exit code 3"}, kind: engine.OutcomeFailed, error: "exit.3"},
		"timeout":     {result: executor.Result{ErrorName: "timeout"}, kind: engine.OutcomeFailed, error: "timeout"},
		"canceled":    {result: executor.Result{ErrorName: "canceled"}, kind: engine.OutcomeCanceled},
		"not found":   {err: executor.ErrNotFound, kind: engine.OutcomeLost},
		"not started": {start: &executor.StartError{Name: "bundle", Err: errors.New("bad file")}, kind: engine.OutcomeFailed, error: "bundle"},
		"who knows":   {start: errors.New("broken pipe"), kind: engine.OutcomeLost},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newScripted(func(executor.Task) (executor.Result, error) { return c.result, c.err })
			x.start = func(executor.Task) error { return c.start }
			w, l, _ := setup(t, func(cfg *worker.Config) { cfg.Executors = map[string]executor.Executor{workflow.UsesProcess: x} })
			w.Assign(processTask("x"))
			o := <-l.ends
			if o.Kind != c.kind || c.error != "" && (o.Error == nil || o.Error.Name != c.error) {
				t.Errorf("outcome %s %v, want %s %s", o.Kind, o.Error, c.kind, c.error)
			}
		})
	}
}

// TestLastWords: the error of a process says what it printed last, with secrets
// masked.
func TestLastWords(t *testing.T) {
	t.Parallel()
	x := newScripted(func(task executor.Task) (executor.Result, error) {
		task.Output(executor.Chunk{Stream: executor.Stderr, Data: []byte("loading\ncannot log in with " + token + "\n\n")})
		return executor.Result{ErrorName: "exit.2", ErrorMessage: "exit code 2", Output: value.Int(1)}, nil
	})
	w, l, _ := setup(t, func(c *worker.Config) {
		c.Executors, c.OpenLog = map[string]executor.Executor{workflow.UsesProcess: x}, nil
	})
	w.Assign(processTask("x"))
	o := <-l.ends
	if o.Error.Message != "exit code 2: cannot log in with ***" {
		t.Errorf("message %q", o.Error.Message)
	}
	if got := o.Error.Details.String(); got != `{"output":1,"stderr":"loading\ncannot log in with ***"}` {
		t.Errorf("details %s", got)
	}
}

// TestKillAndClose: a killed attempt ends canceled, and so does what runs when
// the worker closes; nothing starts after that.
func TestKillAndClose(t *testing.T) {
	t.Parallel()
	x := newScripted(nil)
	w, l, _ := setup(t, func(c *worker.Config) { c.Executors = map[string]executor.Executor{workflow.UsesProcess: x} })
	first, second := processTask("sleep"), processTask("sleep")
	second.Attempt = 2
	w.Assign(first)
	w.Kill(dispatch.RefOf(&first))
	w.Kill(dispatch.RefOf(&first))
	if o := <-l.ends; o.Kind != engine.OutcomeCanceled {
		t.Errorf("killed attempt: %s", o.Kind)
	}
	w.Assign(second)
	w.Close()
	if o := <-l.ends; o.Kind != engine.OutcomeCanceled {
		t.Errorf("attempt at close: %s", o.Kind)
	}
	third := processTask("sleep")
	third.Attempt = 3
	w.Assign(third)
	if o := <-l.ends; o.Kind != engine.OutcomeNotStarted {
		t.Errorf("attempt after close: %s", o.Kind)
	}
}

// TestReattach: a process that is found again goes on; one that is not, and any
// call, is lost.
func TestReattach(t *testing.T) {
	t.Parallel()
	x := newScripted(func(executor.Task) (executor.Result, error) { return executor.Result{Output: value.Int(5)}, nil })
	call := caller(func(context.Context, connector.Call) (connector.Result, error) {
		t.Error("a call is not made again")
		return connector.Result{}, nil
	})
	w, l, _ := setup(t, func(c *worker.Config) {
		c.Executors = map[string]executor.Executor{workflow.UsesProcess: x}
		c.Connectors = map[string]connector.Connector{"call": call}
		x.tasks[executor.Handle(c.Dir+"/r1/3-1")] = executor.Task{}
	})
	task := processTask("x")
	w.Reattach(task)
	if o := <-l.ends; o.Kind != engine.OutcomeSucceeded || o.Output.String() != "5" {
		t.Errorf("found again: %+v", o)
	}
	task.Attempt = 2
	w.Reattach(task)
	if o := <-l.ends; o.Kind != engine.OutcomeLost {
		t.Errorf("not found: %+v", o)
	}
	w.Reattach(engine.Task{Run: "r1", Act: 9, Attempt: 1, Uses: "call"})
	if o := <-l.ends; o.Kind != engine.OutcomeLost {
		t.Errorf("call: %+v", o)
	}
}

func TestConnector(t *testing.T) {
	t.Parallel()
	call := caller(func(ctx context.Context, c connector.Call) (connector.Result, error) {
		c.Log("calling with " + c.Connection.Fields.Get("password").Text())
		switch c.Input.Get("do").Text() {
		case "unknown":
			return connector.Result{}, &connector.Error{Name: "sql.connect", Message: "gone", Unknown: true}
		case "later":
			return connector.Result{}, &connector.Error{Name: "http.503", Message: "busy with " + token, RetryAfter: 3 * time.Second}
		case "wait":
			<-ctx.Done()
			return connector.Result{}, connector.FromContext(ctx)
		}
		return connector.Result{Output: value.String(c.Connection.AllowHosts[0]), BytesOut: 7}, nil
	})
	object := worker.Object{Type: "postgres", Fields: &workflow.Data{Object: []workflow.DataMember{
		{Key: "host", Data: workflow.Data{Const: value.String("db")}},
		{Key: "password", Data: workflow.Data{Text: []workflow.Part{{Secret: "TOKEN"}}}},
	}}}
	w, l, log := setup(t, func(c *worker.Config) {
		c.Connectors = map[string]connector.Connector{"call": call}
		c.ConnectionTypes = []connector.ObjectType{{Name: "postgres", Hosts: func(f value.Value) ([]string, error) {
			return []string{f.Get("host").Text() + ":5432"}, nil
		}}}
		c.Objects = func(kind, _, name string) (worker.Object, bool) {
			return object, kind == "Connection" && name == "ledger"
		}
	})
	attempt := 0
	do := func(what, connection string, timeout time.Duration) engine.TaskOutcome {
		attempt++
		w.Assign(engine.Task{
			Run: "r1", Act: 1, Attempt: attempt, Uses: "call", Timeout: timeout,
			Input: value.Object(value.M("do", value.String(what)), value.M("connection", value.String(connection))),
		})
		return <-l.ends
	}
	if o := do("answer", "ledger", 0); o.Kind != engine.OutcomeSucceeded || o.Output.Text() != "db:5432" || o.Usage.BytesOut != 7 {
		t.Errorf("answer: %+v %v", o, o.Error)
	}
	if o := do("unknown", "ledger", 0); o.Kind != engine.OutcomeLost {
		t.Errorf("unknown: %+v", o)
	}
	if o := do("later", "ledger", 0); o.Error == nil || o.Error.RetryAfter != 3*time.Second || o.Error.Message != "busy with ***" {
		t.Errorf("later: %+v", o.Error)
	}
	if o := do("wait", "ledger", time.Millisecond); o.Error == nil || o.Error.Engine != engine.ErrTimeout {
		t.Errorf("timeout: %+v", o.Error)
	}
	if o := do("answer", "nowhere", 0); o.Error == nil || o.Error.Name != connector.InvalidConnection {
		t.Errorf("no connection: %+v", o.Error)
	}
	if strings.Contains(log.text.String(), token) {
		t.Errorf("log shows the secret: %q", log.text.String())
	}
}

// TestPanic: a connector or executor that panics costs its attempt only. What it
// did nobody knows; the log says what happened, masked.
func TestPanic(t *testing.T) {
	t.Parallel()
	x := newScripted(func(executor.Task) (executor.Result, error) { panic("executor fell over " + token) })
	w, l, log := setup(t, func(c *worker.Config) {
		c.Executors = map[string]executor.Executor{workflow.UsesProcess: x}
		c.Connectors = map[string]connector.Connector{"call": caller(func(context.Context, connector.Call) (connector.Result, error) {
			panic(errors.New("connector fell over"))
		})}
	})
	w.Assign(engine.Task{Run: "r1", Act: 1, Attempt: 1, Uses: "call", Input: value.Object()})
	if o := <-l.ends; o.Kind != engine.OutcomeLost || o.StartedAt.IsZero() || o.EndedAt.IsZero() {
		t.Errorf("connector: %+v", o)
	}
	w.Assign(processTask("x"))
	if o := <-l.ends; o.Kind != engine.OutcomeLost {
		t.Errorf("executor: %+v", o)
	}
	for _, want := range []string{"outcome unknown: Regie has a defect: connector fell over", "executor fell over ***", "worker_test.go:"} {
		if !strings.Contains(log.text.String(), want) {
			t.Errorf("log lacks %q: %s", want, log.text.String())
		}
	}
}

// TestResultTooLarge: a result that could not be recorded fails its step, by its
// size as JSON.
func TestResultTooLarge(t *testing.T) {
	t.Parallel()
	var result value.Value
	w, l, _ := setup(t, func(c *worker.Config) {
		c.Connectors = map[string]connector.Connector{"call": caller(func(context.Context, connector.Call) (connector.Result, error) {
			return connector.Result{Output: result}, nil
		})}
	})
	const most = worker.MaxResultBytes - len(`""`)
	for i, c := range []struct {
		result value.Value
		want   string
	}{
		{value.String(strings.Repeat("x", most)), ""},
		{value.String(strings.Repeat("x", most+1)), "result_too_large"},
		{value.List(value.String(strings.Repeat("\x01", worker.MaxResultBytes/6))), "result_too_large"},
	} {
		result = c.result
		w.Assign(engine.Task{Run: "r1", Act: 1, Attempt: i, Uses: "call", Input: value.Object()})
		o := <-l.ends
		if name := nameOf(o.Error); name != c.want || (o.Kind == engine.OutcomeFailed) != (c.want != "") || !o.Output.IsUndefined() != (c.want == "") {
			t.Errorf("result %d: %v %v, %d bytes", i, o.Kind, o.Error, o.Output.Size())
		}
	}
}

func nameOf(e *engine.Error) string {
	if e == nil {
		return ""
	}
	return e.Name
}

// TestRefused: what cannot be made fails with a reason and starts nothing.
func TestRefused(t *testing.T) {
	t.Parallel()
	w, l, _ := setup(t, func(c *worker.Config) { c.Secrets = nil })
	w.Assign(engine.Task{Run: "r", Act: 1, Attempt: 1, Uses: "nothing"})
	if o := <-l.ends; o.Error == nil || o.Error.Name != "no_such_task_type" {
		t.Errorf("unknown type: %+v", o)
	}
	x := newScripted(nil)
	w, l, _ = setup(t, func(c *worker.Config) {
		c.Executors = map[string]executor.Executor{workflow.UsesProcess: x}
		c.Secrets = nil
	})
	w.Assign(processTask("x"))
	if o := <-l.ends; o.Error == nil || o.Error.Name != "secret_not_found" || len(x.tasks) != 0 {
		t.Errorf("no secrets: %+v, started %d", o, len(x.tasks))
	}
}

// TestMocksInVirtualTime: mocks answer attempt by attempt, take virtual time
// and honour the timeout.
func TestMocksInVirtualTime(t *testing.T) {
	t.Parallel()
	set, problems := mock.Parse("m.yaml", []byte(`
mocks:
  load:
    - {error: {name: exit.1, message: no}, duration: 1h}
    - {lost: true}
    - {output: 3, log: [hello]}
`), mock.Which{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	virtual := clock.NewVirtual(start)
	w, l, log := setup(t, func(c *worker.Config) { c.Mocks, c.Clock = set, virtual })
	task := processTask("never run")
	var kinds []engine.OutcomeKind
	for task.Attempt = 1; task.Attempt <= 3; task.Attempt++ {
		w.Assign(task)
		o := <-l.ends
		kinds = append(kinds, o.Kind)
		if task.Attempt == 1 && (o.Error.Name != "exit.1" || o.EndedAt.Sub(o.StartedAt) != time.Hour) {
			t.Errorf("first: %+v", o)
		}
	}
	if want := []engine.OutcomeKind{engine.OutcomeFailed, engine.OutcomeLost, engine.OutcomeSucceeded}; !slices.Equal(kinds, want) {
		t.Errorf("outcomes %v, want %v", kinds, want)
	}
	if log.text.String() != "1:hello\n" {
		t.Errorf("log %q", log.text.String())
	}
	late := processTask("x")
	late.Act, late.Timeout = 8, time.Minute
	w.Assign(late)
	if o := <-l.ends; o.Error == nil || o.Error.Engine != engine.ErrTimeout || o.EndedAt.Sub(o.StartedAt) != time.Minute {
		t.Errorf("late: %+v", o)
	}
}

// TestMocksEndInOrder: on a virtual clock mocks that run side by side end in the
// order of their times, and of equal times in the order in which they were
// assigned; one that is killed ends canceled, at once.
func TestMocksEndInOrder(t *testing.T) {
	t.Parallel()
	set, problems := mock.Parse("m.yaml", []byte(`mocks: {slow: {duration: 2s}, quick: {duration: 1s}, never: {duration: 9h}, zero: {output: 1}}`), mock.Which{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	virtual := clock.NewVirtual(start)
	w, l, _ := setup(t, func(c *worker.Config) { c.Mocks, c.Clock = set, virtual })
	var order []string
	virtual.Begin()
	for i, path := range []string{"slow", "quick", "never", "slow", "zero", "quick"} {
		task := processTask("x")
		task.Path, task.Act = path, engine.ActID(i+1)
		w.Assign(task)
		if path == "never" {
			w.Kill(dispatch.RefOf(&task))
			w.Kill(dispatch.RefOf(&task))
		}
	}
	virtual.End()
	for range 6 {
		o := <-l.ends
		order = append(order, fmt.Sprintf("%s %s", o.Kind, o.EndedAt.Sub(start)))
	}
	want := []string{"canceled 0s", "succeeded 0s", "succeeded 1s", "succeeded 1s", "succeeded 2s", "succeeded 2s"}
	if !slices.Equal(order, want) {
		t.Errorf("ended %q, want %q", order, want)
	}
	w.Close()
}

// TestFolder: attempts have folders named by numbers, whatever the step's path,
// which are the executor's to make and to remove.
func TestFolder(t *testing.T) {
	t.Parallel()
	var task executor.Task
	x := newScripted(func(executor.Task) (executor.Result, error) { return executor.Result{}, nil })
	x.start = func(got executor.Task) error {
		task = got
		return nil
	}
	var root string
	w, l, _ := setup(t, func(c *worker.Config) {
		root = c.Dir
		c.Executors = map[string]executor.Executor{workflow.UsesProcess: x}
		c.HandleOf = func(_, dir string) (executor.Handle, error) { return executor.Handle(dir), nil }
	})
	step := processTask("x")
	step.Path = "../../etc/passwd"
	step.Node = &workflow.Node{Task: &workflow.Task{RunAs: "batch"}}
	step.Program = &workflow.Program{Namespace: "payments"}
	w.Assign(step)
	if o := <-l.ends; o.Kind != engine.OutcomeSucceeded || task.Dir != root+"/r1/3-1" {
		t.Errorf("outcome %+v in %s", o, task.Dir)
	}
	if task.RunAs != "batch" || task.Namespace != "payments" {
		t.Errorf("runs as %q in namespace %q", task.RunAs, task.Namespace)
	}
	if entries, err := os.ReadDir(root); err != nil || len(entries) > 0 {
		t.Errorf("the worker made %v (%v)", entries, err)
	}
	w.Forget(dispatch.RefOf(&step))
	if x.freed != 1 {
		t.Errorf("released %d times", x.freed)
	}
}

// TestRunAsRefused: a user whom the namespace does not name runs nothing.
func TestRunAsRefused(t *testing.T) {
	t.Parallel()
	x := newScripted(func(executor.Task) (executor.Result, error) { return executor.Result{}, nil })
	x.start = func(executor.Task) error {
		t.Error("the task was started")
		return nil
	}
	w, l, _ := setup(t, func(c *worker.Config) {
		c.Executors = map[string]executor.Executor{workflow.UsesProcess: x}
		c.RunAs = func(namespace, user string) error { return fmt.Errorf("%s does not name %s", namespace, user) }
	})
	step := processTask("x")
	step.Node = &workflow.Node{Task: &workflow.Task{RunAs: "batch"}}
	step.Program = &workflow.Program{Namespace: "payments"}
	w.Assign(step)
	if o := <-l.ends; o.Kind != engine.OutcomeFailed || o.Error.Name != "run_as" || o.Error.Message != "payments does not name batch" {
		t.Errorf("outcome %+v", o)
	}
}
