package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/types/known/durationpb"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/gen/regie/v1/regiev1connect"
	"github.com/regie-dev/regie/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a server that gives out work and remembers what it is told.
type fake struct {
	mu       sync.Mutex
	work     []*regiev1.TakenTask
	taken    []*regiev1.TakeTaskRequest
	outages  int  // calls to come that are answered with "unavailable"
	gone     bool // heartbeats are of work that is not there any more
	beats    int
	left     []byte
	refuse   error // of outputs
	doubt    error // of errors that are not bare
	lose     int   // the number of the question whose answer is lost, with work
	once     error // of the next end
	mute     bool  // heartbeats are put into beat, and get no answer
	beat     chan struct{}
	ends     chan *regiev1.CompleteTaskRequest
	hopeless error
}

var _ regiev1connect.TaskServiceHandler = (*fake)(nil)

func (f *fake) out() error {
	if f.outages > 0 {
		f.outages--
		return connect.NewError(connect.CodeUnavailable, errors.New("the server is stopping"))
	}
	return nil
}

func (f *fake) TakeTask(ctx context.Context, r *regiev1.TakeTaskRequest) (*regiev1.TakeTaskResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.taken = append(f.taken, r)
	if f.hopeless != nil {
		return nil, f.hopeless
	}
	if err := f.out(); err != nil {
		return nil, err
	}
	if len(f.taken) == f.lose {
		f.work = append(f.work, task("lost", `{}`))
		return nil, connect.NewError(connect.CodeUnavailable, errors.New("the line broke"))
	}
	if len(f.work) == 0 {
		f.mu.Unlock()
		if r.GetWait() != nil {
			<-ctx.Done()
		}
		f.mu.Lock()
		return &regiev1.TakeTaskResponse{}, nil
	}
	task := f.work[0]
	f.work = f.work[1:]
	return &regiev1.TakeTaskResponse{Task: task}, nil
}

func (f *fake) CompleteTask(_ context.Context, r *regiev1.CompleteTaskRequest) (*regiev1.CompleteTaskResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.out(); err != nil {
		return nil, err
	}
	if err := f.once; err != nil {
		f.once = nil
		return nil, err
	}
	if f.refuse != nil && r.GetError() == nil {
		return nil, f.refuse
	}
	if f.doubt != nil && r.GetError() != nil && r.GetError().GetName() != worker.NameFailed {
		return nil, f.doubt
	}
	f.ends <- r
	return &regiev1.CompleteTaskResponse{}, nil
}

