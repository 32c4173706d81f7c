package api

import (
	"fmt"
	"testing"

	"connectrpc.com/connect"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
)

// TestSignalFailure: only what the run refuses is a failed precondition; what
// helps to send again says so.
func TestSignalFailure(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]connect.Code{
		fmt.Errorf("signal: %w", engine.ErrRefused): connect.CodeFailedPrecondition,
		runtime.ErrNotLive:                          connect.CodeFailedPrecondition,
		runtime.ErrBusy:                             connect.CodeResourceExhausted,
		runtime.ErrStopping:                         connect.CodeUnavailable,
		runtime.ErrUnknown:                          connect.CodeUnavailable,
		fmt.Errorf("disk full"):                     connect.CodeInternal,
	} {
		if got := connect.CodeOf(signalFailure(err)); got != want {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
}
