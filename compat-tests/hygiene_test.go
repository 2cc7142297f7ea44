package compat

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// shapes are the kinds of descriptor that callers pass as stdin, each with an open file description that is shared with
// the test, as a shell shares its own with what it starts.
func shapes(t testing.TB) map[string]*os.File {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	open := func(path string) *os.File {
		fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
		require.NoError(t, err)
		return keep(t, fd, path)
	}
	var pipe [2]int
	require.NoError(t, syscall.Pipe(pipe[:]))
	keep(t, pipe[1], "the pipe's other end")
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	keep(t, pair[1], "the socket's other end")
	return map[string]*os.File{
		"regular file": open(write(t, filepath.Join(dir, "file"), 0o600, "content")),
		"fifo":         open(filepath.Join(dir, "fifo")),
		"/dev/null":    open("/dev/null"),
		"pipe":         keep(t, pipe[0], "pipe"),
		"socket":       keep(t, pair[0], "socket"),
		"terminal":     newTerminal(t).tty,
	}
}

// keep wraps a blocking descriptor, which package os then leaves blocking.
func keep(t testing.TB, fd int, name string) *os.File {
	t.Helper()
	syscall.CloseOnExec(fd)
	f := os.NewFile(uintptr(fd), name)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// Whatever the caller's descriptors are, a session leaves their status flags as they were.
func TestFlagsOfTheCaller(t *testing.T) {
	forEachMaster(t, Setup{}, func(t *testing.T, m *Master) {
		for name, stdin := range shapes(t) {
			before := statusFlags(t, stdin)
			r := run(t, Command{Args: m.SSH("-T", Target, "exit 3"), Stdin: stdin})
			require.Equal(t, 3, r.Code, name)
			require.Equal(t, before, statusFlags(t, stdin), "%s after a session", name)
		}
	})
}

// The flags are shared with every other process on the same open file, so they must not change during a session either.
func TestFlagsDuringASession(t *testing.T) {
	onlyOurs(t, "stock makes all but terminals non-blocking while a session runs", Setup{}, func(t *testing.T, m *Master) {
		for name, stdin := range shapes(t) {
			if name == "regular file" || name == "/dev/null" {
				continue // at their end at once
			}
			before := statusFlags(t, stdin)
			s, p := m.Attach(t), newPipes(t)
			require.NoError(t, s.send(newSession(1, "echo running; sleep 0.2")))
			require.NoError(t, s.sendFile(stdin, p.passed[1], p.passed[2]))
			s.expectKind(t, typeSessionOpened)
			expect(t, p.out, "running\n")
			require.Equal(t, before, statusFlags(t, stdin), "%s during a session", name)
			s.expectKind(t, typeExit)
			s.expectEnd(t)
			require.Equal(t, before, statusFlags(t, stdin), "%s after a session", name)
		}
	})
}

// What comes on stdin after the session's end is the caller's, not the master's.
func TestStdinAfterTheEnd(t *testing.T) {
	forEachMaster(t, Setup{}, func(t *testing.T, m *Master) {
		for _, shape := range []string{"pipe", "socket"} {
			for range 5 {
				ours, theirs := connected(t, shape)
				r := run(t, Command{Args: m.SSH("-T", Target, "exit 3"), Stdin: theirs})
				require.Equal(t, 3, r.Code)
				_, err := ours.WriteString("all of it")
				require.NoError(t, err)
				expect(t, theirs, "all of it")
			}
		}
	})
}

// connected is what one writes to the first and reads from the second.
func connected(t testing.TB, shape string) (to, from *os.File) {
	t.Helper()
	var fds [2]int
	var err error
	if shape == "pipe" {
		require.NoError(t, syscall.Pipe(fds[:]))
		fds[0], fds[1] = fds[1], fds[0]
	} else {
		fds, err = syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		require.NoError(t, err)
	}
	return keep(t, fds[0], "to"), keep(t, fds[1], "from")
}

// sftp and scp pass one socket as stdin and stdout: it is never shut down half, whichever direction ends first.
func TestOneSocketForBothDirections(t *testing.T) {
	forEachMaster(t, Setup{}, func(t *testing.T, m *Master) {
		t.Run("far output ends first", func(t *testing.T) {
			mark := filepath.Join(t.TempDir(), "stdin")
			s, ours := oneSocket(t, m, fmt.Sprintf("exec 2>&-; echo first; exec >&-; cat >%s; exit 4", mark))
			expect(t, ours, "first\n")
			// Stock holds its copy of stdout's socket open, and so the end is not seen; what counts is that stdin goes on.
			_, err := ours.WriteString("still flows")
			require.NoError(t, err)
			require.NoError(t, syscall.Shutdown(int(ours.Fd()), syscall.SHUT_WR))
			require.EqualValues(t, 4, s.expectKind(t, typeExit).word(2))
			s.expectEnd(t)
			require.Equal(t, "still flows", read(t, mark))
		})
		t.Run("near input ends first", func(t *testing.T) {
			s, ours := oneSocket(t, m, "cat; echo tail; exit 5")
			_, err := ours.WriteString("head\n")
			require.NoError(t, err)
			require.NoError(t, syscall.Shutdown(int(ours.Fd()), syscall.SHUT_WR))
			content, err := io.ReadAll(ours)
			require.NoError(t, err)
			require.Equal(t, "head\ntail\n", string(content))
			require.EqualValues(t, 5, s.expectKind(t, typeExit).word(2))
			s.expectEnd(t)
		})
		t.Run("the caller's socket outlives the session", func(t *testing.T) {
			pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
			require.NoError(t, err)
			ours, theirs := keep(t, pair[0], "ours"), keep(t, pair[1], "theirs")
			s, p := m.Attach(t), newPipes(t)
			require.NoError(t, s.send(newSession(1, "true")))
			require.NoError(t, s.sendFile(theirs, theirs, p.passed[2]))
			s.expectKind(t, typeSessionOpened)
			s.expectKind(t, typeExit)
			s.expectEnd(t)
			for _, way := range [][2]*os.File{{ours, theirs}, {theirs, ours}} {
				_, err := way[0].WriteString("both ways")
				require.NoError(t, err)
				expect(t, way[1], "both ways")
			}
		})
	})
}

// oneSocket opens a session with one end of a socket as its stdin and stdout; the other is returned.
func oneSocket(t *testing.T, m *Master, command string) (*rawSlave, *os.File) {
	t.Helper()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	ours, theirs := keep(t, pair[0], "ours"), keep(t, pair[1], "theirs")
	s, p := m.Attach(t), newPipes(t)
	require.NoError(t, s.send(newSession(1, command)))
	require.NoError(t, s.sendFile(theirs, theirs, p.passed[2]))
	s.expectKind(t, typeSessionOpened)
	require.NoError(t, theirs.Close())
	return s, ours
}

// closedByMaster requires that nobody has the other ends of p open: the slave has let go of its copies.
func closedByMaster(t testing.TB, p *pipes) {
	t.Helper()
	p.drop()
	for _, out := range []*os.File{p.out, p.err} {
		require.NoError(t, out.SetReadDeadline(soon()))
		content, err := io.ReadAll(out)
		require.NoError(t, err, "an output is still open")
		require.Empty(t, content)
	}
	eventually(t, func() bool {
		_, err := p.in.Write([]byte("x"))
		return errors.Is(err, syscall.EPIPE)
	}, "stdin is still open")
}

// The descriptors of a refused session are closed although its slave stays attached.
func TestDescriptorsOfARefusedSession(t *testing.T) {
	reason := map[Kind]string{
		Stock: "Session open refused by peer",
		Ours:  "waiting for a free session: 127.0.0.1 allows 1 on a connection, and all of 1 are in use (HoldTimeout 1s)",
	}
	setup := Setup{Server: []string{"MaxSessions 1"}, Own: []string{"-oHoldTimeout=1"}}
	forEachMaster(t, setup, func(t *testing.T, m *Master) {
		first, firstPipes := m.Attach(t), newPipes(t)
		first.Open(t, firstPipes, "cat; exit 7")
		t.Run("by the server", func(t *testing.T) {
			s, p := m.Attach(t), newPipes(t)
			require.NoError(t, s.send(newSession(9, "true")))
			require.NoError(t, s.sendFile(p.passed[:]...))
			f := s.expectKind(t, typeFailure)
			require.EqualValues(t, 9, f.word(1))
			require.Equal(t, reason[m.Kind], f.text(2))
			closedByMaster(t, p)
		})
		t.Run("second on one connection", func(t *testing.T) {
			p := newPipes(t)
			require.NoError(t, first.send(newSession(9, "true")))
			require.NoError(t, first.sendFile(p.passed[:]...))
			f := first.expectKind(t, typeFailure)
			require.EqualValues(t, 9, f.word(1))
			require.Equal(t, "Multiple sessions not supported", f.text(2))
			closedByMaster(t, p)
		})
		t.Run("stdio forward", func(t *testing.T) {
			s, p := m.Attach(t), newPipes(t)
			require.NoError(t, s.send(frame(typeStdioFwd, uint32(9), "", "127.0.0.1", uint32(1))))
			require.NoError(t, s.sendFile(p.passed[:2]...))
			f := s.expectKind(t, typeFailure)
			require.EqualValues(t, 9, f.word(1))
			require.NoError(t, p.passed[2].Close())
			closedByMaster(t, p)
		})
		_, err := firstPipes.in.WriteString("alive\n")
		require.NoError(t, err)
		expect(t, firstPipes.out, "alive\n")
		require.NoError(t, firstPipes.in.Close())
		require.EqualValues(t, 7, first.expectKind(t, typeExit).word(2))
		first.expectEnd(t)
	})
}

// What a slave passed before it left, or passed wrongly, is closed.
func TestDescriptorsWithoutASession(t *testing.T) {
	forEachMaster(t, Setup{}, func(t *testing.T, m *Master) {
		before := warmUp(t, m)
		t.Run("two, then gone", func(t *testing.T) {
			s, p := m.Attach(t), newPipes(t)
			require.NoError(t, s.send(newSession(1, "true")))
			require.NoError(t, s.sendFile(p.passed[:2]...))
			require.NoError(t, s.conn.Close())
			closedByMaster(t, p)
		})
		t.Run("bytes without descriptors", func(t *testing.T) {
			s := m.Attach(t)
			require.NoError(t, s.send(newSession(1, "true"), []byte{0, 0, 0}))
			s.expectEndWithin(t, patience)
		})
		t.Run("a fourth", func(t *testing.T) {
			s, p, surplus := m.Attach(t), newPipes(t), newPipes(t)
			require.NoError(t, s.send(newSession(1, "cat; exit 3")))
			require.NoError(t, s.sendFile(append(p.passed[:], surplus.passed[0])...))
			s.expectKind(t, typeSessionOpened)
			require.NoError(t, s.conn.Close())
			closedByMaster(t, p)
			closedByMaster(t, surplus)
		})
		m.settles(t, before)
		require.Equal(t, Result{Stdout: "fine\n"}, m.Session(t, "echo fine"))
	})
}

func TestDescriptorsInOneMessage(t *testing.T) {
	onlyOurs(t, "stock leaks the second", Setup{}, func(t *testing.T, m *Master) {
		before := warmUp(t, m)
		s, p := m.Attach(t), newPipes(t)
		require.NoError(t, s.send(newSession(1, "true")))
		require.NoError(t, s.sendTogether(p.passed[:]...))
		s.expectEndWithin(t, patience)
		closedByMaster(t, p)
		m.settles(t, before)
	})
}

// Every kind of session, many times: the master holds what it held before.
func TestNothingLeaks(t *testing.T) {
	forEachMaster(t, Setup{Terminals: true}, func(t *testing.T, m *Master) {
		before := warmUp(t, m)
		batch := write(t, filepath.Join(t.TempDir(), "batch"), 0o600, "pwd\n")
		for range 5 {
			for _, args := range [][]string{
				m.SSH(Target, "echo out; echo err >&2; exit 1"),
				m.SSH("-tt", Target, "true"),
				m.SSH("-s", Target, "no-such-subsystem"),
				m.SSH(Target, "kill -KILL $$"),
				m.SSH("-W", closedPort(t), Target),
				m.SSH("-O", "check", Target),
				{"sftp", "-F", m.Server.Config, "-b", batch, Target},
			} {
				run(t, Command{Args: args})
			}
		}
		m.settles(t, before)
		require.LessOrEqual(t, resources(t, m.PID()).Threads, 20)
	})
}
