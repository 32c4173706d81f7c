package client_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/regie-dev/regie/client"
	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
)

// Start a run and watch it to its end.
func Example() {
	server := (&fake{}).serve(nil)
	defer server.Close()
	ctx := context.Background()

	c, err := client.New(client.Config{Server: server.URL, Token: "secret"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	started, err := c.Runs.StartRun(ctx, &regiev1.StartRunRequest{
		Namespace: "default", Workflow: "nightly", Input: &regiev1.Json{Text: `{"day": "2026-01-31"}`},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	watch := &regiev1.WatchRunRequest{Namespace: "default", Run: started.GetRun().GetId()}
	for answer, err := range c.WatchRun(ctx, watch) {
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, event := range answer.GetEvents() {
			fmt.Println(started.GetRun().GetWorkflow(), "event", event.GetNumber())
		}
	}
	// Output:
	// nightly event 1
	// nightly event 2
	// nightly event 3
	// nightly event 4
	// nightly event 5
}

// An error says what happened, what to do about it, and what exactly is wrong.
func ExampleError() {
	server := (&fake{}).serve(nil)
	defer server.Close()

	c, err := client.New(client.Config{Server: server.URL})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	_, err = c.Runs.StartRun(context.Background(), &regiev1.StartRunRequest{Namespace: "default", Workflow: "wrong"})
	var e *client.Error
	if errors.As(err, &e) {
		fmt.Println(e.Code)
		fmt.Println(e)
		for _, v := range e.Violations {
			fmt.Println(v.GetField(), v.GetMessage())
		}
	}
	// Output:
	// input_invalid
	// the input is wrong; look at its inputs
	// input.a missing
}
