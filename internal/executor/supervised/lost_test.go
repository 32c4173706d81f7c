package supervised

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/executor/supervised/wire"
)

// printed keeps what a task prints.
type printed struct {
	mu   sync.Mutex
	text bytes.Buffer
	came chan struct{}
}

func newPrinted() *printed { return &printed{came: make(chan struct{}, 1)} }

func (p *printed) add(c executor.Chunk) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text.Write(c.Data)
	select {
	case p.came <- struct{}{}:
	default:
	}
}

func (p *printed) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// await waits for a line and returns the fields of the text.
func (p *printed) await(t testing.TB) []string {
	t.Helper()
	limit := time.After(patience)
	for !strings.Contains(p.String(), "\n") {
		select {
		case <-p.came:
		case <-limit:
			t.Fatalf("the task printed %q, which is no line", p)
		}
	}
	return strings.Fields(p.String())
}

// begin starts a task in a folder of its own.
func begin(t testing.TB, x *Executor, task executor.Task) (executor.Handle, *printed, string) {
	t.Helper()
	p := newPrinted()
	if task.Dir == "" {
		task.Dir = filepath.Join(t.TempDir(), "attempt")
	}
	task.Output = p.add
	h, err := x.Start(t.Context(), task)
	if err != nil {
		t.Fatal(err)
	}
	return h, p, task.Dir
}

func wait(t testing.TB, x *Executor, h executor.Handle) (executor.Result, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := x.Wait(ctx, h)
	if ctx.Err() != nil {
		t.Fatalf("the task did not end within %s", patience)
	}
	return r, err
}

