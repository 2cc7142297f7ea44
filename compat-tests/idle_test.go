package compat

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"

	"sshmaster/muxproto"
)

// What the master may hold while sessions do nothing.
const (
	idleSessions = 1000
	idleThreads  = 20
	idleResident = 40 << 20
)

// newLightMaster starts ssh-master on a server whose sessions are idle cats, so that the server takes neither the time nor
// the memory of a thousand real ones.
func newLightMaster(t testing.TB) *Master {
	t.Helper()
	return newServedMaster(t, Ours, "-idle")
}

// newServedMaster starts a master on an in-memory SSH server, with options of that. It never has the race detector.
func newServedMaster(t testing.TB, kind Kind, options ...string) *Master {
	t.Helper()
	dir := shortDir(t)
	s := &Server{Dir: dir, User: "anybody", Port: startServe(t, dir, options...)}
	m := &Master{
		Kind: kind, Dir: dir, Server: s, Control: filepath.Join(dir, "ctl"), LogFile: filepath.Join(dir, "master.log"),
		setup: Setup{KeepOpen: true}, binary: kind.program(t),
	}
	if kind == Ours {
		m.binary = []string{plainSSHMaster(t)}
	}
	s.writeClientConfig(t, m.Control, nil)
	m.Start(t)
	return m
}

// enoughDescriptors skips where the system does not allow a test to have that many open.
func enoughDescriptors(t testing.TB, n uint64) {
	t.Helper()
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	if uint64(limit.Max) < n { // signed on FreeBSD
		t.Skipf("needs %d open files, the limit is %d", n, limit.Max)
	}
}

// idleSession is a session on three descriptors that nobody uses for now.
type idleSession struct {
	*muxproto.Session
	in, out *os.File
}

// open opens n sessions, a few at a time. shape makes the descriptors of one: three to pass, two to keep.
func open(t *testing.T, m *Master, n int, shape func(t testing.TB) (passed [3]*os.File, in, out *os.File)) []*idleSession {
	t.Helper()
	sessions := make([]*idleSession, n)
	errs := make([]error, n)
	var wg sync.WaitGroup
	limit := make(chan struct{}, 16)
	for i := range n {
		passed, in, out := shape(t)
		limit <- struct{}{}
		wg.Go(func() {
			defer func() { <-limit }()
			sessions[i] = &idleSession{in: in, out: out}
			sessions[i].Session, errs[i] = m.openIdle(t.Context(), passed)
		})
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	return sessions
}

func (m *Master) openIdle(ctx context.Context, passed [3]*os.File) (*muxproto.Session, error) {
	defer func() {
		for _, f := range passed {
			_ = f.Close()
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	client, err := muxproto.Dial(ctx, m.Control)
	if err != nil {
		return nil, err
	}
	request := muxproto.NewSession{EscapeChar: muxproto.NoEscape, Command: "cat"}
	return client.NewSession(ctx, request, int(passed[0].Fd()), int(passed[1].Fd()), int(passed[2].Fd()))
}

// rest requires that the sessions are alive, that the master is small beside them, and that nothing of them is left
// once they are closed.
func rest(t *testing.T, m *Master, before Resources, sessions []*idleSession) {
	t.Helper()
	for i := 0; i < len(sessions); i += max(len(sessions)/20, 1) {
		_, err := sessions[i].in.WriteString("awake\n")
		require.NoError(t, err)
		expect(t, sessions[i].out, "awake\n")
	}
	held := resources(t, m.PID())
	t.Logf("at once: %d KiB", held.Resident>>10)
	for deadline := soon(); held.Resident > idleResident && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		held = resources(t, m.PID()) // memory goes back to the system by and by
	}
	t.Logf("%d sessions: %d threads, %d KiB, %d descriptors", len(sessions), held.Threads, held.Resident>>10, held.Descriptors)
	require.LessOrEqual(t, held.Resident, idleResident)
	require.LessOrEqual(t, held.Threads, idleThreads)
	for _, s := range sessions {
		require.NoError(t, s.Close())
		_ = s.in.Close()
	}
	m.settles(t, before)
}

func pipeShape(t testing.TB) (passed [3]*os.File, in, out *os.File) {
	t.Helper()
	p := newPipes(t)
	return p.passed, p.in, p.out
}

// socketShape is sftp's: one socket for both directions.
func socketShape(t testing.TB) (passed [3]*os.File, in, out *os.File) {
	t.Helper()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	ours, theirs := keep(t, pair[0], "ours"), keep(t, pair[1], "theirs")
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	require.NoError(t, err)
	return [3]*os.File{theirs, theirs, null}, ours, ours
}

func terminalShape(t testing.TB) (passed [3]*os.File, in, out *os.File) {
	t.Helper()
	screen, tty, err := pty.Open()
	require.NoError(t, err)
	screen = unblocked(t, screen)
	t.Cleanup(func() { _ = screen.Close() })
	run(t, Command{Args: []string{program(t, "stty"), "-F", tty.Name(), "raw", "-echo"}})
	fd, err := syscall.Open(tty.Name(), syscall.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	require.NoError(t, tty.Close())
	one := keep(t, fd, tty.Name())
	return [3]*os.File{one, one, one}, screen, screen
}

func TestThousandIdleSessions(t *testing.T) {
	t.Parallel()
	ours(t)
	enoughDescriptors(t, 10_000)
	m := newLightMaster(t)
	require.NoError(t, open(t, m, 1, pipeShape)[0].Close())
	before := m.rested(t)
	rest(t, m, before, open(t, m, idleSessions, pipeShape))
}

func TestIdleSocketsAndTerminals(t *testing.T) {
	t.Parallel()
	ours(t)
	enoughDescriptors(t, 2000)
	m := newLightMaster(t)
	require.NoError(t, open(t, m, 1, pipeShape)[0].Close())
	before := m.rested(t)
	sessions := append(open(t, m, 100, socketShape), open(t, m, 100, terminalShape)...)
	rest(t, m, before, sessions)
}

// ours skips where only stock is asked for.
func ours(t testing.TB) {
	t.Helper()
	for _, kind := range kinds(t) {
		if kind == Ours {
			return
		}
	}
	t.Skip("COMPAT_MASTER asks for stock alone")
}

// The project's own client, against both masters: it knows no more of ours than of stock.
func TestClientOfTheProject(t *testing.T) {
	forEachMaster(t, Setup{}, func(t *testing.T, m *Master) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		client, err := muxproto.Dial(ctx, m.Control)
		require.NoError(t, err)
		pid, err := client.Alive(ctx)
		require.NoError(t, err)
		require.EqualValues(t, m.PID(), pid)
		p := newPipes(t)
		session, err := client.NewSession(ctx, muxproto.NewSession{EscapeChar: muxproto.NoEscape, Command: "cat; exit 9"},
			int(p.passed[0].Fd()), int(p.passed[1].Fd()), int(p.passed[2].Fd()))
		require.NoError(t, err)
		defer session.Close()
		p.drop()
		_, err = p.in.WriteString("through\n")
		require.NoError(t, err)
		require.NoError(t, p.in.Close())
		content, err := io.ReadAll(p.out)
		require.NoError(t, err)
		require.Equal(t, "through\n", string(content))
		exit, err := session.Wait(ctx)
		require.NoError(t, err)
		require.Equal(t, muxproto.Exit{Status: 9, Known: true}, exit)
		last, err := muxproto.Dial(ctx, m.Control)
		require.NoError(t, err)
		defer last.Close()
		require.NoError(t, last.Terminate(ctx))
		m.Wait(t)
	})
}
