package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/hostconfig"
)

// ready completes o and finds the jump hosts on the way to its host.
func (o Options) ready(ctx context.Context) (Options, error) {
	o, err := o.complete()
	if err != nil {
		return o, &DialError{Configured, err.Error(), err}
	}
	if o.routed || o.Connect != nil {
		return o, nil
	}
	if o.route, err = o.Host.Route(ctx); err != nil {
		text := fmt.Sprintf("%s: %s", o.Host.HostName, strings.TrimPrefix(err.Error(), "hostconfig: "))
		return o, &DialError{Configured, text, err}
	}
	o.routed = true
	return o, nil
}

// judge tells, once, what of a jump host's configuration cannot be honoured. It
// is no part of the configuration that a master looks at before it dials.
func (d *dialer) judge() error {
	if !d.hop {
		return nil
	}
	warnings, err := d.Host.Check()
	for _, w := range append(d.Host.Warnings, warnings...) {
		if text := "jump host " + d.Host.OriginalHost + ": " + w; d.Links.untold(text) {
			d.Log.Warn(text)
		}
	}
	return err
}

// key is what the link to o's host has in common with those that are as good.
func (o Options) key() string {
	var key strings.Builder
	for _, hop := range o.route {
		key.WriteString(hop.LinkKey() + " ")
	}
	return key.String() + o.Host.LinkKey()
}

// towards returns what it takes to dial the last jump host of d's route: ssh
// gives a jump host nothing of its own command line, and we nothing that the
// caller meant for the host alone.
func (d *dialer) towards() Options {
	last := len(d.route) - 1
	o := Options{
		Host: d.route[last], route: d.route[:last], routed: true,
		Env: d.Env, Dir: d.Dir, Log: d.Log, Prompter: d.Prompter, Version: d.Version,
		hop: true, Stderr: d.Stderr, Links: d.Links, WriteTimeout: d.WriteTimeout, ReachTimeout: d.ReachTimeout,
	}
	if _, logged := d.Stderr.(logWriter); !logged {
		o.Stderr = sayer{d}
	}
	return o
}

// A sayer lets the links to several hosts write to one Stderr.
type sayer struct{ d *dialer }

func (s sayer) Write(p []byte) (int, error) {
	s.d.say(strings.TrimSuffix(string(p), "\n"))
	return len(p), nil
}

// jump reaches the host through the last of its jump hosts: by a control socket
// of that host's, as the `ssh -W` of ssh(1) would, unless this process has a link
// to it, or else over a link of ours. The time that counts for ConnectTimeout
// begins when the jump host is there; that one has its own.
func (d *dialer) jump(ctx context.Context) (net.Conn, time.Time, error) {
	via := d.towards()
	began := time.Now()
	if !d.Links.has(via.key()) {
		nc, err := d.attach(ctx, via.Host)
		if !errors.Is(err, errNobodyServes) {
			return nc, began, err
		}
	}
	for again := true; ; again = false {
		h, err := d.Links.join(ctx, via)
		if err != nil {
			return nil, began, hopFailed(via.Host, d.Host, err)
		}
		began = time.Now()
		nc, err := d.tunnel(ctx, h, via.Host)
		if err == nil {
			if d.Links.Jumped != nil && h.enterUnowned() {
				d.Links.Jumped(via.Host, h.leave)
			}
			d.Log.Debug("through a jump host", "host", d.Host.HostName, "jump", via.Host.OriginalHost, "since", h.link.started)
			return nc, began, nil
		}
		h.leave()
		// One that had just died is no reason to give up.
		if !again || h.link.Err() == nil || ctx.Err() != nil {
			return nil, began, err
		}
	}
}

// limit bounds the wait for a stream through a jump host.
func (d *dialer) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if limit := d.Host.ConnectTimeout; limit > 0 {
		return context.WithTimeoutCause(ctx, limit, errConnectTimeout)
	}
	return context.WithTimeoutCause(ctx, d.silenceLimit(), errSilence)
}

