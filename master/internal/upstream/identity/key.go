package identity

import (
	"bytes"
	"strings"

	"golang.org/x/crypto/ssh"
)

// A key is one entry of the list that is offered: a file, a certificate, or
// something the agent holds.
type key struct {
	name     string        // the file as configured, or the agent's comment
	path     string        // the file with the private half; "" is none
	certFile string        // the file with the certificate; "" is none
	public   ssh.PublicKey // nil when only the private half can tell
	explicit bool          // configured by the user
	inAgent  bool          // the agent signs
	tried    bool          // since the last partial success
}

// certificate returns the certificate that k is, or nil.
func (k *key) certificate() *ssh.Certificate {
	cert, _ := k.public.(*ssh.Certificate)
	return cert
}

// plain returns the public key under a certificate, or the public key itself;
// nil when it is not known.
func (k *key) plain() ssh.PublicKey {
	if cert := k.certificate(); cert != nil {
		return cert.Key
	}
	return k.public
}

// String is how `ssh -v` names a key: name, type, fingerprint and origin. A
// certificate has the fingerprint of its key.
func (k *key) String() string {
	words := []string{cleanLine(k.name)}
	if k.public != nil {
		words = append(words, typeName(k.public), ssh.FingerprintSHA256(k.plain()))
	}
	if k.explicit {
		words = append(words, "explicit")
	}
	if k.public != nil && onToken(k.public) {
		words = append(words, "authenticator")
	}
	if k.inAgent {
		words = append(words, "agent")
	}
	return strings.Join(words, " ")
}

// typeName returns OpenSSH's short name of a key's type, such as "RSA-CERT".
func typeName(public ssh.PublicKey) string {
	base, isCert := baseType(public.Type())
	name := base
	switch {
	case base == ssh.KeyAlgoRSA:
		name = "RSA"
	case base == "ssh-dss":
		name = "DSA"
	case base == ssh.KeyAlgoED25519:
		name = "ED25519"
	case base == ssh.KeyAlgoSKED25519:
		name = "ED25519-SK"
	case base == ssh.KeyAlgoSKECDSA256:
		name = "ECDSA-SK"
	case strings.HasPrefix(base, "ecdsa-sha2-"):
		name = "ECDSA"
	default:
		name = cleanLine(name)
	}
	if isCert {
		name += "-CERT"
	}
	return name
}

// onToken says whether the private half lives in a FIDO authenticator.
func onToken(public ssh.PublicKey) bool { return strings.HasPrefix(public.Type(), "sk-") }

// same compares public keys by their wire form; unknown ones are never equal.
func same(a, b ssh.PublicKey) bool {
	return a != nil && b != nil && bytes.Equal(a.Marshal(), b.Marshal())
}
