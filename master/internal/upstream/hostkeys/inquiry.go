package hostkeys

import (
	"context"
	"errors"
	"fmt"
	"net"

	"golang.org/x/crypto/ssh"
)

// An inquiry is the first check of a connection's key: the key, what is known,
// and what was found out on the way.
type inquiry struct {
	*Checker
	ctx  context.Context
	key  ssh.PublicKey // a certificate's plain key once the certificate failed
	addr string        // the address the connection goes to, or empty
	ip   string        // the name of that address where CheckHostIP applies

	host, bare, address entries // known by the name, the name without port, and ip

	// certFault is why the certificate was not accepted, and nil when no known
	// authority had signed it.
	certFault *Error
}

// first judges the key of the first key exchange.
func (c *Checker) first(ctx context.Context, remote net.Addr, key ssh.PublicKey) (Result, error) {
	c.log.Debug("hostkeys: server host key", "type", key.Type(), "fingerprint", c.fingerprint(key))
	if err := c.preliminaries(key); err != nil {
		return Result{}, err
	}
	ip := c.remoteIP(remote)
	if c.config.TrustLocal && c.config.Alias == "" && ip.IsValid() && ip.IsLoopback() {
		c.log.Debug("hostkeys: not checked on the loopback (NoHostAuthenticationForLocalhost)")
		return Result{Key: key}, nil
	}
	q := &inquiry{Checker: c, ctx: ctx, key: key, ip: c.ipName(ip)}
	if ip.IsValid() {
		q.addr = ip.String()
	}
	if err := q.gather(); err != nil {
		return Result{}, err
	}
	result, err := q.judge()
	if err != nil {
		return Result{}, err
	}
	result.Key, c.updateIP = key, q.ip
	return result, nil
}

// preliminaries are what holds whatever is known of the host.
func (c *Checker) preliminaries(key ssh.PublicKey) error {
	required := max(c.config.RequiredRSASize, minRSA)
	if bits := rsaBits(key); bits > 0 && bits < required {
		e := c.refusal(Unacceptable, key, "the server's RSA key has %d bits, RequiredRSASize asks for %d", bits, required)
		e.Remedy = "give the server a longer key or one of another type"
		return e
	}
	if !c.accepts(key.Type()) {
		return c.excluded(key)
	}
	return c.checkRevokedFiles(key)
}

// excluded refuses a key of a type that HostKeyAlgorithms leaves out.
func (c *Checker) excluded(key ssh.PublicKey) *Error {
	e := c.refusal(Unacceptable, key, "the server's %s key is of a type that HostKeyAlgorithms leaves out", keyName(key))
	e.Remedy = "add " + algorithmsOf(key.Type())[0] + " to HostKeyAlgorithms"
	return e
}

// gather reads the files and asks the command.
func (q *inquiry) gather() error {
	found, err := q.load(q.ctx, q.name(), q.portless(), q.ip)
	if err != nil {
		return err
	}
	q.host, q.bare, q.address = found[0], found[1], found[2]
	if q.host, err = q.withCommand(q.ctx, q.host, "HOSTNAME", q.name(), q.key); err != nil {
		return err
	}
	if _, isCert := q.key.(*ssh.Certificate); isCert || q.ip == "" {
		return nil
	}
	q.address, err = q.withCommand(q.ctx, q.address, "ADDRESS", q.ip, q.key)
	return err
}

// judge accepts a certificate of a known authority, or else goes on with the
// plain key.
func (q *inquiry) judge() (Result, error) {
	cert, ok := q.key.(*ssh.Certificate)
	if !ok {
		return q.judgePlain()
	}
	for _, known := range []entries{q.host, q.bare} {
		switch status, e := known.find(cert); status {
		case keyRevoked:
			return q.revokedKey(e)
		case keyKnown:
			q.certFault = q.checkCert(cert, e)
			if q.certFault == nil {
				q.log.Debug("hostkeys: certificate accepted", "file", e.file, "line", e.number)
				return Result{}, nil
			}
		}
		if q.certFault != nil {
			break
		}
	}
	return q.withoutCert(cert)
}

