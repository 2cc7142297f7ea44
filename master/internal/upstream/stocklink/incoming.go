package stocklink

import (
	"errors"
	"io"
	"net"
	"sync"

	"golang.org/x/crypto/ssh"
)

// An incoming connection is what ssh brought to our socket from where the host
// listens, as the channel that the host opened for it (RFC 4254 section 7.2).
// ssh has confirmed that already: to reject it is to hang up.
type incoming struct {
	at   place
	sock *net.UnixConn
}

// originHost and originPort stand for where it came from at the host, which ssh
// does not tell. They are what ssh itself says of streams that come from nowhere.
const (
	originHost = "127.0.0.1"
	originPort = 65535
)

func (p place) channelType() string {
	if p.path != "" {
		return "forwarded-streamlocal@openssh.com"
	}
	return "forwarded-tcpip"
}

// ChannelType is that of the place.
func (i *incoming) ChannelType() string { return i.at.channelType() }

// ExtraData names the place.
func (i *incoming) ExtraData() []byte {
	if i.at.path != "" {
		return ssh.Marshal(struct{ Path, Reserved string }{i.at.path, ""})
	}
	return ssh.Marshal(struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}{i.at.host, i.at.port, originHost, originPort})
}

// Reject hangs up.
func (i *incoming) Reject(ssh.RejectionReason, string) error { return i.sock.Close() }

// Accept takes the connection.
func (i *incoming) Accept() (ssh.Channel, <-chan *ssh.Request, error) {
	s := &stream{UnixConn: i.sock, requests: make(chan *ssh.Request)}
	return s, s.requests, nil
}

// A stream is a socket as a channel: it has no extended data and no requests. Its
// host has closed it when both directions have ended, as sshd does with a
// forwarded connection.
type stream struct {
	*net.UnixConn

	mu       sync.Mutex
	heardEnd bool
	saidEnd  bool
	closed   bool
	requests chan *ssh.Request
}

// Read notes the host's end.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.UnixConn.Read(p)
	if err != nil {
		s.note(&s.heardEnd)
		if !errors.Is(err, io.EOF) {
			err = io.EOF // the connection was reset, or is closed: a channel just ends
		}
	}
	return n, err
}

// Write notes that nobody reads any more.
func (s *stream) Write(p []byte) (int, error) {
	n, err := s.UnixConn.Write(p)
	if err != nil {
		s.note(&s.saidEnd)
		err = io.EOF
	}
	return n, err
}

// CloseWrite tells the host that no more will come.
func (s *stream) CloseWrite() error {
	defer s.note(&s.saidEnd)
	return s.UnixConn.CloseWrite()
}

// Close ends both directions.
func (s *stream) Close() error {
	err := s.UnixConn.Close()
	s.note(&s.heardEnd)
	s.note(&s.saidEnd)
	return err
}

// note sets one end, and closes the channel with the second.
func (s *stream) note(end *bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*end = true
	if s.heardEnd && s.saidEnd && !s.closed {
		s.closed = true
		close(s.requests)
	}
}

// SendRequest refuses: a forwarded connection knows no requests.
func (s *stream) SendRequest(string, bool, []byte) (bool, error) { return false, nil }

// Stderr has ended from the start, and takes what is written to it.
func (s *stream) Stderr() io.ReadWriter { return nothing{} }

type nothing struct{}

func (nothing) Read([]byte) (int, error)    { return 0, io.EOF }
func (nothing) Write(p []byte) (int, error) { return len(p), nil }
