package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
)

// DefaultSoak is how long the soak takes.
const DefaultSoak = 3 * time.Minute

const (
	// loadRuns is how many runs are started, by as many callers as in W2, while
	// somebody looks.
	loadRuns = 30_000
	// lookEvery is how often each of the looks is made.
	lookEvery = 25 * time.Millisecond
	// soakEvery is the beat of the soak: 200 runs a second.
	soakEvery = 5 * time.Millisecond
	// soakParts is how often the soak looks at the server's memory.
	soakParts = 6
)

// looks are what people do in a console, again and again, until it is told to
// stop; how long each took, by name.
func (s *server) looks(ctx context.Context, run func() string) (stop func() (map[string][]time.Duration, error)) {
	calls := map[string]func(ctx context.Context) error{
		"GetRun": func(ctx context.Context) error {
			_, err := s.client.Runs.GetRun(ctx, &regiev1.GetRunRequest{Namespace: namespace, Run: run(), Steps: true})
			return err
		},
		"ListRuns": func(ctx context.Context) error {
			_, err := s.client.Runs.ListRuns(ctx, &regiev1.ListRunsRequest{Namespace: namespace})
			return err
		},
		"Explain": func(ctx context.Context) error {
			_, err := s.client.Runs.Explain(ctx, &regiev1.ExplainRequest{Namespace: namespace, Run: run()})
			return err
		},
	}
	ending := make(chan struct{})
	var group sync.WaitGroup
	var mu sync.Mutex
	took, failed := map[string][]time.Duration{}, error(nil)
	for name, call := range calls {
		group.Go(func() {
			beat := time.NewTicker(lookEvery)
			defer beat.Stop()
			for {
				select {
				case <-beat.C:
				case <-ending:
					return
				}
				begin := time.Now()
				err := call(ctx)
				mu.Lock()
				if err != nil {
					failed = errors.Join(failed, fmt.Errorf("%s: %w", name, err))
				}
				took[name] = append(took[name], time.Since(begin))
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	return func() (map[string][]time.Duration, error) {
		close(ending)
		group.Wait()
		for _, all := range took {
			slices.Sort(all)
		}
		return took, failed
	}
}

// report adds a figure for each look.
func (b *run) report(workload, when string, took map[string][]time.Duration) {
	for _, name := range []string{"GetRun", "ListRuns", "Explain"} {
		if all := took[name]; len(all) > 0 {
			b.add(workload, name+" "+when+", p50", percentile(all, 0.50), "ms", 0)
			b.add(workload, name+" "+when+", p99", percentile(all, 0.99), "ms", 0)
		}
	}
}

// load measures what somebody who looks waits while the server does all it can.
func (b *run) load(ctx context.Context) (err error) {
	if b.cfg.Binary == "" {
		return nil
	}
	s, err := b.serve(ctx, "load", oneStep)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	var last atomic.Value
	start := func(ctx context.Context, i int) error {
		answer, err := s.client.start(ctx, "one", runKey(i), false)
		last.Store(answer.GetRun().GetId())
		return err
	}
	if err := start(ctx, -1); err != nil {
		return err
	}
	n := b.size(loadRuns)
	begin := time.Now()
	stop := s.looks(ctx, func() string { return last.Load().(string) })
	_, err = each(ctx, n, start)
	rate := perSecond(n, time.Since(begin))
	took, failed := stop()
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	b.add("load", fmt.Sprintf("runs accepted from %d callers meanwhile", burstCallers), rate, "runs/s", 0)
	b.report("load", "under that load", took)
	return s.client.settle(ctx)
}

// soak starts runs at a steady pace for some minutes: the memory of the server
// must not grow with them.
func (b *run) soak(ctx context.Context) (err error) {
	if b.cfg.Binary == "" {
		return nil
	}
	s, err := b.serve(ctx, "soak", oneStep)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	length := b.cfg.Soak
	if length == 0 {
		length = DefaultSoak
	}
	var last atomic.Value
	last.Store("")
	n, done := int(length/soakEvery)/soakParts, 0
	for part := range soakParts {
		stop := func() (map[string][]time.Duration, error) { return nil, nil }
		if part > 0 {
			stop = s.looks(ctx, func() string { return last.Load().(string) })
		}
		begin, offset := time.Now(), part*n
		err := steady(ctx, n, soakEvery, func(ctx context.Context, i int) error {
			answer, err := s.client.start(ctx, "one", runKey(offset+i), false)
			last.Store(answer.GetRun().GetId())
			return err
		})
		took, failed := stop()
		if err := errors.Join(err, failed); err != nil {
			return err
		}
		done += n
		now, _ := s.memory()
		b.add("soak", fmt.Sprintf("memory of the server after %d runs, the last at %.0f/s", done, perSecond(n, time.Since(begin))), now, "MiB", 0)
		if part == soakParts-1 {
			b.report("soak", fmt.Sprintf("at %d runs/s", time.Second/soakEvery), took)
		}
	}
	return s.client.settle(ctx)
}
