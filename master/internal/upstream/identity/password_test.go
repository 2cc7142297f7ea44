package identity_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/upstream/identity"
	"sshmaster/master/internal/upstream/prompt"
)

var errDenied = errors.New("denied")

// wants returns a server's check of one password.
func wants(password string) func(ssh.ConnMetadata, []byte) (*ssh.Permissions, error) {
	return func(_ ssh.ConnMetadata, given []byte) (*ssh.Permissions, error) {
		if string(given) != password {
			return nil, errDenied
		}
		return nil, nil
	}
}

// A round is one request of keyboard-interactive and the answers it wants.
type round struct {
	name, instruction string
	questions         []string
	echos             []bool
	answers           []string
}

// asks returns a server's keyboard-interactive in rounds.
func asks(rounds ...round) func(ssh.ConnMetadata, ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
	return func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
		for _, r := range rounds {
			answers, err := ask(r.name, r.instruction, r.questions, r.echos)
			if err != nil {
				return nil, err
			}
			for i, want := range r.answers {
				if answers[i] != want {
					return nil, errDenied
				}
			}
		}
		return nil, nil
	}
}

func someone(t *testing.T, answers ...string) (identity.Config, *record, *person) {
	t.Helper()
	c, log := newConfig(t)
	p := &person{answers: answers}
	c.User, c.Prompter = "me", p
	return c, log, p
}

func TestPassword(t *testing.T) {
	const question = "me@host.example's password: "
	const again = "Permission denied, please try again.\n" + question
	for name, c := range map[string]struct {
		answers []string
		prompts int
		asked   []string
		err     string
	}{
		"at once":          {[]string{"right"}, 3, []string{question}, ""},
		"at last":          {[]string{"a", "b", "right"}, 3, []string{question, again, again}, ""},
		"never":            {[]string{"a", "b", "c", "right"}, 3, []string{question, again, again}, "me@host.example: Permission denied (password): wrong password, 3 times; try again, or use a key (ssh-copy-id)"},
		"one try":          {[]string{"a", "right"}, 1, []string{question}, "wrong password, once"},
		"cancelled":        {nil, 3, []string{question}, "the question was cancelled"},
		"cancelled second": {[]string{"a"}, 3, []string{question, again}, "the question was cancelled"},
		"empty is sent":    {[]string{"", "right"}, 3, []string{question, again}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			config, log, p := someone(t, c.answers...)
			config.NumberOfPasswordPrompts = c.prompts
			method, err := login(t, newServer(t, &ssh.ServerConfig{PasswordCallback: wants("right")}), config)
			if c.err == "" {
				require.NoError(t, err)
				require.Equal(t, "password", method)
			} else {
				require.ErrorContains(t, err, c.err)
			}
			require.Equal(t, c.asked, p.asked)
			require.NotContains(t, log.all(), "right")
		})
	}
}

// Two questions, one of them echoed, a second round, and one without a
// question; what the host says cannot control the terminal.
func TestInteractive(t *testing.T) {
	rounds := []round{
		{name: "Login\x1b[2J", instruction: "Two\r\nlines\x07\n", questions: []string{"Password: ", "Tok\x1b]0;x\x07en: "}, echos: []bool{false, true}, answers: []string{"secret", "123456"}},
		{questions: []string{"Really? "}, echos: []bool{true}, answers: []string{"yes"}},
		{name: "Welcome", instruction: "Last login: never\x1b[0m"},
	}
	first := []string{"Login[2J\nTwo\nlines\n(me@host.example) Password: ", "(me@host.example) Tok]0;xen: [echo]"}
	h := newServer(t, &ssh.ServerConfig{KeyboardInteractiveCallback: asks(rounds...)})

	c, log, p := someone(t, "secret", "123456", "yes")
	method, err := login(t, h, c)
	require.NoError(t, err)
	require.Equal(t, "keyboard-interactive", method)
	require.Equal(t, append(first, "(me@host.example) Really? [echo]"), p.asked)
	require.Equal(t, []string{"Welcome\nLast login: never[0m"}, p.said)
	require.NotContains(t, log.all(), "secret")
	require.NotContains(t, log.all(), "123456")

	c, _, p = someone(t, "secret", "wrong", "secret", "123456", "yes") // the second attempt asks anew
	_, err = login(t, h, c)
	require.NoError(t, err)
	require.Len(t, p.asked, 5)

	c, _, p = someone(t, "a", "a", "b", "b", "c", "c", "secret", "123456")
	_, err = login(t, h, c)
	require.EqualError(t, err, "me@host.example: Permission denied (keyboard-interactive): the host did not accept the answers; try again, or use a key (ssh-copy-id)")
	require.Len(t, p.asked, 6)

	c, _, p = someone(t, "secret")
	_, err = login(t, h, c)
	require.ErrorContains(t, err, "the question was cancelled")
	require.Len(t, p.asked, 2)
}

