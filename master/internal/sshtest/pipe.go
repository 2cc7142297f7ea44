package sshtest

import (
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
)

// Pipe returns the two ends of a connection without a network: a pair of unix sockets, so that deadlines, buffering and
// half-close work as with TCP. Both ends are closed at the end of the test.
func Pipe(t testing.TB) (client, server net.Conn) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(fmt.Errorf("sshtest: socketpair: %w", err))
	}
	ends := [2]net.Conn{}
	for i, fd := range fds {
		syscall.CloseOnExec(fd)
		file := os.NewFile(uintptr(fd), "pipe")
		ends[i], err = net.FileConn(file)
		file.Close()
		if err != nil {
			t.Fatal(fmt.Errorf("sshtest: socketpair: %w", err))
		}
		t.Cleanup(func() { ends[i].Close() })
	}
	return ends[0], ends[1]
}
