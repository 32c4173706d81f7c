package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Sizes of what runs over the API.
const (
	paceRuns  = 200
	paceEvery = 50 * time.Millisecond // 20 a second
	// commitsPerRun is how often a run of one step must reach the disk before
	// its end is known: its acceptance, and its end. callsPerRun is how often the
	// client calls until it knows.
	commitsPerRun = 2
	callsPerRun   = 2
)

// oneStep is a workflow whose only step does nothing and prints nothing; that of
// oneLine writes a line to its log.
const (
	oneStep = "kind: Workflow\nname: one\nsteps:\n  - uses: json.transform\n    with: {input: {}, operations: [{set: {a: 1}}]}\n"
	oneLine = "kind: Workflow\nname: line\nsteps:\n  - uses: log\n    with: {message: done}\n"
)

// serve starts a server on an empty folder, logs in and applies a definition.
func (b *run) serve(ctx context.Context, name, definition string, args ...string) (*server, error) {
	s, err := b.startServer(ctx, filepath.Join(b.cfg.Dir, name), args...)
	if err != nil {
		return nil, err
	}
	if s.client, err = login(ctx, s.url, s.token); err == nil {
		err = s.client.apply(ctx, definition)
	}
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// burstAPI is W2 by single calls, and the same with a line in the log of each run.
func (b *run) burstAPI(ctx context.Context) (err error) {
	s, err := b.serve(ctx, "w2-api", oneStep+"---\n"+oneLine)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	what := fmt.Sprintf("%d one-step runs by single API calls, %d callers", b.size(burstRuns), burstCallers)
	if err := b.burstOf(ctx, s, "one", what); err != nil {
		return err
	}
	now, _ := s.memory()
	b.add("W2", "memory of the server after that burst", now, "MiB", 0)
	return b.burstOf(ctx, s, "line", what+", each with a line of log")
}

func (b *run) burstOf(ctx context.Context, s *server, workflow, what string) error {
	n, used := b.size(burstRuns), s.cpu()
	begin := time.Now()
	took, err := each(ctx, n, func(ctx context.Context, i int) error {
		_, err := s.client.start(ctx, workflow, workflow+runKey(i), false)
		return err
	})
	if err == nil {
		err = s.client.settle(ctx)
	}
	whole := time.Since(begin)
	used = s.cpu() - used
	if err != nil {
		return err
	}
	if ended, err := s.client.count(ctx, "state:succeeded name:"+workflow); err != nil || ended != n {
		return errors.Join(err, fmt.Errorf("%d of %d runs succeeded", ended, n))
	}
	b.add("W2", what, perSecond(n, whole), "runs/s", b.machine.calls)
	if used > 0 {
		b.add("W2", what+", processor time of the server for each", used*1e6/float64(n), "µs", 0)
	}
	b.add("W2", what+", time to be accepted, p50", percentile(took, 0.50), "ms", 0)
	b.add("W2", what+", time to be accepted, p99", percentile(took, 0.99), "ms", 0)
	return nil
}

// pace is W4: runs of one step at a steady pace, each from its request until
// the client knows that it has ended.
func (b *run) pace(ctx context.Context) (err error) {
	if b.cfg.Binary == "" {
		return nil
	}
	s, err := b.serve(ctx, "w4", oneStep)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	n := b.size(paceRuns)
	accepted, done := make([]time.Duration, n), make([]time.Duration, n)
	err = steady(ctx, n, paceEvery, func(ctx context.Context, i int) error {
		begin := time.Now()
		answer, err := s.client.start(ctx, "one", runKey(i), false)
		if err != nil {
			return err
		}
		accepted[i] = time.Since(begin)
		ended, err := s.client.follow(ctx, answer.GetRun().GetId())
		done[i] = ended.Sub(begin)
		return err
	})
	if err != nil {
		return err
	}
	slices.Sort(accepted)
	slices.Sort(done)
	call, commit := b.machine.call.Seconds()*1000, b.machine.commit.Seconds()*1000
	accepting, ending := call+commit, callsPerRun*call+commitsPerRun*commit
	what := fmt.Sprintf("one-step run over the API at %d/s, from its request ", time.Second/paceEvery)
	b.add("W4", what+"until it is accepted, p50", percentile(accepted, 0.50), "ms", accepting)
	b.add("W4", what+"until it is accepted, p99", percentile(accepted, 0.99), "ms", accepting)
	b.add("W4", what+"until its end is known, p50", percentile(done, 0.50), "ms", ending)
	b.add("W4", what+"until its end is known, p99", percentile(done, 0.99), "ms", ending)
	return nil
}

// processesAPI is W5 on a server: its supervisor starts the processes.
func (b *run) processesAPI(ctx context.Context) (err error) {
	n := b.size(processItems)
	s, err := b.serve(ctx, "w5-api", processDefinition(n), "--processes", strconv.Itoa(2*goruntime.NumCPU()))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	begin := time.Now()
	answer, err := s.client.start(ctx, "processes", runKey(0), false)
	if err == nil {
		_, err = s.client.follow(ctx, answer.GetRun().GetId())
	}
	if err != nil {
		return err
	}
	b.add("W5", fmt.Sprintf("%d processes with captured output by a server's supervisor", n), perSecond(n, time.Since(begin)), "/s", b.machine.starts)
	return nil
}

// processDefinition is a workflow that starts processes.
func processDefinition(n int) string {
	return fmt.Sprintf("kind: Workflow\nname: processes\ninputs:\n  items: {type: list, default: [%s]}\n",
		strings.TrimSuffix(strings.Repeat("0,", n), ",")) + "steps:\n  - {foreach: inputs.items, run: [" + trueProgram + "]}\n"
}
