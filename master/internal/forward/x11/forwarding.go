package x11

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"
)

// ErrExpired says that ForwardX11Timeout has passed, or that no session asked
// for X11 forwarding at all.
var ErrExpired = errors.New("x11: no X11 forwarding at present, or ForwardX11Timeout has passed")

// maxCookies bounds the cookies that are remembered. There is one for each
// untrusted session whose time has not passed, or one for each that the display
// ever had.
const maxCookies = 256

// Config says how to forward. It is not changed after [New].
type Config struct {
	// Display is the master's DISPLAY at first. See [Forwarding.Use].
	Display string

	// Trusted gives clients the user's own cookie (ForwardX11Trusted).
	Trusted bool

	// Timeout ends untrusted forwarding after a time (ForwardX11Timeout); 0
	// does not.
	Timeout time.Duration

	// XAuth is the path of xauth(1); a program that is not there is none
	// (XAuthLocation).
	XAuth string

	// Env and Dir are the environment, at first, and the folder of xauth.
	Env []string
	Dir string

	// AddressFamily is "inet", "inet6", or "any", which empty means too.
	AddressFamily string

	// Sockets is the folder of displays' unix sockets; empty is
	// /tmp/.X11-unix.
	Sockets string

	// Now is the clock; nil is the system's.
	Now func() time.Time

	// Log gets what happens. Nil discards it.
	Log *slog.Logger
}

// A Request is what a session sends as x11-req (RFC 4254 section 6.3.1).
type Request struct {
	Protocol string // MIT-MAGIC-COOKIE-1
	Cookie   string // hexadecimal, and not the real one
	Screen   uint32
}

// A Forwarding is the forwarding of one display at a time: what came to another one
// before goes on there. Its methods may be called from any goroutine.
type Forwarding struct {
	cfg Config // Display and Env under mu

	mu      sync.Mutex
	cookies []*cookie // oldest first
}

// Use has sessions from now on use another display, and xauth another environment.
func (f *Forwarding) Use(display string, env []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cfg.Display, f.cfg.Env = display, env
}

// display is where sessions show themselves now.
func (f *Forwarding) display() (display, error) {
	f.mu.Lock()
	name := f.cfg.Display
	f.mu.Unlock()
	return parseDisplay(name)
}

// A cookie is what opens a display, and what the host has in its place.
type cookie struct {
	display    display
	protocol   string
	real, fake []byte
	until      time.Time // zero: for ever
	madeUp     bool      // xauth knew none: any other would do as well
}

// same says whether c would do as well as other.
func (c *cookie) same(other *cookie) bool {
	if c.display.name != other.display.name {
		return false
	}
	if c.madeUp && other.madeUp {
		return true
	}
	return c.protocol == other.protocol && bytes.Equal(c.real, other.real) && c.until.Equal(other.until)
}

// New returns a forwarding that no session has asked for yet.
func New(cfg Config) *Forwarding {
	if cfg.Sockets == "" {
		cfg.Sockets = "/tmp/.X11-unix"
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Forwarding{cfg: cfg}
}

// Prepare finds or generates the cookie of the display and returns what a session
// is to ask the host for. It runs xauth, which may take a while. Without a
// display, and without a cookie for untrusted forwarding, there is an error, a
// sentence for a log, and the session goes on without X11, as in ssh(1).
func (f *Forwarding) Prepare(ctx context.Context) (Request, error) {
	d, err := f.display()
	if err != nil {
		return Request{}, err
	}
	c := f.reusable(d)
	if c == nil {
		if c, err = f.obtain(ctx, d); err != nil {
			return Request{}, err
		}
		c.display = d
		c = f.keep(c)
	}
	return Request{Protocol: c.protocol, Cookie: hex.EncodeToString(c.fake), Screen: d.screen}, nil
}

// reusable is the cookie of an untrusted forwarding without an end: generating
// another for each session would fill the display's list.
func (f *Forwarding) reusable(d display) *cookie {
	if f.cfg.Trusted || f.cfg.Timeout != 0 {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.cookies {
		if c.display.name == d.name {
			return c
		}
	}
	return nil
}

// keep remembers c and gives it a fake. A real cookie that is known keeps the
// fake that it has. Cookies whose time has passed are forgotten.
func (f *Forwarding) keep(c *cookie) *cookie {
	c.fake = make([]byte, len(c.real))
	rand.Read(c.fake)
	f.mu.Lock()
	defer f.mu.Unlock()
	live := f.cookies[:0]
	var known *cookie
	for _, old := range f.cookies {
		if f.expired(old) {
			continue
		}
		live = append(live, old)
		if c.same(old) {
			known = old
		}
	}
	clear(f.cookies[len(live):])
	f.cookies = live
	if known != nil {
		return known
	}
	if len(f.cookies) == maxCookies {
		f.cookies = append(f.cookies[:0], f.cookies[1:]...)
	}
	f.cookies = append(f.cookies, c)
	return c
}

func (f *Forwarding) expired(c *cookie) bool {
	return !c.until.IsZero() && !f.cfg.Now().Before(c.until)
}

// Connect connects to a display for one of the host's channels. Which one its client
// may come to is not known before it shows its cookie: at names the likely one, and
// [Forwarding.Admit] the right one. The error is [ErrExpired] when no client may come
// any more.
func (f *Forwarding) Connect(ctx context.Context) (sock net.Conn, at string, err error) {
	err = ErrExpired
	for _, at = range f.displays() {
		if sock, err = f.ConnectTo(ctx, at); err == nil {
			break
		}
	}
	return sock, at, err
}

// ConnectTo connects to the display of that name.
func (f *Forwarding) ConnectTo(ctx context.Context, name string) (net.Conn, error) {
	d, err := parseDisplay(name)
	if err != nil {
		return nil, err
	}
	return d.connect(ctx, f.network(), f.cfg.Sockets)
}

// displays are those of cookies that still count, before all others the one on which
// sessions show themselves now.
func (f *Forwarding) displays() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for _, c := range f.cookies {
		switch {
		case f.expired(c) || slices.Contains(all, c.display.name):
		case c.display.name == f.cfg.Display:
			all = slices.Insert(all, 0, c.display.name)
		default:
			all = append(all, c.display.name)
		}
	}
	return all
}

// network is TCP over the families that may be used.
func (f *Forwarding) network() string {
	switch f.cfg.AddressFamily {
	case "inet":
		return "tcp4"
	case "inet6":
		return "tcp6"
	default:
		return "tcp"
	}
}
