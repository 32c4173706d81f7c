//go:build unix

package object_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/regie-dev/regie/internal/connector/object"
)

// A pipe is no object: opening it would wait for somebody who writes.
func TestPipe(t *testing.T) {
	t.Parallel()
	top, b := world(t)
	must(t, syscall.Mkfifo(filepath.Join(top, "stores", "lake", "b", "pipe"), 0o600))
	_, err := b.call(t, "object.get", `{"key": "pipe"}`)
	wantError(t, err, object.NotFound, "no such object")
}
