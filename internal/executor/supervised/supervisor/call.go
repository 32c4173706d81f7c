package supervisor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/executor/process"
	"github.com/regie-dev/regie/internal/executor/supervised/wire"
)

const (
	// helloTime is how long a caller may take for its first message, and
	// writeTime how long it may let a frame wait: one that hangs is cut off,
	// and can come back.
	helloTime = 10 * time.Second
	writeTime = time.Minute
	// pieceSize is how much output is sent in one frame, in bytes of its log.
	pieceSize = 64 << 10
)

// call is a connection.
type call struct {
	s    *supervisor
	conn *net.UnixConn
	uid  int
	ctx  context.Context //nolint:containedctx // ends with the connection, which the call is
	stop context.CancelFunc
	// requests come from the goroutine that reads.
	requests chan []byte
	out      []byte
}

// serve begins to serve a connection.
func (s *supervisor) serve(conn *net.UnixConn) {
	ctx, cancel := context.WithCancel(context.Background())
	c := &call{s: s, conn: conn, ctx: ctx, stop: cancel, requests: make(chan []byte)}
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		cancel()
		_ = conn.Close()
		return
	}
	s.calls[c] = struct{}{}
	s.serving.Add(1)
	s.mu.Unlock()
	s.settle()
	go func() {
		defer s.serving.Done()
		defer func() {
			cancel()
			_ = conn.Close()
			s.mu.Lock()
			delete(s.calls, c)
			s.mu.Unlock()
			s.settle()
		}()
		// A defect in serving one caller must not end the tasks of all.
		defer func() {
			if p := recover(); p != nil {
				s.log.Error("serve a caller: Regie has a defect", "panic", p, "stack", string(debug.Stack()))
			}
		}()
		if err := c.converse(); err != nil && !errors.Is(err, io.EOF) && ctx.Err() == nil {
			s.log.Warn("serve a caller", "error", err)
		}
	}()
}

// hangUp ends all connections.
func (s *supervisor) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.calls {
		c.stop()
		_ = c.conn.Close()
	}
}

func (c *call) converse() error {
	uid, err := wire.PeerUID(c.conn)
	if err != nil {
		return err
	}
	c.uid = uid
	if !c.s.allowed(uid) {
		message := fmt.Sprintf("user %d may not speak to this supervisor, which runs as user %d; start it with --allow-uid %d", uid, c.s.users.uid, uid)
		_ = c.message(wire.Welcome{Error: &wire.Error{Code: wire.CodeRefused, Message: message}})
		return errors.New(message)
	}
	reader := bufio.NewReader(c.conn)
	if err := c.hello(reader); err != nil {
		return err
	}
	c.s.serving.Go(func() {
		defer c.stop()
		defer close(c.requests)
		for {
			kind, payload, err := wire.ReadFrame(reader)
			if err != nil || kind != wire.KindMessage {
				return
			}
			select {
			case c.requests <- payload:
			case <-c.ctx.Done():
				return
			}
		}
	})
	for payload := range c.requests {
		if err := c.answer(payload); err != nil {
			return err
		}
	}
	return nil
}

// hello agrees on a version.
func (c *call) hello(reader io.Reader) error {
	_ = c.conn.SetReadDeadline(time.Now().Add(helloTime))
	kind, payload, err := wire.ReadFrame(reader)
	if err != nil {
		return err
	}
	var hello wire.Hello
	if kind != wire.KindMessage {
		return errors.New("the caller began with output")
	}
	if _, err := wire.DecodeMessage(payload, &hello); err != nil {
		return err
	}
	_ = c.conn.SetReadDeadline(time.Time{})
	version, err := hello.Agree()
	if err != nil {
		_ = c.message(wire.Welcome{Info: c.s.info(), Error: &wire.Error{Code: wire.CodeRefused, Message: err.Error()}})
		return err
	}
	return c.message(wire.Welcome{Version: version, Info: c.s.info()})
}

// message sends one message.
func (c *call) message(header any, attachments ...[]byte) error {
	payload, err := wire.EncodeMessage(header, attachments...)
	if err != nil {
		return err
	}
	return c.write(wire.AppendFrame(c.out[:0], wire.KindMessage, payload))
}

