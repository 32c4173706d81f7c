package supervised

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/executor/process"
	"github.com/regie-dev/regie/internal/executor/supervised/wire"
	"github.com/regie-dev/regie/internal/tasklog"
)

// task is one that is followed here to its end.
type task struct {
	x      *Executor
	handle executor.Handle
	output func(executor.Chunk) // nil: nobody wants it
	log    *tasklog.Decoder
	broken bool // the log cannot be read on

	done   chan struct{} // closed when result and err stand
	result executor.Result
	err    error
}

func (x *Executor) newTask(h executor.Handle, output func(executor.Chunk)) *task {
	return &task{x: x, handle: h, output: output, log: tasklog.NewDecoder(0), done: make(chan struct{})}
}

// Start implements [executor.Executor]. While the supervisor is away it tries
// again, for a bounded time; a task is started once all the same, since the
// supervisor knows it by its directory.
func (x *Executor) Start(ctx context.Context, t executor.Task) (executor.Handle, error) {
	h, err := HandleFor(t.Dir)
	if err == nil && t.Dir == "" {
		err = errors.New("task has no directory")
	}
	if err == nil {
		err = ctx.Err()
	}
	if err == nil && !x.begin() {
		err = executor.ErrClosed
	}
	if err != nil {
		return "", &executor.StartError{Name: "start", Err: err}
	}
	followed := x.newTask(h, t.Output)
	l, err := x.start(ctx, &t)
	if err != nil {
		x.work.Done()
		return "", err
	}
	x.mu.Lock()
	x.tasks[h] = followed
	x.mu.Unlock()
	go func() {
		defer x.work.Done()
		followed.follow(l)
	}()
	return h, nil
}

// start has a task started and returns the connection on which it is told of;
// nil if the supervisor was lost in the middle: it, or the next one, will know.
func (x *Executor) start(caller context.Context, t *executor.Task) (*line, error) {
	ctx, cancel := context.WithTimeout(x.ctx, retryTime)
	defer cancel()
	head, attachments := wire.StartOf(t)
	r := wire.Request{Op: wire.OpStart, Start: head}
	if t.Output == nil {
		r.Offset = -1
	}
	var out *line
	err := x.try(ctx, func(l *line) (bool, error) {
		if err := caller.Err(); err != nil && !head.Again {
			return false, &finalError{&executor.StartError{Name: "start", Err: err}}
		}
		stop := context.AfterFunc(ctx, l.close)
		defer stop()
		err := l.send(r, attachments...)
		var answer wire.Response
		if err == nil {
			answer, _, _, err = l.receive()
		}
		var refused *refusedError
		switch {
		case errors.As(err, &refused):
			return false, err
		case err != nil:
			head.Again = true // it may have arrived
			return false, err
		case answer.Error != nil && answer.Error.Code == wire.CodeBusy:
			return false, answer.Error.Err()
		case answer.Error != nil:
			return false, &finalError{answer.Error.Err()}
		case !answer.Started:
			return false, &finalError{errors.New("start task: the supervisor gives an answer that is none")}
		}
		out = l
		return false, nil
	})
	var final *finalError
	switch {
	case err == nil:
		return out, nil
	case errors.As(err, &final):
		return nil, final.err
	case head.Again && x.ctx.Err() != nil:
		return nil, fmt.Errorf("start task: %w", executor.ErrClosed)
	case head.Again:
		return nil, nil
	case x.ctx.Err() != nil:
		err = executor.ErrClosed
	}
	return nil, &executor.StartError{Name: "start", Err: err}
}

// Attach implements [executor.Attacher].
func (x *Executor) Attach(h executor.Handle, output func(executor.Chunk)) error {
	t, err := x.find(h, output)
	if err == nil && t.output == nil {
		err = errors.New("it is waited for already")
	}
	if err != nil && !errors.Is(err, executor.ErrNotFound) {
		return fmt.Errorf("attach to task: %w", err)
	}
	return nil
}

// Wait implements [executor.Executor]. While the supervisor is away it goes on
// waiting.
func (x *Executor) Wait(ctx context.Context, h executor.Handle) (executor.Result, error) {
	if err := ctx.Err(); err != nil {
		return executor.Result{}, err
	}
	t, err := x.find(h, nil)
	if err != nil {
		return executor.Result{}, fmt.Errorf("wait for task: %w", err)
	}
	select {
	case <-t.done:
		return t.result, t.err
	case <-ctx.Done():
		return executor.Result{}, ctx.Err()
	}
}

// find returns the task of a handle, which is followed from now on if it was not.
func (x *Executor) find(h executor.Handle, output func(executor.Chunk)) (*task, error) {
	if _, ok := process.Folder(h); !ok {
		return nil, fmt.Errorf("handle %q is none of a supervisor: %w", h, executor.ErrNotFound)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if t := x.tasks[h]; t != nil {
		return t, nil
	}
	if x.closed {
		return nil, executor.ErrClosed
	}
	t := x.newTask(h, output)
	x.tasks[h] = t
	x.work.Go(func() { t.follow(nil) })
	return t, nil
}

// follow follows the task to its end, on that connection, and on others when it
// is lost.
func (t *task) follow(l *line) {
	defer close(t.done)
	for t.x.ctx.Err() == nil {
		if l != nil {
			if err := t.hear(l); err == nil {
				return
			}
			l.close()
			t.x.hangUp()
		}
		t.log = tasklog.NewDecoder(t.log.Offset())
		r := wire.Request{Op: wire.OpWait, Handle: []byte(t.handle), Offset: t.log.Offset()}
		if t.output == nil || t.broken {
			r.Offset = -1
		}
		l = nil
		_ = t.x.try(t.x.ctx, func(again *line) (bool, error) {
			l = again
			return false, again.send(r)
		})
		if l == nil { // refused, which may change
			select {
			case <-time.After(longestPause):
			case <-t.x.ctx.Done():
			}
		}
	}
	if l != nil {
		l.close()
	}
	t.fail(executor.ErrClosed)
}

// fail ends the following without a result. Who asks again begins anew.
func (t *task) fail(err error) {
	t.err = fmt.Errorf("wait for task: %w", err)
	t.x.mu.Lock()
	defer t.x.mu.Unlock()
	if t.x.tasks[t.handle] == t {
		delete(t.x.tasks, t.handle)
	}
}

// hear takes what the supervisor says of the task up to its end; an error says
// that the connection is of no use any more.
func (t *task) hear(l *line) error {
	stop := context.AfterFunc(t.x.ctx, l.close)
	defer stop()
	for {
		answer, attachments, output, err := l.receive()
		switch {
		case err != nil:
			return err
		case output != nil:
			t.print(output)
			continue
		case answer.Started:
			continue
		case answer.Error != nil && answer.Error.Code == wire.CodeBusy:
			return answer.Error.Err()
		case answer.Error != nil:
			t.fail(answer.Error.Err())
		case answer.Result == nil:
			return errors.New("the supervisor gives an answer that is none")
		default:
			if t.result, err = answer.Result.Executor(attachments); err != nil {
				t.fail(err)
			}
		}
		if stop() {
			t.x.keep(l)
		}
		return nil
	}
}

// print passes output on.
func (t *task) print(text []byte) {
	if t.output == nil || t.broken {
		return
	}
	t.log.Add(text)
	for {
		c, ok, err := t.log.Next()
		if err != nil {
			t.output(executor.Chunk{At: time.Now(), Stream: executor.System, Data: []byte("the rest of the output cannot be read: " + err.Error() + "\n")})
			t.broken = true
			return
		}
		if !ok {
			return
		}
		t.output(c)
	}
}
