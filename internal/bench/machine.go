package bench

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"sync"
	"time"

	_ "github.com/ncruces/go-sqlite3/driver" // the driver is called sqlite3
)

// What is measured of the machine itself.
const (
	syncs       = 500
	syncBytes   = 300
	bareStarts  = 500
	bareCommits = 300
	bareCalls   = 20_000
	pacedCalls  = 40
	callBytes   = 300
	trueProgram = "/bin/true"
)

// machine is what the disk and the kernel can do.
type machine struct {
	sync   time.Duration // median of one append and fdatasync
	starts float64       // processes started and waited for, with pipes, a second
	commit time.Duration // median of one SQLite transaction of one row
	calls  float64       // HTTP calls a second to a handler that does nothing
	call   time.Duration // median of one such call at the pace of W4, when all sleeps between
}

func (b *run) limits(ctx context.Context) error {
	all, err := syncTimes(filepath.Join(b.cfg.Dir, "sync"))
	if err != nil {
		return err
	}
	b.machine.sync = median(all)
	b.add("machine", "append of 300 bytes and fdatasync, median", b.machine.sync.Seconds()*1e6, "µs", 0)
	for _, rows := range []int{1, 128} {
		all, err := commitTimes(ctx, filepath.Join(b.cfg.Dir, "commits-"+strconv.Itoa(rows)), rows)
		if err != nil {
			return err
		}
		if rows == 1 {
			b.machine.commit = median(all)
		}
		b.add("machine", fmt.Sprintf("SQLite transaction of %d rows of %d bytes, synced, median", rows, syncBytes), median(all).Seconds()*1e6, "µs", 0)
	}
	if err := b.bareHTTP(ctx); err != nil {
		return err
	}
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

// commitTimes writes rows in transactions of so many, as the store has them
// written: WAL, synced at each commit.
func commitTimes(ctx context.Context, path string, rows int) (all []time.Duration, err error) {
	db, err := sql.Open("sqlite3", "file:"+path+"?_pragma=journal_mode(wal)&_pragma=synchronous(full)")
	if err != nil {
		return nil, fmt.Errorf("measure transactions: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, `CREATE TABLE bench (data BLOB NOT NULL)`); err != nil {
		return nil, fmt.Errorf("measure transactions: %w", err)
	}
	data := bytes.Repeat([]byte{'x'}, syncBytes)
	for range bareCommits {
		begin := time.Now()
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return nil, fmt.Errorf("measure transactions: %w", err)
		}
		for range rows {
			if _, err := tx.ExecContext(ctx, `INSERT INTO bench VALUES (?)`, data); err != nil {
				return nil, errors.Join(fmt.Errorf("measure transactions: %w", err), tx.Rollback())
			}
		}
		if err := tx.Commit(); err != nil {
			return nil, fmt.Errorf("measure transactions: %w", err)
		}
		all = append(all, time.Since(begin))
	}
	return all, nil
}

// bareHTTP calls a handler in this process that reads a request and answers with
// as much: as fast as it can, and at the pace of W4.
func (b *run) bareHTTP(ctx context.Context) error {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	}))
	defer server.Close()
	transport := connections()
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	data := bytes.Repeat([]byte{'x'}, callBytes)
	call := func(ctx context.Context, _ int) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, bytes.NewReader(data))
		if err != nil {
			return err
		}
		answer, err := client.Do(request)
		if err != nil {
			return fmt.Errorf("call a handler that does nothing: %w", err)
		}
		defer answer.Body.Close()
		_, err = io.Copy(io.Discard, answer.Body)
		return err
	}
	n, begin := b.size(bareCalls), time.Now()
	if _, err := each(ctx, n, call); err != nil {
		return err
	}
	b.machine.calls = perSecond(n, time.Since(begin))
	b.add("machine", fmt.Sprintf("HTTP calls to a handler that does nothing, %d callers", burstCallers), b.machine.calls, "/s", 0)
	took := make([]time.Duration, b.size(pacedCalls))
	err := steady(ctx, len(took), paceEvery, func(ctx context.Context, i int) error {
		begin := time.Now()
		err := call(ctx, i)
		took[i] = time.Since(begin)
		return err
	})
	if err != nil {
		return err
	}
	b.machine.call = median(took)
	b.add("machine", fmt.Sprintf("HTTP call to a handler that does nothing at %d/s, median", time.Second/paceEvery), b.machine.call.Seconds()*1e6, "µs", 0)
	return nil
}
