package supervisor

import (
	"os"

	"golang.org/x/sys/unix"
)

// datasync makes what was written durable, without the times of the file.
func datasync(f *os.File) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var syncErr error
	if err := conn.Control(func(fd uintptr) { syncErr = unix.Fdatasync(int(fd)) }); err != nil {
		return err
	}
	return syncErr
}
