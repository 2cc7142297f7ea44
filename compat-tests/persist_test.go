package compat

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// persistent starts a master with that ControlPersist in the background.
func persistent(t *testing.T, m *Master, persist string) int {
	t.Helper()
	r, pid := m.Background(t, "-o", "ControlPersist="+persist)
	require.Equal(t, Result{}, r)
	require.NotZero(t, pid)
	m.Server.StopListening()
	return pid
}

// The times below are what is tested, not waits for readiness: a limit of 2 s, held open for longer, and then the end,
// which is polled for.
func TestControlPersist(t *testing.T) {
	t.Parallel()
	behaviours := map[string]func(t *testing.T, m *Master){
		"ends when nobody comes": func(t *testing.T, m *Master) {
			gone(t, persistent(t, m, "2"))
			require.False(t, exists(m.Control), "the socket is still there")
		},
		"a session holds it": func(t *testing.T, m *Master) {
			pid := persistent(t, m, "2")
			require.Equal(t, Result{Stdout: "held\n", Code: 4}, m.Session(t, "sleep 3.5; echo held; exit 4"))
			require.True(t, alive(pid))
			gone(t, pid)
			require.False(t, exists(m.Control), "the socket is still there")
		},
		"a connection, even idle, holds it": func(t *testing.T, m *Master) {
			pid := persistent(t, m, "2")
			s := m.Attach(t)
			require.Equal(t, 0, m.Session(t, "sleep 0.1").Code)
			holds(t, pid, 3500*time.Millisecond)
			require.NoError(t, s.conn.Close())
			gone(t, pid)
		},
		"a check begins the time anew": func(t *testing.T, m *Master) {
			pid := persistent(t, m, "3s")
			for range 5 {
				holds(t, pid, 900*time.Millisecond)
				require.Equal(t, pid, m.CheckPID(t))
			}
			gone(t, pid)
		},
		"yes is for ever": func(t *testing.T, m *Master) {
			pid := persistent(t, m, "yes")
			require.Equal(t, Result{Stdout: "x\n"}, m.Session(t, "echo x"))
			holds(t, pid, time.Second)
			require.Equal(t, 0, m.Ask(t, "exit").Code)
			gone(t, pid)
		},
		"0 is for ever": func(t *testing.T, m *Master) {
			pid := persistent(t, m, "0")
			require.Equal(t, Result{Stdout: "x\n"}, m.Session(t, "echo x"))
			holds(t, pid, time.Second)
			require.Equal(t, 0, m.Ask(t, "exit").Code)
			gone(t, pid)
		},
		"stop with a session, then its end": func(t *testing.T, m *Master) {
			pid := persistent(t, m, "yes")
			session, stdin, _ := heldSession(t, m, "cat; exit 6")
			require.Equal(t, 0, m.Ask(t, "stop").Code)
			require.False(t, exists(m.Control), "the socket is still there")
			require.NoError(t, stdin.Close())
			require.Equal(t, 6, session.Wait(t))
			gone(t, pid)
		},
	}
	for name, behaviour := range behaviours {
		t.Run(name, func(t *testing.T) {
			forEachMaster(t, Setup{NotStarted: true, KeepOpen: true}, behaviour)
		})
	}
}

// ControlPersist alone puts the master into the background, without -f, and that one keeps no descriptor of its caller:
// run sees both outputs end.
func TestControlPersistNeedsNoDashF(t *testing.T) {
	forEachMaster(t, Setup{NotStarted: true, KeepOpen: true}, func(t *testing.T, m *Master) {
		extra, extraWrite, err := os.Pipe()
		require.NoError(t, err)
		defer extra.Close()
		r := run(t, Command{Args: m.Command("-M", "-N", "-o", "ControlPersist=yes", Target), Extra: []*os.File{extraWrite}})
		require.Equal(t, Result{}, r)
		m.adopt(t)
		require.NoError(t, extraWrite.Close())
		require.NoError(t, extra.SetReadDeadline(soon()))
		_, err = extra.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF, "an extra descriptor is still open")
	})
}

// holds watches that the process stays for that time.
func holds(t testing.TB, pid int, d time.Duration) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		require.True(t, alive(pid), "ended too early")
	}
}

// A client with ControlMaster=auto attaches to a running master and never starts one of its own.
func TestAutoClientAttaches(t *testing.T) {
	forEachMaster(t, Setup{}, func(t *testing.T, m *Master) {
		r := run(t, Command{Args: m.SSH("-o", "ControlMaster=auto", "-o", "ControlPersist=60", Target, "echo attached; exit 3")})
		require.Equal(t, Result{Stdout: "attached\n", Code: 3}, r)
		require.Equal(t, 1, m.Server.Logins())
		matches, err := filepath.Glob(m.Control + "*")
		require.NoError(t, err)
		require.Equal(t, []string{m.Control}, matches)
	})
}
