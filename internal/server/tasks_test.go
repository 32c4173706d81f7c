package server_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/api/problem"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/local"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/server/home"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// offering is a program of one step, ask, whose work is offered to an activity
// with the input 7. It is retried twice.
func offering(namespace, name, activity string) *workflow.Program {
	return &workflow.Program{
		Format: workflow.Format, Namespace: namespace, Name: name,
		Bodies: []workflow.Body{{Nodes: []workflow.Node{{
			ID: "ask", Kind: workflow.KindTask,
			Task: &workflow.Task{
				Uses: "activity.offer", Finish: workflow.FinishOffer, Idempotent: true, Heartbeat: workflow.Constant(value.String("1h")),
				With: &workflow.Data{Object: []workflow.DataMember{
					{Key: "activity", Data: *workflow.Constant(value.String(activity))}, {Key: "input", Data: *workflow.Constant(value.Int(7))},
				}},
			},
			Timeout: workflow.Constant(value.String("2h")),
			Retry:   []workflow.Retry{{Match: []string{"Busy"}, MaxAttempts: workflow.Constant(value.Int(3))}},
		}}}},
	}
}

// idle makes no attempts: runs that are held need none.
type idle struct{}

func (idle) Dispatch(engine.Task)                      {}
func (idle) Reattach(engine.Task)                      {}
func (idle) CancelTask(store.RunID, engine.ActID, int) {}
func (idle) Settled(runtime.Settled)                   {}
func (idle) Recovered()                                {}

// held puts runs of programs that no definition makes into the server, which is
// started again for that. They begin once they are released.
func (w *world) held(t *testing.T, programs ...*workflow.Program) (runs []string) {
	t.Helper()
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	defer func() {
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
	service := runtime.NewService(runtime.ServiceConfig{Store: folder.Store, Languages: local.Languages(), Tasks: idle{}})
	if err := service.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := service.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	for _, p := range programs {
		prepared, err := service.Prepare(p)
		if err != nil {
			t.Fatal(err)
		}
		accepted, err := service.Submit(t.Context(), runtime.Request{Program: prepared, Input: value.Object(), Seed: 11, Actor: "user/admin", Held: true})
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, string(accepted.Run))
	}
	return runs
}

func (w *world) release(t *testing.T, namespace string, runs ...string) {
	t.Helper()
	a, err := w.admin.runs.Act(t.Context(), &regiev1.ActRequest{Namespace: namespace, Runs: runs, Action: regiev1.Action_ACTION_RELEASE})
	if err != nil || slices.ContainsFunc(a.GetResults(), func(r *regiev1.ActResult) bool { return !r.GetDone() }) {
		t.Fatal(a, err)
	}
}

// take takes work, which has to come.
func (c *client) take(t *testing.T, namespace, activity, worker string) *regiev1.TakenTask {
	t.Helper()
	a, err := c.tasks.TakeTask(t.Context(), &regiev1.TakeTaskRequest{Namespace: namespace, Activity: activity, Worker: worker, Wait: durationpb.New(patience)})
	if err != nil || a.GetTask() == nil {
		t.Fatalf("worker %s takes nothing of %s: %v, %v", worker, activity, err, problem.Of(err))
	}
	return a.GetTask()
}

