//go:build !linux

package netchange

import "time"

// sinceBoot has no clock of its own here: a suspend shows in the wall clock.
func sinceBoot(running time.Duration) time.Duration { return running }
