package master

import (
	"log/slog"

	"sshmaster/master/internal/control"
	"sshmaster/master/internal/hostconfig"
	"sshmaster/master/internal/upstream"
)

// A Set is what the masters of one person in one process have in common, so that
// a further one costs little more than its socket:
//
//   - The links. A master whose host is another one's jump host lends its link, and
//     masters behind the same jump host log in there once. Links are shared that
//     the configuration describes in the same words, whoever's agent was asked, so
//     people who may not use each other's logins need sets of their own.
//   - The watch over the folders of control sockets, which puts back what is deleted.
//   - The watch over the network and the clocks, which asks links for a sign of life.
//
// Its methods may be called from any goroutine.
type Set struct {
	links   *upstream.Links
	folders *control.Folders
	network *network
}

// NewSet returns a set for [Options]. Log gets what is nobody's in particular; nil
// discards it.
func NewSet(log *slog.Logger) *Set {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Set{links: upstream.NewLinks(), folders: control.NewFolders(log), network: newNetwork(log)}
}

// OnJump has f called when a master of the set has jumped over a link that is no
// master's, with the question that leads to that jump host. Whoever makes a master
// for it and has that adopt the link ([Master.Adopt]) before done is called keeps
// it; else it is closed with the last jump. F must not wait. It is set before the
// first master starts.
func (s *Set) OnJump(f func(q Query, done func())) {
	s.links.Jumped = func(hop *hostconfig.Host, done func()) { f(hop.Asked(), done) }
}

// Close ends what the set does for its masters, which have ended before. When it
// returns, nothing of the set runs or is open.
func (s *Set) Close() {
	s.folders.Close()
	s.network.close()
}
