package compat

import (
	"slices"
	"testing"
)

// A stage is a test whose cleanups can be had before the test ends. What was made on it is gone then.
type stage struct {
	testing.TB
	cleanups []func()
}

// Cleanup has f called at the end of the stage.
func (s *stage) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

// end clears away what was made, the last first.
func (s *stage) end() {
	for _, f := range slices.Backward(s.cleanups) {
		f()
	}
}
