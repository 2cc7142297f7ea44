package sshtest

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// runOnTerminal runs the program on a pseudo-terminal of its own. When the client goes, the terminal hangs up.
func (s *Session) runOnTerminal(cmd *exec.Cmd, terminal *Pty) error {
	cmd.Env = append(cmd.Env, "TERM="+terminal.Term)
	control, err := startOnTerminal(cmd, terminal.Size)
	if err != nil {
		return err
	}
	defer control.Close()
	s.Conn.wg.Go(func() { io.Copy(control, s) })
	shown := make(chan struct{})
	s.Conn.wg.Go(func() {
		defer close(shown)
		io.Copy(s, control) // ends with EIO when the last program has left the terminal
	})
	s.Conn.wg.Go(func() {
		select {
		case <-s.Done():
			control.Close()
		case <-shown:
		}
	})
	err = s.supervise(cmd, func(size Size) { resize(control, size) })
	select {
	case <-shown:
	case <-s.Done():
	}
	return err
}

// startOnTerminal starts the program and returns the controlling end of its terminal, which the caller closes. The pty
// package leaves it in blocking mode, where Close would not end a Read: hence the second descriptor.
func startOnTerminal(cmd *exec.Cmd, size Size) (*os.File, error) {
	blocking, err := pty.StartWithSize(cmd, &pty.Winsize{
		Cols: uint16(size.Cols), Rows: uint16(size.Rows), X: uint16(size.XPixel), Y: uint16(size.YPixel),
	})
	if err != nil {
		return nil, err
	}
	defer blocking.Close()
	fd, err := unix.FcntlInt(blocking.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("sshtest: terminal: %w", err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		syscall.Close(fd)
		return nil, fmt.Errorf("sshtest: terminal: %w", err)
	}
	return os.NewFile(uintptr(fd), "terminal"), nil
}

// resize tells the terminal, and so its programs, a new size.
func resize(control *os.File, size Size) {
	raw, err := control.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) {
		unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{
			Col: uint16(size.Cols), Row: uint16(size.Rows), Xpixel: uint16(size.XPixel), Ypixel: uint16(size.YPixel),
		})
	})
}
