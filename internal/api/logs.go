package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/api/httpbody"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/history"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/tasklog"
)

// Bounds of reading logs.
const (
	DefaultLogLines = 1000
	MaxLogLines     = 10_000
	// MaxFollowed is how many attempts of one run are followed at once; others
	// wait until one of them has ended.
	MaxFollowed = 200
	// logChunk is how much text one message of a download has.
	logChunk = 64 << 10
)

// logOf is the log of an attempt that was asked for.
type logOf struct {
	row     store.RunRow
	step    *history.Step
	attempt int
	file    *os.File // nil: it printed nothing
}

// openLog finds an attempt, and puts on record that its log is read, or was
// looked for in vain.
func (a *API) openLog(ctx context.Context, namespace, run, path string, attempt uint32) (*logOf, error) {
	l, err := a.findLog(ctx, namespace, run, path, attempt)
	if err != nil {
		return nil, a.lookedFor(ctx, namespace, run, err)
	}
	if err := a.record(ctx, "log.read", l.row.Namespace, "run/"+string(l.row.ID)); err != nil {
		return nil, failure(err)
	}
	if l.row.Erased > 0 {
		return nil, erasedLog(l.row.ID)
	}
	l.file, err = a.openAttempt(ctx, l.row.ID, l.step.Act, l.attempt)
	return l, err
}

// erasedLog says that nothing is left to be read.
func erasedLog(run store.RunID) error {
	return refuse(connect.CodeFailedPrecondition, "run_erased", fmt.Sprintf("the data and logs of run %s were erased", run), "`regie audit list --object run/"+string(run)+"` says by whom and why")
}

// lookedFor puts on record that somebody asked for a log that is not there:
// that is how files are looked for that are none of theirs.
func (a *API) lookedFor(ctx context.Context, namespace, run string, err error) error {
	if connect.CodeOf(err) != connect.CodeNotFound {
		return err
	}
	act := access.Act{Action: "log.read", Namespace: namespace, Object: "run/" + run, Reason: err.Error()}
	if err := a.cfg.Access.Denied(ctx, identityOf(ctx), act); err != nil {
		return failure(err)
	}
	return err
}

func (a *API) findLog(ctx context.Context, namespace, run, path string, attempt uint32) (*logOf, error) {
	row, err := a.find(ctx, namespace, run)
	if err != nil {
		return nil, err
	}
	seen, _, err := a.history(ctx, &row, func(_ int, at string) bool { return at == path })
	if err != nil {
		return nil, failure(err)
	}
	out := &logOf{row: row, step: stepAt(seen.Run(), path), attempt: int(attempt)}
	switch {
	case out.step == nil:
		return nil, noStep(row.ID, path)
	case attempt == 0:
		out.attempt = lastAttempt(out.step)
	case int(attempt) > lastAttempt(out.step):
		return nil, notFound("attempt_not_found", "step %s has no attempt %d", path, attempt)
	}
	return out, nil
}

func noStep(run store.RunID, path string) error {
	return refuse(connect.CodeNotFound, "step_not_found", fmt.Sprintf("run %s has no step %q", run, path), "`regie show RUN` lists them")
}

// openAttempt opens a log; nil if there is none. That of a run that was erased
// meanwhile is not shown, though its file may still be there.
func (a *API) openAttempt(ctx context.Context, run store.RunID, act engine.ActID, attempt int) (*os.File, error) {
	f, err := a.cfg.Logs.Log(run, act, attempt)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, failure(err)
	}
	row, err := a.cfg.Store.Run(ctx, run)
	if err == nil && row.Erased > 0 {
		err = erasedLog(run)
	}
	if err != nil {
		_ = f.Close()
		return nil, failure(err)
	}
	return f, nil
}

func (l *logOf) close() {
	if l.file != nil {
		_ = l.file.Close()
	}
}

