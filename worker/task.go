package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/regie-dev/regie/client"
	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
)

const (
	// beatsPerSilence is how many heartbeats are sent in the time that one may take
	// to come. Work that owes none sends one every idleBeat all the same, to hear
	// when nobody wants it any more.
	beatsPerSilence = 3
	idleBeat        = 10 * time.Second
	minBeat         = 50 * time.Millisecond
	// firstPause is the wait after a call that failed, doubled up to longestPause.
	firstPause   = 200 * time.Millisecond
	longestPause = 10 * time.Second
)

// ErrGone is the cause of the end of a context: nobody wants the work any more.
var ErrGone = errors.New("the server does not want the work any more")

// work asks for work of a type and does it, one after the other, until asking
// ends. An error is one that asking again does not help against.
func (w *Worker) work(asking, working context.Context, h *handler) error {
	for pause := time.Duration(0); ; {
		if !sleep(asking, pause) {
			return nil
		}
		task, err := w.take(asking, h)
		switch {
		case asking.Err() != nil && task == nil:
			return nil
		case hopeless(err):
			return fmt.Errorf("take work of %s: %w", h.name, err)
		case err != nil:
			w.cfg.Log.WarnContext(asking, "no work can be taken now", "type", h.name, "error", err)
			pause = min(max(2*pause, firstPause), longestPause)
		case task != nil:
			w.do(working, h, task)
			fallthrough
		default:
			pause = 0
		}
	}
}

// take asks for work once. After an answer that never came it asks for what it may
// have been given.
func (w *Worker) take(ctx context.Context, h *handler) (*regiev1.TakenTask, error) {
	in := &regiev1.TakeTaskRequest{
		Namespace: w.cfg.Namespace, Activity: h.name, Worker: w.cfg.Name, Wait: durationpb.New(w.cfg.Wait), TypeVersion: h.version,
	}
	if h.lost() {
		h.asking.Lock()
		defer h.asking.Unlock()
		in.Again, in.Wait, in.Holding = true, nil, h.tokens()
	} else {
		h.asking.RLock()
		defer h.asking.RUnlock()
	}
	answer, err := w.client.Tasks.TakeTask(ctx, in)
	task := answer.GetTask()
	h.took(task, err, in.GetAgain())
	return task, err //nolint:wrapcheck // by the caller
}

// current is the work that a context is of.
type current struct {
	worker *Worker
	task   *regiev1.TakenTask
}

type currentKey struct{}

// do does work and says how it went.
func (w *Worker) do(working context.Context, h *handler, task *regiev1.TakenTask) {
	defer h.letGo(task.GetToken())
	ctx, cancel := context.WithCancelCause(context.WithValue(working, currentKey{}, &current{worker: w, task: task}))
	defer cancel(nil)
	beating, stopBeats := context.WithCancel(ctx)
	beats := make(chan struct{})
	go func() {
		defer close(beats)
		w.beat(beating, task, cancel)
	}()
	output, err := w.guarded(ctx, h, task)
	stopBeats()
	<-beats
	if errors.Is(context.Cause(ctx), ErrGone) || working.Err() != nil && errors.Is(err, context.Canceled) {
		return // in the second case it did not fail: it was left, and is done again
	}
	in := &regiev1.CompleteTaskRequest{Namespace: w.cfg.Namespace, Token: task.GetToken()}
	if err == nil {
		in.Output, err = jsonOf(NameOutputInvalid, output)
	}
	if err != nil {
		in.Error = errorOf(err)
	}
	w.complete(working, task, in)
}

// guarded makes an error of a panic.
func (w *Worker) guarded(ctx context.Context, h *handler, task *regiev1.TakenTask) (output string, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			w.cfg.Log.ErrorContext(ctx, "a handler panicked", "type", h.name, "run", task.GetRun(), "step", task.GetPath(), "panic", fault, "stack", string(debug.Stack()))
			err = &Error{Name: NamePanic, Message: fmt.Sprint(fault)}
		}
	}()
	return h.do(ctx, task.GetInput().GetText())
}

// beat sends heartbeats until ctx ends, and ends the work when it is gone.
func (w *Worker) beat(ctx context.Context, task *regiev1.TakenTask, cancel context.CancelCauseFunc) {
	every := idleBeat
	if silence := task.GetHeartbeat().AsDuration(); silence > 0 {
		every = min(max(silence/beatsPerSilence, minBeat), idleBeat)
	}
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		// One that gets no answer makes way for the next.
		one, end := context.WithTimeout(ctx, every)
		err := w.tell(one, task, nil)
		end()
		if isGone(err) {
			cancel(ErrGone)
			return
		}
	}
}

func (w *Worker) tell(ctx context.Context, task *regiev1.TakenTask, checkpoint []byte) error {
	_, err := w.client.Tasks.HeartbeatTask(ctx, &regiev1.HeartbeatTaskRequest{Namespace: w.cfg.Namespace, Token: task.GetToken(), Checkpoint: checkpoint})
	return err //nolint:wrapcheck // by the caller
}

// isGone says that the server does not know the work any more.
func isGone(err error) bool {
	var said *client.Error
	return errors.As(err, &said) && said.Kind == connect.CodeNotFound
}

// hopeless says that asking again does not help.
func hopeless(err error) bool {
	var said *client.Error
	if !errors.As(err, &said) {
		return false
	}
	return slices.Contains(hopelessCodes, said.Kind)
}

var hopelessCodes = []connect.Code{
	connect.CodeUnauthenticated, connect.CodePermissionDenied, connect.CodeInvalidArgument, connect.CodeFailedPrecondition,
	connect.CodeNotFound, connect.CodeUnimplemented,
}

// sleep waits, at random a little less; false if ctx ended.
func sleep(ctx context.Context, pause time.Duration) bool {
	if pause > 0 {
		timer := time.NewTimer(pause/2 + rand.N(pause/2)) //nolint:gosec // it only spreads calls
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return ctx.Err() == nil
}

// taskOf is the work that a context is of; outside of a handler that is a mistake
// of the program.
func taskOf(ctx context.Context) *current {
	c, ok := ctx.Value(currentKey{}).(*current)
	if !ok {
		panic("worker: the context is not that of a handler")
	}
	return c
}

// Checkpoint leaves v, as JSON of at most 1 MiB, for the next attempt, should this
// one fail. It is on the server's disk once it returns. It counts as a heartbeat.
// Ctx is that of the handler.
func Checkpoint(ctx context.Context, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	c := taskOf(ctx)
	if err := c.worker.tell(ctx, c.task, data); err != nil {
		return fmt.Errorf("leave checkpoint: %w", err)
	}
	return nil
}

// LastCheckpoint reads what an attempt before left into v; false if none did.
func LastCheckpoint(ctx context.Context, v any) (bool, error) {
	data := taskOf(ctx).task.GetCheckpoint()
	if len(data) == 0 {
		return false, nil
	}
	if err := json.Unmarshal(data, v); err != nil {
		return false, fmt.Errorf("read checkpoint: %w", err)
	}
	return true, nil
}

// IdempotencyKey is the same for all attempts of the work, and for no other: for
// systems that tell repeated requests by it.
func IdempotencyKey(ctx context.Context) string { return taskOf(ctx).task.GetIdempotencyKey() }

// Attempt is the number of the attempt, from 1.
func Attempt(ctx context.Context) int { return int(taskOf(ctx).task.GetAttempt()) }
