package upstream

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"

	"sshmaster/master/internal/hostconfig"
	"sshmaster/muxproto"
)

// errNobodyServes says that no master can be attached to.
var errNobodyServes = errors.New("no master serves the jump host")

// An attached connection is a stream that another process's master carries.
type attached struct {
	net.Conn
	client *muxproto.Client
}

// NetConn returns our end of the stream.
func (a *attached) NetConn() net.Conn { return a.Conn }

// CloseWrite tells the host that no more will come.
func (a *attached) CloseWrite() error { return a.Conn.(*net.UnixConn).CloseWrite() }

// Close ends the stream.
func (a *attached) Close() error {
	err := a.Conn.Close()
	_ = a.client.Close()
	return err
}

// attach reaches the host through the master on the jump host's control socket,
// as `ssh -W` does. errNobodyServes is a reason to dial; what a master that is
// there says is the answer.
func (d *dialer) attach(ctx context.Context, hop *hostconfig.Host) (net.Conn, error) {
	path := d.socketOf(hop)
	if path == "" {
		return nil, errNobodyServes
	}
	ctx, cancel := d.limit(ctx)
	defer cancel()
	client, err := muxproto.Dial(ctx, path)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return nil, d.noAnswer(hop, cause)
		}
		d.Log.Debug("the jump host is not reached by its control socket", "host", hop.OriginalHost, "path", path, "error", err)
		return nil, errNobodyServes
	}
	if pid, err := client.Alive(ctx); err == nil && int(pid) == os.Getpid() {
		// A master of this process: its link is dialled, or shared, without the
		// detour, on which nobody could be asked anything.
		_ = client.Close()
		return nil, errNobodyServes
	}
	nc, err := d.ask(ctx, client)
	if err == nil {
		d.Log.Debug("the jump host is reached by its control socket", "host", hop.OriginalHost, "path", path)
		return &attached{nc, client}, nil
	}
	_ = client.Close()
	if cause := context.Cause(ctx); cause != nil {
		return nil, d.noAnswer(hop, cause)
	}
	return nil, d.passedOn(hop, err)
}

// ask asks a master for a stream to the host.
func (d *dialer) ask(ctx context.Context, client *muxproto.Client) (net.Conn, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	fd := int(theirs.Fd())
	_, err = client.StdioForward(ctx, d.Host.HostName, uint32(d.Host.Port), fd, fd)
	_ = theirs.Close()
	if err != nil {
		_ = ours.Close()
		return nil, err
	}
	return ours, nil
}

// socketOf is the control socket by which the hop may be reached: none where
// its ControlMaster keeps ssh from attaching, and never the one at which we
// serve, or want to, ourselves.
func (d *dialer) socketOf(hop *hostconfig.Host) string {
	path := hop.ControlPath
	switch hop.ControlMaster {
	case "yes", "ask":
		return ""
	}
	if path == "" || path == d.Host.ControlPath {
		return ""
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(d.Dir, path)
	}
	return path
}