// GetLog reads a page of a log.
func (a *API) GetLog(ctx context.Context, m *regiev1.GetLogRequest) (*regiev1.GetLogResponse, error) {
	limit := int(m.GetLimit())
	switch {
	case limit == 0:
		limit = DefaultLogLines
	case limit < 1 || limit > MaxLogLines:
		return nil, invalid("limit", "it is %d; it lies between 1 and %d", limit, MaxLogLines)
	case m.GetOffset() < 0 || m.GetTail() && m.GetOffset() > 0:
		return nil, invalid("offset", "it counts lines from 0, and does not go with tail")
	}
	l, err := a.openLog(ctx, m.GetNamespace(), m.GetRun(), m.GetStep(), m.GetAttempt())
	if err != nil {
		return nil, err
	}
	defer l.close()
	out := &regiev1.GetLogResponse{NextOffset: m.GetOffset()}
	if l.file == nil {
		return out, nil
	}
	if m.GetTail() {
		lines, err := tasklog.Tail(l.file, limit)
		for i := range lines {
			out.Lines = append(out.Lines, l.line(&lines[i]))
		}
		return out, logFailure(err)
	}
	number := int64(0)
	for line, err := range tasklog.Lines(l.file) {
		if err != nil {
			return nil, logFailure(err)
		}
		if number++; number <= m.GetOffset() {
			continue
		}
		if len(out.Lines) == limit {
			out.More = true
			break
		}
		out.Lines = append(out.Lines, l.line(&line))
		out.NextOffset = number
	}
	if !out.GetMore() {
		out.NextOffset -= unfinished(out.GetLines())
	}
	return out, nil
}

// unfinished counts the lines at the end of a log that have not ended, one of a
// stream at most: they will be there whole.
func unfinished(lines []*regiev1.LogLine) (n int64) {
	streams := map[string]bool{}
	for _, line := range slices.Backward(lines) {
		if !line.GetMore() || streams[line.GetStream()] {
			break
		}
		streams[line.GetStream()] = true
		n++
	}
	return n
}

func logFailure(err error) error {
	var damaged *tasklog.DamagedError
	if errors.As(err, &damaged) {
		return refuse(connect.CodeDataLoss, "log_damaged", err.Error(), "")
	}
	return failure(err)
}

func (l *logOf) line(line *tasklog.Line) *regiev1.LogLine {
	return &regiev1.LogLine{
		At: timeOf(line.At), Stream: line.Stream.String(), Text: strings.ToValidUTF8(line.Text, "\uFFFD"), More: line.More,
		Step: l.step.Path, Attempt: uint32(l.attempt),
	}
}

// DownloadLog sends a log as text: what the task printed, with what Regie adds.
func (a *API) DownloadLog(ctx context.Context, m *regiev1.DownloadLogRequest, stream *connect.ServerStream[httpbody.HttpBody]) error {
	l, err := a.openLog(ctx, m.GetNamespace(), m.GetRun(), m.GetStep(), m.GetAttempt())
	if err != nil {
		return err
	}
	defer l.close()
	body := &httpbody.HttpBody{ContentType: "text/plain; charset=utf-8"}
	if l.file != nil {
		for line, err := range tasklog.Lines(l.file) {
			if err != nil {
				return logFailure(err)
			}
			body.Data = append(body.Data, line.Text...)
			if !line.More {
				body.Data = append(body.Data, '\n')
			}
			if len(body.Data) < logChunk {
				continue
			}
			if err := stream.Send(body); err != nil {
				return err
			}
			body = &httpbody.HttpBody{ContentType: body.ContentType}
		}
	}
	return stream.Send(body)
}

// WatchLog streams the log of an attempt, or of all attempts of a run.
func (a *API) WatchLog(ctx context.Context, m *regiev1.WatchLogRequest, stream *connect.ServerStream[regiev1.WatchLogResponse]) error {
	row, err := a.find(ctx, m.GetNamespace(), m.GetRun())
	if err != nil {
		return a.lookedFor(ctx, m.GetNamespace(), m.GetRun(), err)
	}
	if err := a.record(ctx, "log.read", row.Namespace, "run/"+string(row.ID)); err != nil {
		return failure(err)
	}
	if row.Erased > 0 {
		return erasedLog(row.ID)
	}
	w := &logWatch{api: a, row: &row, req: m, stream: stream, begun: map[attemptKey]func(){}}
	return w.run(ctx)
}

type attemptKey struct {
	act    engine.ActID
	number int
}

// logWatch follows the logs of a run.
type logWatch struct {
	api    *API
	row    *store.RunRow
	req    *regiev1.WatchLogRequest
	begun  map[attemptKey]func() // tells the follower that the attempt has ended
	follow sync.WaitGroup

	mu       sync.Mutex // guards what follows
	stream   *connect.ServerStream[regiev1.WatchLogResponse]
	followed int
	waiting  []func() // attempts that are followed when there is room
	err      error
}

