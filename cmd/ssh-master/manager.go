package main

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/coreos/go-systemd/v22/activation"
	sd "github.com/coreos/go-systemd/v22/daemon"

	"sshmaster/master/daemon"
)

// What a service manager that starts the daemon at the first connection hands
// over: systemd's, by sd_listen_fds(3) and sd_notify(3). Elsewhere there is none.

// tellManager says that connections are accepted.
func tellManager() { _, _ = sd.SdNotify(true, sd.SdNotifyReady) }

// passedOn are the descriptors that a service manager passed.
var passedOn []*os.File

// inheritPassedOn takes them, before main closes what else was inherited.
func inheritPassedOn() { passedOn = activation.Files(true) }

// managersListener returns the socket that a service manager listens on, or nil
// where none does. Its file is the manager's.
func managersListener() (daemon.Listener, error) {
	switch len(passedOn) {
	case 0:
		return nil, nil
	case 1:
	default:
		return nil, fmt.Errorf("the service manager passed %d sockets: ssh-master.socket has one ListenStream", len(passedOn))
	}
	defer passedOn[0].Close()
	l, err := net.FileListener(passedOn[0])
	if err != nil {
		return nil, fmt.Errorf("the service manager's socket: %w", err)
	}
	unix, ok := l.(*net.UnixListener)
	if !ok {
		l.Close()
		return nil, errors.New("the service manager passed no unix socket")
	}
	return activated{unix}, nil
}

// An activated socket is a listener of the service manager's.
type activated struct{ *net.UnixListener }

// Accept returns the next connection.
func (a activated) Accept() (*net.UnixConn, error) { return a.AcceptUnix() }
