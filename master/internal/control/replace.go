package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"sshmaster/muxproto"
)

const (
	// leaveTime is how long a master may take to make way that has agreed to.
	leaveTime = 10 * time.Second

	// leaveLook is how often it is looked whether it has.
	leaveLook = 5 * time.Millisecond
)

// Holder finds out who listens at path, relative to dir when it is not absolute:
// nobody, or somebody live, whose process id is 0 where it is no master or did not
// say. An error is an [*InUseError] of what is no socket at all, or says what is
// wrong with the path.
func Holder(path, dir string) (pid uint32, live bool, err error) {
	var held *InUseError
	switch err := Check(path, dir); {
	case err == nil:
		return 0, false, nil
	case errors.As(err, &held) && held.What == "":
		return held.PID, true, nil
	default:
		return 0, false, err
	}
}

// Replace asks the master that listens at path to stop listening, and returns when
// the path is free; what runs there goes on and ends by itself. Where nobody
// listens there is nothing to do. Whoever does not make way is an [*InUseError]
// that says why.
func Replace(ctx context.Context, path, dir string) error {
	pid, live, err := Holder(path, dir)
	if err != nil || !live {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, leaveTime, errors.New("it does not answer"))
	defer cancel()
	if err := askToLeave(ctx, path, dir); err != nil {
		return &InUseError{Path: path, PID: pid, Why: err.Error()}
	}
	for {
		_, live, err := Holder(path, dir)
		if err != nil || !live {
			return err
		}
		select {
		case <-ctx.Done():
			return &InUseError{Path: path, PID: pid, Why: "it agreed, and has not done so"}
		case <-time.After(leaveLook):
		}
	}
}

// askToLeave asks the master at path to stop listening. The error is why it does
// not.
func askToLeave(ctx context.Context, path, dir string) error {
	conn, err := call(ctx, path, dir)
	if err != nil {
		return err
	}
	var refused *muxproto.ReplyError
	c, err := muxproto.NewClient(ctx, conn)
	if err == nil {
		defer c.Close()
		err = c.StopListening(ctx)
	}
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		return fmt.Errorf("it refuses: %s", refused.Reason)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return fmt.Errorf("it is no master: %w", err)
}

// call connects to who listens at path, if that is somebody who may be here.
func call(ctx context.Context, path, dir string) (*net.UnixConn, error) {
	abs, err := place(path, dir)
	if err != nil {
		return nil, err
	}
	folder, err := openFolder(filepath.Dir(abs))
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", shortName(folder, filepath.Base(abs)))
	if err != nil {
		return nil, err
	}
	peer := conn.(*net.UnixConn)
	if err := SameUser(peer); err != nil {
		conn.Close()
		return nil, err
	}
	return peer, nil
}
