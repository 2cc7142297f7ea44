package hostkeys

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
)

// maxRevoked bounds a RevokedHostKeys file, in bytes.
const maxRevoked = 64 << 20

// checkRevokedFiles refuses a key that a RevokedHostKeys file names, or whose
// authority one names. A file that cannot be read, or read to its end, refuses
// every key: it might name this one.
func (c *Checker) checkRevokedFiles(key ssh.PublicKey) error {
	for _, path := range c.revoked {
		revoked, err := revokedIn(path, key)
		if err != nil {
			e := c.refusal(Unverifiable, key, "RevokedHostKeys cannot be read")
			e.File, e.Err = path, err
			e.Remedy = "correct that file, or take it out of RevokedHostKeys"
			return e
		}
		if revoked {
			e := c.refusal(Revoked, key, "the %s key that the server sent, or its authority, is revoked in %s",
				keyName(key), printable(path))
			e.File = path
			e.Remedy = "the server needs a new key; ask its administrator"
			return e
		}
	}
	return nil
}

// revokedIn reads a plain list or a binary one.
func revokedIn(path string, key ssh.PublicKey) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxRevoked+1))
	if err != nil {
		return false, err
	}
	if len(data) > maxRevoked {
		return false, fmt.Errorf("%s has more than %d bytes", path, maxRevoked)
	}
	if bytes.HasPrefix(data, []byte(krlMagic)) {
		list, err := ParseKRL(data)
		if err != nil {
			return false, fmt.Errorf("%s: %w", path, err)
		}
		return list.Revokes(key), nil
	}
	return listedIn(path, string(data), key)
}

// listedIn looks for the key, or for the authority that signed it, in a list of
// public keys, one per line.
func listedIn(path, text string, key ssh.PublicKey) (bool, error) {
	wanted := [][]byte{plainKey(key).Marshal()}
	if cert, ok := key.(*ssh.Certificate); ok {
		wanted = append(wanted, cert.SignatureKey.Marshal())
	}
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.Trim(line, " \t\r\n")
		if line == "" || line[0] == '#' {
			continue
		}
		blob, err := listedKey(line)
		if err != nil {
			return false, fmt.Errorf("%s:%d: %w", path, number, err)
		}
		for _, w := range wanted {
			if bytes.Equal(blob, w) {
				return true, nil
			}
		}
	}
	return false, nil
}

// listedKey decodes a line "type base64 comment". A key of a type that is not
// known here has to be well formed as far as its name; it cannot be the
// server's. Of a certificate the plain key counts.
func listedKey(line string) ([]byte, error) {
	keyType, rest := nextField(line)
	text, _ := nextField(rest)
	blob, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("not a public key: %w", err)
	}
	var head struct {
		Type string
		Rest []byte `ssh:"rest"`
	}
	if ssh.Unmarshal(blob, &head) != nil || head.Type != keyType {
		return nil, errors.New("not a public key")
	}
	if key, err := ssh.ParsePublicKey(blob); err == nil {
		return plainKey(key).Marshal(), nil
	} else if _, known := shortNames[plainType(keyType)]; known {
		return nil, fmt.Errorf("not a public key: %w", err)
	}
	return blob, nil
}
