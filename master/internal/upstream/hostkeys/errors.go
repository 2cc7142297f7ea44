package hostkeys

import (
	"strconv"
	"strings"
)

// Kind says why a host key was refused.
type Kind int

// The kinds of refusal.
const (
	Unknown        Kind = iota + 1 // no key of the host is known, and none may be added
	Changed                        // another key is known for the host, or for its address
	Revoked                        // the key or its authority is revoked
	BadCertificate                 // the certificate does not hold for this host or this moment
	Unacceptable                   // too short, or of a type that HostKeyAlgorithms leaves out
	Unverifiable                   // RevokedHostKeys or KnownHostsCommand could not be read
)

// String returns one or two words.
func (k Kind) String() string {
	switch k {
	case Unknown:
		return "unknown key"
	case Changed:
		return "changed key"
	case Revoked:
		return "revoked key"
	case BadCertificate:
		return "bad certificate"
	case Unacceptable:
		return "unacceptable key"
	case Unverifiable:
		return "unverifiable key"
	}
	return "kind " + strconv.Itoa(int(k))
}

// Error is the refusal of a host key. Every refusal of this package is one;
// only the end of a context is returned as it is.
type Error struct {
	Kind        Kind
	Host        string // the name that was looked up, with its port unless that is 22
	KeyType     string // "ED25519", "RSA-CERT"; empty before the server sent a key
	Fingerprint string // of the key that the server sent
	File        string // the line that decided, when there is one
	Line        int

	// Reason is a sentence without its full stop, Remedy what a person can do.
	Reason, Remedy string

	// Err is the cause, when there is one beyond Reason.
	Err error
}

// Error returns one line. It holds the words "Host key verification failed",
// which scripts look for in the output of ssh.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("hostkeys: Host key verification failed: ")
	b.WriteString(e.Reason)
	if e.Err != nil {
		b.WriteString(": " + printable(e.Err.Error()))
	}
	if e.Remedy != "" {
		b.WriteString("; " + e.Remedy)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
