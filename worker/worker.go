package worker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/regie-dev/regie/client"
)

const (
	// DefaultConcurrency is how much work of a type is done at once.
	DefaultConcurrency = 1
	// DefaultGrace is how long work may go on when the worker ends.
	DefaultGrace = 30 * time.Second
	// DefaultWait is how long one question for work waits at the server.
	DefaultWait = 30 * time.Second
	maxWait     = time.Minute
)

// Config is what a worker is made with.
type Config struct {
	// Server, Token, TLS, Insecure and Transport are those of [client.Config].
	Server    string
	Token     string
	TLS       *tls.Config
	Insecure  bool
	Transport http.RoundTripper
	// Namespace is where it works. Empty: default.
	Namespace string
	// Name is the worker's, as others see it. One that is started again under its
	// name gets the work again that it had, so no two may share one. Empty: the
	// host's.
	Name string
	// TaskConcurrency is how much work of each type is done at once. 0:
	// DefaultConcurrency.
	TaskConcurrency int
	// Grace is how long work may go on once Run is told to end; then its context
	// ends. 0: DefaultGrace.
	Grace time.Duration
	// Wait is how long one question for work waits at the server, at most a minute.
	// 0: DefaultWait.
	Wait time.Duration
	// Log is told what goes wrong. Nil: [slog.Default].
	Log *slog.Logger
}

// Worker does work of the types that it has handlers for.
type Worker struct {
	cfg    Config
	client *client.Client

	mu       sync.Mutex
	handlers []*handler
	ran      bool
}

// New makes a worker. It calls nobody yet; an error is about the configuration.
func New(cfg Config) (*Worker, error) {
	if cfg.Namespace == "" {
		cfg.Namespace = "default"
	}
	if cfg.Name == "" {
		host, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("find a name for the worker: %w", err)
		}
		cfg.Name = host
	}
	if cfg.TaskConcurrency < 0 || cfg.Grace < 0 || cfg.Wait < 0 {
		return nil, errors.New("worker: TaskConcurrency, Grace and Wait are not below 0")
	}
	if cfg.Wait > maxWait {
		return nil, fmt.Errorf("worker: Wait is %s; a question waits at most %s", cfg.Wait, maxWait)
	}
	if cfg.TaskConcurrency == 0 {
		cfg.TaskConcurrency = DefaultConcurrency
	}
	if cfg.Grace == 0 {
		cfg.Grace = DefaultGrace
	}
	if cfg.Wait == 0 {
		cfg.Wait = DefaultWait
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	c, err := client.New(client.Config{
		Server: cfg.Server, Token: cfg.Token, TLS: cfg.TLS, Insecure: cfg.Insecure, Transport: cfg.Transport, UserAgent: "regie-worker",
	})
	if err != nil {
		return nil, fmt.Errorf("worker: %w", err)
	}
	return &Worker{cfg: cfg, client: c}, nil
}

// Run asks for work and does it, until ctx ends. Then it asks for no more, lets
// what goes on end within the grace, and returns nil. It returns an error at once
// when the server refuses the worker as such: its token, its rights, or the
// version of a type that it was made for. It is called once.
func (w *Worker) Run(ctx context.Context) error {
	w.mu.Lock()
	handlers, ran := slices.Clone(w.handlers), w.ran
	w.ran = true
	w.mu.Unlock()
	switch {
	case ran:
		return errors.New("worker: Run was called before")
	case len(handlers) == 0:
		return errors.New("worker: there is no handler; call Handle before Run")
	}
	defer w.client.Close()
	asking, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	working, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	late := context.AfterFunc(asking, func() { time.AfterFunc(w.cfg.Grace, abort) })
	defer late()
	var all sync.WaitGroup
	for _, h := range handlers {
		for range w.cfg.TaskConcurrency {
			all.Go(func() {
				if err := w.work(asking, working, h); err != nil {
					stop(err)
				}
			})
		}
	}
	all.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return context.Cause(asking) //nolint:wrapcheck // it is ours
}
