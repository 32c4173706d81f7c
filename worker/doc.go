// Package worker does work of steps in a program of your own.
//
// A task type says what the work takes and gives; it is applied to the server like
// a workflow, whose steps name it in uses:
//
//	kind: TaskType
//	name: resize
//	input: {width: {type: integer, required: true}}
//	output: {bytes: {type: integer, required: true}}
//	heartbeat: 30s
//
// The program handles it, and asks the server for work until it is told to end:
//
//	w, err := worker.New(worker.Config{Server: "https://regie.example.com:7373", Token: token, Namespace: "default"})
//	worker.Handle(w, "resize", func(ctx context.Context, in Input) (Output, error) { ... })
//	err = w.Run(ctx)
//
// Inputs and outputs are JSON of Go types. The server checks both against the task
// type; an output that is not what the type gives fails the work with the error
// output_invalid. The token needs the role worker in the namespace.
//
// While work goes on the worker sends its heartbeats. The context of the work ends
// when the server says that nobody wants it any more: the run was canceled, or the
// work timed out. An error fails the work under the name of an [Error], else
// "failed"; a panic under "panic". What [Checkpoint] left the next attempt finds by
// [LastCheckpoint]; [IdempotencyKey] is the same for all attempts.
//
// A worker that was killed gets its work again when it is started with the same
// name. Run it where you like, also in a process that does other things: it
// needs nothing but the address of the server, which may be a socket.
package worker
