package hostkeys

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	// maxOutput bounds what is read of KnownHostsCommand, in bytes.
	maxOutput = 16 << 20

	// maxStderr bounds how much of its standard error is logged, in bytes.
	maxStderr = 8 << 10

	// commandGrace is how long a killed command may hold its output open.
	commandGrace = 2 * time.Second
)

// withCommand adds to known what KnownHostsCommand prints about name. The
// occasion is ORDER, HOSTNAME or ADDRESS; key is nil for ORDER.
//
// As with ssh, a command that cannot be started is reported and passed over,
// one that fails ends the connection.
func (c *Checker) withCommand(ctx context.Context, known entries, occasion, name string, key ssh.PublicKey) (entries, error) {
	if c.config.Command == "" || strings.EqualFold(c.config.Command, "none") {
		return known, nil
	}
	argv, err := c.commandWords(occasion, name, key)
	if err != nil {
		return nil, c.commandFailed(err)
	}
	if err := startable(argv[0]); err != nil {
		c.notify("KnownHostsCommand is left out: %s", printable(err.Error()))
		return known, nil
	}
	output, err := c.runCommand(ctx, argv)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, c.commandFailed(err)
	}
	col := &collector{c: c, names: []string{name}, found: []entries{known}, origin: fromCommand}
	if err := scan(ctx, c.log, "KnownHostsCommand-"+occasion, bytes.NewReader(output), col.visit); err != nil {
		return nil, err
	}
	return col.found[0], nil
}

// commandFailed refuses the connection because the command did not do.
func (c *Checker) commandFailed(err error) *Error {
	return &Error{Kind: Unverifiable, Host: c.name(), Err: err,
		Reason: "KnownHostsCommand failed for host " + printable(c.name()),
		Remedy: "run it by hand, or set KnownHostsCommand none"}
}

// startable says why a program cannot be started. Like ssh it looks for no
// program in PATH.
func startable(program string) error {
	if !filepath.IsAbs(program) {
		return fmt.Errorf("%s is not an absolute path", program)
	}
	_, err := os.Stat(program)
	return err
}

// commandWords splits the command and expands each word but the first.
func (c *Checker) commandWords(occasion, name string, key ssh.PublicKey) ([]string, error) {
	words, err := splitWords(c.config.Command)
	if err != nil {
		return nil, err
	}
	if len(words) == 0 {
		return nil, errors.New("it is empty")
	}
	tokens := map[byte]string{'H': name, 'I': occasion, 't': "NONE", 'f': "NONE", 'K': "NONE"}
	if key != nil {
		tokens['t'] = key.Type()
		tokens['f'] = c.fingerprint(key)
		tokens['K'] = base64.StdEncoding.EncodeToString(key.Marshal())
	}
	expand := c.config.Expand
	if expand == nil {
		expand = expandTokens
	}
	for i := range words[1:] {
		if words[i+1], err = expand(words[i+1], tokens); err != nil {
			return nil, err
		}
	}
	return words, nil
}

// runCommand returns what the command prints.
func (c *Checker) runCommand(ctx context.Context, argv []string) ([]byte, error) {
	stdout, stderr := &bounded{limit: maxOutput}, &bounded{limit: maxStderr, drop: true}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = c.config.Dir, c.config.Env
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.WaitDelay = commandGrace
	c.log.Debug("hostkeys: running KnownHostsCommand", "argv", argv)
	err := cmd.Run()
	for line := range strings.Lines(string(stderr.data)) {
		c.log.Warn("hostkeys: KnownHostsCommand: " + printable(strings.TrimRight(line, "\r\n")))
	}
	return stdout.data, err
}

// bounded keeps the first bytes written to it, and refuses or drops the rest.
type bounded struct {
	data  []byte
	limit int
	drop  bool
}

func (b *bounded) Write(p []byte) (int, error) {
	room := min(len(p), b.limit-len(b.data))
	b.data = append(b.data, p[:room]...)
	if room < len(p) && !b.drop {
		return room, fmt.Errorf("more than %d bytes of output", b.limit)
	}
	return len(p), nil
}
