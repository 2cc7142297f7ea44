package hostconfig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"slices"
	"strings"
	"time"
	"unicode"
)

// An SSHError says that ssh itself refused to resolve the host: a bad option,
// a file that cannot be read, RefuseConnection.
type SSHError struct {
	Message string // what ssh said, on one line, without control characters
	Err     error  // how it ended
}

func (e *SSHError) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("hostconfig: ssh -G: %v, without a message (LogLevel QUIET and -q hide it)", e.Err)
	}
	return "hostconfig: ssh -G: " + e.Message
}

func (e *SSHError) Unwrap() error { return e.Err }

// Resolving is set in the environment of every ssh -G, and so of the programs that
// its configuration starts with Match exec: one of them may be ssh-master, who
// would ask this ssh -G's caller what that is about to find out.
const Resolving = "SSH_MASTER_RESOLVING"

// An sshCommand runs one ssh with -G in the caller's surroundings.
type sshCommand struct {
	path string
	dir  string
	env  environ
	log  *slog.Logger
}

// print returns what `ssh -G args -- destination` prints, split. It ends with
// ctx; a Match exec that outlives its ssh is waited for a second at most.
func (c sshCommand) print(ctx context.Context, args []string, destination string) (map[string][]string, error) {
	argv := append([]string{"-G"}, args...)
	cmd := exec.CommandContext(ctx, c.path, append(argv, "--", destination)...)
	cmd.Dir, cmd.Env = c.dir, append(slices.Clip(c.env), Resolving+"=1")
	cmd.WaitDelay = time.Second
	out, said := &limited{most: maxOutput}, &limited{most: 64 << 10, drop: true}
	cmd.Stdout, cmd.Stderr = out, said
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("hostconfig: ssh -G %s: %w", destination, ctx.Err())
	case out.full:
		return nil, fmt.Errorf("hostconfig: ssh -G %s printed more than %d bytes", destination, maxOutput)
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		return nil, &SSHError{Message: sshMessage(said.String()), Err: err}
	}
	if text := sshMessage(said.String()); text != "" {
		c.log.LogAttrs(ctx, slog.LevelDebug, "ssh -G said", slog.String("text", text))
	}
	raw, err := splitLines(out.String())
	if err == nil && raw["hostname"] == nil {
		err = errors.New("ssh -G printed no hostname")
	}
	if err != nil {
		return nil, fmt.Errorf("hostconfig: %s: %w", c.path, err)
	}
	return raw, nil
}

// sshMessage is what ssh wrote to stderr as one line for a person: debugging
// and the note about terminals left out, control characters removed.
func sshMessage(stderr string) string {
	var lines []string
	for _, line := range strings.Split(stderr, "\n") {
		line = strings.TrimSpace(strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return -1
			}
			return r
		}, line))
		noise := line == "" || strings.HasPrefix(line, "debug") || strings.HasPrefix(line, "OpenSSH_") ||
			strings.HasPrefix(line, "Pseudo-terminal will not be allocated")
		if !noise {
			lines = append(lines, strings.TrimSuffix(line, "."))
		}
	}
	return strings.Join(lines, "; ")
}

// A limited buffer takes at most most bytes. What is beyond is an error, or
// dropped. It embeds nothing: a ReadFrom would go past Write.
type limited struct {
	buf  bytes.Buffer
	most int
	drop bool
	full bool
}

func (l *limited) String() string { return l.buf.String() }

func (l *limited) Write(p []byte) (int, error) {
	room := l.most - l.buf.Len()
	if len(p) <= room {
		return l.buf.Write(p)
	}
	l.full = true
	l.buf.Write(p[:room])
	if l.drop {
		return len(p), nil
	}
	return room, errors.New("too much output")
}
