// Package kill knows how to show that a killed server loses and doubles nothing:
// it runs a real server under load, kills it again and again, and then compares
// three books that must agree.
//
// The client's book has every request that was sent and every run that was
// acknowledged, synced before the next. The world's book has a line for each
// beginning and end of a task, which tasks append themselves, and a table that
// SQL steps write to exactly once. The third is what the server says at last:
// runs, their events and the audit log.
//
//	report, err := kill.Run(ctx, kill.Config{Binary: "bin/regie", Dir: dir, Kills: 30, Runs: 1000, Out: os.Stdout})
package kill
