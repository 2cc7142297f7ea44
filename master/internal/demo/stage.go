package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sshmaster/master/internal/sshtest"
)

// stage is what the demo plays on: a server, a user's folder, and a configuration that names both.
type stage struct {
	program string // the master's path
	dir     string // everything below it is removed at the end
	local   string // the folder in which commands run
	remote  string // the server's home folder
	config  string // ssh_config
	socket  string // ControlPath
	server  *sshtest.Server
	env     []string // what commands get beyond the demo's own
	pid     int      // the master's, as it says itself; 0: not known
}

// grace is how long a master may take to go.
const grace = 5 * time.Second

// newStage sets up all but the master, whose program is at that path. The caller closes it.
func newStage(program string) (s *stage, err error) {
	dir, err := os.MkdirTemp("", "ssh-demo-")
	if err != nil {
		return nil, err
	}
	s = &stage{
		program: program, dir: dir,
		local: filepath.Join(dir, "local"), remote: filepath.Join(dir, "remote"), socket: filepath.Join(dir, "control"),
	}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	for _, folder := range []string{s.local, s.remote} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			return nil, err
		}
	}
	if s.server, err = sshtest.Start("127.0.0.1:0", sshtest.RealShell(s.remote)); err != nil {
		return nil, err
	}
	files, err := s.server.WriteFiles(dir)
	if err != nil {
		return nil, err
	}
	s.config = files.Config
	return s, s.addControlPath()
}

func (s *stage) addControlPath() error {
	f, err := os.OpenFile(s.config, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "    ControlPath \"%s\"\n", s.socket)
	return errors.Join(err, f.Close())
}

// result is what one command did.
type result struct {
	output string // both its outputs, as they came; ssh's own messages end in CR LF, here in LF
	status int    // -1: it did not run, or a signal ended it
	took   time.Duration
}

// exec runs a program, with -F where it is one of ssh's, and waits for it. Its outputs go to a file, not a pipe: a master
// in the background may keep them open.
func (s *stage) exec(ctx context.Context, stdin io.Reader, name string, args ...string) result {
	output, err := os.CreateTemp(s.dir, "output-")
	if err != nil {
		return result{output: err.Error(), status: -1}
	}
	defer os.Remove(output.Name())
	defer output.Close()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = s.local, stdin, output, output
	cmd.Env = append(os.Environ(), s.env...)
	begun := time.Now()
	err = cmd.Run()
	took := time.Since(begun)
	text, readErr := os.ReadFile(output.Name())
	if cmd.ProcessState == nil || readErr != nil {
		return result{output: fmt.Sprint(errors.Join(err, readErr)), status: -1}
	}
	return result{output: strings.ReplaceAll(string(text), "\r\n", "\n"), status: cmd.ProcessState.ExitCode(), took: took}
}

// tool runs one of ssh, scp, sftp, or the master, with the demo's configuration.
func (s *stage) tool(ctx context.Context, stdin io.Reader, name string, args ...string) result {
	return s.exec(ctx, stdin, name, append([]string{"-F", s.config}, args...)...)
}

var runningPid = regexp.MustCompile(`pid=(\d+)`)

// notePid keeps the number that ssh -O check printed, so that the master can be ended whatever happens.
func (s *stage) notePid(checked string) {
	if match := runningPid.FindStringSubmatch(checked); match != nil {
		s.pid, _ = strconv.Atoi(match[1])
	}
}

// gone waits until the master's socket and process are no more.
func (s *stage) gone() bool {
	for end := time.Now().Add(grace); ; time.Sleep(time.Millisecond) {
		_, err := os.Lstat(s.socket)
		if errors.Is(err, os.ErrNotExist) && (s.pid <= 1 || ended(s.pid)) {
			s.pid = 0
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// ended reports whether the process is no more, or only waits for an init that takes its time to collect it.
func ended(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(stat), ") Z ")
}

// close ends what still runs and removes the folder. A master that is still there is asked to exit, then killed.
func (s *stage) close() error {
	if s.server != nil {
		s.server.Close() // first: a master that is just logging in fails
	}
	if _, err := os.Lstat(s.socket); err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		s.notePid(s.tool(ctx, nil, "ssh", "-O", "check", sshtest.Host).output)
		s.tool(ctx, nil, "ssh", "-O", "exit", sshtest.Host)
	}
	var err error
	if !s.gone() && s.pid > 1 {
		err = fmt.Errorf("the master, process %d, did not end and was killed", s.pid)
		syscall.Kill(s.pid, syscall.SIGKILL)
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}