func (w *logWatch) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer w.follow.Wait()
	defer stop()
	events, err := w.api.follow(ctx, w.row)
	if err != nil {
		return failure(err)
	}
	defer events.close()
	found := false
	for ctx.Err() == nil {
		seen, err := events.next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return cmp.Or(w.fault(), failure(err))
		}
		for _, s := range unique(seen.steps) {
			if w.req.GetStep() == "" || s.Path == w.req.GetStep() {
				found = true
				w.begin(ctx, stop, s)
			}
		}
		if s := stepAt(events.builder.Run(), w.req.GetStep()); s != nil && s.State.Final() && w.req.GetAttempt() > 0 {
			break
		}
	}
	w.follow.Wait() // logs end with their attempts
	if w.req.GetStep() != "" && !found {
		return noStep(w.row.ID, w.req.GetStep())
	}
	return w.fault()
}

// fault is why the stream cannot go on, nil if it can.
func (w *logWatch) fault() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return logFailure(w.err)
}

// begin follows the attempts of a step that are wanted and not followed yet.
func (w *logWatch) begin(ctx context.Context, stop func(), s *history.Step) {
	for i := range s.Attempts {
		number, ended := s.Attempts[i].Number, s.Attempts[i].Outcome != ""
		key := attemptKey{s.Act, number}
		if w.req.GetAttempt() > 0 && int(w.req.GetAttempt()) != number {
			continue
		}
		if over := w.begun[key]; over != nil {
			if ended {
				over() // a log that is not there by now will not come
			}
			continue
		}
		coming, over := context.WithCancel(ctx)
		w.begun[key] = over
		if ended {
			over()
		}
		step := *s
		w.whenRoom(func() {
			defer over()
			err := w.show(ctx, coming, &logOf{row: *w.row, step: &step, attempt: number})
			if err != nil && ctx.Err() == nil {
				w.mu.Lock()
				w.err = err
				w.mu.Unlock()
				stop()
			}
		})
	}
}

// whenRoom runs a function beside, at once or when another one has ended.
func (w *logWatch) whenRoom(follow func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.followed == MaxFollowed {
		w.waiting = append(w.waiting, follow)
		return
	}
	w.followed++
	w.follow.Go(func() {
		for follow != nil {
			follow()
			follow = w.nextWaiting()
		}
	})
}

// nextWaiting is what to follow next, nil if nothing waits.
func (w *logWatch) nextWaiting() func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.waiting) == 0 {
		w.followed--
		return nil
	}
	next := w.waiting[0]
	w.waiting = w.waiting[1:]
	return next
}

// await opens a log once it is there; nil if it does not come.
func (w *logWatch) await(ctx context.Context, act engine.ActID, attempt int) (*os.File, error) {
	looks := time.NewTicker(tasklog.PollTime)
	defer looks.Stop()
	for {
		over := ctx.Err() != nil
		file, err := w.api.openAttempt(context.WithoutCancel(ctx), w.row.ID, act, attempt)
		if file != nil || err != nil || over {
			return file, err
		}
		select {
		case <-looks.C:
		case <-ctx.Done():
		}
	}
}

// show sends the lines of a log until it ends. It comes, if at all, before
// coming is over, and what is in it then is all there will be: one of a worker
// that was killed is never closed.
func (w *logWatch) show(ctx, coming context.Context, l *logOf) error {
	var err error
	if l.file, err = w.await(coming, l.step.Act, l.attempt); l.file == nil {
		return err
	}
	defer l.close()
	following, end := context.WithCancel(ctx)
	defer end()
	defer context.AfterFunc(coming, func() { time.AfterFunc(2*tasklog.PollTime, end) })()
	number := int64(0)
	err = tasklog.Follow(following, l.file, -1, func(line tasklog.Line) error {
		number++
		if w.req.GetAttempt() > 0 && number <= w.req.GetOffset() {
			return nil
		}
		next := number
		if line.More && following.Err() != nil {
			next-- // it has not ended: whoever comes again gets it whole
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.stream.Send(&regiev1.WatchLogResponse{Lines: []*regiev1.LogLine{l.line(&line)}, NextOffset: next})
	})
	if following.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
