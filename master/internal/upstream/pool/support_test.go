package pool_test

import (
	"context"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/hostconfig"
	"sshmaster/master/internal/sshtest"
	"sshmaster/master/internal/upstream"
	"sshmaster/master/internal/upstream/pool"
	"sshmaster/master/internal/upstream/prompt"
)

// patience bounds waits for what must come.
const patience = 30 * time.Second

// trust accepts the server's key.
type trust struct{ key ssh.PublicKey }

func (trust) Algorithms(context.Context) ([]string, error) { return nil, nil }

func (v trust) Check(_ context.Context, _ net.Addr, key ssh.PublicKey) error {
	return ssh.FixedHostKey(v.key)("", nil, key)
}

// prover logs in with the client key, and asks for a code if the server wants one.
type prover struct {
	ssh.Signer
	asks prompt.Prompter
}

func (v prover) AuthCallback(ctx context.Context) ssh.ClientAuthCallback {
	tried, coded := false, false
	return func(*ssh.ClientAuthContext) (ssh.AuthMethod, error) {
		switch {
		case !tried:
			tried = true
			return ssh.PublicKeys(v.Signer), nil
		case !coded:
			coded = true
			return ssh.KeyboardInteractive(func(_, _ string, questions []string, _ []bool) ([]string, error) {
				answers := make([]string, len(questions))
				for i, q := range questions {
					var err error
					if answers[i], err = v.asks.Prompt(ctx, prompt.Question{Text: q}); err != nil {
						return nil, err
					}
				}
				return answers, nil
			}), nil
		default:
			return nil, nil
		}
	}
}

func (prover) Explain(err error) error { return err }
func (prover) Close() error            { return nil }

// crowd is everybody who waits.
type crowd struct {
	mu    sync.Mutex
	here  []prompt.Prompter
	asked int
}

func (c *crowd) Join(p prompt.Prompter) (leave func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.here = append(c.here, p)
	return func() {}
}

func (c *crowd) Asking() bool { return false }

func (c *crowd) Prompt(ctx context.Context, q prompt.Question) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.here {
		if answer, err := p.Prompt(ctx, q); err == nil {
			c.asked++
			return answer, nil
		}
	}
	return "", prompt.ErrNoPrompt
}

// guest is somebody who waits, and knows the code or not.
type guest struct {
	code  string
	told  chan string
	asked chan struct{}
}

func newGuest(code string) *guest {
	return &guest{code: code, told: make(chan string, 10), asked: make(chan struct{}, 10)}
}

func (g *guest) Tell(line string) { g.told <- line }
func (g *guest) Close()           {}

// waits is the guest as a want has it.
func (g *guest) waits() func() pool.Guest { return func() pool.Guest { return g } }

func (g *guest) Prompt(context.Context, prompt.Question) (string, error) {
	if g.code == "" {
		return "", prompt.ErrNoPrompt
	}
	g.asked <- struct{}{}
	return g.code, nil
}

// newPool is a pool of links to srv at addr.
func newPool(t *testing.T, srv *sshtest.Server, addr string, change func(*pool.Config)) *pool.Pool {
	t.Helper()
	name, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	number, err := strconv.Atoi(port)
	require.NoError(t, err)
	host := &hostconfig.Host{HostName: name, Port: number, User: "demo", ConnectionAttempts: 1, ServerAliveCountMax: 3, LogLevel: "INFO"}
	cfg := pool.Config{Host: "h", Max: 4, Hold: patience, Asks: &crowd{}, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	cfg.Dial = func(ctx context.Context, c pool.Call) (pool.Link, error) {
		l, err := upstream.Dial(ctx, upstream.Options{
			Host: host, Verifier: trust{srv.HostKey()}, Authenticator: prover{srv.ClientSigner(), c.Asks}, Prompter: c.Asks,
		})
		if err != nil {
			return nil, err
		}
		return l, nil
	}
	if change != nil {
		change(&cfg)
	}
	p := pool.New(cfg)
	t.Cleanup(p.Close)
	return p
}

// connected is newPool with a first link.
func connected(t *testing.T, srv *sshtest.Server, addr string, change func(*pool.Config)) *pool.Pool {
	t.Helper()
	p := newPool(t, srv, addr, change)
	require.NoError(t, p.Connect(within(t)))
	return p
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// run is a session that runs a command and is let go when end is called.
func run(t *testing.T, p *pool.Pool, want pool.Want, command string) (c *pool.Channel, end func()) {
	t.Helper()
	c, err := p.Session(within(t), want)
	require.NoError(t, err)
	return c, start(t, c, command)
}

func start(t *testing.T, c *pool.Channel, command string) (end func()) {
	t.Helper()
	ok, err := c.SendRequest("exec", true, ssh.Marshal(struct{ Command string }{command}))
	require.NoError(t, err)
	require.True(t, ok)
	return func() {
		_ = c.Close()
		for req := range c.Requests {
			if req.WantReply {
				_ = req.Reply(false, nil)
			}
		}
		c.Closed()
	}
}

func eventually(t *testing.T, ok func() bool, what string) {
	t.Helper()
	require.Eventually(t, ok, patience, 2*time.Millisecond, what)
}
