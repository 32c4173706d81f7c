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
	stop context.CancelFunc
	done sync.WaitGroup

	mu     sync.Mutex
	sent   int
	acked  map[string]string // key to run
	last   bool              // begin no more than there must be
	failed error
}

// line is one of the client's book.
type line struct {
	Sent  string `json:"sent,omitempty"`
	Acked string `json:"acked,omitempty"`
	Run   string `json:"run,omitempty"`
}

func newLoad(h *harness) *load { return &load{h: h, acked: map[string]string{}} }

func (l *load) begin(ctx context.Context) {
	ctx, l.stop = context.WithCancel(ctx)
	var err error
	l.file, err = os.OpenFile(filepath.Join(l.h.cfg.Dir, "client"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		l.fail(err)
		return
	}
	for range callers {
		l.done.Go(func() { l.call(ctx) })
	}
}

// end gives up.
func (l *load) end() {
	l.stop()
	l.done.Wait()
	_ = l.file.Close()
}

// finish begins what is left and waits until all of it was acknowledged.
func (l *load) finish() {
	l.mu.Lock()
	l.last = true
	l.mu.Unlock()
	l.done.Wait()
	l.stop()
	if l.file != nil {
		l.fail(l.file.Close())
	}
}

func (l *load) fail(err error) {
	if err == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed == nil {
		l.failed = err
	}
}

func (l *load) err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

// book is which run each key was acknowledged for.
func (l *load) book() map[string]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.acked)
}

// call starts one run after the other.
func (l *load) call(ctx context.Context) {
	for ctx.Err() == nil && l.err() == nil {
		key, ok := l.next()
		if !ok {
			return
		}
		if key == "" { // enough are under way
			l.pause(ctx, 20*time.Millisecond)
			continue
		}
		l.write(line{Sent: key})
		for ctx.Err() == nil {
			run, err := l.start(ctx, key)
			if err == nil {
				l.write(line{Acked: key, Run: run})
				l.mu.Lock()
				l.acked[key] = run
				l.mu.Unlock()
				break
			}
			if !again(err) {
				l.fail(fmt.Errorf("start a run: %w", err))
				return
			}
			l.pause(ctx, 50*time.Millisecond)
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

func (l *load) pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// start asks for a run; the same key gives the same run.
func (l *load) start(ctx context.Context, key string) (string, error) {
	nap := fmt.Sprintf("%.2f", 0.3+float64(len(key)*7919%100)/100)
	answer, err := l.h.client.runs.StartRun(ctx, &regiev1.StartRunRequest{
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
	l.fail(err)
}
