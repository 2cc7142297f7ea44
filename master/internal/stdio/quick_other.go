//go:build !linux

package stdio

import "golang.org/x/sys/unix"

// look asks what fd is.
func look(fd int) (status, error) { return lookSlowly(fd) }

// isLocal says no: there are no quick calls here.
func isLocal(int) bool { return false }

func recvQuick(fd int, p []byte) (int, error) { return recvNowait(fd, p) }

func sendQuick(fd int, p []byte) (int, error) { return sendNowait(fd, p) }

func closeQuick(fd int) { unix.Close(fd) }
