package datadir

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A folder that was given back is free at once, also while a child that another
// goroutine is starting has a copy of its lock, as it has until it is a program
// of its own.
func TestClosedWhileAChildStarts(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data")
	d, err := Open(path, Owner{PID: 1})
	if err != nil {
		t.Fatal(err)
	}
	child, err := unix.Dup(int(d.lock.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(child)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(path, Owner{PID: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
