//go:build !linux || 386 || s390x || race

package muxproto

// quick is off under the race detector, too: it learns from package net what
// happens before what at the two ends of a socket.
const quick = false

func (t *transfer) read(uintptr) bool  { return true }
func (t *transfer) write(uintptr) bool { return true }
