package identity

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// errPassphrase says that a private key needs a passphrase, or another one.
var errPassphrase = errors.New("incorrect passphrase")

// parsePrivate decodes a private key in any of the formats that ssh-keygen
// writes. An empty passphrase is none. errPassphrase means that another
// passphrase may do.
func parsePrivate(data, passphrase []byte) (crypto.PrivateKey, error) {
	block, _ := pem.Decode(data)
	if block != nil && block.Type == "ENCRYPTED PRIVATE KEY" {
		defer clear(block.Bytes)
		if len(passphrase) == 0 {
			return nil, errPassphrase
		}
		return parseEncryptedPKCS8(block.Bytes, passphrase)
	}
	private, err := parseKnown(data, passphrase)
	var missing *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &missing) || errors.Is(err, x509.IncorrectPasswordError):
		return nil, errPassphrase
	case err != nil && len(passphrase) > 0 && block != nil && block.Headers["DEK-Info"] != "":
		// This old format has no check: of 256 wrong passphrases one decrypts to
		// something. Whatever is wrong with that, it was most likely the passphrase.
		return nil, errPassphrase
	}
	return private, err
}

// parseKnown is parsePrivate for the formats that x/crypto reads.
func parseKnown(data, passphrase []byte) (crypto.PrivateKey, error) {
	if len(passphrase) == 0 {
		return ssh.ParseRawPrivateKey(data)
	}
	return ssh.ParseRawPrivateKeyWithPassphrase(data, passphrase)
}

// newSigner makes a signer that can be told the algorithm.
func newSigner(private crypto.PrivateKey) (ssh.AlgorithmSigner, error) {
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return nil, err
	}
	any, ok := signer.(ssh.AlgorithmSigner)
	if !ok {
		return nil, fmt.Errorf("keys of type %s cannot sign here", signer.PublicKey().Type())
	}
	return any, nil
}
