//nolint:testableexamples // it needs a server
package worker_test

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/regie-dev/regie/worker"
)

// Picture and Small are what the task type resize takes and gives.
type (
	Picture struct {
		File  string `json:"file"`
		Width int    `json:"width"`
	}
	Small struct {
		Bytes int `json:"bytes"`
	}
)

// A worker that does work of the type resize until it is interrupted.
func Example() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	w, err := worker.New(worker.Config{
		Server: "https://regie.example.com:7373", Token: os.Getenv("REGIE_TOKEN"), Namespace: "pictures", TaskConcurrency: 4,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	worker.Handle(w, "resize", func(ctx context.Context, in Picture) (Small, error) {
		if in.Width <= 0 {
			return Small{}, &worker.Error{Name: "Width", Message: "a picture is wider than nothing"}
		}
		var done int // rows that an attempt before has made
		if _, err := worker.LastCheckpoint(ctx, &done); err != nil {
			return Small{}, err
		}
		for ; done < in.Width && ctx.Err() == nil; done += 100 {
			if err := worker.Checkpoint(ctx, done); err != nil {
				return Small{}, err
			}
		}
		return Small{Bytes: done}, ctx.Err()
	})
	if err := w.Run(ctx); err != nil {
		fmt.Println(err)
	}
}
