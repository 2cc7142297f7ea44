package identity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

var (
	// errNoAgent says that no agent is configured.
	errNoAgent = errors.New("no agent")

	// errAgentGone says that the connection to the agent broke.
	errAgentGone = errors.New("the agent is gone")
)

// An agentClient is one connection to an ssh-agent, for one login.
type agentClient struct {
	path   string
	conn   *agentConn
	client agent.ExtendedAgent
}

// agentConn remembers that the agent hung up, which its errors do not tell
// from a refusal.
type agentConn struct {
	net.Conn
	broken atomic.Bool
}

func (c *agentConn) Read(p []byte) (int, error)  { return c.note(c.Conn.Read(p)) }
func (c *agentConn) Write(p []byte) (int, error) { return c.note(c.Conn.Write(p)) }

func (c *agentConn) note(n int, err error) (int, error) {
	if err != nil && !errors.Is(err, io.ErrShortWrite) {
		c.broken.Store(true)
	}
	return n, err
}

// agentPath resolves IdentityAgent; "" is no agent.
func (c *Config) agentPath() string {
	switch {
	case c.Agent == "" || c.Agent == "none":
		return ""
	case c.Agent == "SSH_AUTH_SOCK":
		return c.getenv(c.Agent)
	case strings.HasPrefix(c.Agent, "$"):
		return c.getenv(strings.Trim(c.Agent[1:], "{}"))
	}
	return expandHome(c.Agent, c.Home)
}

// getenv returns the value of a variable; of several the last, as os/exec has it.
func (c *Config) getenv(name string) string {
	value := ""
	for _, pair := range c.Env {
		if key, v, _ := strings.Cut(pair, "="); key == name {
			value = v
		}
	}
	return value
}

// dialAgent connects to the agent, errNoAgent if there is none to connect to.
func dialAgent(ctx context.Context, path string) (*agentClient, error) {
	if path == "" {
		return nil, errNoAgent
	}
	nc, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	conn := &agentConn{Conn: nc}
	return &agentClient{path: path, conn: conn, client: agent.NewClient(conn)}, nil
}

func (a *agentClient) close() error { return a.conn.Conn.Close() }

// within runs one exchange with the agent. The end of the context breaks the
// connection, because the protocol cannot withdraw a request.
func (a *agentClient) within(ctx context.Context, exchange func() error) error {
	release := context.AfterFunc(ctx, func() { a.conn.Conn.Close() })
	defer release()
	err := exchange()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case a.conn.broken.Load():
		return fmt.Errorf("%w: %w", errAgentGone, err)
	}
	return err
}

// list returns the agent's keys in its order, without those of kinds unknown
// here.
func (a *agentClient) list(ctx context.Context) ([]*key, error) {
	var held []*agent.Key
	err := a.within(ctx, func() (err error) {
		held, err = a.client.List()
		return err
	})
	if err != nil {
		return nil, err
	}
	keys := make([]*key, 0, len(held))
	for _, one := range held {
		if public, err := ssh.ParsePublicKey(one.Blob); err == nil {
			keys = append(keys, &key{name: one.Comment, public: public, inAgent: true})
		}
	}
	return keys, nil
}

// sign has the agent sign data under a signature algorithm. Anything but a
// signature of that algorithm is an error, as for ssh: an agent too old for
// RFC 8332 answers with SHA-1.
func (a *agentClient) sign(ctx context.Context, public ssh.PublicKey, data []byte, algorithm string) (*ssh.Signature, error) {
	var flags agent.SignatureFlags
	switch algorithm {
	case ssh.KeyAlgoRSASHA256:
		flags = agent.SignatureFlagRsaSha256
	case ssh.KeyAlgoRSASHA512:
		flags = agent.SignatureFlagRsaSha512
	}
	var signature *ssh.Signature
	err := a.within(ctx, func() (err error) {
		signature, err = a.client.SignWithFlags(public, data, flags)
		return err
	})
	if err != nil {
		return nil, err
	}
	if signature.Format != algorithm {
		return nil, fmt.Errorf("the agent signed with %s instead of %s", cleanLine(signature.Format), algorithm)
	}
	return signature, nil
}

// add gives a key to the agent.
func (a *agentClient) add(ctx context.Context, k agent.AddedKey) error {
	return a.within(ctx, func() error { return a.client.Add(k) })
}
