package supervised

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"

	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/executor/process"
	"github.com/regie-dev/regie/internal/executor/supervised/wire"
)

const (
	// keptLines bounds the connections that are kept for the next operation.
	keptLines = 64
	// retryTime bounds how long a start, stop or release is tried while there is
	// no supervisor that answers, or one that takes no new tasks.
	retryTime = time.Minute
	// firstRest and longestRest are between two tries to start a supervisor
	// when the last one came to nothing.
	firstRest   = time.Second
	longestRest = time.Minute
)

// Executor starts tasks by way of a supervisor. Safe for concurrent use; see
// [Open]. It is an [executor.Attacher] too.
type Executor struct {
	config Config
	ctx    context.Context //nolint:containedctx // that of what goes on until Close
	cancel context.CancelFunc
	lines  chan *line

	forking   sync.Mutex    // one starts a supervisor at a time
	rest      time.Duration // before the next try, after one that came to nothing
	restUntil time.Time
	restFor   error // what came of it

	mu     sync.Mutex
	closed bool
	info   Info
	tasks  map[executor.Handle]*task // not yet released
	work   sync.WaitGroup            // added to under mu
}

var (
	_ executor.Executor = (*Executor)(nil)
	_ executor.Attacher = (*Executor)(nil)
)

// Open returns an executor on the supervisor that runs; it starts one where that
// is needed and allowed. Close leaves the tasks to the supervisor.
func Open(ctx context.Context, config Config) (*Executor, error) {
	if err := config.complete(); err != nil {
		return nil, err
	}
	x := &Executor{config: config, lines: make(chan *line, keptLines), tasks: map[executor.Handle]*task{}}
	x.ctx, x.cancel = context.WithCancel(context.Background())
	l, err := x.await(ctx)
	if err != nil {
		x.cancel()
		return nil, err
	}
	if config.Spawn != nil && l.welcome.Info.Build != config.Build && !l.welcome.Info.Retiring {
		if l, err = x.retire(ctx, l); err != nil {
			x.cancel()
			return nil, err
		}
	}
	x.keep(l)
	return x, nil
}

// retire asks the supervisor to retire, and returns a connection to go on with. One
// that has no tasks may end before it answers; another takes over then.
func (x *Executor) retire(ctx context.Context, l *line) (*line, error) {
	_, err := l.ask(wire.Request{Op: wire.OpRetire})
	if err == nil {
		return l, nil
	}
	l.close()
	for _, ended := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, ended) {
			return x.line(ctx)
		}
	}
	return nil, unreachable(x.config.Socket, err)
}

// Name implements [executor.Executor]; it is "process".
func (x *Executor) Name() string { return "process" }

// Work is the folder below which the directories of attempts have to be.
func (x *Executor) Work() string { return x.Last().Work }

// Last is what the supervisor told of itself when it was last connected to.
func (x *Executor) Last() Info {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.info
}

// Info asks the supervisor about itself.
func (x *Executor) Info(ctx context.Context) (Info, error) {
	answer, err := x.ask(ctx, wire.Request{Op: wire.OpInfo})
	if err != nil {
		return Info{}, err
	}
	if answer.Info == nil {
		return Info{}, errors.New("ask supervisor: it tells nothing of itself")
	}
	info := x.Last()
	info.Info = *answer.Info
	return info, nil
}

// Drain asks the supervisor to take no new tasks and to end with the last one.
func (x *Executor) Drain(ctx context.Context) error {
	_, err := x.ask(ctx, wire.Request{Op: wire.OpDrain})
	return err
}

// HandleFor is [process.HandleFor]: the handles are the same.
func HandleFor(dir string) (executor.Handle, error) { return process.HandleFor(dir) }

