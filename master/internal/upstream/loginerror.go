package upstream

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"
)

// failure closes the connection of a failed login and says what went wrong.
func (g *login) failure(err error) error {
	_ = g.wire.Close()
	stage := g.reached()
	text := g.describe(stage, err)
	if p, ok := beneath[*proxied](g.wire.Conn); ok && stage <= Keyed && g.ctx.Err() == nil {
		if failed := p.helper.failure(); failed != nil {
			text = fmt.Sprintf("ssh: connect to host %s port %d: %v", g.Host.HostName, g.Host.Port, failed)
			err = errors.Join(failed, err)
		}
	}
	return &DialError{stage, text, err}
}

// reached is the stage in which the login failed.
func (g *login) reached() Stage {
	if stage := Stage(g.stage.Load()); stage > Greeted {
		return stage
	}
	// Beyond our greeting the library sends only once it has the server's.
	if g.wire.bytesOut.Load() > uint64(len(g.greeting)+len("\r\n")) {
		return Keyed
	}
	return Greeted
}

// describe words the failure.
func (g *login) describe(stage Stage, err error) string {
	host, port := g.Host.HostName, g.Host.Port
	var mismatch *ssh.AlgorithmNegotiationError
	reason, words, told := disconnect(err)
	how, hungUp := hangup(err)
	var jump *jumpEnd
	switch {
	case errors.As(g.wire.fault(), &jump):
		return fmt.Sprintf("ssh: connect to host %s port %d: %s", host, port, jump)
	case errors.Is(err, errConnectTimeout):
		return fmt.Sprintf("ssh: connect to host %s port %d: Connection timed out during %s (ConnectTimeout %v)",
			host, port, during(stage), g.Host.ConnectTimeout)
	case errors.Is(err, errSilence):
		return fmt.Sprintf("ssh: connect to host %s port %d: Connection timed out during %s (no answer for %v)",
			host, port, during(stage), g.silenceLimit())
	case g.ctx.Err() != nil:
		return fmt.Sprintf("ssh: connect to host %s port %d: %s during %s", host, port, plain(err), during(stage))
	case errors.As(err, &mismatch):
		return g.noCommon(mismatch)
	case told && stage != Authenticated:
		return fmt.Sprintf("Received disconnect from %s port %d:%d: %s", host, port, reason, words)
	case stage == Verified:
		return g.verdict(err)
	case stage == Authenticated:
		return strings.TrimPrefix(err.Error(), "ssh: handshake failed: ")
	case hungUp && stage == Greeted:
		return fmt.Sprintf("Connection %s by %s port %d before its greeting (is it an SSH server? does it take more connections?)", how, host, port)
	case hungUp:
		return fmt.Sprintf("Connection %s by %s port %d during %s", how, host, port, during(stage))
	case strings.Contains(err.Error(), "overflow reading version string"):
		return fmt.Sprintf("ssh: connect to host %s port %d: this is not an SSH server", host, port)
	}
	return fmt.Sprintf("ssh: connect to host %s port %d: %s during %s", host, port, bare(err), during(stage))
}

// hangup says whether the server ended the connection, and how.
func hangup(err error) (how string, ok bool) {
	if errors.Is(err, syscall.ECONNRESET) {
		return "reset", true
	}
	return "closed", errors.Is(err, io.EOF)
}

// during names the stage as ssh(1) does.
func during(stage Stage) string {
	switch stage {
	case Greeted:
		return "banner exchange"
	case Authenticated:
		return "authentication"
	case Verified:
		return "host key verification"
	}
	return "key exchange"
}

// noCommon words a failed negotiation. What the server offers is its own bytes.
func (g *login) noCommon(m *ssh.AlgorithmNegotiationError) string {
	what := map[string]string{"key exchange": "key exchange method", "host key": "host key type"}[m.What]
	if what == "" {
		_, what, _ = strings.Cut(m.What, "client ")
		what = strings.TrimPrefix(what, "to server ")
	}
	return fmt.Sprintf("Unable to negotiate with %s port %d: no matching %s found. Their offer: %s; ours: %s (%s)",
		g.Host.HostName, g.Host.Port, what, names(m.RequestedAlgorithms), names(m.SupportedAlgorithms), agreeing(what, m.RequestedAlgorithms))
}

// agreeing is the remedy of a failed negotiation: the option that would allow
// one of theirs, if there is one to allow.
func agreeing(what string, theirs []string) string {
	have, weak := ssh.SupportedAlgorithms(), ssh.InsecureAlgorithms()
	choice := map[string]struct {
		option string
		known  []string
	}{
		"key exchange method": {"KexAlgorithms", slices.Concat(have.KeyExchanges, weak.KeyExchanges)},
		"host key type":       {"HostKeyAlgorithms", slices.Concat(have.HostKeys, weak.HostKeys)},
		"cipher":              {"Ciphers", slices.Concat(have.Ciphers, weak.Ciphers)},
		"MAC":                 {"MACs", slices.Concat(have.MACs, weak.MACs)},
	}[what]
	for _, name := range theirs {
		if slices.Contains(choice.known, name) {
			return fmt.Sprintf("to allow it: -o %s=+%s", choice.option, name)
		}
	}
	return "nothing of that is implemented here: use ssh itself for this host"
}

// names joins algorithms and leaves out the markers that travel among them.
func names(list []string) string {
	var real []string
	for _, name := range list {
		if !strings.HasPrefix(name, "kex-strict-") && !strings.HasPrefix(name, "ext-info-") {
			real = append(real, name)
		}
	}
	return clean(strings.Join(real, ","))
}

// verdict is the Verifier's own sentence.
func (g *login) verdict(err error) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.refused == nil {
		return "Host key verification failed: " + bare(err)
	}
	text := strings.TrimPrefix(g.refused.Error(), "hostkeys: ")
	if !strings.Contains(text, "Host key verification failed") {
		text = "Host key verification failed: " + text
	}
	return text
}

// bare is an error's text without the library's prefixes.
func bare(err error) string {
	text := plain(err)
	for _, prefix := range []string{"handshake failed: ", "ssh: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return text
}
