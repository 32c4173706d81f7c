package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
)

// activeRuns is how many runs are active when a server is killed.
const activeRuns = 10_000

// waiting is a workflow that waits for longer than anybody measures.
const waiting = "kind: Workflow\nname: waiting\nsteps:\n  - wait: {for: 1000h}\n"

// restart measures how long a server that was killed takes until it is ready
// again, with active runs of which it must know all: such that wait for a timer,
// and such that somebody holds. What an empty one takes stands beside it.
func (b *run) restart(ctx context.Context) error {
	if b.cfg.Binary == "" {
		return nil
	}
	n := b.size(activeRuns)
	for _, kind := range []struct {
		name string
		held bool
		runs int
	}{{"no", false, 0}, {"waiting", false, n}, {"held", true, n}} {
		if err := b.restartWith(ctx, kind.name, kind.held, kind.runs); err != nil {
			return err
		}
	}
	return nil
}

func (b *run) restartWith(ctx context.Context, name string, held bool, n int) (err error) {
	s, err := b.serve(ctx, "restart-"+name, waiting)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if _, err := each(ctx, n, func(ctx context.Context, i int) error {
		_, err := s.client.start(ctx, "waiting", runKey(i), held)
		return err
	}); err != nil {
		return err
	}
	before, _ := s.memory()
	s.kill()
	secret := s.client.secret
	s.client.close()
	again, err := b.startServer(ctx, filepath.Join(b.cfg.Dir, "restart-"+name))
	if err != nil {
		return err
	}
	s = again
	if s.client, err = newCaller(s.url, secret); err != nil {
		return err
	}
	if live, err := s.client.count(ctx, "state:pending,queued,running,waiting"); err != nil || live != n {
		return errors.Join(err, fmt.Errorf("%d of %d runs are live after the restart", live, n))
	}
	what := fmt.Sprintf("server killed and started again with %d %s runs, ", n, name)
	if n == 0 {
		what = "server killed and started again without runs, "
	}
	now, most := s.memory()
	b.add("restart", what+"until it is ready", s.ready.Seconds(), "s", 0)
	b.add("restart", what+"memory before", before, "MiB", 0)
	b.add("restart", what+"memory after", now, "MiB", 0)
	b.add("restart", what+"most memory since", most, "MiB", 0)
	return nil
}
