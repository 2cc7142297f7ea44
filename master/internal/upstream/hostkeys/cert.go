package hostkeys

import (
	"slices"

	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/pattern"
)

// checkCert checks a certificate that the authority of line e signed, and
// returns nil or why it does not hold. Host certificates may hold patterns as
// principals, which ssh.CertChecker does not know: it is asked about the pattern
// that matched.
func (c *Checker) checkCert(cert *ssh.Certificate, e *entry) *Error {
	fault := func(format string, args ...any) *Error {
		err := c.refusal(BadCertificate, cert, format, args...)
		err.File, err.Line = e.file, e.number
		err.Remedy = "have the server's certificate renewed by the authority in " + e.where()
		return err
	}
	if cert.CertType != ssh.HostCert {
		return fault("the server's certificate is not one for hosts")
	}
	if !c.signatureAllowed(cert.Signature.Format) {
		return fault("the server's certificate is signed with %s, which CASignatureAlgorithms leaves out",
			printable(cert.Signature.Format))
	}
	at := slices.IndexFunc(cert.ValidPrincipals, func(principal string) bool {
		return pattern.Match(principal, c.principal())
	})
	if at < 0 {
		return fault("the server's certificate is for %s, not for %s",
			printable(quoteList(cert.ValidPrincipals)), printable(c.principal()))
	}
	checker := ssh.CertChecker{Clock: c.clock}
	if err := checker.CheckCert(cert.ValidPrincipals[at], cert); err != nil {
		e := fault("the server's certificate does not hold")
		e.Err = err
		return e
	}
	return nil
}

// signatureAllowed applies CASignatureAlgorithms.
func (c *Checker) signatureAllowed(format string) bool {
	allowed := c.config.CASignatureAlgorithms
	return len(allowed) == 0 || slices.ContainsFunc(allowed, func(p string) bool {
		return pattern.Match(p, format)
	})
}

// strangeAuthority refuses a certificate whose authority is not known, where
// its plain key must not be used.
func (c *Checker) strangeAuthority(cert *ssh.Certificate) *Error {
	e := c.refusal(Unknown, cert, "the server's certificate is signed by the %s key %s, which is no authority for the host",
		keyName(cert.SignatureKey), c.fingerprint(cert.SignatureKey))
	e.Remedy = "add that key to known_hosts with @cert-authority, or add " +
		algorithmsOf(cert.Key.Type())[0] + " to HostKeyAlgorithms"
	return e
}
