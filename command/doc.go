// Package command is the command regie, for a binary of your own: all that regie
// does, with work of steps that its server does in its own process.
//
//	func main() {
//		command.Main("1.4.0", command.Worker(worker.Config{Namespace: "pictures"}, func(w *worker.Worker) {
//			worker.Handle(w, "resize", resize)
//		}))
//	}
//
// Build it with CGO_ENABLED=0 and use it as regie: `yours server --data DIR`
// takes work as soon as it listens. The task types are applied as for any other
// worker (package worker), which may help: whoever asks first gets the work. Where
// the work crashes, or takes all memory, the server does too, and the steps go on
// when it is started again; a worker that is a program of its own stays apart.
// `yours run` has no server, and so no workers.
package command
