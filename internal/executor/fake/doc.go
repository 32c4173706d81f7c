// Package fake knows an executor that runs nothing: what a task prints and how
// it ends is written down beforehand, also that it misbehaves. It is for tests
// of what uses executors.
//
// It imports executor only.
//
//	x := fake.New(fake.Config{Steps: map[string][]fake.Outcome{
//		"fetch": {{Result: executor.Result{ErrorName: "exit.75", ExitCode: 75}}, {Delay: time.Second}},
//	}})
//	h, err := x.Start(ctx, executor.Task{Step: "fetch", Attempt: 1})
//	r, err := x.Wait(ctx, h) // exit.75
package fake
