package hostconfig

import (
	"fmt"
	"slices"
	"strings"
)

// WantsStock names the option for which only a link that stock ssh makes will
// do, as the user wrote it; "" is none. What the files of keys and the lists of
// algorithms demand is not looked at.
//
// Debian turns GSSAPIAuthentication on for everybody, so that alone means
// nothing: it counts where it is all there is, or what the user prefers.
func (h *Host) WantsStock() string {
	for _, w := range []struct {
		keyword string
		wanted  bool
	}{
		{"Compression", h.Compression},
		{"PreferredAuthentications", h.prefersNothing() || h.prefersStock()},
		{"HostbasedAuthentication", h.HostbasedAuthentication && h.mayUse("hostbased")},
		{"GSSAPIKeyExchange", h.GSSAPIKeyExchange},
		{"GSSAPIDelegateCredentials", h.GSSAPIDelegateCredentials && h.GSSAPIAuthentication && h.mayUse("gssapi-with-mic")},
		{"GSSAPIAuthentication", h.GSSAPIAuthentication && h.mayUse("gssapi-with-mic") && !h.provesOtherwise()},
		{"PKCS11Provider", h.PKCS11Provider != "" && h.PKCS11Provider != "none" && h.PubkeyAuthentication != "no"},
	} {
		if w.wanted {
			return fmt.Sprintf("%s %s", w.keyword, h.printed(strings.ToLower(w.keyword)))
		}
	}
	return ""
}

// mayUse says whether PreferredAuthentications leaves a method.
func (h *Host) mayUse(method string) bool {
	return h.PreferredAuthentications == nil || slices.Contains(h.PreferredAuthentications, method)
}

// prefersStock says whether the method that the user prefers before all others
// is one that only stock ssh has, and switched on.
func (h *Host) prefersStock() bool {
	if len(h.PreferredAuthentications) == 0 {
		return false
	}
	switch h.PreferredAuthentications[0] {
	case "gssapi-with-mic", "gssapi-keyex":
		return h.GSSAPIAuthentication
	case "hostbased":
		return h.HostbasedAuthentication
	}
	return false
}

// provesOtherwise says whether a method that a link of our own can use is
// switched on.
func (h *Host) provesOtherwise() bool {
	return h.PubkeyAuthentication != "no" && h.mayUse("publickey") ||
		h.PasswordAuthentication && h.mayUse("password") ||
		h.KbdInteractiveAuthentication && h.mayUse("keyboard-interactive")
}
