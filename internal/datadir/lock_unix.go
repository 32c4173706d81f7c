//go:build unix

package datadir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxOwner is how much of a lock file is read, in bytes.
const maxOwner = 64 << 10

// acquire locks the folder and writes down who has it.
func acquire(root *os.Root, path string, owner Owner) (*os.File, error) {
	f, err := root.OpenFile(lockName, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, fmt.Errorf("lock data folder %s: %w", path, err)
	}
	if err := flock(f); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = &HeldError{Path: path, Owner: readOwner(f)}
		} else {
			err = fmt.Errorf("lock data folder %s: %w", path, err)
		}
		return nil, errors.Join(err, f.Close())
	}
	text, err := json.Marshal(owner)
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt(append(text, '\n'), 0)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock data folder %s: %w", path, err), f.Close())
	}
	return f, nil
}

// flock takes the lock of an open file, or fails with EWOULDBLOCK. It goes with
// the file, however the process ends; programs that it starts do not inherit it.
func flock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// unlock gives the lock back. Closing the file alone would not, as long as a
// child that is being started has a copy of it.
func unlock(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_UN) }

// readOwner reads who has the lock; the zero Owner if that is not there yet.
func readOwner(f *os.File) (owner Owner) {
	text, err := io.ReadAll(io.LimitReader(f, maxOwner))
	if err != nil || json.Unmarshal(text, &owner) != nil {
		return Owner{}
	}
	return owner
}

// Holder returns who has the folder now, as far as can be told without taking
// the lock: whoever wrote so and still lives, on this machine.
func (d *Dir) Holder() (Owner, bool) {
	f, err := d.root.Open(lockName)
	if err != nil {
		return Owner{}, false
	}
	defer f.Close()
	owner := readOwner(f)
	return owner, owner.PID > 0 && !errors.Is(unix.Kill(owner.PID, 0), unix.ESRCH)
}

// checkFolder refuses a folder in which others can put what they like.
func checkFolder(root *os.Root, path string) error {
	info, err := root.Stat(".")
	if err != nil {
		return fmt.Errorf("open data folder: %w", err)
	}
	if mode := info.Mode(); mode.Perm()&0o002 != 0 {
		return fmt.Errorf("%w: everybody may write to %s (mode %v); run: chmod o-w %[2]s", ErrUnsafe, path, mode.Perm())
	}
	if uid := ownerOf(info); uid != os.Geteuid() && uid != 0 {
		return fmt.Errorf("%w: %s belongs to user %d, but this is user %d", ErrUnsafe, path, uid, os.Geteuid())
	}
	return nil
}

// checkSecret refuses a file or folder that others may look into.
func checkSecret(info fs.FileInfo, path string) error {
	if mode := info.Mode(); mode.Perm()&0o077 != 0 {
		return fmt.Errorf("%w: others may read %s (mode %v); run: chmod go= %[2]s", ErrUnsafe, path, mode.Perm())
	}
	if uid := ownerOf(info); uid != os.Geteuid() && uid != 0 {
		return fmt.Errorf("%w: %s belongs to user %d, but this is user %d", ErrUnsafe, path, uid, os.Geteuid())
	}
	return nil
}

// ownerOf is the user that a file belongs to.
func ownerOf(info fs.FileInfo) int {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return -1
	}
	return int(stat.Uid)
}
