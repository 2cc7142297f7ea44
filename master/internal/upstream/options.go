package upstream

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"time"

	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/hostconfig"
	"sshmaster/master/internal/upstream/prompt"
)

// Options is all that [Dial] works from. Only Host is required.
type Options struct {
	Host *hostconfig.Host

	Env      []string        // of a ProxyCommand and for the agent; nil is empty
	Dir      string          // folder of a ProxyCommand; "" is the process's own
	Log      *slog.Logger    // nil discards
	Prompter prompt.Prompter // nil asks nobody
	Version  string          // of this program, sent as "SSH-2.0-sshmaster_<Version>"; "" is "dev"

	// Stderr is where the server's banner and what a ProxyCommand prints go,
	// line by line and without control characters. nil logs them. It is written
	// to by one goroutine at a time.
	Stderr io.Writer

	// Channels holds a handler for each type of channel the server may open.
	// Each call has a goroutine of its own and must accept or reject.
	Channels map[string]func(ssh.NewChannel)

	// HostKeys, when not nil, is called once, in a goroutine of its own, with
	// the keys that the server announces after login (hostkeys-00@openssh.com,
	// OpenSSH's PROTOCOL section 2.5). They are unproven.
	HostKeys func(l *Link, announced []byte)

	// Verifier judges the server's key; nil is known_hosts as Host says. It
	// serves one link.
	Verifier Verifier

	// Authenticator proves who the user is; nil is what Host allows. It serves
	// one login and is closed after it.
	Authenticator Authenticator

	// Connect, when not nil, reaches the host in place of TCP and ProxyCommand.
	// The link owns what it returns.
	Connect func(ctx context.Context) (net.Conn, error)

	// Links are where links to jump hosts are found, and left for others; nil
	// shares them with nobody. Busy is for [Links.Dial]: it is called when there
	// begin to be jumps over the link, and what it returned when there are none
	// any more. It must not call back into the set.
	Links *Links
	Busy  func() (rest func())

	// ReachTimeout is how long one attempt to connect over TCP may take where
	// ConnectTimeout does not say; 0 is as long as the system tries. Over a network
	// that comes and goes several short attempts succeed sooner than a long one.
	ReachTimeout time.Duration

	// WriteTimeout is how long the server may refuse to take our bytes before
	// the link is given up; 0 is three minutes, or what ServerAliveInterval and
	// ServerAliveCountMax come to where that is more.
	WriteTimeout time.Duration

	route  []*hostconfig.Host // the jump hosts on the way, the nearest first
	routed bool               // route is known
	hop    bool               // the host is on somebody's way: nobody else judges its options
}

// A Verifier judges host keys.
type Verifier interface {
	// Algorithms returns the host key algorithms to offer, in order of
	// preference. The caller leaves out what x/crypto does not have.
	Algorithms(ctx context.Context) ([]string, error)

	// Check returns nil for a key that is the host's. remote is the address that
	// was reached, which is none of the network's when there is a ProxyCommand.
	// The first call may ask a person; ConnectTimeout stands still meanwhile.
	// Later calls, for rekeys that show another key, ask nothing.
	Check(ctx context.Context, remote net.Addr, key ssh.PublicKey) error
}

// An Authenticator proves who the user is, one attempt at a time.
type Authenticator interface {
	// AuthCallback returns the hook that chooses the next attempt. ctx ends with
	// the login and with the connection.
	AuthCallback(ctx context.Context) ssh.ClientAuthCallback

	// Explain words the error of a login that failed at authentication.
	Explain(err error) error

	// Close lets go of what the login needed.
	Close() error
}

// complete fills in the defaults.
func (o Options) complete() (Options, error) {
	if o.Host == nil {
		return o, errors.New("upstream: no host given")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Prompter == nil {
		o.Prompter = prompt.Nobody{}
	}
	if o.Links == nil {
		o.Links = NewLinks()
	}
	if o.Version == "" {
		o.Version = "dev"
	}
	if o.Stderr == nil {
		o.Stderr = logWriter{o.Log}
	}
	return o, nil
}

// A logWriter logs each line written to it.
type logWriter struct{ log *slog.Logger }

func (w logWriter) Write(p []byte) (int, error) {
	eachLine(string(p), func(line string) { w.log.Info(line) })
	return len(p), nil
}
