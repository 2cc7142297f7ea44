package hostkeys_test

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/upstream/hostkeys"
)

func TestCertificate(t *testing.T) {
	k := keys()
	for _, tc := range []struct {
		name   string
		change func(*ssh.Certificate)
		config hostkeys.Config
		says   string // empty is accepted
	}{
		{name: "good"},
		{name: "pattern", change: func(c *ssh.Certificate) { c.ValidPrincipals = []string{"x", "s*"} }},
		{name: "alias", change: func(c *ssh.Certificate) { c.ValidPrincipals = []string{"Other"} }, config: hostkeys.Config{Alias: "Other"}},
		{name: "lower case", config: hostkeys.Config{Host: "SRV"}},
		{name: "without port", config: hostkeys.Config{Port: 2401}},
		{name: "for ever", change: func(c *ssh.Certificate) { c.ValidAfter, c.ValidBefore = 0, ssh.CertTimeInfinity }},
		{name: "signature allowed", config: hostkeys.Config{CASignatureAlgorithms: []string{"rsa-sha2-512", "ssh-ed*"}}},
		{name: "expired", change: func(c *ssh.Certificate) { c.ValidBefore = uint64(time.Now().Add(-time.Second).Unix()) }, says: "expired"},
		{name: "expired by our clock", config: hostkeys.Config{Clock: func() time.Time { return time.Now().Add(2 * time.Hour) }}, says: "expired"},
		{name: "not yet", change: func(c *ssh.Certificate) { c.ValidAfter = uint64(time.Now().Add(time.Minute).Unix()) }, says: "not yet valid"},
		{name: "another host", change: func(c *ssh.Certificate) { c.ValidPrincipals = []string{"a", "b"} }, says: "is for a, b, not for srv"},
		{name: "nobody", change: func(c *ssh.Certificate) { c.ValidPrincipals = nil }, says: "is for nobody"},
		{name: "for users", change: func(c *ssh.Certificate) { c.CertType = ssh.UserCert }, says: "not one for hosts"},
		{name: "critical option", change: func(c *ssh.Certificate) { c.CriticalOptions = map[string]string{"x@y": ""} }, says: "critical option"},
		{name: "signature not allowed", config: hostkeys.Config{CASignatureAlgorithms: []string{"rsa-sha2-512"}}, says: "CASignatureAlgorithms"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cert := hostCert(t, k.ed25519, k.ca, tc.change).PublicKey()
			path := write(t, "\n"+line("@cert-authority *", k.ca.PublicKey()))
			tc.config.UserFiles, tc.config.Strict = []string{path}, hostkeys.Yes
			result, err := check(t, tc.config, cert)
			if tc.says == "" {
				require.NoError(t, err)
				require.Equal(t, hostkeys.Result{Key: cert}, result)
				return
			}
			e := refused(t, err, hostkeys.BadCertificate)
			require.Contains(t, e.Error(), tc.says)
			require.Equal(t, path, e.File)
			require.Equal(t, 2, e.Line)
			require.Equal(t, "ED25519-CERT", e.KeyType)
		})
	}
}

func TestCertificateWithBrokenSignature(t *testing.T) {
	k := keys()
	cert := *hostCert(t, k.ed25519, k.ca, nil).PublicKey().(*ssh.Certificate)
	cert.KeyId = "another"
	_, err := check(t, hostkeys.Config{UserFiles: []string{write(t, line("@cert-authority *", k.ca.PublicKey()))}}, &cert)
	require.Contains(t, refused(t, err, hostkeys.BadCertificate).Error(), "signature")
}

// A certificate that does not do leaves its plain key, unless HostKeyAlgorithms
// does without plain keys.
func TestCertificateFallsBackToItsKey(t *testing.T) {
	k := keys()
	expired := hostCert(t, k.ed25519, k.ca, func(c *ssh.Certificate) { c.ValidBefore = 1 }).PublicKey()
	authority := line("@cert-authority *", k.ca.PublicKey())
	known := line("srv", k.ed25519.PublicKey())

	_, err := check(t, hostkeys.Config{UserFiles: []string{write(t, authority+known)}}, expired)
	require.NoError(t, err)
	onlyCerts := []string{"ssh-ed25519-cert-v01@openssh.com"}
	_, err = check(t, hostkeys.Config{UserFiles: []string{write(t, authority+known)}, HostKeyAlgorithms: onlyCerts}, expired)
	refused(t, err, hostkeys.BadCertificate)
	strange := hostCert(t, k.ed25519, k.ca2, nil).PublicKey()
	_, err = check(t, hostkeys.Config{UserFiles: []string{write(t, authority+known)}, HostKeyAlgorithms: onlyCerts}, strange)
	require.Contains(t, refused(t, err, hostkeys.Unknown).Error(), "no authority")

	someone := &person{answers: []string{"yes"}}
	path := write(t, authority)
	result, err := check(t, hostkeys.Config{UserFiles: []string{path}, Prompter: someone}, expired)
	require.NoError(t, err)
	require.True(t, result.Added)
	require.Contains(t, someone.asked[0], "Note: the server's certificate does not hold")
	require.Equal(t, authority+known, read(t, path))
}

func TestRSACertificate(t *testing.T) {
	k := keys()
	cert := &ssh.Certificate{Key: k.rsa.PublicKey(), CertType: ssh.HostCert, ValidPrincipals: []string{"srv"}, ValidBefore: ssh.CertTimeInfinity}
	require.NoError(t, cert.SignCert(rand.Reader, k.rsa))
	path := write(t, line("@cert-authority srv", k.rsa.PublicKey()))
	_, err := check(t, hostkeys.Config{UserFiles: []string{path}, HostKeyAlgorithms: []string{ssh.CertAlgoRSASHA256v01}}, cert)
	require.NoError(t, err)
	_, err = check(t, hostkeys.Config{UserFiles: []string{path}, RequiredRSASize: 4096}, cert)
	refused(t, err, hostkeys.Unacceptable)
}
