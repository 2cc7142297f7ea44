//go:build !linux || 386 || s390x || race

package muxproto

import "syscall"

// quick is off under the race detector, too: it learns from package net what
// happens before what at the two ends of a socket.
const quick = false

func (t *transfer) read(uintptr) bool  { return true }
func (t *transfer) write(uintptr) bool { return true }

// shutdown is shutdown(2), for both directions.
func shutdown(fd uintptr) { _ = syscall.Shutdown(int(fd), syscall.SHUT_RDWR) }