// A host cannot keep a person busy for ever.
func TestInteractiveIsBounded(t *testing.T) {
	endless := func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
		for {
			if _, err := ask("", "wait", nil, nil); err != nil {
				return nil, err
			}
		}
	}
	c, _, p := someone(t)
	_, err := login(t, newServer(t, &ssh.ServerConfig{KeyboardInteractiveCallback: endless}), c)
	require.ErrorContains(t, err, "the host asks too much")
	require.Len(t, p.said, 100)

	many := round{questions: make([]string, 101), echos: make([]bool, 101)}
	c, _, p = someone(t)
	_, err = login(t, newServer(t, &ssh.ServerConfig{KeyboardInteractiveCallback: asks(many)}), c)
	require.ErrorContains(t, err, "the host asks too much")
	require.Empty(t, p.asked)
}

// A method that the host offers and refuses without a question is not tried
// again, and the next one is.
func TestInteractiveRefusedAtOnce(t *testing.T) {
	var tried atomic.Int32
	h := newServer(t, &ssh.ServerConfig{
		PasswordCallback: wants("right"),
		KeyboardInteractiveCallback: func(ssh.ConnMetadata, ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			tried.Add(1)
			return nil, errDenied
		},
	})
	c, _, p := someone(t, "right")
	method, err := login(t, h, c)
	require.NoError(t, err)
	require.Equal(t, "password", method)
	require.EqualValues(t, 1, tried.Load())
	require.Len(t, p.asked, 1)
}

// publickey, then a code, then a password: each step is a partial success.
func TestPartialSuccess(t *testing.T) {
	folder := t.TempDir()
	good := newKey(t, folder, "good")
	h := newServer(t, &ssh.ServerConfig{PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) {
		return nil, &ssh.PartialSuccessError{Next: ssh.ServerAuthCallbacks{
			KeyboardInteractiveCallback: func(m ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
				if _, err := asks(round{questions: []string{"Code: "}, echos: []bool{false}, answers: []string{"123"}})(m, ask); err != nil {
					return nil, err
				}
				return nil, &ssh.PartialSuccessError{Next: ssh.ServerAuthCallbacks{PasswordCallback: wants("right")}}
			},
		}}
	}})
	c, log, p := someone(t, "wrong", "123", "right")
	c.IdentityFiles = files(good)
	method, err := login(t, h, c)
	require.NoError(t, err)
	require.Equal(t, "password", method)
	require.Equal(t, []string{"(me@host.example) Code: ", "(me@host.example) Code: ", "me@host.example's password: "}, p.asked)
	require.Len(t, log.story("Authenticated"), 2)

	c, _, _ = someone(t, "a", "b", "c")
	c.IdentityFiles = files(good)
	_, err = login(t, h, c)
	require.ErrorContains(t, err, "Permission denied (keyboard-interactive): the host did not accept the answers")
}

