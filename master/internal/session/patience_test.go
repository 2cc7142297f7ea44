package session_test

import "time"

// How long a test waits for what must come, and how often it looks.
const (
	patience = 10 * time.Second
	tick     = 2 * time.Millisecond
)
