package identity

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"
)

// maxIterations bounds the work that a key file may ask for.
const maxIterations = 1_000_000

// The object identifiers of RFC 8018 that OpenSSL writes.
var (
	oidPBES2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}

	pseudoRandom = map[string]func() hash.Hash{
		"1.2.840.113549.2.7":  sha1.New,
		"1.2.840.113549.2.9":  sha256.New,
		"1.2.840.113549.2.10": sha512.New384,
		"1.2.840.113549.2.11": sha512.New,
	}
	blockCiphers = map[string]struct {
		keySize int
		new     func([]byte) (cipher.Block, error)
	}{
		"1.2.840.113549.3.7":      {24, des.NewTripleDESCipher},
		"2.16.840.1.101.3.4.1.2":  {16, aes.NewCipher},
		"2.16.840.1.101.3.4.1.22": {24, aes.NewCipher},
		"2.16.840.1.101.3.4.1.42": {32, aes.NewCipher},
	}
)

// parseEncryptedPKCS8 decrypts an "ENCRYPTED PRIVATE KEY" as `ssh-keygen -m
// PKCS8` writes it: RFC 5958 with PBES2 and PBKDF2, RFC 8018.
func parseEncryptedPKCS8(der, passphrase []byte) (crypto.PrivateKey, error) {
	var envelope struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	if _, err := asn1.Unmarshal(der, &envelope); err != nil {
		return nil, fmt.Errorf("encrypted PKCS#8 key: %w", err)
	}
	mode, err := pbes2(envelope.Algorithm, passphrase)
	if err != nil {
		return nil, err
	}
	if len(envelope.Data) == 0 || len(envelope.Data)%mode.BlockSize() != 0 {
		return nil, errors.New("encrypted PKCS#8 key: damaged")
	}
	mode.CryptBlocks(envelope.Data, envelope.Data)
	return parseDecrypted(envelope.Data, mode.BlockSize())
}

// parseDecrypted takes off the padding. Whatever is wrong with what was
// decrypted, it was most likely the passphrase.
func parseDecrypted(data []byte, blockSize int) (crypto.PrivateKey, error) {
	defer clear(data)
	padding := int(data[len(data)-1])
	if padding == 0 || padding > blockSize {
		return nil, errPassphrase
	}
	private, err := x509.ParsePKCS8PrivateKey(data[:len(data)-padding])
	if err != nil {
		return nil, errPassphrase
	}
	return private, nil
}

// pbes2 is RFC 8018 section 6.2: how the key is derived and what it decrypts.
func pbes2(algorithm pkix.AlgorithmIdentifier, passphrase []byte) (cipher.BlockMode, error) {
	var scheme struct{ Derivation, Encryption pkix.AlgorithmIdentifier }
	var iv []byte
	if !algorithm.Algorithm.Equal(oidPBES2) || !decodes(algorithm.Parameters, &scheme) {
		return nil, fmt.Errorf("encrypted PKCS#8 key: scheme %s is not supported", algorithm.Algorithm)
	}
	kind, known := blockCiphers[scheme.Encryption.Algorithm.String()]
	if !known || !decodes(scheme.Encryption.Parameters, &iv) {
		return nil, fmt.Errorf("encrypted PKCS#8 key: cipher %s is not supported", scheme.Encryption.Algorithm)
	}
	secret, err := derive(scheme.Derivation, passphrase, kind.keySize)
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	block, err := kind.new(secret)
	if err != nil || len(iv) != block.BlockSize() {
		return nil, errors.New("encrypted PKCS#8 key: damaged")
	}
	return cipher.NewCBCDecrypter(block, iv), nil
}

// derive is PBKDF2, RFC 8018 section 5.2, whose hash is SHA-1 unless named.
func derive(algorithm pkix.AlgorithmIdentifier, passphrase []byte, size int) ([]byte, error) {
	var parameters struct {
		Salt       []byte
		Iterations int
		KeySize    int                      `asn1:"optional"`
		PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
	}
	if !algorithm.Algorithm.Equal(oidPBKDF2) || !decodes(algorithm.Parameters, &parameters) {
		return nil, fmt.Errorf("encrypted PKCS#8 key: derivation %s is not supported", algorithm.Algorithm)
	}
	hash := sha1.New
	if oid := parameters.PRF.Algorithm; oid != nil {
		hash = pseudoRandom[oid.String()]
	}
	if hash == nil || parameters.Iterations < 1 || parameters.Iterations > maxIterations {
		return nil, errors.New("encrypted PKCS#8 key: its derivation is not supported")
	}
	return pbkdf2.Key(hash, string(passphrase), parameters.Salt, parameters.Iterations, size)
}

// decodes fills in what an algorithm's parameters say.
func decodes(parameters asn1.RawValue, into any) bool {
	rest, err := asn1.Unmarshal(parameters.FullBytes, into)
	return err == nil && len(rest) == 0
}
