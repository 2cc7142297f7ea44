package hostkeys

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"golang.org/x/crypto/ssh"
)

// maxLine bounds a line of known_hosts in bytes. The longest key that can be
// verified takes less than 4 KiB; the rest is room for names.
const maxLine = 64 << 10

// minRSA is the shortest RSA key, in bits, that ssh reads from a file.
const minRSA = 1024

// Marker is the word with "@" in front of a line.
type Marker int

// The markers of sshd(8), SSH_KNOWN_HOSTS FILE FORMAT.
const (
	NoMarker      Marker = iota
	CertAuthority        // @cert-authority: the key signs host certificates
	RevokedKey           // @revoked: the key must never be accepted
)

// A Line is one line of a known_hosts file.
type Line struct {
	Marker  Marker
	Hosts   string // a list of patterns, or one hashed name; empty for a comment
	KeyType string
	KeyText string // the key's base64
}

// ParseLine takes one line apart, without its line ending; a carriage return at
// the end is ignored. The key is not decoded. An empty line and a comment give
// a Line without Hosts and no error.
func ParseLine(text string) (Line, error) {
	var line Line
	rest := strings.TrimLeft(strings.TrimSuffix(text, "\r"), " \t")
	if rest == "" || rest[0] == '#' {
		return line, nil
	}
	if rest[0] == '@' {
		var marker string
		marker, rest = nextField(rest)
		switch marker {
		case "@cert-authority":
			line.Marker = CertAuthority
		case "@revoked":
			line.Marker = RevokedKey
		default:
			return Line{}, errors.New("hostkeys: unknown marker")
		}
		if strings.HasPrefix(rest, "@") {
			return Line{}, errors.New("hostkeys: more than one marker")
		}
	}
	line.Hosts, rest = nextField(rest)
	line.KeyType, rest = nextField(rest)
	line.KeyText, _ = nextField(rest)
	if line.KeyText == "" || line.KeyType[0] == '#' {
		return Line{}, errors.New("hostkeys: truncated line")
	}
	return line, nil
}

// nextField cuts the first field and the blanks behind it off.
func nextField(s string) (field, rest string) {
	end := strings.IndexAny(s, " \t")
	if end < 0 {
		return s, ""
	}
	return s[:end], strings.TrimLeft(s[end:], " \t")
}

// Matches says whether the line is about name, which is in lower case and holds
// the port as "[host]:port" unless that is 22.
func (l Line) Matches(name string) (bool, error) {
	if strings.HasPrefix(l.Hosts, "|") {
		return matchHashed(name, l.Hosts)
	}
	return matchList(name, strings.ToLower(l.Hosts)), nil
}

// Key decodes the key. Certificates are not keys of known_hosts, nor are RSA
// keys of less than 1024 bits.
func (l Line) Key() (ssh.PublicKey, error) {
	blob, err := base64.StdEncoding.DecodeString(l.KeyText)
	if err != nil {
		return nil, fmt.Errorf("hostkeys: key is not base64: %w", err)
	}
	key, err := ssh.ParsePublicKey(blob)
	if err != nil {
		return nil, fmt.Errorf("hostkeys: key cannot be read: %w", err)
	}
	if key.Type() != l.KeyType {
		return nil, fmt.Errorf("hostkeys: key is of type %s, the line says %q", key.Type(), l.KeyType)
	}
	if isCertType(key.Type()) {
		return nil, errors.New("hostkeys: a certificate is not a host key")
	}
	if bits := rsaBits(key); bits > 0 && bits < minRSA {
		return nil, fmt.Errorf("hostkeys: RSA key of %d bits is too short", bits)
	}
	return key, nil
}

// rsaBits returns the size of an RSA key or of an RSA certificate's key in
// bits, 0 for other keys.
func rsaBits(key ssh.PublicKey) int {
	plain := plainKey(key)
	if plain.Type() != ssh.KeyAlgoRSA {
		return 0
	}
	var wire struct {
		Name string
		E, N *big.Int
	}
	if ssh.Unmarshal(plain.Marshal(), &wire) != nil {
		return 0
	}
	return wire.N.BitLen()
}

// formatLine writes the line for one key, without a line ending.
func formatLine(hosts string, key ssh.PublicKey) string {
	return hosts + " " + key.Type() + " " + base64.StdEncoding.EncodeToString(key.Marshal())
}
