package sshtest

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sync"
	"syscall"
)

// RealShell makes the server run what clients ask for, as the user who runs it, in the folder home: /bin/sh -c COMMAND or
// a /bin/sh, on a pseudo-terminal when one was asked for, and the sftp subsystem. Other subsystems are refused. The
// programs get a fresh environment; terminal modes are not applied. What still runs when the server closes is killed.
func RealShell(home string) Option {
	return func(s *settings) {
		s.handler = func(session *Session) { runReal(session, home) }
		s.answer = func(session *Session, r *Request) bool {
			return AcceptAll(session, r) && (r.Name != "subsystem" || r.Text() == "sftp")
		}
	}
}

func runReal(s *Session, home string) {
	start, ok := s.Start()
	if !ok {
		return
	}
	if start.Name == "subsystem" {
		s.Exit(serveSFTP(s, home))
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.Conn.wg.Go(func() {
		select {
		case <-s.Conn.server.done:
			cancel()
		case <-ctx.Done():
		}
	})
	cmd := command(ctx, start, home)
	cmd.Env = append(cmd.Env, s.Env()...)
	var err error
	if terminal := s.Pty(); terminal != nil {
		err = s.runOnTerminal(cmd, terminal)
	} else {
		err = s.runOnPipes(ctx, cmd)
	}
	s.exitAs(err)
}

// command is the shell that was asked for, in a process group of its own that is killed when ctx ends.
func command(ctx context.Context, start *Request, home string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/bin/sh")
	if start.Name == "exec" {
		cmd.Args = append(cmd.Args, "-c", start.Text())
	}
	cmd.Dir = home
	cmd.Env = baseEnv(home)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

// baseEnv is what sshd gives to a program before the client's variables.
func baseEnv(home string) []string {
	name := "demo"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return []string{"HOME=" + home, "USER=" + name, "LOGNAME=" + name, "SHELL=/bin/sh", "PATH=" + os.Getenv("PATH")}
}

// runOnPipes runs the program with a pipe for each of its three files. Its input ends with the client's; the program
// itself is left alone when the client goes, as sshd does.
func (s *Session) runOnPipes(ctx context.Context, cmd *exec.Cmd) error {
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	var outputs sync.WaitGroup
	stdout, err := outputPipe(ctx, &outputs, s)
	if err != nil {
		return err
	}
	defer stdout.Close()
	stderr, err := outputPipe(ctx, &outputs, s.Stderr())
	if err != nil {
		return err
	}
	defer stderr.Close()
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	stdout.Close() // the program has its own
	stderr.Close()
	s.Conn.wg.Go(func() {
		io.Copy(stdin, s)
		stdin.Close()
	})
	err = s.supervise(cmd, func(Size) {})
	outputs.Wait()
	return err
}

// outputPipe returns the writing end of a pipe whose other end is copied to a client until all writers have gone or ctx
// ends: exec's own copying would wait for ever for a program in the background, or cut a slow client off.
func outputPipe(ctx context.Context, copies *sync.WaitGroup, to io.Writer) (*os.File, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	copies.Go(func() {
		defer read.Close()
		io.Copy(to, read)
	})
	context.AfterFunc(ctx, func() { read.Close() })
	return write, nil
}

// supervise waits for the started program, and relays signals and sizes to it meanwhile.
func (s *Session) supervise(cmd *exec.Cmd, resize func(Size)) error {
	ended := make(chan struct{})
	s.Conn.wg.Go(func() {
		for {
			r, ok := s.Next()
			if !ok {
				return
			}
			select {
			case <-ended: // its process number may be another's by now
				continue
			default:
			}
			if size, ok := r.WindowChange(); ok {
				resize(size)
			}
			if number, ok := signalNumbers[r.Text()]; ok && r.Name == "signal" {
				syscall.Kill(-cmd.Process.Pid, number)
			}
		}
	})
	defer close(ended)
	return cmd.Wait()
}

// exitAs tells the client how the program ended and closes the session.
func (s *Session) exitAs(err error) {
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signaled():
		s.ExitSignal(signalName(exit.Sys().(syscall.WaitStatus).Signal()), "")
		s.CloseWrite()
		s.Close()
	case errors.As(err, &exit):
		s.Exit(uint32(exit.ExitCode()))
	case err != nil && !errors.Is(err, io.EOF):
		io.WriteString(s.Stderr(), filepath.Base(os.Args[0])+": "+err.Error()+"\n")
		s.Exit(255)
	default:
		s.Exit(0)
	}
}
