package stocklink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/hostconfig"
	"sshmaster/master/internal/upstream"
)

// Choose says why the link to a host is to be made by stock ssh: because of the
// option that it names, as the user wrote it. "" is a link of our own, which
// able says can be made as far as algorithms go: nil, or an error that begins
// with the option.
//
// Transport decides, and where it is auto, what no link of our own can do.
// Without an installed ssh there is no choice, but for an error where Transport
// leaves none.
func Choose(ctx context.Context, h *hostconfig.Host, able func(*hostconfig.Host) error) (why string, err error) {
	_, _, _, installed := h.StockSSH()
	switch {
	case h.Own.Transport == "native":
		return "", nil
	case h.Own.Transport == "openssh" && !installed:
		return "", errNoSSH
	case h.Own.Transport == "openssh":
		return "Transport openssh", nil
	case !installed:
		return "", nil
	}
	if why := h.WantsStock(); why != "" {
		return why, nil
	}
	if err := able(h); err != nil {
		why, _, _ := strings.Cut(err.Error(), ";") // the rest is advice
		return why, nil
	}
	return onlyOnToken(ctx, h), nil
}

// Instead says why stock ssh is to try what a link of our own has failed at: the
// host has no algorithm in common with us, but with the user's configuration. ""
// is no reason.
func Instead(h *hostconfig.Host, err error) (why string) {
	var dial *upstream.DialError
	var lacking *ssh.AlgorithmNegotiationError
	_, _, _, installed := h.StockSSH()
	switch {
	case h.Own.Transport != "auto" || !installed:
		return ""
	case !errors.As(err, &dial) || dial.Stage != upstream.Keyed || !errors.As(err, &lacking):
		return ""
	}
	configured := configuredFor(h, lacking.What)
	for _, theirs := range lacking.RequestedAlgorithms {
		if slices.Contains(configured, theirs) {
			return fmt.Sprintf("%s for %s", theirs, lacking.What)
		}
	}
	return ""
}

// configuredFor is what ssh would offer for a part of the negotiation, which is
// named as the library names it.
func configuredFor(h *hostconfig.Host, what string) []string {
	switch {
	case what == "key exchange":
		return h.KexAlgorithms
	case what == "host key":
		return h.HostKeyAlgorithms
	case strings.HasSuffix(what, "cipher"):
		return h.Ciphers
	case strings.HasSuffix(what, "MAC"):
		return h.MACs
	case strings.HasSuffix(what, "compression"):
		return []string{"zlib@openssh.com", "zlib"}
	}
	return nil
}
