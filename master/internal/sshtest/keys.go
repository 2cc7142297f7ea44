package sshtest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// key is a throw-away ed25519 key: to sign with, and as the text of an OpenSSH private key file.
type key struct {
	ssh.Signer
	file []byte
}

func newKey(comment string) (key, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return key{}, fmt.Errorf("sshtest: make a key: %w", err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return key{}, fmt.Errorf("sshtest: make a key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(private, comment)
	if err != nil {
		return key{}, fmt.Errorf("sshtest: make a key: %w", err)
	}
	return key{Signer: signer, file: pem.EncodeToMemory(block)}, nil
}