func (f *fake) HeartbeatTask(ctx context.Context, r *regiev1.HeartbeatTaskRequest) (*regiev1.HeartbeatTaskResponse, error) {
	if f.mute {
		f.beat <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.beats++
	if len(r.GetCheckpoint()) > 0 {
		f.left = r.GetCheckpoint()
	}
	if f.gone {
		return nil, connect.NewError(connect.CodeNotFound, errors.New("no work waits for this token"))
	}
	return &regiev1.HeartbeatTaskResponse{}, nil
}

type in struct {
	N int `json:"n"`
}

func task(token, input string) *regiev1.TakenTask {
	return &regiev1.TakenTask{
		Token: token, Input: &regiev1.Json{Text: input}, Run: "r", Path: "s", Attempt: 1, IdempotencyKey: "key-" + token,
		Heartbeat: durationpb.New(150 * time.Millisecond),
	}
}

// serve makes a server of the fake, and a worker for it.
func (f *fake) serve(t *testing.T) (*worker.Worker, *httptest.Server) {
	t.Helper()
	f.ends = make(chan *regiev1.CompleteTaskRequest, 10)
	mux := http.NewServeMux()
	mux.Handle(regiev1connect.NewTaskServiceHandler(f))
	server := httptest.NewServer(mux)
	w, err := worker.New(worker.Config{Server: server.URL, Token: "t", Name: "w1", Grace: 100 * time.Millisecond, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return w, server
}

// start runs a worker with the handler against the fake until the test ends, and
// returns what Run returns.
func start(t *testing.T, f *fake, do func(context.Context, in) (any, error)) (stop func() error) {
	t.Helper()
	w, server := f.serve(t)
	worker.Handle(w, "count", do)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		err := <-done
		server.CloseClientConnections()
		server.Close()
		return err
	})
	t.Cleanup(func() { _ = stop() })
	return stop
}

// TestWork: work is done, and its end is told, also to a server that is away
// meanwhile.
func TestWork(t *testing.T) {
	t.Parallel()
	f := &fake{work: []*regiev1.TakenTask{task("a", `{"n": 2}`), task("b", `{"n": 3}`), task("c", `{"n": "x"}`)}, outages: 2}
	stop := start(t, f, func(ctx context.Context, i in) (any, error) {
		f.mu.Lock()
		f.outages = 1 // of the answer
		f.mu.Unlock()
		switch i.N {
		case 3:
			return nil, fmt.Errorf("wrapped: %w", &worker.Error{Name: "Busy", Message: "later", Details: []int{1}})
		}
		return map[string]any{"n": i.N, "key": worker.IdempotencyKey(ctx), "attempt": worker.Attempt(ctx)}, nil
	})
	want := []string{
		`a {"attempt":1,"key":"key-a","n":2}`, `b Busy: later [1]`, `c input_invalid: the input is no worker_test.in:`,
	}
	for _, w := range want {
		end := <-f.ends
		got := end.GetToken() + " " + end.GetOutput().GetText()
		if e := end.GetError(); e != nil {
			got = strings.TrimSpace(end.GetToken() + " " + e.GetName() + ": " + e.GetMessage() + " " + e.GetDetails().GetText())
		}
		if !strings.HasPrefix(got, w) {
			t.Errorf("got %s, want %s", got, w)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	// What the answer was lost of is asked for again, but for what goes on.
	if !f.taken[0].GetAgain() || !f.taken[1].GetAgain() || f.taken[0].GetWorker() != "w1" {
		t.Errorf("asked %v", f.taken[:2])
	}
}

// TestGone: the context of work ends when nobody wants it, and its end is not told.
func TestGone(t *testing.T) {
	t.Parallel()
	f := &fake{work: []*regiev1.TakenTask{task("a", `{}`), task("b", `{"n": 1}`)}, gone: true}
	causes := make(chan error, 1)
	start(t, f, func(ctx context.Context, i in) (any, error) {
		if i.N == 1 {
			return 1, nil
		}
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return nil, ctx.Err()
	})
	if err := <-causes; !errors.Is(err, worker.ErrGone) {
		t.Errorf("ended for %v", err)
	}
	if end := <-f.ends; end.GetToken() != "b" {
		t.Errorf("told %v", end)
	}
}

// TestRefusedOutput: what the task type does not give fails the work.
func TestRefusedOutput(t *testing.T) {
	t.Parallel()
	f := &fake{work: []*regiev1.TakenTask{task("a", `{}`), task("b", `{"n": 1}`)}, refuse: refusal(t, connect.CodeFailedPrecondition, "refused", "n is missing")}
	start(t, f, func(_ context.Context, i in) (any, error) {
		if i.N == 1 {
			panic("oh")
		}
		return 1, nil
	})
	if e := (<-f.ends).GetError(); e.GetName() != worker.NameOutputInvalid || e.GetMessage() != "n is missing" {
		t.Errorf("%v", e)
	}
	if e := (<-f.ends).GetError(); e.GetName() != worker.NamePanic || e.GetMessage() != "oh" {
		t.Errorf("%v", e)
	}
}

// refusal is an error as a server sends it.
func refusal(t *testing.T, kind connect.Code, code, message string) error {
	t.Helper()
	detail, err := connect.NewErrorDetail(&regiev1.Problem{Code: code})
	if err != nil {
		t.Fatal(err)
	}
	out := connect.NewError(kind, errors.New(message))
	out.AddDetail(detail)
	return out
}

// TestUntakenEnds: what the server cannot take is told in words that it can.
func TestUntakenEnds(t *testing.T) {
	t.Parallel()
	f := &fake{refuse: refusal(t, connect.CodeInvalidArgument, "invalid_argument", "it is not JSON"), doubt: refusal(t, connect.CodeInvalidArgument, "invalid_argument", "no")}
	for n := range 5 {
		f.work = append(f.work, task(fmt.Sprint(n), fmt.Sprintf(`{"n": %d}`, n)))
	}
	start(t, f, func(_ context.Context, i in) (any, error) {
		switch i.N {
		case 0:
			return 1, nil // refused twice
		case 1:
			return nil, errors.New("\xff" + strings.Repeat("ü", worker.MaxErrorMessage))
		case 2:
			f.mu.Lock()
			defer f.mu.Unlock()
			f.doubt = nil
			return nil, &worker.Error{Name: "Bad\n" + strings.Repeat("x", worker.MaxErrorName), Message: "m"}
		case 3:
			return strings.Repeat("x", worker.MaxOutput), nil
		}
		return json.RawMessage("\"\xff\""), nil
	})
	end := func() *regiev1.TaskError { return (<-f.ends).GetError() }
	if e := end(); e.GetName() != worker.NameFailed || !strings.Contains(e.GetMessage(), "could not be told") {
		t.Errorf("an output and its error refused: %v", e)
	}
	if e := end(); e.GetName() != worker.NameFailed || !strings.HasPrefix(e.GetMessage(), "\ufffdüü") || len(e.GetMessage()) > worker.MaxErrorMessage {
		t.Errorf("a long message that is no text: %d bytes", len(e.GetMessage()))
	}
	if e := end(); !strings.HasPrefix(e.GetName(), "Bad\ufffdxx") || len(e.GetName()) > worker.MaxErrorName {
		t.Errorf("a name: %q", e.GetName())
	}
	if e := end(); e.GetName() != worker.NameOutputInvalid || !strings.Contains(e.GetMessage(), "more than") {
		t.Errorf("a large output: %v", e)
	}
	if e := end(); e.GetName() != worker.NameOutputInvalid || !strings.Contains(e.GetMessage(), "UTF-8") {
		t.Errorf("an output that is no text: %v", e)
	}
}

// TestQuarantined: that a run is not gone on with now is no word about the output.
func TestQuarantined(t *testing.T) {
	t.Parallel()
	f := &fake{work: []*regiev1.TakenTask{task("a", `{}`)}, once: refusal(t, connect.CodeFailedPrecondition, "run_quarantined", "not now")}
	start(t, f, func(context.Context, in) (any, error) { return 1, nil })
	if end := <-f.ends; end.GetOutput().GetText() != "1" {
		t.Errorf("told %v", end)
	}
}

// TestMuteServer: a heartbeat without an answer does not hold the end of work up.
func TestMuteServer(t *testing.T) {
	t.Parallel()
	f := &fake{work: []*regiev1.TakenTask{task("a", `{}`)}, mute: true, beat: make(chan struct{}, 100)}
	start(t, f, func(ctx context.Context, _ in) (any, error) {
		<-f.beat
		<-f.beat // the second comes though the first has no answer
		return 1, ctx.Err()
	})
	if end := <-f.ends; end.GetOutput().GetText() != "1" {
		t.Errorf("told %v", end)
	}
}

// TestLostAnswer: after an answer that never came the worker asks for what it may
// have been given, also if it had found nothing of before.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	f := &fake{lose: 2}
	stop := start(t, f, func(context.Context, in) (any, error) { return 1, nil })
	if end := <-f.ends; end.GetToken() != "lost" {
		t.Errorf("told %v", end)
	}
	_ = stop()
	if !f.taken[0].GetAgain() || f.taken[1].GetAgain() || !f.taken[2].GetAgain() {
		t.Errorf("asked %v", f.taken[:3])
	}
}

// TestCheckpoints: what is left is on the server, and is there for the next attempt.
func TestCheckpoints(t *testing.T) {
	t.Parallel()
	second := task("b", `{}`)
	second.Checkpoint = []byte(`{"n": 5}`)
	f := &fake{work: []*regiev1.TakenTask{task("a", `{}`), second}}
	start(t, f, func(ctx context.Context, _ in) (any, error) {
		var at in
		found, err := worker.LastCheckpoint(ctx, &at)
		if err != nil || found {
			return at.N, err
		}
		return found, worker.Checkpoint(ctx, in{N: 5})
	})
	if end := <-f.ends; end.GetOutput().GetText() != "false" || string(f.left) != `{"n":5}` {
		t.Errorf("%v, left %s", end, f.left)
	}
	if end := <-f.ends; end.GetOutput().GetText() != "5" {
		t.Errorf("%v", end)
	}
}

// TestGrace: work goes on when the worker is told to end, until the grace is over.
func TestGrace(t *testing.T) {
	t.Parallel()
	f := &fake{work: []*regiev1.TakenTask{task("a", `{}`)}}
	began := make(chan struct{})
	stop := start(t, f, func(ctx context.Context, _ in) (any, error) {
		close(began)
		<-ctx.Done()
		return nil, errors.New("not in time")
	})
	<-began
	if err := stop(); err != nil {
		t.Error(err)
	}
	if e := (<-f.ends).GetError(); e.GetName() != worker.NameFailed || e.GetMessage() != "not in time" {
		t.Errorf("%v", e)
	}
}

// TestHopeless: a worker that the server does not take ends.
func TestHopeless(t *testing.T) {
	t.Parallel()
	f := &fake{hopeless: connect.NewError(connect.CodePermissionDenied, errors.New("the role worker is missing"))}
	w, server := f.serve(t)
	defer server.Close()
	worker.Handle(w, "count", func(context.Context, in) (int, error) { return 0, nil })
	if err := w.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "the role worker is missing") {
		t.Errorf("%v", err)
	}
	if w, err := worker.New(worker.Config{}); err != nil || w.Run(t.Context()) == nil {
		t.Errorf("without a handler: %v", err)
	}
	if _, err := worker.New(worker.Config{Wait: time.Minute + 1}); err == nil {
		t.Error("a wait beyond a minute is taken")
	}
	if _, err := worker.New(worker.Config{TaskConcurrency: -1}); err == nil {
		t.Error("a concurrency below 0 is taken")
	}
}
