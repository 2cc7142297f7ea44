package hostkeys

import (
	"context"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// The global requests of draft-miller-sshm-hostkey-update.
const (
	AnnounceRequest = "hostkeys-00@openssh.com"       // from the server, no reply
	ProveRequest    = "hostkeys-prove-00@openssh.com" // from the client, with reply
)

// maxAnnounced bounds how many keys of one announcement are considered.
const maxAnnounced = 64

// A Requester sends global requests on the connection.
type Requester interface {
	SendRequest(ctx context.Context, name string, wantReply bool, payload []byte) (bool, []byte, error)
}

// Session is what the server's proofs are bound to.
type Session struct {
	Requester
	ID []byte // the hash of the first key exchange

	// HostKeyAlgorithm is what the key exchange settled on. Where it is one of
	// RSA, proofs of RSA keys have to use it; empty allows those with SHA-2.
	HostKeyAlgorithm string
}

// UpdateKeys handles the payload of the server's [AnnounceRequest]: it adds keys
// that the server proves to hold to the first user file, and removes those that
// the server no longer has, as UpdateHostKeys says. Only the first announcement
// of a connection counts.
//
// It does nothing unless the server's own key is [Result].Trusted and was found
// in the user's files, and nothing where known_hosts was arranged by hand: a
// pattern or an authority for the host, or one of the keys under another name.
// It must not be called on the goroutine that serves global requests, since it
// waits for the reply to one.
//
// An error is worth a warning; the connection is no less safe for it.
func (c *Checker) UpdateKeys(ctx context.Context, session Session, payload []byte) error {
	ip, ok := c.startUpdate()
	if !ok {
		return nil
	}
	keys, err := c.announced(payload)
	if err != nil || len(keys) == 0 {
		return err
	}
	u := &update{Checker: c, keys: keys, names: []string{c.name()}}
	if ip != "" {
		u.names = append(u.names, ip)
	}
	if err := u.compare(ctx); err != nil || !u.proceed() {
		return err
	}
	fresh := u.fresh()
	if len(fresh) > 0 {
		proved, err := prove(ctx, session, fresh)
		if err != nil {
			return err
		}
		u.drop(fresh, proved)
		if len(proved) == 0 && len(u.old) == 0 {
			return nil
		}
	}
	return u.apply(ctx)
}

// startUpdate says whether an announcement may change known_hosts, once, and
// returns the name of the address, if that counts. The lock is not held through
// the update: the server's answer may come after another key exchange.
func (c *Checker) startUpdate() (ip string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.updated || !c.mayUpdate() {
		return "", false
	}
	c.updated = true
	return c.updateIP, true
}

// mayUpdate says whether the server's announcement may change known_hosts.
func (c *Checker) mayUpdate() bool {
	switch {
	case c.config.Update == UpdateNo || len(c.userFiles) == 0:
		return false
	case c.config.Update == UpdateAsk && c.config.Batch:
		return false
	}
	return c.result.Trusted && !c.result.Unsafe && c.recordable()
}

// announced reads the keys that could be used as host keys. Types that are not
// known are passed over; a key that comes twice spoils the announcement.
func (c *Checker) announced(payload []byte) ([]ssh.PublicKey, error) {
	var keys []ssh.PublicKey
	seen := map[string]bool{}
	for len(payload) > 0 && len(seen) < maxAnnounced {
		var head struct {
			Blob []byte
			Rest []byte `ssh:"rest"`
		}
		if err := ssh.Unmarshal(payload, &head); err != nil {
			return nil, fmt.Errorf("hostkeys: the server's list of keys cannot be read: %w", err)
		}
		payload = head.Rest
		if seen[string(head.Blob)] {
			return nil, fmt.Errorf("hostkeys: the server's list holds a key twice")
		}
		seen[string(head.Blob)] = true
		key, err := ssh.ParsePublicKey(head.Blob)
		if err != nil || !c.learnable(key) {
			c.log.Debug("hostkeys: announced key is passed over", "error", err)
			continue
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// learnable says whether a key could serve as this host's key.
func (c *Checker) learnable(key ssh.PublicKey) bool {
	if bits := rsaBits(key); bits > 0 && bits < max(c.config.RequiredRSASize, minRSA) {
		return false
	}
	return !isCertType(key.Type()) && c.accepts(key.Type())
}
