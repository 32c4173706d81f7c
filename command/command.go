package command

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"

	"github.com/regie-dev/regie/internal/cli"
	"github.com/regie-dev/regie/internal/server"
	"github.com/regie-dev/regie/worker"
)

// exitInternal is the exit code when Regie itself could not go on, as package
// cli has it.
const exitInternal = 3

// Option builds something into the command.
type Option func(*program)

// program is the command with what was built into it.
type program struct {
	workers []builtIn
}

// builtIn is a worker of the server's own process.
type builtIn struct {
	cfg    worker.Config
	handle func(w *worker.Worker)
}

// Worker has the server do work of steps in its own process. What cfg says of the
// server, the token and the transport is passed over: they are the server's own.
// Where it has no name, the worker has one that stays the same when the program is
// started again, and gets back the work that it had; where it has no grace, work
// ends as soon as calls of connectors do. Handle calls [worker.Handle].
func Worker(cfg worker.Config, handle func(w *worker.Worker)) Option {
	return func(p *program) {
		if cfg.Name == "" {
			cfg.Name = "server-" + strconv.Itoa(len(p.workers)+1)
		}
		if cfg.Grace == 0 {
			cfg.Grace = server.DefaultDrain
		}
		if cfg.Namespace == "" {
			cfg.Namespace = "default"
		}
		p.workers = append(p.workers, builtIn{cfg: cfg, handle: handle})
	}
}

// Main is the program: it does what the arguments of the process say, and ends it.
// Version is what `regie version` prints.
func Main(version string, options ...Option) {
	p := &program{}
	for _, o := range options {
		o(p)
	}
	out := &output{file: os.Stdout}
	w := world(version, out)
	if len(p.workers) > 0 {
		w.Inside = p.work
	}
	code := cli.Main(context.Background(), w)
	if err := out.failure(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "error: write standard output:", err)
		code = exitInternal
	}
	os.Exit(code)
}

// work runs the workers until ctx ends, or one of them cannot go on.
func (p *program) work(ctx context.Context, reach *server.Inside) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var all sync.WaitGroup
	for i := range p.workers {
		w, err := p.workers[i].open(reach)
		if err != nil {
			stop(err)
			break
		}
		all.Go(func() {
			if err := w.Run(ctx); err != nil {
				stop(err)
			}
		})
	}
	all.Wait()
	return context.Cause(ctx) //nolint:wrapcheck // it is ours
}

func (b *builtIn) open(reach *server.Inside) (*worker.Worker, error) {
	cfg := b.cfg
	var err error
	if cfg.Server, cfg.Token, cfg.Transport, err = reach.Worker("worker", cfg.Namespace); err != nil {
		return nil, fmt.Errorf("build in worker %s: %w", cfg.Name, err)
	}
	cfg.TLS, cfg.Insecure = nil, false
	w, err := worker.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("build in worker %s: %w", cfg.Name, err)
	}
	b.handle(w)
	return w, nil
}
