package upstream

import (
	"cmp"
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// betweenAttempts is ssh(1)'s pause between ConnectionAttempts.
const betweenAttempts = time.Second

// tcp connects, ConnectionAttempts times if need be, each within
// ConnectTimeout. A name that does not resolve is not tried again.
func (d *dialer) tcp(ctx context.Context) (net.Conn, time.Time, error) {
	for attempt := 1; ; attempt++ {
		began := time.Now()
		nc, err := d.tcpOnce(ctx)
		if err == nil {
			return nc, began, nil
		}
		d.Log.Debug("connection attempt failed", "host", d.Host.HostName, "attempt", attempt, "error", err)
		var dns *net.DNSError
		if attempt >= d.Host.ConnectionAttempts || errors.As(err, &dns) {
			return nil, began, err
		}
		select {
		case <-ctx.Done():
			return nil, began, context.Cause(ctx)
		case <-time.After(betweenAttempts):
		}
	}
}

// tcpOnce tries all addresses of the host from each local address that the
// configuration asks for.
func (d *dialer) tcpOnce(ctx context.Context) (net.Conn, error) {
	if limit := cmp.Or(d.Host.ConnectTimeout, d.ReachTimeout); limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	locals, err := localAddrs(ctx, d.Host.BindAddress, d.Host.BindInterface, d.Host.AddressFamily)
	if err != nil {
		return nil, err
	}
	var failed error
	for _, local := range locals {
		nd := net.Dialer{KeepAliveConfig: d.probes(), LocalAddr: local}
		if !d.Host.TCPKeepAlive {
			nd.KeepAlive = -1
		}
		nc, err := nd.DialContext(ctx, network(d.Host.AddressFamily), d.addr())
		if err == nil {
			d.tune(nc)
			return nc, nil
		}
		var mismatch *net.AddrError // the host has no address of that family
		if failed == nil || errors.As(failed, &mismatch) {
			failed = err
		}
	}
	return nil, failed
}

// probes is TCPKeepAlive at the system's own intervals, as ssh(1) has it.
func (d *dialer) probes() net.KeepAliveConfig {
	return net.KeepAliveConfig{Enable: d.Host.TCPKeepAlive, Idle: -1, Interval: -1, Count: -1}
}

// tune sets what a connection to a server gets however it was made. What the
// system refuses is no reason to do without the link.
func (d *dialer) tune(nc net.Conn) {
	tc, ok := nc.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tc.SyscallConn()
	if err != nil {
		return
	}
	stall := newPatience(d.Host.ServerAliveInterval, d.Host.ServerAliveCountMax, d.WriteTimeout).stall
	if err := limitUnacked(raw, stall); err != nil {
		d.Log.Debug("could not bound unanswered data", "error", err)
	}
	if err := limitUnsent(raw); err != nil {
		d.Log.Debug("could not bound unsent data", "error", err)
	}
	if err := setQoS(tc, d.Host.IPQoS.Bulk); err != nil {
		d.Log.Debug("could not set the type of service", "error", err)
	}
}

// network is AddressFamily in package net's words.
func network(family string) string {
	switch family {
	case "inet":
		return "tcp4"
	case "inet6":
		return "tcp6"
	}
	return "tcp"
}

// resolution says why a name did not resolve, as getaddrinfo(3) does.
func resolution(err *net.DNSError) string {
	if err.IsNotFound {
		return "Name or service not known (check the spelling, or HostName in ssh_config)"
	}
	return "Temporary failure in name resolution (" + plain(err) + ")"
}

// remedy is what a person can do about a connection that failed.
func remedy(err error) string {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return " (nothing listens there: check HostName and Port, or start sshd)"
	case errors.Is(err, syscall.ETIMEDOUT), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return " (no answer: check HostName, the network and firewalls)"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return " (check the network)"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return " (check BindAddress)"
	}
	return ""
}
