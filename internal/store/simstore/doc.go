// Package simstore knows how to be a store in memory for the deterministic
// simulator: the same answers as a real one, and failures on request.
//
// A [Disk] is what survives a crash; a [Store] is one process's hold on it. A
// [Plan] says how each commit goes: it is handed in, for the package has no
// clock and no randomness, and the same calls with the same plan give the same
// bytes. With [Store.Begin] the driver decides when a commit completes, or that
// the process dies before it does.
//
//	disk := simstore.NewDisk()
//	s, err := simstore.Open(disk, simstore.Script(map[int]simstore.Fault{3: {Kind: simstore.UnknownWritten}}))
//	lease, err := s.Acquire(ctx, "server 1")
//	pending := s.Begin(batch)
//	err = pending.Complete() // what Commit would have returned
//	disk.Crash()             // every Store is dead, what was committed stays
//
// It imports the contract only.
package simstore
