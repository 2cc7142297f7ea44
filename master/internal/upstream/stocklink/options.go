package stocklink

import (
	"errors"
	"io"
	"log/slog"

	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/hostconfig"
)

// Options is all that [Start] works from. Only Host is required.
type Options struct {
	Host *hostconfig.Host

	Env []string     // of ssh; nil is empty
	Dir string       // folder of ssh, from which relative names are seen; "" is the process's own
	Log *slog.Logger // nil discards

	// Stderr gets what ssh says, line by line and without control characters, by
	// one goroutine at a time. nil logs it.
	Stderr io.Writer

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
	if o.Stderr == nil {
		o.Stderr = logWriter{o.Log}
	}
	return o, nil
}

// A logWriter logs each line written to it.
type logWriter struct{ log *slog.Logger }

func (w logWriter) Write(p []byte) (int, error) {
	w.log.Info(clean(string(p[:max(0, len(p)-1)])))
	return len(p), nil
}
