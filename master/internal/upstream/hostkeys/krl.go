package hostkeys

import (
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// krlMagic opens a binary revocation list (PROTOCOL.krl §1).
const krlMagic = "SSHKRL\n\x00"

// Section types of PROTOCOL.krl §1 and §2.
const (
	krlCertificates      = 1
	krlExplicitKey       = 2
	krlFingerprintSHA1   = 3
	krlSignature         = 4
	krlFingerprintSHA256 = 5
	krlExtension         = 255

	krlCertSerialList   = 0x20
	krlCertSerialRange  = 0x21
	krlCertSerialBitmap = 0x22
	krlCertKeyID        = 0x23
	krlCertExtension    = 0x39
)

// A KRL is a binary key revocation list, PROTOCOL.krl.
type KRL struct {
	keys   map[string]bool // blobs of plain keys
	sha1   map[string]bool // hashes of such blobs
	sha256 map[string]bool
	certs  []krlCerts
}

// krlCerts revokes certificates of one authority, or of all.
type krlCerts struct {
	authority string // the key's blob, empty for all
	serials   []serialRange
	bitmaps   []serialBitmap
	ids       map[string]bool
}

// serialRange includes both ends.
type serialRange struct{ low, high uint64 }

// serialBitmap is a big-endian number whose bit n stands for offset+n.
type serialBitmap struct {
	offset uint64
	bits   []byte
}

func (b serialBitmap) holds(serial uint64) bool {
	if serial < b.offset || serial-b.offset >= uint64(len(b.bits))*8 {
		return false
	}
	n := serial - b.offset
	return b.bits[len(b.bits)-1-int(n/8)]>>(n%8)&1 == 1
}

// ParseKRL reads a whole list. A list with anything in it that is not understood
// is an error, because a key might be revoked there. So is a signed list: its
// signature could not be trusted any more than the file.
func ParseKRL(data []byte) (*KRL, error) {
	in := &krlReader{data: data}
	if string(in.take(len(krlMagic))) != krlMagic {
		return nil, errors.New("hostkeys: not a key revocation list")
	}
	if version := in.uint32(); in.err == nil && version != 1 {
		return nil, fmt.Errorf("hostkeys: key revocation list of unknown format %d", version)
	}
	in.take(3 * 8) // the list's version, its date, and flags of which none are defined
	in.bytes()     // reserved
	in.bytes()     // comment
	list := &KRL{keys: map[string]bool{}, sha1: map[string]bool{}, sha256: map[string]bool{}}
	for in.more() {
		kind := in.byte()
		list.section(kind, in.section())
	}
	if in.err != nil {
		return nil, in.err
	}
	return list, nil
}

// section reads one section of PROTOCOL.krl §1.
func (l *KRL) section(kind byte, in *krlReader) {
	switch kind {
	case krlCertificates:
		l.certificates(in)
	case krlExplicitKey:
		in.set(l.keys, 0)
	case krlFingerprintSHA1:
		in.set(l.sha1, sha1.Size)
	case krlFingerprintSHA256:
		in.set(l.sha256, sha256.Size)
	case krlExtension:
		in.extension()
	case krlSignature:
		in.fail(errors.New("hostkeys: key revocation list is signed, which is not supported"))
	default:
		in.fail(fmt.Errorf("hostkeys: key revocation list with an unknown section %d", kind))
	}
}

// certificates reads a section of PROTOCOL.krl §2.
func (l *KRL) certificates(in *krlReader) {
	certs := krlCerts{authority: string(in.bytes()), ids: map[string]bool{}}
	in.bytes() // reserved
	for in.more() {
		kind := in.byte()
		sub := in.section()
		switch kind {
		case krlCertSerialList:
			for sub.more() {
				serial := sub.uint64()
				certs.serials = append(certs.serials, serialRange{serial, serial})
			}
		case krlCertSerialRange:
			low, high := sub.uint64(), sub.uint64()
			if low > high {
				sub.fail(errors.New("hostkeys: key revocation list with a reversed range"))
			}
			certs.serials = append(certs.serials, serialRange{low, high})
			sub.end()
		case krlCertSerialBitmap:
			certs.bitmaps = append(certs.bitmaps, sub.bitmap())
		case krlCertKeyID:
			sub.set(certs.ids, 0)
		case krlCertExtension:
			sub.extension()
		default:
			sub.fail(fmt.Errorf("hostkeys: key revocation list with an unknown certificate section %d", kind))
		}
	}
	l.certs = append(l.certs, certs)
}

// Revokes says whether the list revokes the key, or the key of the authority
// that signed it.
func (l *KRL) Revokes(key ssh.PublicKey) bool {
	if l.revokesPlain(plainKey(key)) {
		return true
	}
	cert, ok := key.(*ssh.Certificate)
	return ok && (l.revokesCert(cert) || l.revokesPlain(cert.SignatureKey))
}

func (l *KRL) revokesPlain(key ssh.PublicKey) bool {
	blob := key.Marshal()
	sum1, sum256 := sha1.Sum(blob), sha256.Sum256(blob)
	return l.keys[string(blob)] || l.sha1[string(sum1[:])] || l.sha256[string(sum256[:])]
}

// revokesCert looks a certificate up by its key ID and by its serial number. The
// number 0 is that of a certificate without one.
func (l *KRL) revokesCert(cert *ssh.Certificate) bool {
	authority := string(cert.SignatureKey.Marshal())
	for _, certs := range l.certs {
		if certs.authority != "" && certs.authority != authority {
			continue
		}
		if certs.ids[cert.KeyId] || cert.Serial != 0 && certs.holds(cert.Serial) {
			return true
		}
	}
	return false
}

func (c krlCerts) holds(serial uint64) bool {
	for _, r := range c.serials {
		if r.low <= serial && serial <= r.high {
			return true
		}
	}
	for _, b := range c.bitmaps {
		if b.holds(serial) {
			return true
		}
	}
	return false
}
