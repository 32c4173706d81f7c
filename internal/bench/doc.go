// Package bench measures Regie beside what the machine can do at best: each
// result stands next to the limit that the disk or the kernel sets, measured in
// the same call, so that figures of different machines can be compared.
//
// It runs whole workflows in one process through the same path as `regie run`:
// compiled from YAML, validated, committed with synchronous writes, dispatched
// to a worker, with logs captured.
//
//	results, err := bench.Run(ctx, bench.Config{Dir: dir, Report: print})
package bench