// write sends a frame, whose buffer is used again if it is small.
func (c *call) write(frame []byte) error {
	if cap(frame) <= 2*pieceSize {
		c.out = frame[:0]
	}
	_ = c.conn.SetWriteDeadline(time.Now().Add(writeTime))
	_, err := c.conn.Write(frame)
	return err
}

func (c *call) fail(err error) error { return c.message(wire.Response{Error: wire.ErrorOf(err)}) }

// answer does what a request asks for. An error ends the connection.
func (c *call) answer(payload []byte) error {
	var r wire.Request
	attachments, err := wire.DecodeMessage(payload, &r)
	if err != nil {
		return err
	}
	switch r.Op {
	case wire.OpStart:
		return c.start(&r, attachments)
	case wire.OpWait:
		return c.wait(&r)
	case wire.OpStop, wire.OpRelease:
		if err := c.change(&r); err != nil {
			return c.fail(err)
		}
		return c.message(wire.Response{})
	case wire.OpBeat:
		return c.beat(&r)
	case wire.OpInfo:
		info := c.s.info()
		return c.message(wire.Response{Info: &info})
	case wire.OpDrain, wire.OpRetire:
		c.s.drain(r.Op == wire.OpDrain)
		return c.message(wire.Response{})
	}
	return c.fail(fmt.Errorf("operation %q is not known to this supervisor", r.Op))
}

// folder is the folder of a handle, if it can be one of ours.
func (s *supervisor) folder(handle []byte) (string, bool) {
	dir, ok := process.Folder(executor.Handle(handle))
	return dir, ok && s.ours(dir)
}

// ours reports whether a folder is below the work folder.
func (s *supervisor) ours(dir string) bool {
	relative, err := filepath.Rel(s.cfg.Work, dir)
	return err == nil && relative != "." && filepath.IsLocal(relative) && strings.IndexByte(dir, 0) < 0
}

// beat says when a task was last heard of.
func (c *call) beat(r *wire.Request) error {
	if _, ok := c.s.folder(r.Handle); !ok {
		return c.message(wire.Response{})
	}
	at, err := c.s.tasks.LastBeat(executor.Handle(r.Handle))
	if err != nil {
		return c.fail(err)
	}
	return c.message(wire.Response{Beat: at})
}

// change stops or releases a task.
func (c *call) change(r *wire.Request) error {
	dir, ok := c.s.folder(r.Handle)
	switch {
	case !ok:
		return nil
	case r.Op == wire.OpStop:
		return c.s.tasks.Stop(executor.Handle(r.Handle), r.Grace)
	}
	return c.s.release(dir)
}

// start starts a task and follows it.
func (c *call) start(r *wire.Request, attachments [][]byte) error {
	if r.Start == nil {
		return errors.New("a request to start has no task")
	}
	t, err := r.Start.Task(attachments)
	if err != nil {
		return err
	}
	t.Dir = filepath.Clean(t.Dir)
	if err := c.mayStart(&t); err != nil {
		return c.fail(err)
	}
	if r.Start.Again && c.s.knows(t.Dir) {
		return c.follow(t.Dir, r.Offset, true)
	}
	if err := c.s.start(&t, r.Start.Silent); err != nil {
		return c.fail(err)
	}
	return c.follow(t.Dir, r.Offset, true)
}

// mayStart refuses what would be started in a wrong place or as a wrong user.
func (c *call) mayStart(t *executor.Task) error {
	s := c.s
	if !filepath.IsAbs(t.Dir) || !s.ours(t.Dir) {
		return &executor.StartError{Name: "start", Err: fmt.Errorf("its directory %q is not below %s, where this supervisor keeps them", t.Dir, s.cfg.Work)}
	}
	if t.RunAs == "" && s.cfg.User == "" && s.users.uid == 0 && c.uid != 0 {
		return &executor.StartError{Name: "run_as", Err: errors.New("the supervisor runs as root and would run the task as root for a server that is not; give the supervisor --user NAME, or the step run_as")}
	}
	return nil
}

