package session

import "sync/atomic"

// A Traffic counts the bytes of a slave's session: those that the host has sent
// and those that were sent there, or are being sent.
type Traffic struct{ In, Out atomic.Uint64 }

// Load is what was counted so far.
func (t *Traffic) Load() (in, out uint64) { return t.In.Load(), t.Out.Load() }
