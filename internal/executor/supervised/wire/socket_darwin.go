package wire

import (
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// Address is a path of a socket as it can be listened on and dialled.
func Address(path string) (address string, closeIt func(), err error) {
	return path, func() {}, nil
}

// PeerUID is the user of the process at the other end, as the kernel knows it.
func PeerUID(c *net.UnixConn) (int, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, fmt.Errorf("ask who is at the other end: %w", err)
	}
	var peer *unix.Xucred
	var askErr error
	if err := raw.Control(func(fd uintptr) { peer, askErr = unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED) }); err != nil {
		return -1, fmt.Errorf("ask who is at the other end: %w", err)
	}
	if askErr != nil {
		return -1, fmt.Errorf("ask who is at the other end: %w", askErr)
	}
	return int(peer.Uid), nil
}
