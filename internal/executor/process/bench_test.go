package process

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/regie-dev/regie/internal/executor"
)

// The benchmarks start /bin/true as often as they can: bare, as a program that
// captures output must at the least, and as tasks. Run them with
// -cpu 1,2 -benchtime 2s; b.N per second is the rate of process starts.

// inParallel runs f from as many goroutines as there are processors.
func inParallel(b *testing.B, f func() error) {
	b.Helper()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := f(); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkBareStartProcess(b *testing.B) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	inParallel(b, func() error {
		p, err := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{Files: []*os.File{null, null, null}})
		if err != nil {
			return err
		}
		_, err = p.Wait()
		return err
	})
}

func BenchmarkBareExecWithPipes(b *testing.B) {
	inParallel(b, func() error {
		var stdout, stderr bytes.Buffer
		c := exec.Command("/bin/true")
		c.Stdout, c.Stderr = struct{ io.Writer }{&stdout}, struct{ io.Writer }{&stderr}
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		return c.Run()
	})
}

func benchmarkTask(b *testing.B, task executor.Task) {
	x, err := New(Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer x.Close()
	base := b.TempDir()
	var n atomic.Int64
	task.Output = func(executor.Chunk) {}
	inParallel(b, func() error {
		task := task
		task.Dir = filepath.Join(base, strconv.FormatInt(n.Add(1), 10))
		h, err := x.Start(context.Background(), task)
		if err != nil {
			return err
		}
		if _, err := x.Wait(context.Background(), h); err != nil {
			return err
		}
		return x.Release(h)
	})
}

func BenchmarkTaskArgs(b *testing.B) { benchmarkTask(b, executor.Task{Args: []string{"/bin/true"}}) }

func BenchmarkTaskScript(b *testing.B) { benchmarkTask(b, executor.Task{Script: "exit 0"}) }
