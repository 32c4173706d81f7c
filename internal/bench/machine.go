package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"sync"
	"time"
)

// What is measured of the machine itself.
const (
	syncs       = 500
	syncBytes   = 300
	bareStarts  = 500
	trueProgram = "/bin/true"
)

// machine is what the disk and the kernel can do.
type machine struct {
	sync   time.Duration // median of one append and fdatasync
	starts float64       // processes started and waited for, with pipes, a second
}

func (b *run) limits(ctx context.Context) error {
	all, err := syncTimes(filepath.Join(b.cfg.Dir, "sync"))
	if err != nil {
		return err
	}
	b.machine.sync = median(all)
	b.add("machine", "append of 300 bytes and fdatasync, median", b.machine.sync.Seconds()*1e6, "µs", 0)
	took, err := bareProcesses(ctx, b.size(bareStarts))
	if err != nil {
		return err
	}
	b.machine.starts = perSecond(b.size(bareStarts), took)
	b.add("machine", "bare starts of /bin/true with pipes", b.machine.starts, "/s", 0)
	return nil
}

// syncTimes appends and syncs, as a log would.
func syncTimes(path string) (all []time.Duration, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("measure the disk: %w", err)
	}
	defer func() {
		if closed := f.Close(); err == nil && closed != nil {
			err = closed
		}
	}()
	data := bytes.Repeat([]byte{'x'}, syncBytes)
	for range syncs {
		begin := time.Now()
		if _, err := f.Write(data); err != nil {
			return nil, fmt.Errorf("measure the disk: %w", err)
		}
		if err := datasync(f); err != nil {
			return nil, fmt.Errorf("measure the disk: %w", err)
		}
		all = append(all, time.Since(begin))
	}
	return all, nil
}

// bareProcesses starts processes with captured output, as many at once as there
// are processors.
func bareProcesses(ctx context.Context, n int) (time.Duration, error) {
	begin := time.Now()
	var group sync.WaitGroup
	work := make(chan struct{}, n)
	for range n {
		work <- struct{}{}
	}
	close(work)
	failures := make(chan error, goruntime.NumCPU())
	for range goruntime.NumCPU() {
		group.Go(func() {
			for range work {
				var out, fault bytes.Buffer
				cmd := exec.CommandContext(ctx, trueProgram)
				cmd.Stdout, cmd.Stderr = &out, &fault
				if err := cmd.Run(); err != nil {
					failures <- fmt.Errorf("start %s: %w", trueProgram, err)
					return
				}
			}
		})
	}
	group.Wait()
	close(failures)
	return time.Since(begin), <-failures
}
