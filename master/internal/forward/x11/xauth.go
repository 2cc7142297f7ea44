package x11

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	// magicCookie is the one protocol that is forwarded.
	magicCookie = "MIT-MAGIC-COOKIE-1"

	// cookieBytes is the length of a cookie that is made up.
	cookieBytes = 16

	// slack is how much longer than ForwardX11Timeout the server's own cookie
	// lives: it must not expire first, for then the display would fall back to
	// other means of authorization.
	slack = time.Minute

	// grace is how much longer clients are admitted, as in OpenSSH.
	grace = time.Second

	// maxField bounds a protocol and a cookie in xauth's output, as in
	// OpenSSH.
	maxField = 511

	// xauthTime bounds a run of xauth: it waits for a display that hangs.
	xauthTime = 10 * time.Second
)

var errNoXauthData = errors.New("x11: untrusted X11 forwarding setup failed: xauth key data not generated")

// obtain asks xauth for the cookie of the display. A trusted forwarding goes on
// with a cookie that is made up when there is none: the display may admit this
// machine without.
func (f *Forwarding) obtain(ctx context.Context, d display) (*cookie, error) {
	ctx, cancel := context.WithTimeout(ctx, xauthTime)
	defer cancel()
	if !f.cfg.Trusted {
		return f.generate(ctx, d)
	}
	c, err := f.list(ctx, "", d)
	if err != nil {
		f.cfg.Log.Info("no xauth data; using fake authentication data for X11 forwarding", "error", err)
		c = &cookie{protocol: magicCookie, real: make([]byte, cookieBytes), madeUp: true}
		rand.Read(c.real)
	}
	return c, nil
}

// generate has the display make a cookie for untrusted clients, in a file that
// nobody else sees.
func (f *Forwarding) generate(ctx context.Context, d display) (*cookie, error) {
	dir, err := os.MkdirTemp("", "ssh-")
	if err != nil {
		return nil, fmt.Errorf("x11: %w", err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "xauthfile")
	args := []string{"-f", file, "generate", d.forXauth(), magicCookie, "untrusted"}
	until := time.Time{}
	if f.cfg.Timeout != 0 {
		args = append(args, "timeout", strconv.FormatInt(int64((f.cfg.Timeout+slack)/time.Second), 10))
		until = f.cfg.Now().Add(f.cfg.Timeout + grace)
	}
	if _, err := f.xauth(ctx, args...); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoXauthData, err)
	}
	c, err := f.list(ctx, file, d)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoXauthData, err)
	}
	c.until = until
	return c, nil
}

// list reads the first cookie of the display from a file, or with "" from the
// user's own.
func (f *Forwarding) list(ctx context.Context, file string, d display) (*cookie, error) {
	args := []string{"list", d.forXauth()}
	if file != "" {
		args = append([]string{"-f", file}, args...)
	}
	out, err := f.xauth(ctx, args...)
	if err != nil {
		return nil, err
	}
	return parseList(out)
}

// parseList reads the first line of xauth's list: display, protocol, cookie.
func parseList(out []byte) (*cookie, error) {
	line, _, _ := bytes.Cut(out, []byte("\n"))
	fields := strings.Fields(string(line))
	if len(fields) < 3 || len(fields[1]) > maxField || len(fields[2]) > maxField {
		return nil, errors.New("xauth lists no cookie for the display")
	}
	value, err := hex.DecodeString(fields[2])
	if err != nil || len(value) == 0 {
		return nil, errors.New("xauth lists a cookie that is not hexadecimal")
	}
	return &cookie{protocol: fields[1], real: value}, nil
}

// xauth runs xauth and returns its output. What it says to a person is dropped.
func (f *Forwarding) xauth(ctx context.Context, args ...string) ([]byte, error) {
	if f.cfg.XAuth == "" {
		return nil, errors.New("no xauth program")
	}
	cmd := exec.CommandContext(ctx, f.cfg.XAuth, args...)
	f.mu.Lock()
	cmd.Env, cmd.Dir = f.cfg.Env, f.cfg.Dir
	f.mu.Unlock()
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.cfg.XAuth, err)
	}
	return out, nil
}
