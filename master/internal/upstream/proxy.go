package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// A proxied connection runs through a ProxyCommand, which ends with it.
type proxied struct {
	net.Conn
	helper *helper
}

// Close closes the connection and ends the helper.
func (p *proxied) Close() error {
	err := p.Conn.Close()
	p.helper.end()
	return err
}

// NetConn returns the connection to or from the helper.
func (p *proxied) NetConn() net.Conn { return p.Conn }

// CloseWrite ends the helper's input.
func (p *proxied) CloseWrite() error {
	half, ok := p.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

// proxy starts the ProxyCommand in the user's shell, as ssh(1) does, and returns
// the connection through it.
func (d *dialer) proxy(ctx context.Context) (net.Conn, error) {
	if d.Host.ProxyCommand == "-" {
		return nil, &proxyError{state: "- (a connection on standard input) is not supported; give a command"}
	}
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("ProxyCommand: %w", err)
	}
	argv := []string{shell(d.Env), "-c", "exec " + d.Host.ProxyCommand}
	h, err := startHelper(argv, d.Env, d.Dir, theirs, d.say)
	_ = theirs.Close()
	if err != nil {
		_ = ours.Close()
		return nil, &proxyError{state: "could not be started: " + plain(err)}
	}
	if !d.Host.ProxyUseFdpass {
		return &proxied{ours, h}, nil
	}
	nc, err := receiveConn(ctx, ours)
	_ = ours.Close()
	if err != nil {
		if failed := h.failure(); failed != nil && ctx.Err() == nil {
			err = failed
		}
		return nil, err
	}
	d.tune(nc)
	return &proxied{nc, h}, nil
}

// say passes a line on to whoever listens. What comes from several sources is
// written whole line by whole line.
func (d *dialer) say(line string) {
	d.saying.Lock()
	defer d.saying.Unlock()
	_, _ = fmt.Fprintln(d.Stderr, line)
}

// shell is the user's.
func shell(env []string) string {
	for i := len(env) - 1; i >= 0; i-- {
		if sh, ok := strings.CutPrefix(env[i], "SHELL="); ok && sh != "" {
			return sh
		}
	}
	return "/bin/sh"
}

// socketPair makes a connected pair: our end for the poller, so that deadlines
// and Close work, the other as a file for a child. Both are the caller's.
func socketPair() (*net.UnixConn, *os.File, error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	near, far := os.NewFile(uintptr(fds[0]), "proxy"), os.NewFile(uintptr(fds[1]), "proxy")
	nc, err := net.FileConn(near)
	_ = near.Close()
	uc, ok := nc.(*net.UnixConn)
	if err != nil || !ok {
		_ = far.Close()
		return nil, nil, fmt.Errorf("socket pair: %w", err)
	}
	return uc, far, nil
}

// receiveConn takes the one connected socket that a helper passes (ProxyUseFdpass
// in ssh_config(5)).
func receiveConn(ctx context.Context, uc *net.UnixConn) (net.Conn, error) {
	defer context.AfterFunc(ctx, func() { _ = uc.SetDeadline(time.Unix(1, 0)) })()
	one, oob := make([]byte, 1), make([]byte, syscall.CmsgSpace(4))
	_, n, _, _, err := uc.ReadMsgUnix(one, oob)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, &proxyError{state: "passed no connection: " + plain(err)}
	}
	fds := rights(oob[:n])
	if len(fds) != 1 {
		for _, fd := range fds {
			_ = syscall.Close(fd)
		}
		return nil, &proxyError{state: "passed no connection (ProxyUseFdpass yes)"}
	}
	f := os.NewFile(uintptr(fds[0]), "passed connection")
	defer func() { _ = f.Close() }()
	nc, err := net.FileConn(f)
	if err != nil {
		return nil, &proxyError{state: "passed something that is no connection: " + plain(err)}
	}
	return nc, nil
}

// rights returns the descriptors in a control message.
func rights(oob []byte) (fds []int) {
	msgs, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for i := range msgs {
		got, err := syscall.ParseUnixRights(&msgs[i])
		if err == nil {
			fds = append(fds, got...)
		}
	}
	return fds
}
