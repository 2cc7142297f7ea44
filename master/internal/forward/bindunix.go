//go:build unix

package forward

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// unixBacklog is how many connections may wait to be accepted.
const unixBacklog = 128

// listenUnix listens on a unix socket with a mode of its own. The process has
// one umask for all of its goroutines, so the mode is set afterwards: until the
// socket listens, nobody can connect to it. The file stays when the listener is
// closed, as OpenSSH leaves it.
func (r *Registry) listenUnix(path string) (net.Listener, error) {
	address, release, err := unixAddress(r.cfg.Dir, path)
	if err != nil {
		return nil, err
	}
	defer release()
	if r.cfg.StreamLocalBindUnlink {
		if err := unix.Unlink(address); err != nil && !errors.Is(err, unix.ENOENT) {
			r.log.Warn("cannot remove what is in the way of a socket", "path", clean(path), "error", err)
		}
	}
	fd, err := newUnixSocket()
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	file := os.NewFile(uintptr(fd), "forwarded socket")
	defer file.Close()
	if err := bindWithMode(fd, address, 0o777&^r.cfg.StreamLocalBindMask); err != nil {
		return nil, fmt.Errorf("%q: %w", path, err)
	}
	l, err := net.FileListener(file)
	if err != nil {
		unix.Unlink(address)
		return nil, err
	}
	return l, nil
}

// bindWithMode binds fd, gives its file the mode and lets it listen. On an error
// nothing stays behind that was not there before.
func bindWithMode(fd int, address string, mode uint32) error {
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: address}); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	if err := unix.Chmod(address, mode); err != nil {
		unix.Unlink(address)
		return fmt.Errorf("chmod: %w", err)
	}
	if err := unix.Listen(fd, unixBacklog); err != nil {
		unix.Unlink(address)
		return fmt.Errorf("listen: %w", err)
	}
	return nil
}
