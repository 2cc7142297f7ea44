package proxy

import (
	"context"
	"log/slog"
	"sync/atomic"

	"golang.org/x/crypto/ssh"
)

// An Opener opens channels on a link to the host. When ctx ends first, a channel
// that the host confirms afterwards is closed by the Opener.
type Opener interface {
	OpenChannel(ctx context.Context, name string, extra []byte) (ssh.Channel, <-chan *ssh.Request, error)
}

// Remotes is the table of what the host listens on for this master. A place is a
// host name and port as the slave wrote them, or with the port
// [sshmaster/muxproto.PortStreamLocal] the path of a unix socket.
type Remotes interface {
	// Listen has the host listen at a place, for the caller alone, and returns
	// the port, which is the host's choice where 0 was asked for. From then on
	// accept is called with each channel that the host opens for it; accept
	// does not block and answers the channel later. After an error, ctx's
	// included, nothing listens.
	Listen(ctx context.Context, host string, port uint32, accept func(ssh.NewChannel)) (uint32, error)

	// Cancel ends what Listen began; port is the one that Listen returned.
	// Connections live on.
	Cancel(ctx context.Context, host string, port uint32) error
}

// Config is what [Serve] needs to know.
type Config struct {
	// Opener opens the channels that the slave asks for, of whatever type.
	Opener Opener

	// Remotes keeps the slave's remote forwards. Nil refuses them.
	Remotes Remotes

	// Busy is called when a channel begins to be asked for, by either side; the
	// function it returns when its end towards the host is over, which may be
	// after [Serve] has returned. Nil does nothing.
	Busy func() (end func())

	// In and Out count, where they are not nil, the bytes of data that the host
	// has sent on the slave's channels and those that were sent there.
	In, Out *atomic.Uint64

	// Log gets what happens. Nil discards it.
	Log *slog.Logger
}

// complete fills in what was left out.
func (c Config) complete() Config {
	if c.Busy == nil {
		c.Busy = func() func() { return func() {} }
	}
	if c.In == nil {
		c.In = new(atomic.Uint64)
	}
	if c.Out == nil {
		c.Out = new(atomic.Uint64)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Limits of one slave.
const (
	// maxChannels bounds the channels of a slave, those that are being opened
	// too.
	maxChannels = 1000

	// maxPacket is the longest data packet that a slave may send, in bytes, as
	// in OpenSSH and package ssh.
	maxPacket = 32 << 10

	// maxWindow and minWindow are the bounds of the window that a slave gets for
	// a channel, in bytes; windowBudget is what the windows of all its channels
	// share while there are few. The first 16 or so get a large window.
	maxWindow    = 1 << 20
	minWindow    = maxPacket
	windowBudget = 16 << 20

	// maxHeld is how much memory, in bytes, a slave's data and requests may use
	// before it is taken for an attack. Windows keep honest slaves far below.
	maxHeld = 64 << 20

	// softControl is how many bytes of small packets may wait for a slave to
	// read them before nothing is read from it any more, and hardControl before
	// the host's requests are not passed on any more.
	softControl = 256 << 10
	hardControl = 4 << 20
)
