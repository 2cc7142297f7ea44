package compat

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// faulty is a master that reaches its server through a Relay, and clients that can reach nobody but the master: in their
// configuration the server is a trap, and they have no key.
type faulty struct {
	*Master
	Relay *Relay
	trap  *trap
	log   string // what the server logs
}

// circumstances are what a faulty master is started with.
type circumstances struct {
	Server     []string      // lines of sshd_config
	Serve      []string      // options of serve, unless nil: its server in place of sshd
	Client     []string      // lines of ssh_config that master and clients share
	Options    []string      // arguments of the master alone
	Terminals  bool          // the behaviour wants terminals on the far side
	NotStarted bool          // the test starts the master itself
	Delay      time.Duration // of the network, in each direction
}

// eachFaulty runs a behaviour with both masters, side by side.
func eachFaulty(t *testing.T, c circumstances, behaviour func(t *testing.T, f *faulty)) {
	t.Helper()
	withFaults(t, []Kind{Stock, Ours}, c, behaviour)
}

// ourFaulty runs a behaviour that stock does not have; the reason is for the reader.
func ourFaulty(t *testing.T, because string, c circumstances, behaviour func(t *testing.T, f *faulty)) {
	t.Helper()
	withFaults(t, []Kind{Ours}, c, func(t *testing.T, f *faulty) {
		t.Log("not compared with stock:", because)
		behaviour(t, f)
	})
}

// stockSuffers proves that stock ssh has the trouble that a test of ours is about.
func stockSuffers(t *testing.T, c circumstances, behaviour func(t *testing.T, f *faulty)) {
	t.Helper()
	withFaults(t, []Kind{Stock}, c, behaviour)
}

// withFaults runs a behaviour with those of the masters that are to be tested.
func withFaults(t *testing.T, wanted []Kind, c circumstances, behaviour func(t *testing.T, f *faulty)) {
	t.Helper()
	t.Parallel()
	for _, kind := range kinds(t) {
		if !slices.Contains(wanted, kind) {
			continue
		}
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			behaviour(t, newFaulty(t, kind, c))
		})
	}
}

// newFaulty starts server, relay, trap and, unless the circumstances say otherwise, the master.
func newFaulty(t testing.TB, kind Kind, c circumstances) *faulty {
	t.Helper()
	if because := noTerminals(t); c.Terminals && c.Serve == nil && because != "" {
		t.Skip(because)
	}
	dir := shortDir(t)
	f := &faulty{trap: startTrap(t)}
	server := &Server{Dir: dir, User: "anybody"}
	known := filepath.Join(dir, "known_hosts")
	if c.Serve != nil {
		f.log = filepath.Join(dir, "server.log")
		server.Port = startServe(t, dir, append([]string{"-log", f.log}, c.Serve...)...)
	} else {
		server = startServer(t, dir, c.Server...)
		f.log = server.LogFile()
	}
	f.Relay = startRelay(t, server.Port)
	f.Relay.Delay(t, c.Delay)
	// The master's way to the server has another port than the server.
	_, hostKey, _ := strings.Cut(strings.TrimSpace(read(t, known)), " ")
	write(t, known, 0o600, fmt.Sprintf("[127.0.0.1]:%d %s\n", f.Relay.Port, hostKey))
	f.Master = &Master{
		Kind: kind, Dir: dir, Server: server, Control: filepath.Join(dir, "ctl"), LogFile: filepath.Join(dir, "master.log"),
		binary: kind.program(t),
		setup: Setup{KeepOpen: true, Options: append([]string{
			"-p", itoa(f.Relay.Port), "-i", filepath.Join(dir, "id")}, c.Options...)},
	}
	server.Config = write(t, filepath.Join(dir, "config"), 0o600, strings.Join(append(append([]string{}, c.Client...),
		"Host *", "HostName 127.0.0.1", "Port "+itoa(f.trap.port()), "User "+server.User,
		"IdentitiesOnly yes", "IdentityAgent none", "UserKnownHostsFile "+known, "GlobalKnownHostsFile /dev/null",
		"StrictHostKeyChecking yes", "UpdateHostKeys no", "ControlPath "+f.Control, "ControlMaster no", ""), "\n"))
	t.Cleanup(func() { f.reportServe(t) })
	if !c.NotStarted {
		f.Start(t)
	}
	return f
}