// line returns a connection, one that is kept or a new one.
func (x *Executor) line(ctx context.Context) (*line, error) {
	select {
	case l := <-x.lines:
		return l, nil
	default:
	}
	l, err := dial(ctx, x.config.Socket, x.config.UIDs)
	if err != nil {
		if l, err = x.fork(ctx); err != nil {
			return nil, err
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.info = infoOf(l)
	return l, nil
}

// fork connects, and starts a supervisor where that is needed and allowed; not
// again at once after one that came to nothing.
func (x *Executor) fork(ctx context.Context) (*line, error) {
	x.forking.Lock()
	defer x.forking.Unlock()
	config := x.config
	resting := config.Spawn != nil && time.Now().Before(x.restUntil)
	if resting {
		config.Spawn = nil
	}
	l, err := ensure(ctx, &config)
	var failed *spawnError
	switch {
	case err == nil:
		x.rest = 0
	case resting && errors.Is(err, ErrNoSupervisor):
		return nil, x.restFor
	case errors.As(err, &failed):
		x.rest = min(max(2*x.rest, firstRest), longestRest)
		x.restUntil, x.restFor = time.Now().Add(x.rest), err
	}
	return l, err
}

// keep puts a connection back that is between two operations.
func (x *Executor) keep(l *line) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.closed {
		select {
		case x.lines <- l:
			return
		default:
		}
	}
	l.close()
}

// ask makes an operation that may be made again, until it is answered.
func (x *Executor) ask(ctx context.Context, r wire.Request) (answer wire.Response, err error) {
	if !x.begin() {
		return answer, executor.ErrClosed
	}
	defer x.work.Done()
	ctx, cancel := context.WithTimeout(ctx, retryTime)
	defer cancel()
	defer context.AfterFunc(x.ctx, cancel)()
	err = x.try(ctx, func(l *line) (bool, error) {
		stop := context.AfterFunc(ctx, l.close)
		var askErr error
		answer, askErr = l.ask(r)
		return stop(), askErr
	})
	if err != nil {
		if x.ctx.Err() != nil {
			return answer, executor.ErrClosed
		}
		return answer, fmt.Errorf("%s: %w", r.Op, err)
	}
	if answer.Error != nil {
		return answer, answer.Error.Err()
	}
	return answer, nil
}

// try does something on a connection, again and again until it succeeds, it
// makes no sense any more, or ctx ends. f says whether the connection can be
// used for something else then.
func (x *Executor) try(ctx context.Context, f func(*line) (free bool, err error)) error {
	var last error
	for pause := time.Duration(0); ; pause = min(max(2*pause, firstPause), longestPause) {
		if pause > 0 {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), last)
		}
		l, err := x.line(ctx)
		if err == nil {
			var free bool
			if free, err = f(l); err == nil {
				if free {
					x.keep(l)
				}
				return nil
			}
			l.close()
			x.hangUp() // what was kept is as bad, most likely
		}
		var refused *refusedError
		var final *finalError
		if errors.As(err, &refused) || errors.As(err, &final) {
			return err
		}
		last = err
	}
}

// finalError is the supervisor's own word, after which nothing is tried again.
type finalError struct{ err error }

func (e *finalError) Error() string { return e.err.Error() }

func (e *finalError) Unwrap() error { return e.err }

// hangUp closes the connections that are kept.
func (x *Executor) hangUp() {
	for {
		select {
		case l := <-x.lines:
			l.close()
		default:
			return
		}
	}
}

// begin announces work that Close waits for; false if the executor is closed.
func (x *Executor) begin() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return false
	}
	x.work.Add(1)
	return true
}

// Stop implements [executor.Executor].
func (x *Executor) Stop(h executor.Handle, grace time.Duration) error {
	_, err := x.ask(context.Background(), wire.Request{Op: wire.OpStop, Handle: []byte(h), Grace: grace})
	return err
}

// LastBeat implements [executor.Beater].
func (x *Executor) LastBeat(h executor.Handle) (time.Time, error) {
	answer, err := x.ask(x.ctx, wire.Request{Op: wire.OpBeat, Handle: []byte(h)})
	return answer.Beat, err
}

// Release implements [executor.Executor].
func (x *Executor) Release(h executor.Handle) error {
	if _, err := x.ask(context.Background(), wire.Request{Op: wire.OpRelease, Handle: []byte(h)}); err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.tasks, h)
	return nil
}

// Close ends the connections. Tasks go on; whoever waits for one gets
// [executor.ErrClosed]. Idempotent.
func (x *Executor) Close() error {
	x.mu.Lock()
	x.closed = true
	x.mu.Unlock()
	x.cancel()
	x.work.Wait()
	x.hangUp()
	return nil
}
