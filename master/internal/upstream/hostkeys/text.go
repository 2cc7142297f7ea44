package hostkeys

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/crypto/ssh"
)

// printable replaces what could move a cursor or forge a line: control
// characters, invalid UTF-8 and invisible formatting.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// plainKey returns the key itself, without the certificate around it.
func plainKey(key ssh.PublicKey) ssh.PublicKey {
	if cert, ok := key.(*ssh.Certificate); ok {
		return cert.Key
	}
	return key
}

// fingerprint prints the hash of the plain key as ssh-keygen -l does, with the
// name of the hash in front.
func (c *Checker) fingerprint(key ssh.PublicKey) string {
	if strings.EqualFold(c.config.FingerprintHash, "md5") {
		sum := md5.Sum(plainKey(key).Marshal())
		parts := make([]string, len(sum))
		for i, b := range sum {
			parts[i] = hex.EncodeToString([]byte{b})
		}
		return "MD5:" + strings.Join(parts, ":")
	}
	return ssh.FingerprintSHA256(plainKey(key))
}

// shortNames are the names of key types that ssh shows to people.
var shortNames = map[string]string{
	ssh.KeyAlgoRSA:        "RSA",
	ssh.KeyAlgoECDSA256:   "ECDSA",
	ssh.KeyAlgoECDSA384:   "ECDSA",
	ssh.KeyAlgoECDSA521:   "ECDSA",
	ssh.KeyAlgoED25519:    "ED25519",
	ssh.KeyAlgoSKECDSA256: "ECDSA-SK",
	ssh.KeyAlgoSKED25519:  "ED25519-SK",
	"ssh-dss":             "DSA",
}

// keyName is the short name of a key's type.
func keyName(key ssh.PublicKey) string {
	plain := plainType(key.Type())
	name, ok := shortNames[plain]
	if !ok {
		name = strings.ToUpper(plain)
	}
	if _, ok := key.(*ssh.Certificate); ok {
		name += "-CERT"
	}
	return name
}

// notify shows text to a person.
func (c *Checker) notify(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if c.config.Notify != nil {
		c.config.Notify(text)
		return
	}
	c.log.Warn(text)
}

// framed is the head of a warning that must not be overlooked.
func framed(words string) string {
	rule := strings.Repeat("@", 59)
	space := len(rule) - 2 - len(words)
	return rule + "\n@" + strings.Repeat(" ", space/2) + words +
		strings.Repeat(" ", space-space/2) + "@\n" + rule
}
