package runtime

import "errors"

// Errors that callers get.
var (
	// ErrConflict: the idempotency key names a run that was asked for with
	// another body.
	ErrConflict = errors.New("idempotency key was used with another request")
	// ErrUnknown: nobody can say whether the request took effect. Send it again
	// with the same idempotency key.
	ErrUnknown = errors.New("outcome is unknown; try again with the same idempotency key")
	// ErrBusy: too much waits to be decided. Try again later.
	ErrBusy = errors.New("too many requests wait; try again later")
	// ErrStopping: this process takes no more requests.
	ErrStopping = errors.New("stopping, or no longer in charge")
	// ErrNotLive: there is no such run, or it has ended.
	ErrNotLive = errors.New("run does not exist or has ended")
	// ErrQuarantined: the run was set aside because deciding it failed; the
	// error wraps the reason.
	ErrQuarantined = errors.New("run is quarantined")
	// ErrLive: the run has not ended, or goes on again.
	ErrLive = errors.New("run has not ended")
	// ErrErased: the data of the run was erased, and it cannot go on.
	ErrErased = errors.New("data of the run was erased")
	// ErrRunExists: a run with this ID exists.
	ErrRunExists = errors.New("run exists")
)

// errUntrusted is the reason of a halt after which the reactor should be made
// anew from the store.
var errUntrusted = errors.New("store and memory contradict each other")