// TestWorkOutside: a worker gets work, says how it went, and its token is good for
// nothing else.
func TestWorkOutside(t *testing.T) {
	t.Parallel()
	const arn = "arn:aws:states:eu-central-1:123456789012:activity:pack"
	w := start(t, options{})
	w.namespace(t, "work")
	w.namespace(t, "other")
	runs := w.held(t, offering("work", "packing", arn))
	worker, stranger := w.user(t, "w1", "worker@work"), w.user(t, "w2", "worker@other")
	ctx := t.Context()

	// Nobody gets what is not there, or not theirs; who waits is woken.
	for _, q := range []*regiev1.TakeTaskRequest{
		{Namespace: "work", Activity: "pack"}, {Namespace: "work", Activity: "pack", Wait: durationpb.New(time.Millisecond)},
	} {
		if a, err := worker.tasks.TakeTask(ctx, q); err != nil || a.GetTask() != nil {
			t.Errorf("%v: %v, %v", q, a, err)
		}
	}
	got := make(chan *regiev1.TakeTaskResponse, 1)
	go func() {
		a, err := worker.tasks.TakeTask(ctx, &regiev1.TakeTaskRequest{Namespace: "work", Activity: "pack", Worker: "first", Wait: durationpb.New(patience)})
		if err != nil {
			t.Error(err)
		}
		got <- a
	}()
	w.release(t, "work", runs[0])
	task := (<-got).GetTask()
	if task.GetRun() != runs[0] || task.GetPath() != "ask" || task.GetInput().GetText() != "7" || task.GetAttempt() != 1 || task.GetActivity() != arn ||
		task.GetHeartbeat().AsDuration() != time.Hour || task.GetTimeout().AsDuration() != 2*time.Hour {
		t.Fatalf("took %v", task)
	}
	for _, activity := range []string{"pack", arn} {
		if a, err := worker.tasks.TakeTask(ctx, &regiev1.TakeTaskRequest{Namespace: "work", Activity: activity}); err != nil || a.GetTask() != nil {
			t.Errorf("%s is given to two: %v, %v", activity, a, err)
		}
	}
	why, err := w.admin.runs.Explain(ctx, &regiev1.ExplainRequest{Namespace: "work", Run: runs[0], Step: "ask"})
	if text := why.GetSteps()[0].GetText(); err != nil || !strings.Contains(text, "Worker first took attempt 1 from activity "+arn) {
		t.Errorf("why: %q, %v", text, err)
	}
	run, err := w.admin.runs.GetRun(ctx, &regiev1.GetRunRequest{Namespace: "work", Run: runs[0], Steps: true})
	if s := run.GetSteps()[0]; err != nil || s.GetActivity() != arn || s.GetTakenBy() != "first" || s.GetState() != "waiting" || s.GetReason() != "message" {
		t.Errorf("step %v, %v", s, err)
	}

	// The token is as good as none for all others, and for nothing else.
	complete := func(c *client, namespace, token string) error {
		_, err := c.tasks.CompleteTask(ctx, &regiev1.CompleteTaskRequest{Namespace: namespace, Token: token, Output: &regiev1.Json{Text: "1"}})
		return err
	}
	head, tail, _ := strings.Cut(task.GetToken(), ".")
	for _, token := range []string{"", ".", "none", head, head + ".", head + "." + tail + "A", head + "." + strings.Repeat("A", len(tail)), "L." + tail, strings.Repeat("a", 1<<20)} {
		checkError(t, complete(worker, "work", token), connect.CodeNotFound, "task_not_found")
		_, err := worker.tasks.HeartbeatTask(ctx, &regiev1.HeartbeatTaskRequest{Namespace: "-", Token: token})
		checkError(t, err, connect.CodeNotFound, "task_not_found")
	}
	checkError(t, complete(stranger, "other", task.GetToken()), connect.CodeNotFound, "task_not_found")
	checkError(t, complete(stranger, "-", task.GetToken()), connect.CodeNotFound, "task_not_found")
	checkError(t, complete(stranger, "work", task.GetToken()), connect.CodePermissionDenied, "permission_denied")
	reader := w.as(w.newToken(t, &regiev1.CreateTokenRequest{User: "w1", ReadOnly: true}))
	checkError(t, complete(reader, "-", task.GetToken()), connect.CodePermissionDenied, "permission_denied")
	_, err = worker.runs.GetRun(ctx, &regiev1.GetRunRequest{Namespace: "work", Run: runs[0]})
	checkError(t, err, connect.CodePermissionDenied, "permission_denied")

	if a := w.rest(t, worker.token, "POST", "/v1/namespaces/-/tasks:heartbeat", `{"token":"`+task.GetToken()+`"}`); a.status != 200 {
		t.Errorf("heartbeat by REST: %v", a)
	}

	// An error that is retried makes the token void, and another is given.
	if _, err := worker.tasks.HeartbeatTask(ctx, &regiev1.HeartbeatTaskRequest{Namespace: "-", Token: task.GetToken()}); err != nil {
		t.Error(err)
	}
	if _, err := worker.tasks.CompleteTask(ctx, &regiev1.CompleteTaskRequest{
		Namespace: "-", Token: task.GetToken(), Error: &regiev1.TaskError{Name: "Busy", Message: "not now", Details: &regiev1.Json{Text: `{"at": 3}`}},
	}); err != nil {
		t.Fatal(err)
	}
	again := worker.take(t, "work", arn, "")
	if again.GetAttempt() != 2 || again.GetToken() == task.GetToken() {
		t.Errorf("took %v", again)
	}
	checkError(t, complete(worker, "work", task.GetToken()), connect.CodeNotFound, "task_not_found")

	// Over a restart the work stays with who has it.
	w.restart(t, options{})
	worker = w.as(worker.token)
	if a, err := worker.tasks.TakeTask(ctx, &regiev1.TakeTaskRequest{Namespace: "work", Activity: "pack"}); err != nil || a.GetTask() != nil {
		t.Errorf("given away after a restart: %v, %v", a, err)
	}
	a, err := worker.tasks.CompleteTask(ctx, &regiev1.CompleteTaskRequest{Namespace: "work", Token: again.GetToken(), Output: &regiev1.Json{Text: `{"packed": true}`}})
	if err != nil || a.GetRun() != runs[0] || a.GetPath() != "ask" {
		t.Errorf("completed %v, %v", a, err)
	}
	checkError(t, complete(worker, "work", again.GetToken()), connect.CodeNotFound, "task_not_found")
	w.ended(t, "work", runs[0])
	checkError(t, complete(worker, "work", again.GetToken()), connect.CodeNotFound, "task_not_found")
	data, err := w.admin.runs.GetRunData(ctx, &regiev1.GetRunDataRequest{Namespace: "work", Run: runs[0], Steps: true})
	if err != nil || len(data.GetSteps()) != 1 || data.GetSteps()[0].GetOutput().GetText() != `{"packed":true}` {
		t.Errorf("data %v, %v", data, err)
	}
	w.checkWorkRecord(t, runs[0], task.GetToken(), again.GetToken())
}

