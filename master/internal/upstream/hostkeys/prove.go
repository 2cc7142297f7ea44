package hostkeys

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// prove has the server sign for keys, and returns those that it did with an
// acceptable algorithm. A signature that is wrong spoils them all.
func prove(ctx context.Context, session Session, keys []ssh.PublicKey) ([]ssh.PublicKey, error) {
	var payload []byte
	for _, key := range keys {
		payload = append(payload, ssh.Marshal(struct{ Blob []byte }{key.Marshal()})...)
	}
	ok, reply, err := session.SendRequest(ctx, ProveRequest, true, payload)
	if err != nil {
		return nil, fmt.Errorf("hostkeys: asking the server to prove its keys: %w", err)
	}
	if !ok {
		return nil, errors.New("hostkeys: the server did not prove that it holds the keys it announced")
	}
	var proved []ssh.PublicKey
	for _, key := range keys {
		var head struct {
			Signature []byte
			Rest      []byte `ssh:"rest"`
		}
		if err := ssh.Unmarshal(reply, &head); err != nil {
			return nil, fmt.Errorf("hostkeys: the server's proof cannot be read: %w", err)
		}
		reply = head.Rest
		var signature ssh.Signature
		if err := ssh.Unmarshal(head.Signature, &signature); err != nil {
			return nil, fmt.Errorf("hostkeys: the server's proof cannot be read: %w", err)
		}
		if !session.signs(key, signature.Format) {
			continue
		}
		if err := key.Verify(session.proofOf(key), &signature); err != nil {
			return nil, fmt.Errorf("hostkeys: the server's proof for its %s key is wrong: %w", keyName(key), err)
		}
		proved = append(proved, key)
	}
	if len(reply) > 0 {
		return nil, errors.New("hostkeys: the server's proof has trailing bytes")
	}
	return proved, nil
}

// signs says whether a key may be proved with a signature of this format. SHA-1
// will do for RSA only where the key exchange settled on it.
func (s Session) signs(key ssh.PublicKey, format string) bool {
	if key.Type() != ssh.KeyAlgoRSA {
		return true // Verify knows the one format
	}
	switch s.HostKeyAlgorithm {
	case ssh.KeyAlgoRSA, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512:
		return format == s.HostKeyAlgorithm
	}
	return format == ssh.KeyAlgoRSASHA256 || format == ssh.KeyAlgoRSASHA512
}

// proofOf is what the server signs for a key.
func (s Session) proofOf(key ssh.PublicKey) []byte {
	return ssh.Marshal(struct {
		Request       string
		SessionID     []byte
		PublicKeyBlob []byte
	}{ProveRequest, s.ID, key.Marshal()})
}