// withoutCert judges the plain key of a certificate that did not do.
func (q *inquiry) withoutCert(cert *ssh.Certificate) (Result, error) {
	if q.certFault != nil {
		q.log.Debug("hostkeys: certificate does not hold", "error", q.certFault)
	}
	q.log.Debug("hostkeys: certificate not accepted, trying its plain key")
	q.key = cert.Key
	if !q.accepts(cert.Key.Type()) {
		if q.certFault != nil {
			return Result{}, q.certFault
		}
		return Result{}, q.strangeAuthority(cert)
	}
	result, err := q.judgePlain()
	var refused *Error
	if errors.As(err, &refused) && refused.Kind == Unknown && q.certFault != nil {
		return result, q.certFault
	}
	return result, err
}

// judgePlain decides on a plain key by what is known of the host, and of its
// address.
func (q *inquiry) judgePlain() (Result, error) {
	ipStatus, ipEntry := q.address.find(q.key)
	if ipStatus == keyRevoked {
		return q.revokedKey(ipEntry)
	}
	status, e := q.host.find(q.key)
	switch status {
	case keyRevoked:
		return q.revokedKey(e)
	case keyChanged:
		return q.changedKey(e, ipStatus, ipEntry)
	case keyNew:
		return q.newKey(ipStatus, ipEntry)
	}
	q.log.Debug("hostkeys: key is known", "file", e.file, "line", e.number)
	if err := q.checkAddress(e, ipStatus, ipEntry); err != nil {
		return Result{}, err
	}
	trusted := e.origin == fromUser && (ipStatus != keyKnown || ipEntry.origin == fromUser)
	return Result{Trusted: trusted}, nil
}

// newKey decides on a key of a host that is not known, first by its name
// without the port.
func (q *inquiry) newKey(ipStatus status, ipEntry *entry) (Result, error) {
	switch status, e := q.bare.find(q.key); status {
	case keyKnown:
		q.log.Debug("hostkeys: key is known without the port", "file", e.file, "line", e.number)
		return Result{}, nil
	case keyRevoked:
		return q.revokedKey(e)
	}
	confirmed, err := q.admit()
	if err != nil {
		return Result{}, err
	}
	added := q.add(ipStatus)
	if err := q.checkAddress(nil, ipStatus, ipEntry); err != nil {
		return Result{}, err
	}
	return Result{Trusted: confirmed, Added: added}, nil
}

// again judges another key in a later key exchange. It has to be known as it
// is: nothing is asked, written or run in the middle of a connection.
func (c *Checker) again(ctx context.Context, key ssh.PublicKey) error {
	if err := c.preliminaries(key); err != nil {
		return err
	}
	found, err := c.load(ctx, c.name(), c.portless())
	if err != nil {
		return err
	}
	for _, known := range found {
		status, e := known.find(key)
		if status == keyRevoked {
			return c.revokedError(key, e)
		}
		if status != keyKnown {
			continue
		}
		if cert, ok := key.(*ssh.Certificate); ok {
			if fault := c.checkCert(cert, e); fault != nil {
				return fault
			}
		}
		c.result.Key, c.result.Trusted = key, false
		return nil
	}
	e := c.refusal(Changed, key, "in the middle of the connection the server came with another key, %s %s, which is not known",
		keyName(key), c.fingerprint(key))
	e.Remedy = "connect again to check that key"
	return e
}

// refusal starts an error about a key.
func (c *Checker) refusal(kind Kind, key ssh.PublicKey, format string, args ...any) *Error {
	return &Error{Kind: kind, Host: c.name(), KeyType: keyName(key), Fingerprint: c.fingerprint(key),
		Reason: fmt.Sprintf(format, args...) + " (host " + printable(c.name()) + ", key " + c.fingerprint(key) + ")"}
}
