package upstream

import (
	"bytes"
	"context"
	"errors"

	"golang.org/x/crypto/ssh"
)

// answersGlobals says whether the server answers global requests. TinySSH says
// SSH_MSG_UNIMPLEMENTED (RFC 4253 section 11.4) to each: ssh(1) passes over that
// and waits on, the library takes it for an error and ends the connection.
func (l *Link) answersGlobals() bool {
	return !bytes.HasPrefix(l.conn.ServerVersion(), []byte("SSH-2.0-tinyssh"))
}

// knock asks for a sign of life where global requests do not do: for a channel
// of a type that nobody has. The refusal is the answer.
func (l *Link) knock(ctx context.Context) error {
	ch, reqs, err := l.OpenChannel(ctx, "keepalive@openssh.com", nil)
	var refused *ssh.OpenChannelError
	switch {
	case err == nil:
		go Discard(ch, reqs)
	case !errors.As(err, &refused):
		return err
	}
	return nil
}
