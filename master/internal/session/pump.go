package session

import (
	"io"

	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/stdio"
)

// inputs hands out the buffers that standard inputs are read into, and only
// while there is something to read. A full one is two channel packets: whoever
// feeds the pipe is woken half as often as with one, and an upload takes 0.86 to
// 1.00 of the time and 0.87 to 0.99 of the processor's time (upload, three runs of
// 48 to 80 rounds). With four or eight at a time it takes more again.
var inputs = stdio.NewPool(64 << 10)

// copyStdin carries the slave's standard input to the host until either ends.
// At the slave's end of file the host sees one too, and the other direction
// goes on.
//
// While the input is quiet there is no goroutine: copyStdin runs again when there
// is something to copy.
func (s *Session) copyStdin() {
	again := s.copyStdin // made once, not for each read
	for {
		buf, err := s.files.In.ReadOrPark(inputs, again)
		if err == stdio.ErrParked {
			s.rest()
			return
		}
		if err != nil {
			s.files.In.Close()
			s.endOfInput()
			break
		}
		err = s.input(buf.Bytes())
		buf.Release()
		if err != nil {
			s.files.In.Close()
			break
		}
	}
	s.stdinEnded()
}

// endOfInput tells the host that its input has ended, unless the host said
// that it does not want to hear of its input any more.
func (s *Session) endOfInput() {
	if !s.inputUnwanted.Load() {
		s.ch.CloseWrite()
	}
}

// stdinEnded notes that nothing will be sent to the host any more.
func (s *Session) stdinEnded() {
	s.advance(func(p *progress) { p.stdin = true })
}

// input takes what was read to the channel: straight, or through the escapes on a
// terminal that has an escape character.
func (s *Session) input(p []byte) error {
	if s.esc == nil {
		return s.send(p)
	}
	for len(p) > 0 {
		send, command, rest := s.esc.next(p)
		if err := s.send(send); err != nil {
			return err
		}
		if command != 0 {
			s.command(command)
		}
		p = rest
	}
	return nil
}

// send sends input to the host.
func (s *Session) send(p []byte) error {
	s.moved.Out.Add(uint64(len(p)))
	return writeAll(s.ch, p)
}

func writeAll(w io.Writer, p []byte) error {
	if len(p) == 0 {
		return nil
	}
	_, err := w.Write(p)
	return err
}

// copyStdout carries the host's output to the slave's standard output, and
// closes that at the end of it. When nobody reads it any more the host is told,
// and the standard input still goes on.
func (s *Session) copyStdout() {
	copyOutput(s.files.Out, s.ch, &s.moved.In, s.sendEOW)
	s.files.Out.Close()
	s.advance(func(p *progress) { p.stdout = true })
}

// copyStderr is the same for standard error, which shares the channel's window
// with the output. It stays open until the session ends, because the master
// itself may have something to say there.
func (s *Session) copyStderr() {
	copyOutput(s.files.Err, s.ch.Stderr(), &s.moved.In, func() {})
	s.advance(func(p *progress) { p.stderr = true })
}

// sendEOW tells an OpenSSH host, once, that nobody reads its output any more
// (OpenSSH's PROTOCOL, section 2.1).
func (s *Session) sendEOW() {
	if s.ch.EOW() {
		s.eowOnce.Do(func() { s.ch.SendRequest("eow@openssh.com", false, nil) })
	}
}

// answer deals with a request of the host's on the channel. It must not wait
// for anything: a channel whose requests nobody takes stops its whole link.
func (s *Session) answer(req *ssh.Request) {
	switch req.Type {
	case "exit-status":
		s.exitStatus(req)
	case "exit-signal":
		// OpenSSH passes nothing on: the slave exits with 255.
		s.advance(func(p *progress) { p.status = true })
	case "eow@openssh.com":
		s.inputUnwanted.Store(true)
		s.files.In.Close()
	default:
		reply(req, false)
	}
}

// exitStatus passes the first status on. A second one would make stock slaves
// give up with an error.
func (s *Session) exitStatus(req *ssh.Request) {
	var msg struct{ Status uint32 }
	if err := ssh.Unmarshal(req.Payload, &msg); err != nil {
		reply(req, false)
		return
	}
	reply(req, true)
	if !s.exited {
		s.exited = true
		s.reports.send(func(to Reporter) { to.Exited(msg.Status) })
	}
	s.advance(func(p *progress) { p.status = true })
}

// discard takes what the host still asks on a channel that nobody has any more.
func discard(requests <-chan *ssh.Request) {
	for req := range requests {
		reply(req, false)
	}
}

// reply answers a request that wants an answer. Replying takes the link's
// write lock, so a request that wants none must not get here for nothing.
func reply(req *ssh.Request, ok bool) {
	if req.WantReply {
		req.Reply(ok, nil)
	}
}
