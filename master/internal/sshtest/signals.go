package sshtest

import (
	"syscall"

	"golang.org/x/crypto/ssh"
)

// signalNumbers are the signals of RFC 4254 §6.10 by their names.
var signalNumbers = map[string]syscall.Signal{
	string(ssh.SIGABRT): syscall.SIGABRT, string(ssh.SIGALRM): syscall.SIGALRM, string(ssh.SIGFPE): syscall.SIGFPE,
	string(ssh.SIGHUP): syscall.SIGHUP, string(ssh.SIGILL): syscall.SIGILL, string(ssh.SIGINT): syscall.SIGINT,
	string(ssh.SIGKILL): syscall.SIGKILL, string(ssh.SIGPIPE): syscall.SIGPIPE, string(ssh.SIGQUIT): syscall.SIGQUIT,
	string(ssh.SIGSEGV): syscall.SIGSEGV, string(ssh.SIGTERM): syscall.SIGTERM, string(ssh.SIGUSR1): syscall.SIGUSR1,
	string(ssh.SIGUSR2): syscall.SIGUSR2,
}

func signalName(signal syscall.Signal) string {
	for name, number := range signalNumbers {
		if number == signal {
			return name
		}
	}
	return signal.String() + "@sshtest"
}