// knows reports whether a task was started in a folder.
func (s *supervisor) knows(dir string) bool {
	s.mu.Lock()
	known := s.jobs[dir] != nil
	s.mu.Unlock()
	return known || s.journal.find(dir) != nil || process.Exists(dir)
}

func (c *call) wait(r *wire.Request) error {
	dir, ok := c.s.folder(r.Handle)
	if !ok {
		return c.fail(fmt.Errorf("handle %q is none of this supervisor: %w", r.Handle, executor.ErrNotFound))
	}
	return c.follow(dir, r.Offset, false)
}

// follow sends what a task prints from an offset on, and then how it ended.
func (c *call) follow(dir string, offset int64, started bool) error {
	if started {
		if err := c.message(wire.Response{Started: true}); err != nil {
			return err
		}
	}
	j := c.s.job(dir)
	if j == nil {
		return c.followStranger(dir, offset)
	}
	out := &outflow{call: c, dir: dir, offset: offset}
	defer out.close()
	for {
		grown, ended := j.watch(), j.ended()
		if err := out.flow(); err != nil {
			return err
		}
		if ended {
			break
		}
		select {
		case <-grown:
		case <-j.done:
		case <-c.ctx.Done():
			return c.ctx.Err()
		}
	}
	if j.err != nil {
		return c.fail(j.err)
	}
	return c.result(j.end)
}

func (s *supervisor) job(dir string) *job {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.jobs[dir]
}

// followStranger follows a task that an earlier supervisor started. What it
// printed is there up to the end of that one.
func (c *call) followStranger(dir string, offset int64) error {
	out := &outflow{call: c, dir: dir, offset: offset}
	defer out.close()
	if k := c.s.journal.find(dir); k != nil {
		if k.spool != nil {
			out.source = k.reader()
		}
		if err := out.flow(); err != nil {
			return err
		}
		return c.result(k)
	}
	h, err := process.HandleFor(dir)
	if err != nil {
		return c.fail(err)
	}
	if err := out.flow(); err != nil {
		return err
	}
	r, err := c.s.tasks.Wait(c.ctx, h)
	if c.ctx.Err() != nil {
		return c.ctx.Err()
	}
	if err != nil {
		return c.fail(err)
	}
	// It ended under a supervisor that was killed before it could keep that.
	k, err := keep(dir, &r, nil)
	if err == nil {
		err = c.s.journal.end(dir, k)
	}
	if err != nil {
		return c.fail(err)
	}
	return c.result(k)
}

func (c *call) result(k *kept) error {
	return c.message(wire.Response{Result: k.result}, k.attachments...)
}

// outflow sends the log of a task's output as it grows.
type outflow struct {
	call   *call
	dir    string
	offset int64 // below 0: nobody wants it
	source io.ReaderAt
	opened io.Closer
}

func (o *outflow) close() {
	if o.opened != nil {
		_ = o.opened.Close()
	}
}

// flow sends what there is.
func (o *outflow) flow() error {
	if o.offset < 0 {
		return nil
	}
	if o.source == nil {
		f, err := openSpool(o.dir)
		if err != nil {
			return nil //nolint:nilerr // nothing was printed yet, or it cannot be had
		}
		o.source, o.opened = f, f
	}
	for {
		buffer := o.call.s.pieces.get()
		n, err := o.source.ReadAt(buffer[:], o.offset)
		if n > 0 {
			o.offset += int64(n)
			err = errors.Join(o.call.write(wire.AppendFrame(o.call.out[:0], wire.KindOutput, buffer[:n])), ignoreEOF(err))
		} else {
			err = ignoreEOF(err)
		}
		o.call.s.pieces.put(buffer)
		if err != nil {
			return fmt.Errorf("send output: %w", err)
		}
		if n < len(buffer) {
			return nil
		}
	}
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// pieces lends buffers for output, so that a silent task holds none.
type pieces chan *[pieceSize]byte

func (p pieces) get() *[pieceSize]byte {
	select {
	case b := <-p:
		return b
	default:
		return new([pieceSize]byte)
	}
}

func (p pieces) put(b *[pieceSize]byte) {
	select {
	case p <- b:
	default:
	}
}
