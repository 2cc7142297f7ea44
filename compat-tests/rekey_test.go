package compat

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestServerRekeys: a server that wants new keys every 4 MB, while four sessions echo as fast as they can: no hang, no
// wrong byte. Twenty seconds; five minutes where COMPAT_LONG is set.
func TestServerRekeys(t *testing.T) {
	const limit = 4 << 20
	duration := 20 * time.Second
	if long() {
		duration = 5 * time.Minute
	}
	setup := Setup{Plain: true, Server: []string{"RekeyLimit 4M", "LogVerbose *:ssh_set_newkeys():*"}}
	forEachMaster(t, setup, func(t *testing.T, m *Master) {
		stop := make(chan struct{})
		time.AfterFunc(duration, func() { close(stop) }) // this long, and not until something happens
		total := 0
		for _, e := range startEchoes(t, m, 4, (*echo).stream, stop) {
			e.ended(t)
			total += e.moved
		}
		// Two lines, one for each direction, at the login and at each rekey.
		rekeys := strings.Count(read(t, m.Server.LogFile()), "ssh_set_newkeys")/2 - 1
		t.Logf("%d MB each way, %d rekeys", total>>20, rekeys)
		require.GreaterOrEqual(t, rekeys, total/limit/2, "the server did not ask for new keys as often as it should")
		require.Positive(t, rekeys)
		require.Equal(t, Result{Stdout: "served\n"}, m.Session(t, "echo served"))
	})
}
