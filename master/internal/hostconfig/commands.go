package hostconfig

import (
	"fmt"
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
	h.ProxyCommand, err = h.shellCommand(keyword, command, h.tok.only(proxyTokens))
	return err
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

// ExpandKnownHostsWord expands one word of KnownHostsCommand, which ssh splits
// first, runs without a shell, and expands from the second word on. asked holds
// the tokens of the moment: H, I, K, f and t.
func (h *Host) ExpandKnownHostsWord(word string, asked map[byte]string) (string, error) {
	s, err := expand(word, h.tok.with(asked), h.env.Lookup)
	if err != nil {
		return "", fmt.Errorf("hostconfig: KnownHostsCommand %s %w", printable(h.KnownHostsCommand), err)
	}
	return s, nil
}

// checkCommands expands the commands that run later, so that a bad token is
// known before anything is dialled.
func (h *Host) checkCommands() error {
	if h.PermitLocalCommand {
		if _, err := h.LocalCommandLine(""); err != nil {
			return err
		}
	}
	words, err := splitWords(h.KnownHostsCommand, false)
	if err != nil {
		return fmt.Errorf("hostconfig: KnownHostsCommand %s %w", printable(h.KnownHostsCommand), err)
	}
	asked := map[byte]string{'H': "", 'I': "", 'K': "", 'f': "", 't': ""}
	for i := 1; i < len(words); i++ {
		if _, err := h.ExpandKnownHostsWord(words[i], asked); err != nil {
			return err
		}
	}
	return nil
}
