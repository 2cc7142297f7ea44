package stocklink

import (
	"errors"
	"log/slog"

	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/hostconfig"
)

// Options is all that [Start] works from. Only Host is required.
type Options struct {
	Host *hostconfig.Host

	Env []string // of ssh; nil is empty
	Dir string   // folder of ssh, from which relative names are seen; "" is the process's own

	// Log gets what ssh says, too, line by line and without control characters.
	// nil discards.
	Log *slog.Logger

	// Channels holds a handler for "forwarded-tcpip" and for
	// "forwarded-streamlocal@openssh.com". Each call has a goroutine of its own
	// and must accept or reject.
	Channels map[string]func(ssh.NewChannel)
}

// complete fills in the defaults.
func (o Options) complete() (Options, error) {
	if o.Host == nil {
		return o, errors.New("stocklink: no host given")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o, nil
}
