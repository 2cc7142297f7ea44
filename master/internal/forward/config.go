package forward

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/crypto/ssh"
)

// An Opener opens channels on a link to the host. It may wait for a link.
type Opener interface {
	OpenChannel(ctx context.Context, name string, extra []byte) (ssh.Channel, <-chan *ssh.Request, error)
}

// A Requester sends global requests on a link to the host (RFC 4254 section 4).
// Without a link it may wait when wantReply is set, and must fail at once when
// it is not.
type Requester interface {
	SendRequest(ctx context.Context, name string, wantReply bool, payload []byte) (bool, []byte, error)
}

// Config is what a [Registry] needs to know. It is not changed after [New].
type Config struct {
	Opener    Opener
	Requester Requester

	// GatewayPorts makes forwards that name no address listen on all of them.
	GatewayPorts bool

	// AddressFamily is "inet", "inet6", or "any", which empty means too.
	AddressFamily string

	// StreamLocalBindMask is the umask of unix sockets that are listened on:
	// 0177 makes their mode 0600. The zero value lets everybody connect.
	StreamLocalBindMask uint32

	// StreamLocalBindUnlink removes a file that is in the way of such a socket.
	StreamLocalBindUnlink bool

	// PermitRemoteOpen says where remote SOCKS clients may connect to: "any",
	// which none means too, "none", or patterns host:port.
	PermitRemoteOpen []string

	// Dir is where relative paths of unix sockets start.
	Dir string

	// HandshakeTime bounds how long a SOCKS client may take to say what it
	// wants; 0 is a minute.
	HandshakeTime time.Duration

	// RetryTime is how long [Remotes.Renew] waits first before it asks again
	// for what the host refused; 0 is a second. It doubles up to half a
	// minute.
	RetryTime time.Duration

	// Busy is called when a connection begins to be carried, and the function
	// it returned when it ends. Nil does nothing.
	Busy func() (end func())

	// Log gets what happens. Nil discards it.
	Log *slog.Logger
}

const (
	handshakeTime = time.Minute
	retryTime     = time.Second
	maxRetryTime  = 30 * time.Second
)

// complete fills in what was left out.
func (c Config) complete() Config {
	if c.HandshakeTime == 0 {
		c.HandshakeTime = handshakeTime
	}
	if c.RetryTime == 0 {
		c.RetryTime = retryTime
	}
	if c.Busy == nil {
		c.Busy = func() func() { return func() {} }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}
