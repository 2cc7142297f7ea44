package upstream

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Packets are gathered while several channels send, and not for one alone.
func TestSeveralSenders(t *testing.T) {
	const one, another = 1, 2
	now := time.Now()
	var s senders
	require.False(t, s.several(one, now), "the first of a link")
	require.False(t, s.several(one, now.Add(together/2)))
	now = now.Add(time.Second)
	require.False(t, s.several(another, now), "the one has long stopped")
	now = now.Add(together / 2)
	require.True(t, s.several(one, now))
	require.True(t, s.several(one, now.Add(together/2)))
	require.False(t, s.several(one, now.Add(together)), "the other has not sent for so long")
	require.True(t, s.several(another, now.Add(together)))
}
