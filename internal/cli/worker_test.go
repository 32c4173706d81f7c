package cli_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/regie-dev/regie/worker"
)

// running is a worker that a script has started.
type running struct {
	stop context.CancelFunc
	done chan error
}

type resizeInput struct {
	Width int    `json:"width"`
	Mode  string `json:"mode"`
}

type resizeOutput struct {
	Bytes any    `json:"bytes"`
	By    string `json:"by"`
}

// resize does the work of the type resize, and shows what it is told to.
func resize(ctx context.Context, in resizeInput) (resizeOutput, error) {
	var before string
	found, err := worker.LastCheckpoint(ctx, &before)
	if err != nil {
		return resizeOutput{}, err
	}
	switch {
	case in.Mode == "wrong":
		return resizeOutput{Bytes: "many"}, nil
	case in.Mode == "busy" && !found:
		if err := worker.Checkpoint(ctx, "half of "+worker.IdempotencyKey(ctx)[:4]); err != nil {
			return resizeOutput{}, err
		}
		return resizeOutput{}, &worker.Error{Name: "Busy", Message: "come again", Details: map[string]int{"width": in.Width}}
	case in.Mode == "panic":
		panic("no such picture")
	case in.Mode == "hang":
		<-ctx.Done()
		return resizeOutput{}, context.Cause(ctx)
	}
	return resizeOutput{Bytes: in.Width * 3, By: fmt.Sprint(worker.Attempt(ctx), before[:min(len(before), 4)])}, nil
}

// work is the command of scripts: `worker start FILE [VERSION]`, with the token in
// FILE, or `worker stop`, which fails if the worker did.
func work(ts *testscript.TestScript, neg bool, args []string) {
	s := ts.Value(stageKey{}).(*stage)
	if args[0] == "start" {
		w, err := worker.New(worker.Config{Log: slog.New(slog.DiscardHandler), Server: ts.Getenv("SERVER"), Token: strings.TrimSpace(ts.ReadFile(args[1])), Name: "w1", TaskConcurrency: 2})
		ts.Check(err)
		var options []worker.Option
		if len(args) > 2 {
			options = append(options, worker.Version(args[2]))
		}
		worker.Handle(w, "resize", resize, options...)
		ctx, cancel := context.WithCancel(context.Background())
		s.worker = &running{stop: cancel, done: make(chan error, 1)}
		ts.Defer(cancel)
		go func(r *running) { r.done <- w.Run(ctx) }(s.worker)
		return
	}
	if args[0] == "stop" {
		s.worker.stop()
	}
	err := <-s.worker.done
	if neg != (err != nil) {
		ts.Fatalf("the worker ended with %v", err)
	}
	if err != nil {
		_, _ = fmt.Fprintln(ts.Stderr(), err)
	}
}
