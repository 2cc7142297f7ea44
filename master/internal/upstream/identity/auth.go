package identity

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/upstream/prompt"
)

// An Auth carries one login. Except for [Auth.Restrict], its methods are
// called by the goroutine that runs the handshake, or after the handshake.
type Auth struct {
	c   Config
	log *slog.Logger

	restricted atomic.Bool

	methods map[string]method // those that may still be tried
	last    attempt           // what the host is answering now; nil at first
	partial int               // methods that succeeded so far
	allowed []string          // what the host would take next, as it last said
	stop    error             // ends the login at once
	begun   bool              // the host has named its methods
	ended   bool              // there was nothing left to try
	gasped  bool              // a lost connection was asked for its reason

	keys   *keyring
	agent  *agentClient // nil when there is none
	blames []blame
}

// A method makes one attempt after the other, and nil when it has no more. An
// attempt is an [ssh.AuthMethod] and what is learned from its outcome.
type method func(ctx context.Context) attempt

type attempt interface {
	method() ssh.AuthMethod
	name() string

	// settle is called when the attempt has ended without success; partial
	// says that it was one step of several.
	settle(ctx context.Context, partial bool)
}

// New checks c and returns the login. It neither reads files nor dials.
func New(c Config) (*Auth, error) {
	if !slices.Contains([]string{"", "no", "yes", "ask", "confirm"}, c.AddKeysToAgent.Mode) {
		return nil, fmt.Errorf("identity: AddKeysToAgent %q: not one of no, yes, ask and confirm", c.AddKeysToAgent.Mode)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Prompter == nil {
		c.Prompter = prompt.Nobody{}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if len(c.PreferredAuthentications) == 0 {
		c.PreferredAuthentications = sshOrder
	}
	a := &Auth{c: c, log: c.Log, methods: map[string]method{}}
	a.keys = newKeyring(a)
	if c.PubkeyAuthentication {
		a.methods[methodPublicKey] = a.publicKey
	}
	if c.KbdInteractiveAuthentication {
		a.methods[methodInteractive] = a.interactively()
	}
	if c.PasswordAuthentication {
		a.methods[methodPassword] = a.passwords()
	}
	return a, nil
}

// Restrict keeps every secret to itself from now on: neither password nor
// keyboard-interactive is tried, as ssh does after a changed host key under
// StrictHostKeyChecking no. It may be called at any time before the login
// begins, by any goroutine.
func (a *Auth) Restrict() { a.restricted.Store(true) }

// Method names the method that the host answered last: after a successful
// handshake the one that succeeded, or "none".
func (a *Auth) Method() string {
	if a.last == nil {
		return "none"
	}
	return a.last.name()
}

// Close says what a person should know of a login that has succeeded all the
// same, ends the connection to the agent and forgets the keys. It may be called
// twice.
func (a *Auth) Close() error {
	a.warnOfRest("")
	a.keys.forget()
	if a.agent == nil {
		return nil
	}
	return a.agent.close()
}

// AuthCallback returns the hook for [ssh.ClientConfig], whose Auth must be
// empty. ctx bounds everything that waits on a person or an agent; it should
// be one that [Watch] returned, so that nobody is asked for a password that
// has nowhere to go.
func (a *Auth) AuthCallback(ctx context.Context) ssh.ClientAuthCallback {
	return func(c *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
		a.settle(ctx, c)
		var next ssh.AuthMethod
		if a.stop == nil && ctx.Err() == nil {
			next = a.next(ctx)
		}
		switch {
		case a.stop != nil:
			return nil, a.stop
		case ctx.Err() != nil:
			return a.lastGasp(ctx)
		}
		return next, nil
	}
}

// settle takes in how the last attempt ended, of which the host's list of
// partial successes is the only direct evidence.
func (a *Auth) settle(ctx context.Context, c *ssh.ClientAuthContext) {
	a.begun = true
	partial := len(c.PartialSuccessMethods) > a.partial
	a.partial = len(c.PartialSuccessMethods)
	a.allowed = c.AllowedMethods
	if partial {
		a.log.Info(fmt.Sprintf("Authenticated using %q with partial success.", a.Method()))
		a.keys.restart()
	}
	if a.last != nil {
		a.last.settle(ctx, partial)
	}
	a.log.Debug("Authentications that can continue: " + Clean(strings.Join(a.allowed, ",")))
}

// next picks the first method in the user's order that the host would take and
// that has an attempt left. A method that has none is not tried again in this
// login. It returns nil at the end: then the library reports the last error.
func (a *Auth) next(ctx context.Context) ssh.AuthMethod {
	for _, name := range a.c.PreferredAuthentications {
		try := a.methods[name]
		if try == nil || !slices.Contains(a.allowed, name) {
			continue
		}
		if at := try(ctx); at != nil {
			if a.Method() != name {
				a.log.Debug("Next authentication method: " + name)
			}
			a.last = at
			return at.method()
		}
		if a.stop != nil || ctx.Err() != nil {
			return nil
		}
		delete(a.methods, name)
	}
	a.log.Debug("No more authentication methods to try.")
	a.ended = true
	return nil
}

// finish lets no method be tried any more: the library then reports what the
// last one met with.
func (a *Auth) finish() { clear(a.methods) }

// lastGasp ends a login whose context has ended. If that is because the
// connection is gone, one more attempt is made, which cannot be answered but
// makes the library say why: a disconnect message that came while a person was
// thinking is reported by the next packet only.
func (a *Auth) lastGasp(ctx context.Context) (ssh.AuthMethod, error) {
	if !isLost(ctx) {
		return nil, context.Cause(ctx)
	}
	if a.gasped {
		return nil, nil
	}
	a.gasped = true
	a.last = nil
	return ssh.KeyboardInteractive(func(string, string, []string, []bool) ([]string, error) {
		return nil, context.Cause(ctx)
	}), nil
}

// asking says whether a method that needs a person may be tried, and takes the
// blame for it if not.
func (a *Auth) asking(name string) bool {
	switch {
	case a.restricted.Load():
		a.log.Debug(name + " is not tried: the host's key has changed")
		a.blame(blame{rank: rankRestricted,
			cause:  "after a changed host key no secret is sent",
			remedy: "correct known_hosts if the new key is the right one"})
	case a.c.BatchMode:
		a.log.Debug(name + " is not tried: BatchMode")
		a.blame(blame{rank: rankNobody,
			cause:  "BatchMode forbids to ask for " + secretOf(name),
			remedy: "use a key, or BatchMode no"})
	default:
		err := prompt.Check(a.c.Prompter)
		if err == nil {
			return true
		}
		a.log.Debug(name + " is not tried: " + err.Error())
		a.blameNobody(secretOf(name), err)
	}
	return false
}

// secretOf says what a method asks for.
func secretOf(name string) string {
	if name == methodPassword {
		return "the password"
	}
	return "a password or code"
}
