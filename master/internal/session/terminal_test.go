package session_test

import (
	"io"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sshmaster/master/internal/session"
	"sshmaster/master/internal/sshtest"
	"sshmaster/master/internal/stdio"
)

// Whatever the order in which the changes of a window are told, the host knows
// its size in the end, and a host that does not answer gathers none of them.
func TestResize(t *testing.T) {
	screen, tty, err := pty.Open()
	require.NoError(t, err)
	defer screen.Close()
	_, out := pipe(t)
	_, errOut := pipe(t)
	files, err := stdio.OpenSet(passed(t, tty), passed(t, out), passed(t, errOut))
	require.NoError(t, err)
	srv := sshtest.NewServer(t)
	release := srv.Hold("pty-req")
	req := request("cat")
	req.TTY, req.Term = true, "xterm"
	s, err := session.Open(t.Context(), srv.Link(t, nil), req, files)
	require.NoError(t, err)
	over := make(chan struct{})
	s.Start(new(heard), func() { close(over) })
	srv.Log().Await(t, "pty-req xterm 0x0")
	before := runtime.NumGoroutine()
	for size := range uint16(200) {
		require.NoError(t, pty.Setsize(screen, &pty.Winsize{Cols: size + 1, Rows: 1}))
		go s.Resize()
	}
	// One waits, and the looking itself takes a goroutine.
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+2 }, patience, tick)
	release()
	srv.Log().Await(t, "window-change 200x1")
	s.Close()
	<-over
	changes := strings.Count(srv.Log().String(), "window-change")
	require.Equal(t, 1, changes)
}

// A link that ends in place of an answer takes none of the slave's input along.
func TestLinkLostInPlaceOfAnAnswer(t *testing.T) {
	for range 5 {
		srv := sshtest.NewServer(t)
		srv.Hold("exec")
		inR, inW := pipe(t)
		kept, err := unix.FcntlInt(inR.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		require.NoError(t, err)
		mine := os.NewFile(uintptr(kept), "the caller's end")
		defer mine.Close()
		_, out := pipe(t)
		_, errOut := pipe(t)
		files, err := stdio.OpenSet(passed(t, inR), passed(t, out), passed(t, errOut))
		require.NoError(t, err)
		io.WriteString(inW, "kept")
		inW.Close()
		s, err := session.Open(t.Context(), srv.Link(t, nil), request("x"), files)
		require.NoError(t, err)
		go func() {
			srv.Log().Await(t, "exec x")
			for _, c := range srv.Conns() {
				c.Close()
			}
		}()
		over := make(chan struct{})
		s.Start(new(heard), func() { close(over) })
		<-over
		content, err := io.ReadAll(mine)
		require.NoError(t, err)
		require.Equal(t, "kept", string(content))
	}
}
