package identity

import (
	"crypto/rsa"
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// certSuffix ends the algorithm name of every certificate, except that token
// types carry it before their "@openssh.com" once only.
const certSuffix = "-cert-v01@openssh.com"

// baseType returns the algorithm of the key under a certificate's algorithm
// name, and whether name was a certificate's.
func baseType(name string) (base string, isCert bool) {
	base, isCert = strings.CutSuffix(name, certSuffix)
	if isCert && strings.HasPrefix(base, "sk-") {
		base += "@openssh.com"
	}
	return base, isCert
}

// rsaAlgorithms are the signature algorithms of an RSA key in our order,
// RFC 8332.
var rsaAlgorithms = []string{ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSA}

// signatureAlgorithms returns what may sign for public: those of its own
// algorithms that accepted (PubkeyAcceptedAlgorithms) admits, in accepted's
// order, under the names without "-cert". None means that the key is not to be
// used.
func signatureAlgorithms(public ssh.PublicKey, accepted []string) []string {
	base, isCert := baseType(public.Type())
	own := []string{base}
	if base == ssh.KeyAlgoRSA {
		own = rsaAlgorithms
	}
	if len(accepted) == 0 {
		return slices.Clone(own)
	}
	var admitted []string
	for _, pattern := range accepted {
		for _, algorithm := range own {
			if admits(pattern, algorithm, isCert) && !slices.Contains(admitted, algorithm) {
				admitted = append(admitted, algorithm)
			}
		}
	}
	return admitted
}

// admits matches one entry of PubkeyAcceptedAlgorithms with the algorithm of a
// key or, under its full name, of a certificate.
func admits(pattern, algorithm string, isCert bool) bool {
	if isCert {
		algorithm = strings.TrimSuffix(algorithm, "@openssh.com") + certSuffix
	}
	matched, err := path.Match(strings.ReplaceAll(pattern, "[", `\[`), algorithm)
	return err == nil && matched
}

// checkLength refuses an RSA key below RequiredRSASize.
func checkLength(public ssh.PublicKey, required int) error {
	if cert, ok := public.(*ssh.Certificate); ok {
		public = cert.Key
	}
	crypto, ok := public.(ssh.CryptoPublicKey)
	if !ok {
		return nil
	}
	if key, ok := crypto.CryptoPublicKey().(*rsa.PublicKey); ok && key.N.BitLen() < required {
		return fmt.Errorf("the RSA key has %d bits, RequiredRSASize asks for %d", key.N.BitLen(), required)
	}
	return nil
}
