package hostconfig

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// proxyTokens are the tokens that ProxyCommand knows besides %%.
const proxyTokens = "hknpr"

// expandProxy expands ProxyCommand; ProxyJump becomes the command that ssh
// itself would run for it.
func (h *Host) expandProxy(x *surroundings) error {
	command, keyword := h.ProxyCommand, "ProxyCommand"
	if strings.EqualFold(command, "none") {
		command = ""
	}
	if len(h.ProxyJump) > 0 {
		command, keyword = jumpCommand(h.ProxyJump, x.ssh, x.config(), h.LogLevel), "ProxyJump"
	}
	var err error
	if h.ProxyCommand, err = h.shellCommand(keyword, command, h.tok.only(proxyTokens)); err != nil {
		return err
	}
	return nil
}

// config returns the -F of the command line, as seen from anywhere.
func (x *surroundings) config() string {
	file := lastValue(x.args, 'F')
	if file == "" || file == "none" {
		return file
	}
	return x.abs(file)
}

// shellCommand expands a command that a shell will run. Names of hosts and
// users that a shell would not read as plain words are refused when they occur.
func (h *Host) shellCommand(keyword, command string, t tokens) (string, error) {
	for i := 0; i+1 < len(command); i++ {
		if command[i] != '%' {
			continue
		}
		i++
		var err error
		switch command[i] {
		case 'h', 'k', 'n', 'j':
			err = checkHostName(t[command[i]])
		case 'r':
			err = checkUserName(t['r'])
		}
		if err != nil {
			return "", fmt.Errorf("hostconfig: %s %s: token %%%c: %w", keyword, printable(command), command[i], err)
		}
	}
	line, err := expandPercent(command, t)
	if err != nil {
		return "", fmt.Errorf("hostconfig: %s %s %w", keyword, printable(command), err)
	}
	return line, nil
}

// LocalCommandLine returns LocalCommand with its tokens expanded, for the
// user's shell; "" when there is none. tunnel is the name of the tunnel
// interface (token %T), "" for none.
func (h *Host) LocalCommandLine(tunnel string) (string, error) {
	if tunnel == "" {
		tunnel = "NONE"
	}
	return h.shellCommand("LocalCommand", h.LocalCommand, h.tok.with(tokens{'T': tunnel}))
}

// A KnownHostsQuestion is what a KnownHostsCommand is asked.
type KnownHostsQuestion struct {
	Reason      string // %I: ORDER, HOSTNAME or ADDRESS
	Host        string // %H: the name or address that is looked up
	KeyType     string // %t: the host key's type; "" before it is known
	Fingerprint string // %f
	Key         string // %K: the key in base64
}

// KnownHostsArgv returns KnownHostsCommand as the program and its arguments,
// to be run without a shell; nil when there is none.
func (h *Host) KnownHostsArgv(q KnownHostsQuestion) ([]string, error) {
	if h.KnownHostsCommand == "" || strings.EqualFold(h.KnownHostsCommand, "none") {
		return nil, nil
	}
	argv, err := splitWords(h.KnownHostsCommand, false)
	if err == nil && (len(argv) == 0 || !filepath.IsAbs(argv[0])) {
		err = errors.New("does not begin with an absolute path")
	}
	t := h.tok.with(tokens{'H': q.Host, 'I': q.Reason, 't': orNone(q.KeyType), 'f': orNone(q.Fingerprint), 'K': orNone(q.Key)})
	for i := 1; err == nil && i < len(argv); i++ {
		argv[i], err = expand(argv[i], t, h.env.lookup)
	}
	if err != nil {
		return nil, fmt.Errorf("hostconfig: KnownHostsCommand %s %w", printable(h.KnownHostsCommand), err)
	}
	return argv, nil
}

// orNone is what ssh puts for a token that has no value yet.
func orNone(s string) string {
	if s == "" {
		return "NONE"
	}
	return s
}

// checkCommands expands the commands that run later, so that a bad token is
// known before anything is dialled.
func (h *Host) checkCommands() error {
	if h.PermitLocalCommand {
		if _, err := h.LocalCommandLine(""); err != nil {
			return err
		}
	}
	_, err := h.KnownHostsArgv(KnownHostsQuestion{})
	return err
}