// startServe starts the SSH server of package sshtest, whose key and known_hosts are then in dir, and returns its port.
func startServe(t testing.TB, dir string, options ...string) int {
	t.Helper()
	binary := serveBinary.get(t, "serve", "sshmaster/master/internal/sshtest/serve")
	cmd := exec.Command(binary, append([]string{"-dir", dir}, options...)...)
	cmd.Dir = dir
	_, _, _, port := startListening(t, cmd)
	require.NoError(t, os.Rename(filepath.Join(dir, "client_key"), filepath.Join(dir, "id")))
	return port
}

// reportServe shows what the server saw where a test failed; the master shows sshd's log by itself.
func (f *faulty) reportServe(t testing.TB) {
	if words, err := os.ReadFile(f.log); t.Failed() && err == nil && f.log != f.Server.LogFile() {
		t.Logf("its server's log:\n%s", words)
	}
}

// logins is how often somebody has logged in, by the server's log.
func (f *faulty) logins(t testing.TB) int {
	t.Helper()
	if f.log == f.Server.LogFile() {
		return strings.Count(read(t, f.log), "Accepted publickey")
	}
	return len(f.events(t, "login "))
}

// An event is a line of the log of the server that serve runs.
type event struct {
	conn, channel int
	words         string
}

// events are those whose words begin so.
func (f *faulty) events(t testing.TB, prefix string) []event {
	t.Helper()
	var found []event
	lines := strings.Split(read(t, f.log), "\n")
	for _, line := range lines[:len(lines)-1] { // what follows the last is not complete
		place, words, _ := strings.Cut(line, " ")
		conn, channel, _ := strings.Cut(place, ".")
		e := event{words: words}
		e.conn, _ = strconv.Atoi(conn)
		e.channel, _ = strconv.Atoi(channel)
		if strings.HasPrefix(words, prefix) {
			found = append(found, e)
		}
	}
	return found
}

// nobodyFellBack: each client was served by the master, or was not served.
func (f *faulty) nobodyFellBack(t testing.TB) {
	t.Helper()
	require.Zero(t, f.trap.caught(), "clients have tried to log in by themselves")
}

// outcomeOf is how a client that ran beside the test ended.
type outcomeOf struct {
	Result
	err error
}

// Beside runs a client beside the test. The channel gives its outcome.
func (f *faulty) Beside(c Command) <-chan outcomeOf {
	ended := make(chan outcomeOf, 1)
	go func() {
		r, err := c.run()
		ended <- outcomeOf{r, err}
	}()
	return ended
}

// many runs a command in n sessions at once and returns how they ended.
func (f *faulty) many(n int, command string) <-chan outcomeOf {
	ended := make(chan outcomeOf, n)
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			r, err := Command{Args: f.SSH(Target, command), Timeout: 4 * patience}.run()
			ended <- outcomeOf{r, err}
		})
	}
	go func() {
		all.Wait()
		close(ended)
	}()
	return ended
}

// allAre requires that every one ended so.
func allAre(t testing.TB, want Result, ended <-chan outcomeOf) {
	t.Helper()
	for o := range ended {
		require.NoError(t, o.err, o.Stderr)
		require.Equal(t, want, o.Result)
	}
}

// trap is where a client ends that does not attach: it hangs up, and counts.
type trap struct {
	listener net.Listener
	count    atomic.Int32
}

func startTrap(t testing.TB) *trap {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	trap := &trap{listener: listener}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			trap.count.Add(1)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	return trap
}

func (t *trap) port() int { return t.listener.Addr().(*net.TCPAddr).Port }

// caught is how many clients came.
func (t *trap) caught() int { return int(t.count.Load()) }
