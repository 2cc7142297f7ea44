package sshtest

import (
	"errors"

	"golang.org/x/crypto/ssh"
)

// serveGlobals answers the connection's global requests, in order.
func (c *Conn) serveGlobals(reqs <-chan *ssh.Request) {
	for r := range reqs {
		refused, gate := c.server.policy.of(r.Type)
		var ok bool
		var reply []byte
		if !refused {
			ok, reply = c.global(r)
		}
		c.event(Event{
			Kind: KindGlobal, Name: r.Type, Detail: globalDetail(r.Type, r.Payload),
			WantReply: r.WantReply, Refused: !ok, Payload: r.Payload,
		})
		c.answers.add(gate, func() {
			if r.WantReply {
				r.Reply(ok, reply)
			}
		})
	}
}

// global does what a request asks for. Like sshd, it says no to what it does not know, keepalive@openssh.com included.
func (c *Conn) global(r *ssh.Request) (ok bool, reply []byte) {
	switch r.Type {
	case "tcpip-forward":
		return c.listenTCP(r.Payload)
	case "cancel-tcpip-forward":
		return c.cancelTCP(r.Payload), nil
	case "streamlocal-forward@openssh.com":
		return c.listenUnix(r.Payload), nil
	case "cancel-streamlocal-forward@openssh.com":
		return c.cancelUnix(r.Payload), nil
	case "no-more-sessions@openssh.com":
		c.mu.Lock()
		defer c.mu.Unlock()
		c.noMore = true
		return true, nil
	case "hostkeys-prove-00@openssh.com":
		return c.prove(r.Payload)
	}
	return false, nil
}

// AnnounceHostKeys tells the client these host keys (hostkeys-00@openssh.com, PROTOCOL §2.5) and proves them when asked.
func (c *Conn) AnnounceHostKeys(keys ...ssh.Signer) error {
	c.mu.Lock()
	c.proving = keys
	c.mu.Unlock()
	var payload []byte
	for _, key := range keys {
		payload = append(payload, ssh.Marshal(struct{ Blob []byte }{key.PublicKey().Marshal()})...)
	}
	_, _, err := c.ssh.SendRequest("hostkeys-00@openssh.com", false, payload)
	return err
}

// prove signs for each announced key that the client names (hostkeys-prove-00@openssh.com).
func (c *Conn) prove(payload []byte) (ok bool, reply []byte) {
	for len(payload) > 0 {
		var next struct {
			Blob []byte
			Rest []byte `ssh:"rest"`
		}
		if err := ssh.Unmarshal(payload, &next); err != nil {
			return false, nil
		}
		signature, err := c.sign(next.Blob)
		if err != nil {
			return false, nil
		}
		reply = append(reply, ssh.Marshal(struct{ Signature []byte }{ssh.Marshal(signature)})...)
		payload = next.Rest
	}
	return true, reply
}

func (c *Conn) sign(blob []byte) (*ssh.Signature, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range c.proving {
		if string(key.PublicKey().Marshal()) != string(blob) {
			continue
		}
		return sign(key, ssh.Marshal(struct {
			Name    string
			Session []byte
			Blob    []byte
		}{"hostkeys-prove-00@openssh.com", c.ssh.SessionID(), blob}))
	}
	return nil, errors.New("sshtest: not an announced key")
}

// sign signs with SHA-2 where the key is RSA.
func sign(key ssh.Signer, data []byte) (*ssh.Signature, error) {
	if rsa, ok := key.(ssh.AlgorithmSigner); ok && key.PublicKey().Type() == ssh.KeyAlgoRSA {
		return rsa.SignWithAlgorithm(nil, data, ssh.KeyAlgoRSASHA512)
	}
	return key.Sign(nil, data)
}
