package pool

import (
	"context"
	"time"

	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/upstream"
	"sshmaster/master/internal/upstream/prompt"
)

// A Link is one connection to the host. Each of its calls returns when the host
// answered, when ctx ended or when the link did.
type Link interface {
	// OpenChannel opens a channel (RFC 4254 section 5.1). A refusal of the
	// host's is an *[ssh.OpenChannelError].
	OpenChannel(ctx context.Context, name string, extra []byte) (ssh.Channel, <-chan *ssh.Request, error)

	// SendRequest sends a global request (RFC 4254 section 4).
	SendRequest(ctx context.Context, name string, wantReply bool, payload []byte) (bool, []byte, error)

	// Ping asks the host for a sign of life and returns how long it took.
	Ping(ctx context.Context) (time.Duration, error)

	// Sends tells that a channel, by a number of its own from 1, is about to send n
	// bytes.
	Sends(sender int64, n int)

	// Carries tells how many channels the link carries, those that are being opened or
	// closed too.
	Carries(channels int)

	// RoundTrip is how long the last one took, 0 where that is not known.
	RoundTrip() time.Duration

	// Silence is how long ago the host's last byte came.
	Silence() time.Duration

	// Done is closed when the link has ended; Err then says why, in a sentence
	// for a person.
	Done() <-chan struct{}
	Err() error

	// Close ends the link; GiveUp does so because the host gave no sign of
	// life.
	Close() error
	GiveUp()

	Info() upstream.Info

	// Unsafe says that the host's key had changed: nothing may be forwarded.
	Unsafe() bool
}

// A Dial makes one more link to the host.
type Dial func(ctx context.Context, c Call) (Link, error)

// A Call is how a link is to be made.
type Call struct {
	// Asks is whom the login may ask.
	Asks prompt.Prompter

	// Again says that there has been a link before: the host is known to be there,
	// and whoever waits wants to know soon whether it still is.
	Again bool

	// Busy is called when others begin to use the link without the pool's
	// knowledge, and what it returned when they have stopped.
	Busy func() (rest func())
}
