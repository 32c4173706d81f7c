package wire

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// maxAddress is the longest path that an address of a socket can hold.
const maxAddress = 107

// Address is a path of a socket as it can be listened on and dialled. The
// result is valid until close is called. A path that is too long for an address
// is written by way of its folder's descriptor.
func Address(path string) (address string, closeIt func(), err error) {
	if len(path) <= maxAddress {
		return path, func() {}, nil
	}
	folder, err := os.OpenFile(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return "", nil, err
	}
	address = "/proc/self/fd/" + strconv.Itoa(int(folder.Fd())) + "/" + filepath.Base(path)
	return address, func() { _ = folder.Close() }, nil
}

// PeerUID is the user of the process at the other end, as the kernel knows it.
func PeerUID(c *net.UnixConn) (int, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, fmt.Errorf("ask who is at the other end: %w", err)
	}
	var peer *unix.Ucred
	var askErr error
	if err := raw.Control(func(fd uintptr) { peer, askErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
		return -1, fmt.Errorf("ask who is at the other end: %w", err)
	}
	if askErr != nil {
		return -1, fmt.Errorf("ask who is at the other end: %w", askErr)
	}
	return int(peer.Uid), nil
}