// Which method comes first, and which are not tried.
func TestPreferences(t *testing.T) {
	folder := t.TempDir()
	good := newKey(t, folder, "good")
	var mu sync.Mutex
	var tried []string
	refuse := func(name string) error {
		mu.Lock()
		defer mu.Unlock()
		tried = append(tried, name)
		return errDenied
	}
	h := newServer(t, &ssh.ServerConfig{
		MaxAuthTries:      100,
		PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, refuse("publickey") },
		PasswordCallback:  func(ssh.ConnMetadata, []byte) (*ssh.Permissions, error) { return nil, refuse("password") },
		KeyboardInteractiveCallback: func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			if _, err := ask("", "", []string{"?"}, []bool{false}); err != nil {
				return nil, err
			}
			return nil, refuse("keyboard-interactive")
		},
	})
	for name, c := range map[string]struct {
		change   func(*identity.Config)
		restrict bool
		want     string
		says     string
	}{
		"ssh's order": {func(c *identity.Config) {}, false, "publickey keyboard-interactive password", ""},
		"preferred": {func(c *identity.Config) {
			c.PreferredAuthentications = []string{"gssapi-with-mic", "password", "publickey"}
		}, false, "password publickey", ""},
		"no publickey":     {func(c *identity.Config) { c.PubkeyAuthentication = false }, false, "keyboard-interactive password", ""},
		"no password":      {func(c *identity.Config) { c.PasswordAuthentication = false }, false, "publickey keyboard-interactive", ""},
		"no interactive":   {func(c *identity.Config) { c.KbdInteractiveAuthentication = false }, false, "publickey password", ""},
		"batch":            {func(c *identity.Config) { c.BatchMode = true }, false, "publickey", "the host does not accept the key offered, and BatchMode forbids to ask for a password or code"},
		"nobody":           {func(c *identity.Config) { c.Prompter = nil }, false, "publickey", "the host does not accept the key offered, and nobody can be asked for a password or code; use a key"},
		"nobody found out": {func(c *identity.Config) { c.Prompter = &person{err: prompt.ErrNoPrompt} }, false, "publickey", "nobody can be asked"},
		"changed host key": {func(c *identity.Config) {}, true, "publickey", "after a changed host key no secret is sent; correct known_hosts"},
		"nothing":          {func(c *identity.Config) { c.PreferredAuthentications = []string{"hostbased"} }, false, "", "there is no key to offer"},
	} {
		t.Run(name, func(t *testing.T) {
			mu.Lock()
			tried = nil
			mu.Unlock()
			config, _, _ := someone(t, "x", "y")
			config.NumberOfPasswordPrompts = 1
			config.IdentityFiles = files(good)
			c.change(&config)
			_, err := loginContext(t, t.Context(), h, config, func(a *identity.Auth) {
				if c.restrict {
					a.Restrict()
				}
			})
			require.ErrorContains(t, err, "me@host.example: Permission denied (")
			mu.Lock()
			defer mu.Unlock()
			require.Equal(t, c.want, strings.Join(tried, " "))
			require.ErrorContains(t, err, c.says)
		})
	}
}

// waiting is somebody who never answers.
type waiting struct{ asked chan struct{} }

func (w waiting) Prompt(ctx context.Context, _ prompt.Question) (string, error) {
	close(w.asked)
	<-ctx.Done()
	return "", context.Cause(ctx)
}

// A question is withdrawn when the login is given up.
func TestContextEndsAQuestion(t *testing.T) {
	c, _, _ := someone(t)
	w := waiting{make(chan struct{})}
	c.Prompter = w
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-w.asked
		cancel()
	}()
	_, err := loginContext(t, ctx, newServer(t, &ssh.ServerConfig{PasswordCallback: wants("right")}), c)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "me@host.example: the login was given up")
}

