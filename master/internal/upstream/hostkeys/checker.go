package hostkeys

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// A Checker judges the host keys of one connection. Its methods may be called
// from any goroutine.
type Checker struct {
	// Immutable.
	config      Config
	log         *slog.Logger
	clock       func() time.Time
	algorithms  []string // HostKeyAlgorithms, as far as they can be verified
	userFiles   []string
	globalFiles []string
	revoked     []string

	mu       sync.Mutex // held through a check, with its question and its command
	result   Result
	updateIP string // the name of the address, where CheckHostIP applied
	updated  bool   // the server's announcement was dealt with
}

// Result is what a successful check found.
type Result struct {
	// Key is the key or certificate that the server proved to hold; nil before
	// the first check.
	Key ssh.PublicKey

	// Unsafe says that the key was changed or revoked and accepted only because
	// StrictHostKeyChecking is off. The caller must then use neither password
	// nor keyboard-interactive authentication and forward nothing: no agent, no
	// X11, no ports, no tunnel. With ExitOnForwardFailure and anything of it
	// asked for, ssh gives up.
	Unsafe bool

	// Trusted says that the key was known by the user's own files, or that a
	// person confirmed it: the condition for [Checker.UpdateKeys].
	Trusted bool

	// Added says that the key was written to known_hosts.
	Added bool
}

// New returns a checker for one connection.
func New(config Config) *Checker {
	c := &Checker{config: config, log: config.Log, clock: config.Clock}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.clock == nil {
		c.clock = time.Now
	}
	c.userFiles = c.paths(config.UserFiles)
	c.globalFiles = c.paths(config.GlobalFiles)
	c.revoked = c.paths(config.RevokedFiles)
	c.algorithms = c.known(config.HostKeyAlgorithms)
	return c
}

// known keeps the algorithms that can be verified.
func (c *Checker) known(algorithms []string) []string {
	if len(algorithms) == 0 {
		algorithms = defaultAlgorithms()
	}
	all := verifiable()
	return slices.DeleteFunc(slices.Clone(algorithms), func(name string) bool {
		if slices.Contains(all, name) {
			return false
		}
		c.log.Debug("hostkeys: host key algorithm is not supported, left out", "algorithm", name)
		return true
	})
}

// paths expands a list of files.
func (c *Checker) paths(files []string) []string {
	if len(files) == 1 && strings.EqualFold(files[0], "none") {
		return nil
	}
	paths := make([]string, 0, len(files))
	for _, path := range files {
		if rest, ok := strings.CutPrefix(path, "~/"); ok && c.config.Home != "" {
			path = filepath.Join(c.config.Home, rest)
		} else if !filepath.IsAbs(path) {
			path = filepath.Join(c.config.Dir, path)
		}
		paths = append(paths, path)
	}
	return paths
}

// Callback returns the function that x/crypto/ssh calls with the key of every
// key exchange. The context bounds the first check, with its question and its
// command; later checks do neither.
func (c *Checker) Callback(ctx context.Context) ssh.HostKeyCallback {
	return func(_ string, remote net.Addr, key ssh.PublicKey) error {
		return c.Check(ctx, remote, key)
	}
}

// Check judges a key that the server has proved to hold. It returns nil, an
// [*Error], or the context's error.
func (c *Checker) Check(ctx context.Context, remote net.Addr, key ssh.PublicKey) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.result.Key == nil {
		result, err := c.first(ctx, remote, key)
		if err == nil {
			c.result = result
		}
		return err
	}
	if bytes.Equal(c.result.Key.Marshal(), key.Marshal()) {
		return nil
	}
	return c.again(context.WithoutCancel(ctx), key)
}

// Result returns what the first check found. Its Key is nil while there was
// none.
func (c *Checker) Result() Result {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.result
}
