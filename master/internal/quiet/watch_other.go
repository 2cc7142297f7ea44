//go:build !linux

package quiet

// Tell tells nothing.
func Tell(func()) {}

// Hold has nothing to keep ready.
func Hold() (release func()) { return func() {} }

// A Watch is one wait.
type Watch struct{}

// New returns nil: on this system a goroutine waits for each.
func New(int, func()) *Watch { return nil }

// Cancel has nothing to end.
func (*Watch) Cancel() bool { return false }
