package hostkeys

import (
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

const certSuffix = "-cert-v01@openssh.com"

// isCertType says whether a key type or algorithm is that of a certificate.
func isCertType(name string) bool { return strings.HasSuffix(name, certSuffix) }

// plainType returns the type of the plain key that a key type or host key
// algorithm is about: "ssh-rsa" for "rsa-sha2-512-cert-v01@openssh.com".
func plainType(name string) string {
	if base, ok := strings.CutSuffix(name, certSuffix); ok {
		name = base
		if strings.HasPrefix(name, "sk-") {
			name += "@openssh.com"
		}
	}
	switch name {
	case ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512:
		return ssh.KeyAlgoRSA
	}
	return name
}

// algorithmsOf returns the algorithms with which a key of this type may sign.
func algorithmsOf(keyType string) []string {
	if plainType(keyType) != ssh.KeyAlgoRSA {
		return []string{keyType}
	}
	if isCertType(keyType) {
		return []string{ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01, ssh.CertAlgoRSAv01}
	}
	return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSA}
}

// verifiable lists the algorithms whose signatures x/crypto/ssh can verify.
// Keys of security tokens are not in its own lists, but it knows them.
func verifiable() []string {
	return slices.Concat(
		ssh.SupportedAlgorithms().HostKeys, ssh.InsecureAlgorithms().HostKeys,
		[]string{
			ssh.KeyAlgoSKED25519, ssh.CertAlgoSKED25519v01,
			ssh.KeyAlgoSKECDSA256, ssh.CertAlgoSKECDSA256v01,
		})
}

// defaultAlgorithms is the default of HostKeyAlgorithms in ssh_config(5).
func defaultAlgorithms() []string {
	return []string{
		ssh.CertAlgoED25519v01,
		ssh.CertAlgoECDSA256v01, ssh.CertAlgoECDSA384v01, ssh.CertAlgoECDSA521v01,
		ssh.CertAlgoSKED25519v01, ssh.CertAlgoSKECDSA256v01,
		ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01,
		ssh.KeyAlgoED25519,
		ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521,
		ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256,
		ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256,
	}
}

// accepts says whether HostKeyAlgorithms lets a key of this type in.
func (c *Checker) accepts(keyType string) bool {
	for _, algorithm := range algorithmsOf(keyType) {
		if slices.Contains(c.algorithms, algorithm) {
			return true
		}
	}
	return false
}
