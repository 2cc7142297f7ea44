package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// Dial reaches the host of o, verifies its key, authenticates the user and
// returns the link. Its error is a [*DialError].
//
// ctx bounds the whole of it; when ctx ends Dial returns at once. It has no hold
// on the link that was returned.
func Dial(ctx context.Context, o Options) (*Link, error) {
	o, err := o.ready(ctx)
	if err != nil {
		return nil, err
	}
	d := &dialer{Options: o}
	if err := d.judge(); err != nil {
		return nil, d.unable(err)
	}
	if err := d.provide(); err != nil {
		return nil, d.unable(err)
	}
	if err := d.prepare(ctx); err != nil {
		_ = d.Authenticator.Close()
		return nil, d.unable(err)
	}
	nc, began, err := d.reach(ctx)
	if err != nil {
		_ = d.Authenticator.Close()
		return nil, &DialError{Reached, d.unreachable(err), err}
	}
	return d.login(ctx, newWhole(nc), began)
}

// unable is the error of a configuration that leads nowhere.
func (d *dialer) unable(err error) error {
	return &DialError{Configured, fmt.Sprintf("%s: %v", d.Host.HostName, err), err}
}

// A dialer is one call of Dial.
type dialer struct {
	Options
	transport ssh.Config
	hostKeys  []string // algorithms to offer
	saying    sync.Mutex
}

// prepare translates the configuration, before anything is tried.
func (d *dialer) prepare(ctx context.Context) (err error) {
	if d.transport, err = transportConfig(d.Host, d.Log.Debug); err != nil {
		return err
	}
	want, err := d.Verifier.Algorithms(ctx)
	if err != nil {
		return err
	}
	d.hostKeys, err = hostKeyAlgorithms(want, d.Log.Debug)
	return err
}

// reach makes the network connection and says when the attempt that made it
// began.
func (d *dialer) reach(ctx context.Context) (nc net.Conn, began time.Time, err error) {
	began = time.Now()
	switch {
	case d.Connect != nil:
		nc, err = d.Connect(ctx)
	case len(d.route) > 0:
		return d.jump(ctx)
	case d.Host.ProxyCommand != "":
		nc, err = d.proxy(ctx)
	default:
		return d.tcp(ctx)
	}
	return nc, began, err
}

// addr is HostName:Port.
func (d *dialer) addr() string {
	return net.JoinHostPort(d.Host.HostName, strconv.Itoa(d.Host.Port))
}

// unreachable words an error of reach as ssh(1) does, with a remedy.
func (d *dialer) unreachable(err error) string {
	var jump *jumpError
	if errors.As(err, &jump) {
		return jump.text
	}
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.Name == d.Host.HostName {
		return fmt.Sprintf("ssh: Could not resolve hostname %s: %s", d.Host.HostName, resolution(dns))
	}
	var proxy *proxyError
	if errors.As(err, &proxy) {
		return fmt.Sprintf("ssh: connect to host %s port %d: %s", d.Host.HostName, d.Host.Port, proxy)
	}
	return fmt.Sprintf("ssh: connect to host %s port %d: %s%s", d.Host.HostName, d.Host.Port, plain(err), remedy(err))
}
