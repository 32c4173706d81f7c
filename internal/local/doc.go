// Package local knows how to run workflows in one process without a server: it
// wires store, runtime, dispatcher, worker, executors and connectors together,
// and takes them down again in order.
//
//	regie, err := local.Open(ctx, local.Config{Dir: dir})
//	defer regie.Close()
//	run, err := regie.Submit(ctx, local.Request{Program: program})
//	result, err := regie.Wait(ctx, run)
package local
