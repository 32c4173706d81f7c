package kill

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"connectrpc.com/connect"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
)

// load starts runs as long as it must, and keeps the client's book.
type load struct {
	h    *harness
	file *os.File
	ctx  context.Context         //nolint:containedctx // that of its callers; ends with the first error as its cause
	stop context.CancelCauseFunc // of ctx
	done sync.WaitGroup

	mu    sync.Mutex
	sent  int
	acked map[string]string // key to run
	last  bool              // begin no more than there must be
	again error             // why a request was last made again
}

// errStopped is the cause of the end of a load that did not fail.
var errStopped = errors.New("the load was stopped")

// line is one of the client's book.
type line struct {
	Sent  string `json:"sent,omitempty"`
	Acked string `json:"acked,omitempty"`
	Run   string `json:"run,omitempty"`
}

// begin begins to start runs.
func begin(ctx context.Context, h *harness) (*load, error) {
	l := &load{h: h, acked: map[string]string{}}
	var err error
	l.file, err = os.OpenFile(filepath.Join(h.cfg.Dir, "client"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("keep the client's book: %w", err)
	}
	l.ctx, l.stop = context.WithCancelCause(ctx)
	for range callers {
		l.done.Go(l.call)
	}
	return l, nil
}

// end gives up because of an error, to which it adds what the server said last.
func (l *load) end(why error) error {
	l.stop(errStopped)
	l.done.Wait()
	_ = l.file.Close()
	if cause := context.Cause(l.ctx); errors.Is(cause, errStopped) && l.again != nil {
		why = fmt.Errorf("%w; a run was last refused with: %w", why, l.again)
	}
	return why
}

// finish begins what is left and waits until all of it was acknowledged.
func (l *load) finish() error {
	l.mu.Lock()
	l.last = true
	l.mu.Unlock()
	l.done.Wait()
	l.stop(errStopped)
	err := l.file.Close()
	if cause := context.Cause(l.ctx); !errors.Is(cause, errStopped) {
		err = errors.Join(cause, err)
	}
	return err
}

// book is which run each key was acknowledged for.
func (l *load) book() map[string]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.acked)
}

// call starts one run after the other.
func (l *load) call() {
	for l.ctx.Err() == nil {
		key, ok := l.next()
		if !ok {
			return
		}
		if key == "" { // enough are under way
			l.pause(20 * time.Millisecond)
			continue
		}
		l.write(line{Sent: key})
		for l.ctx.Err() == nil {
			run, err := l.start(key)
			if err == nil {
				l.write(line{Acked: key, Run: run})
				l.mu.Lock()
				l.acked[key] = run
				l.mu.Unlock()
				break
			}
			l.mu.Lock()
			l.again = err
			l.mu.Unlock()
			if !again(err) {
				l.stop(fmt.Errorf("start a run: %w", err))
				return
			}
			l.pause(50 * time.Millisecond)
		}
	}
}

// next is the key of the next run; empty: not now; false: there is none.
func (l *load) next() (string, bool) {
	ended := l.h.world.finished()
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.sent >= l.h.cfg.Runs && l.last:
		return "", false
	case l.sent-ended >= ahead:
		return "", true
	}
	l.sent++
	return fmt.Sprintf("run-%d", l.sent), true
}

func (l *load) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.ctx.Done():
	}
}

// start asks for a run; the same key gives the same run.
func (l *load) start(key string) (string, error) {
	nap := fmt.Sprintf("%.2f", 0.3+float64(len(key)*7919%100)/100)
	answer, err := l.h.client.runs.StartRun(l.ctx, &regiev1.StartRunRequest{
		Namespace: "default", Workflow: workflow, IdempotencyKey: key, Input: &regiev1.Json{Text: `{"nap":"` + nap + `"}`},
	})
	return answer.GetRun().GetId(), err
}

// again reports whether it makes sense to send a request again: the server was
// killed, or is on its way.
func again(err error) bool {
	switch connect.CodeOf(err) {
	case connect.CodeUnavailable, connect.CodeResourceExhausted, connect.CodeDeadlineExceeded, connect.CodeUnknown, connect.CodeCanceled, connect.CodeInternal:
		return !errors.Is(err, context.Canceled)
	default:
		return false
	}
}

// write adds a line to the client's book, synced.
func (l *load) write(entry line) {
	text, err := json.Marshal(entry)
	if err == nil {
		_, err = l.file.Write(append(text, '\n'))
	}
	if err == nil {
		err = l.file.Sync()
	}
	if err != nil {
		l.stop(fmt.Errorf("write the client's book: %w", err))
	}
}
