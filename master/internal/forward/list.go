package forward

import (
	"cmp"
	"slices"
	"time"

	"sshmaster/muxproto"
)

// A State is how far a connection has come. The numbers are OpenSSH's, as its
// list of channels shows them (t4).
type State int

// States of connections.
const (
	StateOpening       State = 3  // the host was asked for a channel
	StateOpen          State = 4  // bytes flow
	StateX11           State = 7  // the cookie has not come yet
	StateConnecting    State = 12 // the host's channel waits for a connection here
	StateSOCKS         State = 13 // the client has not said yet where it wants to go
	StateRemoteSOCKS   State = 21 // the same on a channel
	StateRemoteConnect State = 22 // the channel is open and waits for a connection here
)

// A Connection is one stream that is, or is about to be, carried.
type Connection struct {
	State State
	Type  string    // OpenSSH's channel type: direct-tcpip, forwarded-tcpip, x11-connection, ...
	Name  string    // OpenSSH's name, without control characters
	Began time.Time // when it was accepted or the host asked for it
}

// Connections returns the connections of the moment, oldest first.
func (r *Registry) Connections() []Connection {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*connection, 0, len(r.connections))
	for c := range r.connections {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *connection) int { return cmp.Compare(a.seq, b.seq) })
	list := make([]Connection, len(all))
	for i, c := range all {
		list[i] = c.describe()
	}
	return list
}

func (c *connection) describe() Connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Connection{State: c.state, Type: c.kind, Name: c.name, Began: c.began}
}

// A Listener is one forward that accepts connections.
type Listener struct {
	Forward     muxproto.Forward
	Addresses   []string // where a local one really listens
	Port        uint32   // the one that the host chose, or 0
	Waiting     bool     // the host does not listen at present: it has not granted it since the link changed
	Began       time.Time
	Connections int // that it carries, or is about to
}

// Listeners returns the forwards of the moment, in the order in which they were
// asked for.
func (r *Registry) Listeners() []Listener {
	r.mu.Lock()
	carried := make(map[muxproto.Forward]int)
	for c := range r.connections {
		carried[c.of]++
	}
	var all []*entry
	for _, e := range r.forwards {
		select {
		case <-e.ready:
			all = append(all, e)
		default:
		}
	}
	r.mu.Unlock()
	slices.SortFunc(all, func(a, b *entry) int { return cmp.Compare(a.seq, b.seq) })
	list := make([]Listener, len(all))
	for i, e := range all {
		list[i] = r.describe(e)
		list[i].Connections = carried[identity(e.forward)]
	}
	return list
}

func (r *Registry) describe(e *entry) Listener {
	l := Listener{Forward: e.forward, Port: r.allocated(e), Began: e.began}
	for _, local := range e.listeners {
		l.Addresses = append(l.Addresses, local.Addr().String())
	}
	if e.forward.Type == muxproto.ForwardRemote {
		l.Waiting = !r.remotes.listening(e.at)
	}
	return l
}
