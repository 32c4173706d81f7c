//go:build unix

package project

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"
)

func TestOpenDoesNotBlockOnAPipe(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "pipe.yaml")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(pipe); !errors.Is(err, errNotRegular) {
		t.Errorf("pipe: %v", err)
	}
}
