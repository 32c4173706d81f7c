package simstore

import (
	"errors"

	"github.com/regie-dev/regie/internal/store"
)

// Errors of faults that certainly wrote nothing.
var (
	// ErrDiskFull is what a commit fails with while the disk is full.
	ErrDiskFull = errors.New("disk is full")
	// ErrIO is what a commit or reading fails with that the plan lets fail.
	ErrIO = errors.New("input/output error")
)

// Kind is a way in which a commit can go.
type Kind uint8

const (
	// None: it succeeds, or fails by its own fault.
	None Kind = iota
	// Fail: nothing is written; the error is [ErrIO].
	Fail
	// DiskFull: nothing is written; the error is [ErrDiskFull].
	DiskFull
	// UnknownWritten: it is written, but the error is store.ErrUnknown.
	UnknownWritten
	// UnknownLost: nothing is written, but the error is store.ErrUnknown.
	UnknownLost
	// LeaseLost: another process takes the lease just before; nothing is
	// written and the error is store.ErrLeaseLost, now and later.
	LeaseLost
)

// Fault says how one commit goes.
type Fault struct {
	Kind Kind
	// Commits is how many commits in a row go this way, this one included,
	// whatever the plan says of the others; 0 means 1.
	Commits int
	// Reads is how many readings of the last sequence fail after it.
	Reads int
}

// Plan says how a commit goes: attempt counts the commits of the store, from 1.
// A nil Plan lets all succeed.
type Plan func(attempt int, b *store.Batch) Fault

// Script is a plan that lets the named attempts fail.
func Script(faults map[int]Fault) Plan {
	return func(attempt int, _ *store.Batch) Fault { return faults[attempt] }
}
