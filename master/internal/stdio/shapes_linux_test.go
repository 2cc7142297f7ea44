package stdio_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sshmaster/master/internal/stdio"
)

// shape is one way in which a descriptor can be passed and driven. in makes a
// stream to read from and out one to write to. The program on the other side
// has far, the slave's shell keeps near: a duplicate of what was passed.
type shape struct {
	name string
	how  string // what the stream says of itself
	make func(t *testing.T, output bool) passed
}

type passed struct {
	stream *stdio.Stream
	near   *end
	far    *end
}

var shapes = []shape{
	{"terminal", "terminal, reopened", pass(terminalPair, false, false)},
	{"terminal nonblocking", "terminal, reopened", pass(terminalPair, true, false)},
	{"terminal forbidden", "terminal, watched", pass(terminalPair, false, true)},
	{"terminal forbidden nonblocking", "terminal, watched", pass(terminalPair, true, true)},
	{"pipe", "pipe, reopened", pass(pipePair, false, false)},
	{"pipe nonblocking", "pipe, reopened", pass(pipePair, true, false)},
	{"pipe forbidden", "pipe, watched", pass(pipePair, false, true)},
	{"pipe with packets", "pipe, watched", pass(packetPair, false, false)},
	{"fifo", "pipe, reopened", pass(fifoPair, false, false)},
	{"fifo forbidden", "pipe, watched", pass(fifoPair, false, true)},
	{"socket", "socket, quick", pass(socketPair, false, false)},
	{"socket nonblocking", "socket, quick", pass(socketPair, true, false)},
	{"socket of tcp", "socket, watched", pass(tcpPair, false, false)},
}

// driven is what the stream should say. The mark for packets is at the end of
// the pipe that is written to, which is the one that must not be opened again.
func (s shape) driven(output bool) string {
	if s.name == "pipe with packets" && !output {
		return "pipe, reopened"
	}
	return s.how
}

// eachShape runs a test for every shape, and looks for leaks after it.
func eachShape(t *testing.T, output bool, test func(t *testing.T, p passed)) {
	for _, shape := range shapes {
		t.Run(shape.name, func(t *testing.T) {
			noLeak(t)
			p := shape.make(t, output)
			require.Equal(t, shape.driven(output), p.stream.String())
			test(t, p)
		})
	}
}

// pass builds a shape: a pair of raw descriptors, of which a duplicate of the
// near one becomes the stream.
func pass(pair func(*testing.T, bool) (near, far *end), nonblock, forbidden bool) func(*testing.T, bool) passed {
	return func(t *testing.T, output bool) (p passed) {
		t.Helper()
		p.near, p.far = pair(t, output)
		setNonblock(t, p.near.fd, nonblock)
		fd := dup(t, p.near.fd)
		if forbidden {
			p.stream = openForbidden(t, fd)
		} else {
			p.stream = open(t, fd)
		}
		return p
	}
}

func terminalPair(t *testing.T, _ bool) (near, far *end) {
	t.Helper()
	person, shell := openPTY(t)
	raw(t, shell.fd)
	return shell, person
}

func pipePair(t *testing.T, output bool) (near, far *end) {
	t.Helper()
	return pipeOf(t, 0, output)
}

func packetPair(t *testing.T, output bool) (near, far *end) {
	t.Helper()
	return pipeOf(t, unix.O_DIRECT, output)
}

func pipeOf(t *testing.T, flags int, output bool) (near, far *end) {
	t.Helper()
	var p [2]int
	require.NoError(t, unix.Pipe2(p[:], unix.O_CLOEXEC|flags))
	return ends(t, p[0], p[1], output)
}

func fifoPair(t *testing.T, output bool) (near, far *end) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, unix.Mkfifo(path, 0o600))
	r, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	w, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	setNonblock(t, r, false)
	return ends(t, r, w, output)
}

// tcpPair is what inetd passes.
func tcpPair(t *testing.T, _ bool) (near, far *end) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	a, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	b, err := l.Accept()
	require.NoError(t, err)
	return ends(t, rawFD(t, a), rawFD(t, b), false)
}

// rawFD takes the descriptor out of c, blocking.
func rawFD(t *testing.T, c net.Conn) int {
	t.Helper()
	f, err := c.(*net.TCPConn).File()
	require.NoError(t, err)
	require.NoError(t, c.Close())
	defer f.Close()
	fd := dup(t, int(f.Fd()))
	setNonblock(t, fd, false)
	return fd
}

func ends(t *testing.T, r, w int, output bool) (near, far *end) {
	t.Helper()
	if output {
		r, w = w, r
	}
	return newEnd(t, r), newEnd(t, w)
}

// A socket that another user's process has made may be read by them, with the kernel's
// lock kept for as long as they like.
func TestSocketOfAnotherUser(t *testing.T) {
	near, _ := socketPair(t, false)
	if unix.Fchown(near.fd, os.Geteuid()+1, -1) != nil {
		t.Skip("only root can have one") // a socket's owner is who made it, or whom root gives it to
	}
	require.Equal(t, "socket, watched", open(t, dup(t, near.fd)).String())
}
