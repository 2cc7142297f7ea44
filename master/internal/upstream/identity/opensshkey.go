package identity

import (
	"bytes"
	"encoding/pem"
	"errors"

	"golang.org/x/crypto/ssh"
)

// opensshMagic begins a private key in OpenSSH's format, PROTOCOL.key.
const opensshMagic = "openssh-key-v1\x00"

// opensshPublic returns the public key that OpenSSH's private format carries in
// the open, so that a key can be offered before anybody decrypts it.
func opensshPublic(file []byte) (ssh.PublicKey, error) {
	block, _ := pem.Decode(file)
	if block == nil || block.Type != "OPENSSH PRIVATE KEY" {
		return nil, errors.New("not a private key in OpenSSH's format")
	}
	defer clear(block.Bytes)
	body, ok := bytes.CutPrefix(block.Bytes, []byte(opensshMagic))
	if !ok {
		return nil, errors.New("not a private key in OpenSSH's format")
	}
	var header struct {
		Cipher, KDF, Options string
		Keys                 uint32
		Public               []byte
		Private              []byte `ssh:"rest"`
	}
	if err := ssh.Unmarshal(body, &header); err != nil {
		return nil, errors.New("the private key is damaged")
	}
	defer clear(header.Private)
	if header.Keys != 1 {
		return nil, errors.New("the file holds several keys")
	}
	return ssh.ParsePublicKey(bytes.Clone(header.Public)) // a key keeps its bytes
}