// checkWorkRecord: who took and ended work is on record, and who tried without
// the right; tokens are not, and neither are they in the log.
func (w *world) checkWorkRecord(t *testing.T, run string, tokens ...string) {
	t.Helper()
	var got []string
	for _, e := range slices.Backward(w.entries(t, &regiev1.ListEntriesRequest{})) {
		if strings.HasPrefix(e.GetAction(), "task.") {
			got = append(got, e.GetActor()+" "+e.GetAction()+" "+strings.TrimSuffix(e.GetObject(), run))
		}
		if strings.Contains(e.GetObject(), "TaskService") && e.GetOutcome() == "denied" {
			got = append(got, e.GetActor()+" denied")
		}
		for _, token := range tokens {
			if strings.Contains(e.String(), token) {
				t.Errorf("a token is on record: %v", e)
			}
		}
	}
	const want = "user/w1 task.take run/, user/w2 denied, user/w2 denied, user/w1 denied, user/w1 task.complete run/, user/w1 task.take run/, user/w1 task.complete run/"
	if strings.Join(got, ", ") != want {
		t.Errorf("on record:\n%s, want\n%s", strings.Join(got, ", "), want)
	}
	for _, token := range tokens {
		if _, half, _ := strings.Cut(token, "."); strings.Contains(w.log.String(), half) {
			t.Error("a token is in the log")
		}
	}
}

// TestWorkAgain: a worker gets back what it has taken and does not hold, in the
// order in which it came; nobody else does, nor a worker made for another version.
func TestWorkAgain(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.namespace(t, "work")
	p := offering("work", "packing", "pack")
	other := p.Bodies[0].Nodes[0]
	other.ID = "other"
	p.Bodies[0].Nodes = append(p.Bodies[0].Nodes, other)
	for i := range p.Bodies[0].Nodes {
		task := *p.Bodies[0].Nodes[i].Task
		task.With = &workflow.Data{Object: []workflow.DataMember{
			{Key: "activity", Data: *workflow.Constant(value.String("pack"))}, {Key: "input", Data: *workflow.Constant(value.Object())},
		}}
		task.Type = &workflow.TaskType{Name: "pack", Version: "00000000000000a2"}
		p.Bodies[0].Nodes[i].Task = &task
	}
	runs := w.held(t, p)
	worker, stranger := w.user(t, "w1", "worker@work"), w.user(t, "w2", "worker@work")
	w.release(t, "work", runs...)
	first, second := worker.take(t, "work", "pack", "one"), worker.take(t, "work", "pack", "one")
	if first.GetPath() == "other" { // which of two that wait is given first is nowhere said
		first, second = second, first
	}
	again := func(c *client, q *regiev1.TakeTaskRequest) (string, error) {
		t.Helper()
		q.Namespace, q.Activity, q.Again = "work", "pack", true
		a, err := c.tasks.TakeTask(t.Context(), q)
		return a.GetTask().GetToken(), err
	}
	for name, x := range map[string]struct {
		client *client
		ask    *regiev1.TakeTaskRequest
		want   string
	}{
		"the first":      {worker, &regiev1.TakeTaskRequest{Worker: "one"}, first.GetToken()},
		"made for it":    {worker, &regiev1.TakeTaskRequest{Worker: "one", TypeVersion: "00000000000000a2"}, first.GetToken()},
		"the other":      {worker, &regiev1.TakeTaskRequest{Worker: "one", Holding: []string{first.GetToken()}}, second.GetToken()},
		"all held":       {worker, &regiev1.TakeTaskRequest{Worker: "one", Holding: []string{first.GetToken(), second.GetToken()}}, ""},
		"another worker": {worker, &regiev1.TakeTaskRequest{Worker: "two"}, ""},
		"another caller": {stranger, &regiev1.TakeTaskRequest{Worker: "one"}, ""},
	} {
		if got, err := again(x.client, x.ask); err != nil || got != x.want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, x.want)
		}
	}
	_, err := again(worker, &regiev1.TakeTaskRequest{Worker: "one", TypeVersion: "00000000000000a1"})
	checkError(t, err, connect.CodeFailedPrecondition, "type_version")
}

