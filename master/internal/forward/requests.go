package forward

import (
	"context"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// Global requests: RFC 4254 section 7.1, OpenSSH's PROTOCOL section 2.4.
const (
	listenTCPRequest  = "tcpip-forward"
	cancelTCPRequest  = "cancel-tcpip-forward"
	listenUnixRequest = "streamlocal-forward@openssh.com"
	cancelUnixRequest = "cancel-streamlocal-forward@openssh.com"
)

type tcpPlace struct {
	Host string
	Port uint32
}

type unixPlace struct{ Path string }

// ask asks the host to listen and returns the port where it does.
func (r *Remotes) ask(ctx context.Context, at At) (port uint32, err error) {
	name, payload := listenTCPRequest, ssh.Marshal(tcpPlace{at.Host, at.Port})
	if at.Path != "" {
		name, payload = listenUnixRequest, ssh.Marshal(unixPlace{at.Path})
	}
	ok, reply, err := r.to.SendRequest(ctx, name, true, payload)
	if err != nil {
		return 0, fmt.Errorf("forward: %w", err)
	}
	if !ok {
		return 0, ErrRefused
	}
	if at.Path != "" || at.Port != 0 {
		return at.Port, nil
	}
	var chosen struct {
		Port uint32
		Rest []byte `ssh:"rest"`
	}
	if err := ssh.Unmarshal(reply, &chosen); err != nil || chosen.Port == 0 || chosen.Port > maxPort {
		return 0, fmt.Errorf("%w: it chose no port", ErrRefused)
	}
	return chosen.Port, nil
}

// unask has the host stop listening. Nobody waits for an answer; a link that
// ended has stopped anyway.
func (r *Remotes) unask(ctx context.Context, m *remote) { r.tellOff(ctx, r.to, m) }

func (r *Remotes) tellOff(ctx context.Context, to Requester, m *remote) {
	r.mu.Lock()
	at, port := m.at, m.port
	r.mu.Unlock()
	name, payload := cancelTCPRequest, ssh.Marshal(tcpPlace{at.Host, port})
	if at.Path != "" {
		name, payload = cancelUnixRequest, ssh.Marshal(unixPlace{at.Path})
	}
	if _, _, err := to.SendRequest(ctx, name, false, payload); err != nil {
		r.log.Debug("the host was not told to stop listening", "at", at.String(), "error", err)
	}
}
