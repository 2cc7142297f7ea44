package compat

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var relayBinary build

// Relay is the network between a master and its server: a program of package sshtest that tests freeze, delay, narrow,
// cut, and stop. It lasts as long as the test.
type Relay struct {
	Port    int
	process *Process

	mu      sync.Mutex // one command at a time
	command io.Writer
	answers *bufio.Reader
}

// startRelay starts one to a port of the loopback.
func startRelay(t testing.TB, port int) *Relay {
	t.Helper()
	binary := relayBinary.get(t, "relay", "sshmaster/master/internal/sshtest/relay")
	p, stdin, stdout, listening := startListening(t, exec.Command(binary, "-target", net.JoinHostPort("127.0.0.1", itoa(port))))
	return &Relay{Port: listening, process: p, command: stdin, answers: stdout}
}

// startListening starts a program that says "listening ADDRESS" when it is ready and ends with its input.
func startListening(t testing.TB, cmd *exec.Cmd) (p *Process, stdin io.Writer, stdout *bufio.Reader, port int) {
	t.Helper()
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	t.Cleanup(func() { _ = in.Close() })
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	p = start(t, cmd)
	stdout = bufio.NewReader(out)
	line, err := stdout.ReadString('\n')
	require.NoError(t, err)
	_, number, err := net.SplitHostPort(strings.TrimSpace(strings.TrimPrefix(line, "listening ")))
	require.NoError(t, err, line)
	port, err = strconv.Atoi(number)
	require.NoError(t, err)
	return p, in, stdout, port
}

// do gives the relay a command and returns its answer.
func (r *Relay) do(format string, args ...any) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := fmt.Fprintf(r.command, format+"\n", args...); err != nil {
		return "", err
	}
	line, err := r.answers.ReadString('\n')
	return strings.TrimSpace(line), err
}

func (r *Relay) ok(t testing.TB, format string, args ...any) {
	t.Helper()
	answer, err := r.do(format, args...)
	require.NoError(t, err)
	require.Equal(t, "ok", answer)
}

// Freeze stops all traffic, of later connections too, until Thaw; nothing is closed or lost.
func (r *Relay) Freeze(t testing.TB) { t.Helper(); r.ok(t, "freeze") }

// FreezePresent stops the traffic of the connections that exist now, until Thaw.
func (r *Relay) FreezePresent(t testing.TB) { t.Helper(); r.ok(t, "freeze-present") }

// Thaw takes back both.
func (r *Relay) Thaw(t testing.TB) { t.Helper(); r.ok(t, "thaw") }

// Cut resets the present connections.
func (r *Relay) Cut(t testing.TB) { t.Helper(); r.ok(t, "cut") }

// Delay has everything arrive so much later, in each direction.
func (r *Relay) Delay(t testing.TB, d time.Duration) { t.Helper(); r.ok(t, "delay %v", d) }

// Narrow lets so many bytes a second through, for each connection and direction.
func (r *Relay) Narrow(t testing.TB, rate int) { t.Helper(); r.ok(t, "narrow %d", rate) }

// Accepted is how many connections were made.
func (r *Relay) Accepted(t testing.TB) int {
	t.Helper()
	answer, err := r.do("accepted")
	require.NoError(t, err)
	n, err := strconv.Atoi(answer)
	require.NoError(t, err)
	return n
}

// Suspend stops the relay's process, as a computer on the way that sleeps; Resume lets it go on.
func (r *Relay) Suspend(t testing.TB) { t.Helper(); r.process.Signal(t, syscall.SIGSTOP) }

// Resume takes Suspend back.
func (r *Relay) Resume(t testing.TB) { t.Helper(); r.process.Signal(t, syscall.SIGCONT) }
