// Package home knows what a data folder holds for the process that has it, a
// server or `regie run`: the store, which run is in hand, and the logs of
// attempts.
//
// It wires package datadir to the store that it is for, and knows nothing of
// what runs.
//
//	f, err := home.Open(ctx, "/var/lib/regie", home.Owner("regie server", time.Now()))
//	defer f.Close()
package home
