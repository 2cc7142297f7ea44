package stocklink

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/crypto/ssh"

	"sshmaster/muxproto"
)

// A place is where the host listens: a host and a port, or the path of a socket.
type place struct {
	host string
	port uint32
	path string
}

// forward is a request to ssh to have the host listen there and to connect to a
// socket of ours. A listening host is "localhost" and "" on the wire where
// PROTOCOL.mux section 6 has "" and "*".
func (p place) forward(socket string) muxproto.Forward {
	f := muxproto.Forward{
		Type: muxproto.ForwardRemote, ListenHost: p.host, ListenPort: p.port,
		ConnectHost: socket, ConnectPort: muxproto.PortStreamLocal,
	}
	switch {
	case p.path != "":
		f.ListenHost, f.ListenPort = p.path, muxproto.PortStreamLocal
	case p.host == "localhost":
		f.ListenHost = ""
	case p.host == "":
		f.ListenHost = "*"
	}
	return f
}

// A remote is a place where the host listens for us, or was asked to.
type remote struct {
	asked    muxproto.Forward // with port 0 where the host had the choice
	listener *net.UnixListener
	serving  bool // somebody accepts
	stale    bool // ssh takes the place to be this one's, whoever asks for it later
}

// remotes are all of a link's.
type remotes struct {
	handlers map[string]func(ssh.NewChannel)
	env      []string

	mu     sync.Mutex
	closed bool
	dir    string // private, for the sockets; "" before there was one
	next   int    // number of the next socket
	all    map[place]*remote

	// refused are places that the host refused. ssh forgets to forget them, and
	// connects to the socket that it was told first when the host listens there
	// after all; so the same socket is used then.
	refused map[place]*remote
}

var errRemotesClosed = errors.New("stocklink: the link has ended")

// listen has the host listen at a place. A refusal is no error.
func (l *Link) listen(at place) (granted bool, reply []byte, err error) {
	r, err := l.remotes.prepare(at)
	if err != nil {
		return false, nil, err
	}
	port, err := l.client.OpenForward(context.Background(), r.asked)
	if err != nil {
		l.remotes.putAside(at, r)
		return false, nil, refusal(err)
	}
	if at.path == "" && at.port == 0 {
		at.port = port
		reply = ssh.Marshal(struct{ Port uint32 }{port})
	}
	if !l.remotes.add(at, r) {
		return false, nil, errRemotesClosed
	}
	return true, reply, nil
}

// unlisten has the host stop listening at a place. Connections live on.
func (l *Link) unlisten(at place) (bool, []byte, error) {
	r := l.remotes.remove(at)
	if r == nil {
		return false, nil, nil
	}
	err := l.client.CloseForward(context.Background(), r.asked)
	if r.stale {
		l.remotes.putAside(at, r)
	} else {
		_ = r.listener.Close()
	}
	return err == nil, nil, refusal(err)
}

// refusal is nil for ssh's no, which is an answer.
func refusal(err error) error {
	var no *muxproto.ReplyError
	if errors.As(err, &no) {
		return nil
	}
	return err
}

// prepare returns what ssh is asked with for a place.
func (r *remotes) prepare(at place) (*remote, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if one := r.refused[at]; one != nil {
		delete(r.refused, at)
		return one, nil
	}
	listener, err := r.socket()
	if err != nil {
		return nil, err
	}
	return &remote{asked: at.forward(listener.Addr().String()), listener: listener}, nil
}

// socket returns a new socket that only ssh, of our own user, can find. The
// caller holds the lock.
func (r *remotes) socket() (*net.UnixListener, error) {
	if r.closed {
		return nil, errRemotesClosed
	}
	if r.dir == "" {
		dir, err := privateFolder(r.env)
		if err != nil {
			return nil, err
		}
		r.dir = dir
	}
	r.next++
	path := filepath.Join(r.dir, "r"+strconv.Itoa(r.next))
	return net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
}

// add notes that the host listens at a place.
func (r *remotes) add(at place, one *remote) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.keep(&r.all, at, one)
}

// putAside keeps the socket of a place where the host does not listen, for the
// next who wants it to. Nobody comes back to a choice of the host's.
func (r *remotes) putAside(at place, one *remote) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at.path == "" && at.port == 0 {
		_ = one.listener.Close()
		return
	}
	one.stale = true
	r.keep(&r.refused, at, one)
}

// keep puts one into a table and has its socket served, unless the link has
// ended. The caller holds the lock.
func (r *remotes) keep(table *map[place]*remote, at place, one *remote) bool {
	if r.closed {
		_ = one.listener.Close()
		return false
	}
	if *table == nil {
		*table = make(map[place]*remote)
	}
	(*table)[at] = one
	if !one.serving {
		one.serving = true
		go r.accept(at, one)
	}
	return true
}

func (r *remotes) remove(at place) *remote {
	r.mu.Lock()
	defer r.mu.Unlock()
	one := r.all[at]
	delete(r.all, at)
	return one
}

// listening says whether the host listens at a place.
func (r *remotes) listening(at place) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all[at] != nil
}

// close takes the sockets away, when ssh is gone.
func (r *remotes) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for _, table := range []map[place]*remote{r.all, r.refused} {
		for _, one := range table {
			_ = one.listener.Close()
		}
	}
	r.all, r.refused = nil, nil
	if r.dir != "" {
		_ = os.RemoveAll(r.dir)
	}
}

// accept hands on what comes in at a place until its socket is closed.
func (r *remotes) accept(at place, one *remote) {
	handle := r.handlers[at.channelType()]
	for {
		sock, err := one.listener.AcceptUnix()
		if err != nil {
			return
		}
		if handle == nil || !r.listening(at) {
			_ = sock.Close()
			continue
		}
		go handle(&incoming{at: at, sock: sock})
	}
}
