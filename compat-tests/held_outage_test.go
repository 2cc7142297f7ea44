package compat

import (
	"net"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	sigStop = syscall.SIGSTOP
	sigCont = syscall.SIGCONT
)

// ListenAgain takes back StopListening, at the same port. A program that another test is starting just then holds the
// old listener for a moment more.
func (s *Server) ListenAgain(t testing.TB) {
	t.Helper()
	var listener net.Listener
	eventually(t, func() (free bool) {
		var err error
		listener, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", itoa(s.Port)))
		return err == nil
	}, "port %d is not free again", s.Port)
	s.serve(listener)
}

// crash ends the server with all its connections.
func (f *faulty) crash() {
	f.Server.StopListening()
	f.Server.Cut()
}

// The server is restarted: sessions end, and say why; whoever comes meanwhile waits for it and logs in once for all.
func TestServerRestarts(t *testing.T) {
	ourFaulty(t, "it ends with its connection", circumstances{}, func(t *testing.T, f *faulty) {
		session := f.held(t, "cat")
		f.crash()
		var clients []<-chan outcomeOf
		for range 10 {
			clients = append(clients, f.Beside(Command{Args: f.SSH(Target, "echo served; exit 3")}))
		}
		session.saysWhy(t)
		time.Sleep(2 * time.Second) // is what the server takes
		f.Server.ListenAgain(t)
		for _, c := range clients {
			o := <-c
			require.NoError(t, o.err, o.Stderr)
			require.Equal(t, Result{Stdout: "served\n", Code: 3}, o.Result)
		}
		require.Equal(t, 2, f.logins(t))
		f.nobodyFellBack(t)
	})
}

// With stock, whoever comes meanwhile is on his own.
func TestServerRestartsUnderStock(t *testing.T) {
	stockSuffers(t, circumstances{}, func(t *testing.T, f *faulty) {
		f.crash()
		require.Equal(t, 255, f.Wait(t))
		require.Equal(t, 255, f.Session(t, "true").Code)
		require.Equal(t, 1, f.trap.caught())
	})
}

// The server does not come back: HoldTimeout ends the wait, with a reason, and the master goes on.
func TestServerStaysAway(t *testing.T) {
	for name, away := range map[string]func(t *testing.T, f *faulty){
		"refused": func(_ *testing.T, f *faulty) { f.crash() },
		"silent":  func(t *testing.T, f *faulty) { f.Relay.Freeze(t) },
	} {
		back := func(t *testing.T, f *faulty) {
			if f.Relay.Thaw(t); name == "refused" {
				f.Server.ListenAgain(t)
			}
		}
		t.Run(name, func(t *testing.T) {
			c := circumstances{Options: []string{"-o", "HoldTimeout=3s"}}
			ourFaulty(t, "it has no such option", c, func(t *testing.T, f *faulty) {
				away(t, f)
				begin := time.Now()
				r := f.Session(t, "true")
				t.Logf("after %v, with %d logins of its own: %s", time.Since(begin).Round(time.Millisecond), f.trap.caught(), r.Stderr)
				require.Equal(t, 255, r.Code)
				require.Regexp(t, `(?i)127\.0\.0\.1|`+Target, r.Stderr, "says whom it waited for")
				back(t, f)
				eventually(t, func() bool { return f.Session(t, "exit 7").Code == 7 }, "the master never came back")
			})
		})
	}
}

// The laptop moves to another network: its address is gone and with it the connection. Nobody hangs, and nobody but the
// master logs in.
func TestAddressChanges(t *testing.T) {
	t.Parallel()
	if !slices.Contains(kinds(t), Ours) {
		t.Skip("the client of stock hangs")
	}
	l := newLandscape(t, hostPlan{name: "server"})
	laptop, server := l.hosts[""], l.hosts["server"]
	log := filepath.Join(l.Dir, "master.log")
	require.Equal(t, Result{}, run(t, Command{Args: l.master(t, Ours, "-v", "-E", log, "server")}))
	l.pid(t, "server")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the master's log:\n%s", read(t, log))
		}
	})
	session := holdClient(t, l.ssh("server", "echo ready; cat"))
	require.Equal(t, 1, l.logins(t, "server"))

	ip(t, "-n", server.place, "route", "add", "10.78.0.0/24", "dev", "wire")
	ip(t, "-n", laptop.place, "addr", "add", "10.78.0.1/24", "dev", "down0")
	ip(t, "-n", laptop.place, "addr", "del", server.from+"/30", "dev", "down0")
	ip(t, "-n", laptop.place, "route", "add", server.address+"/32", "dev", "down0", "src", "10.78.0.1")

	// A connection that spoke a moment ago is believed to live, until it does not answer.
	time.Sleep(time.Second)
	begin := time.Now()
	r := run(t, Command{Args: l.ssh("-o", "BatchMode=yes", "server", `echo "$SSH_CONNECTION"; exit 3`)})
	t.Logf("the first command took %v", time.Since(begin).Round(time.Millisecond))
	require.Equal(t, 3, r.Code, r.Stderr)
	require.True(t, strings.HasPrefix(r.Stdout, "10.78.0.1 "), "comes from the new address: %s", r.Stdout)
	session.saysWhy(t)
	require.Equal(t, 2, l.logins(t, "server"))
	l.end(t, "server")
}
