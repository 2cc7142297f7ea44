package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"sshmaster/master"
	"sshmaster/master/daemon"
	"sshmaster/muxproto"
)

// statusRequest is the request for information by which a master tells what it
// holds. OpenSSH's masters do not know it.
const statusRequest = "status@ssh-master"

// listAll asks the daemon for the masters of every host.
func listAll(ctx context.Context) ([]master.Status, error) {
	place, err := daemon.Find(os.Environ())
	if err != nil {
		return nil, err
	}
	masters, err := daemon.Client{Place: place}.List(ctx)
	if errors.Is(err, daemon.ErrNotRunning) {
		return nil, errNobody
	}
	return masters, err
}

var errNobody = errors.New("no ssh-master serves every host: name one, or give a socket with -S")

// A foreignMaster is one that cannot tell what it holds.
type foreignMaster struct {
	path string
	pid  uint32
}

func (e *foreignMaster) Error() string {
	return fmt.Sprintf("the master at %s (pid %d) is not an ssh-master: it does not tell what it holds", e.path, e.pid)
}

// status asks a master what it holds. One that does not know is a
// [*foreignMaster].
func (a *asker) status(ctx context.Context) (s master.Status, err error) {
	text, err := a.Info(ctx, statusRequest)
	var refused *muxproto.ReplyError
	switch {
	case errors.Is(err, muxproto.ErrNoInfo), errors.As(err, &refused):
		pid, err := a.Alive(ctx)
		if err != nil {
			return s, fmt.Errorf("master alive check failed: %w", err)
		}
		return s, &foreignMaster{a.path, pid}
	case err != nil:
		return s, err
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return s, fmt.Errorf("what the master at %s tells cannot be understood: %w", a.path, err)
	}
	return s, nil
}
