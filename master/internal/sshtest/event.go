package sshtest

import "strings"

// Kind says what sort of thing a client did.
type Kind string

// The kinds of event, in the order of a connection's life.
const (
	KindConnect    Kind = "connect"    // a TCP connection arrived
	KindAuth       Kind = "auth"       // an authentication method was tried; Name is the method
	KindLogin      Kind = "login"      // authentication succeeded; Name is the user
	KindGlobal     Kind = "global"     // a global request; Name is its type
	KindOpen       Kind = "open"       // a channel was asked for; Name is its type
	KindRequest    Kind = "request"    // a channel request; Name is its type
	KindEOF        Kind = "eof"        // the client will send no more data on the channel
	KindClose      Kind = "close"      // the channel ended, by the client's CLOSE or with its connection
	KindDisconnect Kind = "disconnect" // the connection ended and everything on it has been cleaned up
)

// Event is one thing that a client did.
type Event struct {
	Kind      Kind
	Conn      int    // number of the connection on this server, from 1
	Channel   int    // number of the channel on this server, from 1, over all connections; 0: the connection itself
	Name      string // see the kinds
	Detail    string // the payload in words, such as "xterm 80x24" for pty-req
	WantReply bool   // for requests
	Refused   bool   // the server said no
	Payload   []byte // as received: a request's or an open's type-specific bytes
}

// String returns the event in the words that tests compare: "connect", "auth publickey", "login demo", "open session",
// "pty-req xterm 80x24", "exec date", "global tcpip-forward localhost:0", "eof", "close", "disconnect"; with " refused" at
// the end when the server said no.
func (e Event) String() string {
	words := make([]string, 0, 4)
	if e.Kind != KindRequest {
		words = append(words, string(e.Kind))
	}
	for _, word := range []string{e.Name, e.Detail} {
		if word != "" {
			words = append(words, word)
		}
	}
	if e.Refused {
		words = append(words, "refused")
	}
	return strings.Join(words, " ")
}
