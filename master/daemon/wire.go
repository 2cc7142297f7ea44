package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"sshmaster/master"
)

// What is said on the daemon's socket: one connection, one request, one reply,
// each a JSON object on a line. The two ends may be of different releases, so
// members are added and never change their meaning.

// maxMessage bounds a message, in bytes: an environment and arguments may be some
// MiB long, and base64 makes four bytes of three.
const maxMessage = 16 << 20

// speakTime bounds the writing, and the reading, of one message.
const speakTime = 10 * time.Second

// Verbs of requests.
const (
	doEnsure = "ensure"
	doList   = "list"
	doReload = "reload"
	doCheck  = "check"
	doEnd    = "end"
)

// A request is what a program wants of the daemon.
type request struct {
	Do string `json:"do"`

	Call    *Call `json:"call,omitempty"`     // of ensure
	Replace bool  `json:"replace,omitempty"`  // another master on the path is asked to leave it
	NotMade bool  `json:"not_made,omitempty"` // a master that is not there is not made

	Drain bool `json:"drain,omitempty"` // of end: sessions that run go on
}

// A reply answers it. Error is for a person; then nothing else counts.
type reply struct {
	Error   string          `json:"error,omitempty"`
	PID     int             `json:"pid,omitempty"`
	Version string          `json:"version,omitempty"`
	Ensured *Ensured        `json:"ensured,omitempty"`
	Masters []master.Status `json:"masters,omitempty"`
	Count   int             `json:"count,omitempty"`
	Text    string          `json:"text,omitempty"`
}

// send writes a message.
func send(c *net.UnixConn, message any) error {
	line, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if len(line) >= maxMessage {
		return fmt.Errorf("a message of %d bytes is too long", len(line))
	}
	if err := c.SetWriteDeadline(time.Now().Add(speakTime)); err != nil {
		return err
	}
	_, err = c.Write(append(line, '\n'))
	return err
}

// receive reads a message; its time is the connection's.
func receive(c *net.UnixConn, message any) error {
	from := &io.LimitedReader{R: c, N: maxMessage}
	err := json.NewDecoder(from).Decode(message)
	if err != nil && from.N <= 0 {
		return fmt.Errorf("a message is longer than %d bytes", maxMessage)
	}
	if errors.Is(err, io.EOF) {
		return errors.New("the connection was closed without an answer")
	}
	return err
}
