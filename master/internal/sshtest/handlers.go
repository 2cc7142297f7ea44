package sshtest

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// AcceptAll accepts every request that OpenSSH's server knows for a session, any subsystem, and refuses others.
func AcceptAll(_ *Session, r *Request) bool {
	switch r.Name {
	case "pty-req", "env", "exec", "shell", "subsystem", "window-change", "signal", "break",
		"x11-req", "auth-agent-req@openssh.com", "eow@openssh.com":
		return true
	}
	return false
}

// Commands is a small set of programs that need no operating system: cat, count (of the input's bytes), echo WORDS, warn
// WORDS (on the standard error), yes [BYTES], env, tty, exit N, and sleep (until the client goes). A shell and a subsystem
// are cat.
func Commands(s *Session) {
	start, ok := s.Start()
	if !ok {
		return
	}
	name, rest, _ := strings.Cut(start.Text(), " ")
	if start.Name != "exec" {
		name = "cat"
	}
	s.Exit(s.run(name, rest))
}

func (s *Session) run(name, rest string) (status uint32) {
	switch name {
	case "cat":
		io.Copy(s, s)
	case "count":
		n, _ := io.Copy(io.Discard, s)
		fmt.Fprintln(s, n)
	case "echo":
		fmt.Fprintln(s, rest)
	case "warn":
		fmt.Fprintln(s.Stderr(), rest)
	case "yes":
		Source(s, rest)
	case "env":
		fmt.Fprintln(s, strings.Join(s.Env(), "\n"))
	case "tty":
		return s.tty()
	case "exit":
		n, _ := strconv.ParseUint(rest, 10, 32)
		return uint32(n)
	case "sleep":
		<-s.Done()
	default:
		fmt.Fprintf(s.Stderr(), "%s: command not found\n", name)
		return 127
	}
	return 0
}

func (s *Session) tty() uint32 {
	pty := s.Pty()
	if pty == nil {
		fmt.Fprintln(s, "not a tty")
		return 1
	}
	fmt.Fprintf(s, "%s %dx%d\n", pty.Term, pty.Size.Cols, pty.Size.Rows)
	return 0
}

// Source writes lines of "y" until the client has as many bytes as count says, or without end when count is empty.
func Source(s *Session, count string) {
	block := []byte(strings.Repeat("y\n", 16<<10))
	left, err := strconv.ParseInt(count, 10, 64)
	for err != nil || left > 0 {
		part := block
		if err == nil {
			part = block[:min(int64(len(block)), left)]
		}
		n, writeErr := s.Write(part)
		if left -= int64(n); writeErr != nil {
			return
		}
	}
}

// Idle is cat with as little memory as a session can do with: no buffer but a few bytes.
func Idle(s *Session) {
	if _, ok := s.Start(); !ok {
		return
	}
	var buf [256]byte
	for {
		n, err := s.Read(buf[:])
		if _, writeErr := s.Write(buf[:n]); err != nil || writeErr != nil {
			break
		}
	}
	s.Exit(0)
}
