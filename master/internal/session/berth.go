package session

import "golang.org/x/crypto/ssh"

// A Berth is a channel that knows of the link that carries it. The channels of an
// [Opener] need not be berths: then nothing is known of their link, and it may do
// everything.
type Berth interface {
	ssh.Channel

	// Closed is called once, when the host has closed the channel.
	Closed()

	// EOW says that the host understands eow@openssh.com (OpenSSH's PROTOCOL,
	// section 2.1), by which it learns that nobody reads its output any more.
	EOW() bool

	// Trusted says that the host is the one that was known: agent and display
	// may be forwarded to it. X11 says that the link carries displays at all.
	Trusted() bool
	X11() bool

	// TerminalsGranted says that the host has granted a terminal on this link,
	// so that another one need not be waited for; GrantTerminals that it did so
	// now.
	TerminalsGranted() bool
	GrantTerminals()

	// Lost is why the link has ended, for a person; nil while it has not, and
	// when the master ended it.
	Lost() error
}

// berthOf is ch, or a berth about whose link nothing is known.
func berthOf(ch ssh.Channel) Berth {
	if b, ok := ch.(Berth); ok {
		return b
	}
	return unknown{ch}
}

// unknown is a channel on a link about which nothing is known.
type unknown struct{ ssh.Channel }

func (unknown) Closed()                {}
func (unknown) EOW() bool              { return false }
func (unknown) Trusted() bool          { return true }
func (unknown) X11() bool              { return true }
func (unknown) TerminalsGranted() bool { return false }
func (unknown) GrantTerminals()        {}
func (unknown) Lost() error            { return nil }
