package control

import (
	"errors"

	"sshmaster/master/internal/quiet"
)

// errQuiet is that a slave has said nothing for a while.
var errQuiet = errors.New("nothing said for a while")

// park has resume called when the slave says something or is cut off, and says
// whether that will be so. It is called by serve, which ends then.
func (s *slave) park(resume func()) (parked bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cutOff {
		return false
	}
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return false
	}
	s.resume = resume
	err = raw.Control(func(fd uintptr) { s.watch = quiet.New(int(fd), s.unpark) })
	return err == nil && s.watch != nil
}

// unpark goes on serving.
func (s *slave) unpark() {
	s.mu.Lock()
	s.watch = nil
	s.mu.Unlock()
	s.resume()
}

// cut ends the connection. Who waits for the slave notices.
func (s *slave) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cutOff = true
	parked := s.watch != nil && s.watch.Cancel()
	s.conn.Shutdown()
	if parked {
		s.watch = nil
		go s.resume()
	}
}