// A question is withdrawn when the host hangs up, and no other is asked.
func TestHangUpEndsAQuestion(t *testing.T) {
	c, _, _ := someone(t)
	w := waiting{make(chan struct{})}
	c.Prompter = w
	h := newServer(t, &ssh.ServerConfig{PasswordCallback: wants("right"), KeyboardInteractiveCallback: asks(round{questions: []string{"?"}, echos: []bool{false}})})
	relayed := func(t *testing.T) net.Conn {
		near, far := net.Pipe()
		server := h(t)
		go splice(far, server)
		go splice(server, far)
		go func() {
			<-w.asked
			server.Close()
			far.Close()
		}()
		return near
	}
	_, err := login(t, relayed, c)
	require.EqualError(t, err, "me@host.example: the host closed the connection during the login, perhaps because it took too long (LoginGraceTime)")
}

func splice(to, from net.Conn) {
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			to.Close()
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// sshd's own end of patience: MaxAuthTries with passwords.
func TestTooManyPasswords(t *testing.T) {
	c, _, p := someone(t, "a", "b", "c", "d")
	c.NumberOfPasswordPrompts = 10
	_, err := login(t, newServer(t, &ssh.ServerConfig{MaxAuthTries: 2, PasswordCallback: wants("right")}), c)
	require.ErrorContains(t, err, "too many authentication failures for this host (its MaxAuthTries)")
	require.Len(t, p.asked, 2)
}

func TestBanner(t *testing.T) {
	c, log, _ := someone(t, "right")
	h := newServer(t, &ssh.ServerConfig{
		PasswordCallback: wants("right"),
		BannerCallback:   func(ssh.ConnMetadata) string { return "Authorized\x1b[31m use only\r\n\x07é\xff\n" },
	})
	_, err := login(t, h, c)
	require.NoError(t, err)
	require.Equal(t, []string{"Authorized[31m use only\né?"}, log.story("Authorized"))
}

func TestClean(t *testing.T) {
	for text, want := range map[string]string{
		"plain é ✓\tx\n":    "plain é ✓\tx\n",
		"\x1b[31mred\x1b[m": "[31mred[m",
		"a\rb\x00c\x7fd":    "abcd",
		"c1 \u009b31m":      "c1 31m",
		"bidi \u202eabc":    "bidi abc",
		"bad \xff\xfe":      "bad ??",
	} {
		require.Equal(t, want, identity.Clean(text))
	}
	require.Len(t, identity.Clean(strings.Repeat("x", 1<<20)), 16<<10)
}

// Errors of other origin are not touched.
func TestExplainLeavesOthersAlone(t *testing.T) {
	a, err := identity.New(identity.Config{User: "me", Host: "h"})
	require.NoError(t, err)
	require.NoError(t, a.Explain(nil))
	other := errors.New("ssh: handshake failed: no common algorithm")
	require.Equal(t, other, a.Explain(other))
	require.Equal(t, "none", a.Method())
	require.NoError(t, a.Close())
	require.NoError(t, a.Close())
}

// A host that wants the password changed says so with a message that the
// library does not know; that ends the login and is explained. No server at
// hand sends it, so the library's part is played here.
func TestExpiredPassword(t *testing.T) {
	c, _, _ := someone(t, "right")
	a, err := identity.New(c)
	require.NoError(t, err)
	callback := a.AuthCallback(t.Context())
	method, err := callback(&ssh.ClientAuthContext{AllowedMethods: []string{"password"}})
	require.NoError(t, err)
	require.NotNil(t, method)
	method, err = callback(&ssh.ClientAuthContext{AllowedMethods: []string{"password"}, TriedMethods: []string{"none", "password"}})
	require.NoError(t, err)
	require.Nil(t, method, "a second password would not help")
	err = a.Explain(errors.New("ssh: handshake failed: ssh: unexpected message type 60 (expected 52)"))
	require.EqualError(t, err, "me@host.example: Permission denied (password): the password has expired and must be changed; log in with ssh once and change it")
}
