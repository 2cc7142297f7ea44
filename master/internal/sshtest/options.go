package sshtest

import (
	"bytes"
	"errors"
	"io"
	"time"

	"golang.org/x/crypto/ssh"
)

// Option changes a server before it starts.
type Option func(*settings)

type settings struct {
	handler     Handler
	answer      func(*Session, *Request) bool
	configure   []func(*ssh.ServerConfig)
	maxSessions int
	noLog       bool
	logTo       io.Writer
	startWithin time.Duration
}

// Handle sets what runs for each session; without it, Commands.
func Handle(handler Handler) Option {
	return func(s *settings) { s.handler = handler }
}

// Answer sets who decides over channel requests that Refuse does not name; without it, AcceptAll. It is called on the
// goroutine that receives the channel's requests and must not block.
func Answer(answer func(*Session, *Request) bool) Option {
	return func(s *settings) { s.answer = answer }
}

// MaxSessions refuses a connection's further sessions, in sshd's words, while n are open on it.
func MaxSessions(n int) Option {
	return func(s *settings) { s.maxSessions = n }
}

// StartWithin closes a session on which nothing was started for so long, as servers do that tidy up.
func StartWithin(d time.Duration) Option {
	return func(s *settings) { s.startWithin = d }
}

// Configure changes the server's x/crypto configuration: other means of authentication, a banner, algorithms, further host
// keys, a RekeyThreshold that makes the server begin a key exchange every so many bytes.
func Configure(change func(*ssh.ServerConfig)) Option {
	return func(s *settings) { s.configure = append(s.configure, change) }
}

// Version sets the identification that the server sends, such as "SSH-2.0-OpenSSH_9.2".
func Version(version string) Option {
	return Configure(func(c *ssh.ServerConfig) { c.ServerVersion = version })
}

// SecondFactor asks for a code by keyboard-interactive, without echo, after the client key was accepted. Logins call good
// with the answer, several at a time perhaps.
func SecondFactor(prompt string, good func(code string) bool) Option {
	return Configure(func(c *ssh.ServerConfig) {
		interactive := func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			answers, err := ask("", "", []string{prompt}, []bool{false})
			if err != nil {
				return nil, err
			}
			if len(answers) != 1 || !good(answers[0]) {
				return nil, errors.New("sshtest: wrong code")
			}
			return &ssh.Permissions{}, nil
		}
		first := c.PublicKeyCallback
		c.PublicKeyCallback = func(conn ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if _, err := first(conn, key); err != nil {
				return nil, err
			}
			return nil, &ssh.PartialSuccessError{Next: ssh.ServerAuthCallbacks{KeyboardInteractiveCallback: interactive}}
		}
	})
}

// NoLog keeps no record, for servers that run long or hold thousands of sessions.
func NoLog() Option {
	return func(s *settings) { s.noLog = true }
}

// LogTo writes each event to w as it happens, on a line of its own: "CONNECTION.CHANNEL WORDS".
func LogTo(w io.Writer) Option {
	return func(s *settings) { s.logTo = w }
}

// serverConfig is what every connection starts from.
func (s *Server) serverConfig() *ssh.ServerConfig {
	config := &ssh.ServerConfig{
		MaxAuthTries: 64,
		PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if bytes.Equal(key.Marshal(), s.client.PublicKey().Marshal()) {
				return &ssh.Permissions{}, nil
			}
			return nil, errors.New("sshtest: not the client key")
		},
	}
	config.AddHostKey(s.host)
	for _, change := range s.options.configure {
		change(config)
	}
	return config
}