func ask(t testing.TB, x *Executor) Info {
	t.Helper()
	info, err := x.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// killSupervisor kills it, and returns when it is gone.
func killSupervisor(t testing.TB, x *Executor) {
	t.Helper()
	pid := ask(t, x).PID
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the supervisor is gone", func() bool { return gone(strconv.Itoa(pid)) })
}

// gone reports whether a process has ended.
func gone(pid string) bool {
	text, err := os.ReadFile("/proc/" + pid + "/stat")
	return err != nil || bytes.Contains(text, []byte(") Z "))
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for limit := time.Now().Add(patience); !ok(); <-ticker.C {
		if time.Now().After(limit) {
			t.Fatalf("not so within %s: %s", patience, what)
		}
	}
}

func letGo(t testing.TB, dir string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "work", "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

const untilGo = "until test -e go; do sleep 0.01; done; "

// What is printed and how tasks end while nobody is connected is there for the
// next who asks.
func TestNobodyConnected(t *testing.T) {
	t.Parallel()
	c := config(t)
	first := open(t, c)
	large := strings.Repeat("x", 1000)
	h, p, dir := begin(t, first, executor.Task{Script: "echo up; " + untilGo + "i=0; while [ $i -lt 200 ]; do echo $i " + large + "; i=$((i+1)); done; echo total=1 >$REGIE_OUTPUT; echo c >$REGIE_CHECKPOINT; exit 5"})
	p.await(t)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Wait(t.Context(), h); !errors.Is(err, executor.ErrClosed) {
		t.Errorf("wait on a closed executor: %v", err)
	}
	letGo(t, dir)
	eventually(t, "the task has ended", func() bool {
		info, err := Status(t.Context(), c)
		return err == nil && info.Running == 0 && info.Kept == 1
	})
	want := "up\n"
	for i := range 200 {
		want += fmt.Sprintln(i, large)
	}
	for range 2 { // until it is released, any number of times
		second, got := open(t, c), newPrinted()
		if err := second.Attach(h, got.add); err != nil {
			t.Fatal(err)
		}
		r, err := wait(t, second, h)
		if err != nil || r.ErrorName != "exit.5" || r.Output.Get("total").String() != `"1"` || string(r.Checkpoint) != "c\n" {
			t.Errorf("got %+v, %v", r, err)
		}
		if got.String() != want {
			t.Errorf("got %d bytes of output, want %d", len(got.String()), len(want))
		}
	}
	third := open(t, c)
	if err := third.Release(h); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder of a released task: %v", err)
	}
	if _, err := wait(t, third, h); !errors.Is(err, executor.ErrNotFound) {
		t.Errorf("wait for a released task: %v", err)
	}
}

// A supervisor that is killed is replaced. What had ended is told of; what ran is
// watched to its end and then not found; new tasks start.
func TestSupervisorIsKilled(t *testing.T) {
	t.Parallel()
	c := config(t)
	x := open(t, c)
	ended, _, _ := begin(t, x, executor.Task{Script: "echo early; exit 3"})
	if r, err := wait(t, x, ended); err != nil || r.ErrorName != "exit.3" {
		t.Fatal(r, err)
	}
	// It prints nothing once it goes on: that would end it.
	running, p, dir := begin(t, x, executor.Task{Script: "echo $$; " + untilGo + "echo done >done; sleep 0.1"})
	pid := p.await(t)[0]
	killSupervisor(t, x)

	waited := make(chan error, 1)
	go func() {
		_, err := x.Wait(context.Background(), running)
		waited <- err
	}()
	fresh, _, _ := begin(t, x, executor.Task{Script: "exit 4"})
	if r, err := wait(t, x, fresh); err != nil || r.ErrorName != "exit.4" {
		t.Errorf("a task after the kill: %q, %v", r.ErrorName, err)
	}
	second, early := open(t, c), newPrinted()
	if err := second.Attach(ended, early.add); err != nil {
		t.Fatal(err)
	}
	if r, err := wait(t, second, ended); err != nil || r.ErrorName != "exit.3" || early.String() != "early\n" {
		t.Errorf("what ended before the kill: %q, %v, %q", r.ErrorName, err, early)
	}
	if err := x.Release(running); !errors.Is(err, executor.ErrRunning) || gone(pid) || len(waited) > 0 {
		t.Errorf("release of what runs: %v", err)
	}
	letGo(t, dir)
	if err := <-waited; !errors.Is(err, executor.ErrNotFound) {
		t.Errorf("what ran at the kill: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "work", "done")); err != nil || !gone(pid) {
		t.Errorf("the task was not watched to its end: %v", err)
	}
	for _, h := range []executor.Handle{ended, running, fresh} {
		if err := x.Release(h); err != nil {
			t.Error(err)
		}
	}
	if info := ask(t, x); info.Kept != 0 || info.Running != 0 {
		t.Errorf("kept after all was released: %+v", info)
	}
}

// A start whose answer was lost is made again, and starts nothing twice.
func TestStartIsRepeated(t *testing.T) {
	t.Parallel()
	c := config(t)
	x := open(t, c)
	if err := c.complete(); err != nil {
		t.Fatal(err)
	}
	count := filepath.Join(t.TempDir(), "count")
	task := executor.Task{Script: "echo x >>" + count + "; exit 6", Dir: filepath.Join(t.TempDir(), "a")}
	for range 3 {
		l, err := dial(t.Context(), c.Socket, nil)
		if err != nil {
			t.Fatal(err)
		}
		head, attachments := wire.StartOf(&task)
		head.Again = true
		if err := l.send(wire.Request{Op: wire.OpStart, Start: head}, attachments...); err != nil {
			t.Fatal(err)
		}
		if answer, _, _, err := l.receive(); err != nil || !answer.Started {
			t.Fatalf("got %+v, %v", answer, err)
		}
		l.close()
	}
	h, err := HandleFor(task.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := wait(t, x, h); err != nil || r.ErrorName != "exit.6" {
		t.Errorf("got %q, %v", r.ErrorName, err)
	}
	if text, err := os.ReadFile(count); err != nil || string(text) != "x\n" {
		t.Errorf("started %q, %v", text, err)
	}
}

// Whatever a caller sends, others are served as before.
func TestHostileCallers(t *testing.T) {
	t.Parallel()
	c := config(t)
	x := open(t, c)
	if err := c.complete(); err != nil {
		t.Fatal(err)
	}
	h, p, dir := begin(t, x, executor.Task{Script: "echo up; " + untilGo + "exit 9"})
	p.await(t)
	hello, err := wire.EncodeMessage(wire.Hello{Version: wire.Version, Oldest: wire.Oldest})
	if err != nil {
		t.Fatal(err)
	}
	message := func(text string) []byte { return wire.AppendFrame(nil, wire.KindMessage, []byte(text)) }
	request := func(text string) []byte { return message(string(rune(len(text))) + "\x00\x00\x00" + text) }
	greeted := wire.AppendFrame(nil, wire.KindMessage, hello)
	for name, text := range map[string][]byte{
		"nothing":        {},
		"noise":          bytes.Repeat([]byte("\xde\xad\xbe\xef"), 1000),
		"no hello":       message("\x00\x00\x00\x00"),
		"output":         wire.AppendFrame(nil, wire.KindOutput, []byte("x")),
		"huge":           append(bytes.Clone(greeted), "\xff\xff\xff\x07\x01x"...),
		"empty request":  append(bytes.Clone(greeted), message("")...),
		"no start":       append(bytes.Clone(greeted), request(`{"op":"start"}`)...),
		"files missing":  append(bytes.Clone(greeted), request(`{"op":"start","start":{"files":[{"path":"YQ=="}]}}`)...),
		"negative wait":  append(bytes.Clone(greeted), request(`{"op":"wait","offset":-9223372036854775808}`)...),
		"hello twice":    append(bytes.Clone(greeted), greeted...),
		"handle outside": append(bytes.Clone(greeted), request(`{"op":"release","handle":"cHJvY2VzczoxOi8="}`)...),
	} {
		conn, err := net.Dial("unix", c.Socket)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(text); err != nil && !errors.Is(err, unix.EPIPE) {
			t.Errorf("%s: %v", name, err)
		}
		_ = conn.(*net.UnixConn).CloseWrite()
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the connection is held open", name)
		}
		_ = conn.Close()
	}
	for name, c := range map[string]struct{ request, says string }{
		"unknown":       {`{"op":"format disk"}`, "not known"},
		"of elsewhere":  {`{"op":"wait","handle":"cHJvY2VzczoxOi8="}`, "none of this supervisor"},
		"start at root": {`{"op":"start","start":{"dir":"Lw=="}}`, "is not below"},
	} {
		l, err := dial(t.Context(), Config{Dir: filepath.Dir(filepath.Dir(x.config.Socket))}.socket(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.conn.Write(func() []byte {
			text := request(c.request)
			if strings.Contains(c.request, "start") { // with the checkpoint
				text = message(string(rune(len(c.request))) + "\x00\x00\x00" + c.request + "\x00\x00\x00\x00")
			}
			return text
		}()); err != nil {
			t.Fatal(err)
		}
		if answer, _, _, err := l.receive(); err != nil || answer.Error == nil || !strings.Contains(answer.Error.Message, c.says) {
			t.Errorf("%s: got %+v, %v", name, answer.Error, err)
		}
		l.close()
	}
	letGo(t, dir)
	if r, err := wait(t, x, h); err != nil || r.ErrorName != "exit.9" {
		t.Errorf("got %q, %v", r.ErrorName, err)
	}
}

// A Regie that shares no version with the supervisor is told so.
func TestVersions(t *testing.T) {
	t.Parallel()
	c := config(t)
	open(t, c)
	if err := c.complete(); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("unix", c.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	l := &line{conn: conn.(*net.UnixConn)}
	if err := l.send(wire.Hello{Version: 99, Oldest: 98}); err != nil {
		t.Fatal(err)
	}
	_, payload, err := wire.ReadFrame(conn)
	if err != nil {
		t.Fatal(err)
	}
	var welcome wire.Welcome
	if _, err := wire.DecodeMessage(payload, &welcome); err != nil || welcome.Error == nil || !strings.Contains(welcome.Error.Message, "98 to 99") {
		t.Errorf("got %+v, %v", welcome, err)
	}
}

// socket is where the supervisor of a configuration listens.
func (c Config) socket() string {
	_ = c.complete()
	return c.Socket
}