// tunnel opens a stream to the host over the link to its jump host. What it
// returns is one of the users of the link.
func (d *dialer) tunnel(ctx context.Context, h *held, hop *hostconfig.Host) (net.Conn, error) {
	ctx, cancel := d.limit(ctx)
	defer cancel()
	ch, reqs, err := h.link.OpenChannel(ctx, "direct-tcpip", directTCP(d.Host.HostName, d.Host.Port))
	if err == nil {
		go ssh.DiscardRequests(reqs)
		return newTunnel(ch, h, hop.OriginalHost, d.addr()), nil
	}
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errConnectTimeout), errors.Is(cause, errSilence):
		h.forget() // the next one finds out by another link
		return nil, d.noAnswer(hop, cause)
	case h.link.Err() != nil:
		return nil, d.passedOn(hop, endOf(hop.OriginalHost, h.link))
	}
	return nil, d.passedOn(hop, err)
}

// directTCP is the data of a direct-tcpip channel (RFC 4254 section 7.2). There
// is no originator to name; ssh(1) says the same.
func directTCP(host string, port int) []byte {
	return ssh.Marshal(struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}{host, uint32(port), "127.0.0.1", 65535})
}

// A jumpError says which jump host stood in the way. Its text is a whole line
// for a person.
type jumpError struct {
	hop  string
	text string
	err  error
}

func (e *jumpError) Error() string { return e.text }
func (e *jumpError) Unwrap() error { return e.err }

// hopFailed is the error of a jump host that could not be linked to. Where that
// one failed at a jump host of its own, it is that which is named.
func hopFailed(hop, to *hostconfig.Host, err error) error {
	var failed *DialError
	if !errors.As(err, &failed) {
		return err // we were called off
	}
	name, why := hop.OriginalHost, failed.Text
	var deeper *jumpError
	if errors.As(err, &deeper) {
		name = deeper.hop
		_, why, _ = strings.Cut(deeper.text, ": ")
	}
	return &jumpError{name, fmt.Sprintf("jump host %s on the way to %s: %s", name, to.OriginalHost, why), err}
}

// passedOn is the error of a jump host that did not connect us to the host.
func (d *dialer) passedOn(hop *hostconfig.Host, err error) error {
	why := plain(err)
	var refused *ssh.OpenChannelError
	if errors.As(err, &refused) {
		why = refusal(refused)
	}
	var ended *jumpEnd
	name := hop.OriginalHost
	if errors.As(err, &ended) {
		name, why = ended.hop, ended.cause.Error()
	}
	text := fmt.Sprintf("ssh: connect to host %s port %d: jump host %s: %s", d.Host.HostName, d.Host.Port, name, why)
	return &jumpError{name, text, err}
}

// noAnswer is the error of a jump host that does not answer, or of a host that
// does not answer it.
func (d *dialer) noAnswer(hop *hostconfig.Host, cause error) error {
	waited := "no answer for " + d.silenceLimit().String()
	if errors.Is(cause, errConnectTimeout) {
		waited = "ConnectTimeout " + d.Host.ConnectTimeout.String()
	}
	text := fmt.Sprintf("ssh: connect to host %s port %d: jump host %s: Connection timed out (%s)",
		d.Host.HostName, d.Host.Port, hop.OriginalHost, waited)
	return &jumpError{hop.OriginalHost, text, cause}
}

// refusal words the refusal of a channel as ssh(1) does, with a remedy.
func refusal(e *ssh.OpenChannelError) string {
	words := map[ssh.RejectionReason]string{
		ssh.Prohibited: "administratively prohibited", ssh.ConnectionFailed: "connect failed",
		ssh.UnknownChannelType: "unknown channel type", ssh.ResourceShortage: "resource shortage",
	}
	text := words[e.Reason]
	if said := clean(e.Message); said != "" {
		text += ": " + said
	}
	if slices.Contains([]ssh.RejectionReason{ssh.Prohibited, ssh.UnknownChannelType}, e.Reason) {
		text += " (its sshd has to allow it: AllowTcpForwarding, PermitOpen)"
	}
	return text
}
