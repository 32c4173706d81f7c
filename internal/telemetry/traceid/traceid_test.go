package traceid_test

import (
	"encoding/hex"
	"testing"

	"github.com/regie-dev/regie/internal/telemetry/traceid"
)

// TestIDs: the IDs are what sha256sum says of the texts in the package's
// documentation, so that they never change.
func TestIDs(t *testing.T) {
	t.Parallel()
	trace := traceid.Of("01JXYZ")
	run, step, attempt := traceid.Run("01JXYZ", 1), traceid.Step("01JXYZ", 3, 2), traceid.Attempt("01JXYZ", 3, 4)
	for _, c := range []struct {
		what, got, want string
	}{
		{"trace", hex.EncodeToString(trace[:]), "e82a98fb40e48b4d7aaa1223903ea895"},
		{"run", hex.EncodeToString(run[:]), "03ab85fcf8344c24"},
		{"step", hex.EncodeToString(step[:]), "433ad09851a5a99e"},
		{"attempt", hex.EncodeToString(attempt[:]), "7fd134eb122fd390"},
		{"parent", traceid.Parent("01JXYZ", 3, 4), "00-e82a98fb40e48b4d7aaa1223903ea895-7fd134eb122fd390-01"},
	} {
		if c.got != c.want {
			t.Errorf("%s is %s, want %s", c.what, c.got, c.want)
		}
	}
}