// TestWorkIsGivenOnce: of many workers that ask at once, each gets other work,
// and each piece of work has one worker.
func TestWorkIsGivenOnce(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.namespace(t, "work")
	var programs []*workflow.Program
	for i := range 12 {
		programs = append(programs, offering("work", fmt.Sprint("p", i), []string{"a:pack", "b:pack"}[i%2]))
	}
	runs := w.held(t, programs...)
	worker := w.user(t, "w1", "worker@work")
	taken := make(chan *regiev1.TakenTask, 2*len(runs))
	var asking sync.WaitGroup
	for range runs {
		asking.Go(func() {
			a, err := worker.tasks.TakeTask(t.Context(), &regiev1.TakeTaskRequest{Namespace: "work", Activity: "pack", Wait: durationpb.New(patience)})
			if err != nil || a.GetTask() == nil {
				t.Error(a, err)
			}
			taken <- a.GetTask()
		})
	}
	w.release(t, "work", runs...)
	asking.Wait()
	close(taken)
	var got []string
	for task := range taken {
		got = append(got, task.GetRun())
	}
	slices.Sort(got)
	slices.Sort(runs)
	if !slices.Equal(got, runs) {
		t.Errorf("taken %v, want each of %v", got, runs)
	}
}

// TestTakeTaskEnds: who waits for work is told when their credential or the
// server ends, and what they ask for has bounds.
func TestTakeTaskEnds(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.namespace(t, "work")
	worker := w.user(t, "w1", "worker@work")
	for _, q := range []*regiev1.TakeTaskRequest{
		{Namespace: "work"},
		{Namespace: "work", Activity: strings.Repeat("a", 1001)},
		{Namespace: "work", Activity: "a\nb"},
		{Namespace: "work", Activity: "a", Worker: strings.Repeat("w", 201)},
		{Namespace: "work", Activity: "a", Wait: durationpb.New(61 * time.Second)},
		{Namespace: "work", Activity: "a", Wait: durationpb.New(-1)},
	} {
		_, err := worker.tasks.TakeTask(t.Context(), q)
		checkError(t, err, connect.CodeInvalidArgument, problem.CodeInvalid)
	}
	for _, q := range []*regiev1.CompleteTaskRequest{
		{Token: "a.b", Output: &regiev1.Json{Text: "{"}},
		{Token: "a.b", Output: &regiev1.Json{Text: "1"}, Error: &regiev1.TaskError{Name: "E"}},
		{Token: "a.b", Error: &regiev1.TaskError{}},
		{Token: "a.b", Error: &regiev1.TaskError{Name: strings.Repeat("e", 257)}},
		{Token: "a.b", Error: &regiev1.TaskError{Name: "E", Message: strings.Repeat("e", 1<<15+1)}},
		{Token: "a.b", Error: &regiev1.TaskError{Name: "E", Details: &regiev1.Json{Text: "nope"}}},
	} {
		q.Namespace = "work"
		_, err := worker.tasks.CompleteTask(t.Context(), q)
		checkError(t, err, connect.CodeInvalidArgument, problem.CodeInvalid)
	}
	waiting := func() chan error {
		ended := make(chan error, 1)
		go func() {
			_, err := worker.tasks.TakeTask(t.Context(), &regiev1.TakeTaskRequest{Namespace: "work", Activity: "a", Wait: durationpb.New(patience)})
			ended <- err
		}()
		return ended
	}
	// Whichever comes first, the request or the end: it is refused.
	ended := waiting()
	if _, err := w.admin.identities.UpdateUser(t.Context(), &regiev1.UpdateUserRequest{Name: "w1", Disabled: new(true)}); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("of a user who was disabled: %v", err)
	}
}
