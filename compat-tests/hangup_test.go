package compat

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// At the end of a terminal the system and the shell both send HUP: no further one keeps a master from leaving in good
// order.
func TestHangups(t *testing.T) {
	forEachMaster(t, Setup{NotStarted: true, KeepOpen: true}, func(t *testing.T, m *Master) {
		for range 5 {
			m.Start(t)
			for deadline := soon(); m.Running() && exists(m.Control) && time.Now().Before(deadline); {
				_ = m.process.cmd.Process.Signal(syscall.SIGHUP) // it may be gone by now
			}
			require.Equal(t, 255, m.Wait(t))
			require.False(t, exists(m.Control), "the socket is still there")
		}
	})
}
