package control

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// counted counts how often it was closed.
type counted struct{ n atomic.Int32 }

func (c *counted) Close() error {
	c.n.Add(1)
	return nil
}

// Each is closed once: after a moment, when there are many, and when it is asked for.
func TestEndedConnectionsAreClosed(t *testing.T) {
	alone := new(counted)
	closeSoon(alone)
	require.Eventually(t, func() bool { return alone.n.Load() == 1 }, 20*time.Second, time.Millisecond)

	many := make([]counted, mostEnded+1)
	for i := range many {
		closeSoon(&many[i])
	}
	closeNow()
	for i := range many {
		require.EqualValues(t, 1, many[i].n.Load(), i)
	}
	require.EqualValues(t, 1, alone.n.Load())
}
