package identity_test

import (
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/upstream/identity"
)

// A login leaves neither descriptors nor goroutines behind, whether it
// succeeded or not.
func TestNothingIsLeftOpen(t *testing.T) {
	folder := t.TempDir()
	good := newKey(t, folder, "good")
	socket := startAgent(t)
	sshAdd(t, socket, "-q", good)
	c, _ := newConfig(t)
	c.Agent = socket
	once := func() {
		for _, allowed := range []string{"publickey", "password"} {
			a, err := identity.New(c)
			require.NoError(t, err)
			_, err = a.AuthCallback(t.Context())(&ssh.ClientAuthContext{AllowedMethods: []string{allowed}})
			require.NoError(t, err)
			require.NoError(t, a.Close())
		}
	}
	once()
	descriptors, goroutines := open(t), runtime.NumGoroutine()
	for range 20 {
		once()
	}
	for end := time.Now().Add(patience); (open(t) > descriptors || runtime.NumGoroutine() > goroutines) && time.Now().Before(end); {
		runtime.Gosched() // the agent client's reader ends by itself
	}
	require.LessOrEqual(t, open(t), descriptors)
	require.LessOrEqual(t, runtime.NumGoroutine(), goroutines)
}

func open(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(entries)
}
