package bench

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/regie-dev/regie/client"
	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
)

// namespace is where everything happens.
const namespace = "default"

// caller speaks to a server as any program does: by the public client.
type caller struct {
	*client.Client

	secret string // of its token
}

// connections keeps one for each caller.
func connections() *http.Transport {
	return &http.Transport{MaxIdleConns: 2 * burstCallers, MaxIdleConnsPerHost: 2 * burstCallers, IdleConnTimeout: time.Minute}
}

// login makes a token of the admin token of the first start.
func login(ctx context.Context, url, adminToken string) (*caller, error) {
	c, err := newCaller(url, "")
	if err != nil {
		return nil, err
	}
	defer c.close()
	answer, err := c.Identities.Login(ctx, &regiev1.LoginRequest{Password: adminToken, TokenName: "bench"})
	if err != nil {
		return nil, fmt.Errorf("log in: %w", err)
	}
	return newCaller(url, answer.GetSecret())
}

func newCaller(url, secret string) (*caller, error) {
	c, err := client.New(client.Config{Server: url, Token: secret, UserAgent: "regie-bench", Transport: connections()})
	if err != nil {
		return nil, fmt.Errorf("call the server: %w", err)
	}
	return &caller{Client: c, secret: secret}, nil
}

func (c *caller) close() {
	if c != nil {
		c.Close()
	}
}

func (c *caller) apply(ctx context.Context, text string) error {
	_, err := c.Workflows.Apply(ctx, &regiev1.ApplyRequest{
		Namespace: namespace, Files: []*regiev1.SourceFile{{Path: "bench.yaml", Content: []byte(text), Definition: true}},
	})
	if err != nil {
		return fmt.Errorf("apply the workflow: %w", err)
	}
	return nil
}

// start starts a run, with a key as a careful client does.
func (c *caller) start(ctx context.Context, workflow, key string, held bool) (*regiev1.StartRunResponse, error) {
	answer, err := c.Runs.StartRun(ctx, &regiev1.StartRunRequest{Namespace: namespace, Workflow: workflow, IdempotencyKey: key, Held: held})
	if err != nil {
		return nil, fmt.Errorf("start a run: %w", err)
	}
	return answer, nil
}

// follow waits for the end of a run, and returns when that came.
func (c *caller) follow(ctx context.Context, run string) (ended time.Time, err error) {
	for answer, err := range c.WatchRun(ctx, &regiev1.WatchRunRequest{Namespace: namespace, Run: run}) {
		if err != nil {
			return ended, fmt.Errorf("watch run %s: %w", run, err)
		}
		if r := answer.GetRun(); r.GetEndedAt() != nil {
			if r.GetState() != "succeeded" {
				return ended, fmt.Errorf("run %s ended %s", run, r.GetState())
			}
			return time.Now(), nil
		}
	}
	return ended, fmt.Errorf("watch run %s: %w", run, io.ErrUnexpectedEOF)
}

// pollEvery is how often somebody looks whether all runs have ended.
const pollEvery = 5 * time.Millisecond

// settle waits until no run is live.
func (c *caller) settle(ctx context.Context) error {
	looks := time.NewTicker(pollEvery)
	defer looks.Stop()
	for {
		answer, err := c.Runs.ListRuns(ctx, &regiev1.ListRunsRequest{Namespace: namespace, Filter: "state:pending,queued,running,waiting", PageSize: 1})
		if err != nil {
			return fmt.Errorf("list live runs: %w", err)
		}
		if len(answer.GetRuns()) == 0 {
			return nil
		}
		select {
		case <-looks.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// count counts the runs that a filter has.
func (c *caller) count(ctx context.Context, filter string) (n int, err error) {
	request := &regiev1.ListRunsRequest{Namespace: namespace, Filter: filter, PageSize: 1000}
	for {
		answer, err := c.Runs.ListRuns(ctx, request)
		if err != nil {
			return n, fmt.Errorf("list runs: %w", err)
		}
		n += len(answer.GetRuns())
		if request.PageToken = answer.GetNextPageToken(); request.GetPageToken() == "" {
			return n, nil
		}
	}
}

// each calls something n times by burstCallers at once, and returns how long
// each call took, in order of size. The first error ends it.
func each(ctx context.Context, n int, call func(ctx context.Context, i int) error) ([]time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan int)
	go func() {
		defer close(work)
		for i := range n {
			select {
			case work <- i:
			case <-ctx.Done():
				return
			}
		}
	}()
	took := make([]time.Duration, n)
	var group sync.WaitGroup
	for range burstCallers {
		group.Go(func() {
			for i := range work {
				begin := time.Now()
				if err := call(ctx, i); err != nil {
					cancel(err)
					return
				}
				took[i] = time.Since(begin)
			}
		})
	}
	group.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	slices.Sort(took)
	return took, nil
}

// steady calls something n times on a beat, whatever became of the calls before,
// and waits for all. The first error ends it.
func steady(ctx context.Context, n int, every time.Duration, call func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	beat := time.NewTicker(every)
	defer beat.Stop()
	var group sync.WaitGroup
	for i := range n {
		select {
		case <-beat.C:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		group.Go(func() {
			if err := call(ctx, i); err != nil {
				cancel(err)
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}

// percentile of durations in order of size, in milliseconds.
func percentile(sorted []time.Duration, share float64) float64 {
	return sorted[min(len(sorted)-1, int(share*float64(len(sorted))))].Seconds() * 1000
}

func runKey(i int) string { return "run-" + strconv.Itoa(i) }
