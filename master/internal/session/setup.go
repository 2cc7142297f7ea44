package session

import (
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/stdio"
)

// Payloads of channel requests, RFC 4254 sections 6.2 to 6.9.
type (
	ptyReq struct {
		Term                       string
		Cols, Rows, XPixel, YPixel uint32
		Modes                      string
	}
	x11Req struct {
		SingleConnection bool
		Protocol, Cookie string
		Screen           uint32
	}
	envReq       struct{ Name, Value string }
	execReq      struct{ Command string }
	subsystemReq struct{ Name string }
	windowChange struct{ Cols, Rows, XPixel, YPixel uint32 }
	breakReq     struct{ Milliseconds uint32 }
	signalReq    struct{ Name string }
)

// setUp sends the channel requests in OpenSSH's order, x11, agent, pty, env,
// and then the program, and copies the standard input once that is running.
func (s *Session) setUp() {
	refusal, err := s.request()
	s.req.Env, s.req.X11, s.modes = nil, nil, nil // a session may last
	switch {
	case err != nil: // the channel has ended: its readers say so, and nothing of the input is touched
		s.stdinEnded()
	case refusal != "":
		s.req.Log.Debug("session refused", "reason", refusal)
		s.say(refusal)
		s.stdinEnded()
		s.Close()
	default:
		if s.req.TTY && s.req.Escape <= 0xff {
			s.esc = newEscapes(byte(s.req.Escape))
		}
		s.copyStdin()
	}
}

// request sends the requests. A refusal of the program is for the slave's
// terminal.
func (s *Session) request() (refusal string, err error) {
	if s.req.X11 != nil && s.ch.Trusted() && s.ch.X11() {
		s.requestX11()
	}
	if s.req.Agent && s.ch.Trusted() {
		s.ch.SendRequest("auth-agent-req@openssh.com", false, nil)
	}
	if s.req.TTY && !s.requestPTY() {
		s.reports.send(Reporter.TTYRefused)
	}
	for _, v := range s.req.Env {
		s.ch.SendRequest("env", false, ssh.Marshal(envReq(v)))
	}
	return s.requestProgram()
}

// requestX11 asks for X11 forwarding and tells the slave when it is refused.
func (s *Session) requestX11() {
	x := s.req.X11
	ok, err := s.ch.SendRequest("x11-req", true, ssh.Marshal(x11Req{false, x.Protocol, x.Cookie, x.Screen}))
	if err == nil && !ok {
		s.say("X11 forwarding request failed")
	}
}

// requestPTY asks for a terminal like the slave's own. On a refusal it tells
// the slave's terminal and returns false. Where the host has granted one before,
// nothing is waited for: a round trip less.
func (s *Session) requestPTY() bool {
	s.sizing.Lock()
	defer s.sizing.Unlock()
	size, err := s.files.In.WindowSize()
	if err != nil {
		size = noSize
	}
	granted := s.ch.TerminalsGranted()
	ok, err := s.ch.SendRequest("pty-req", !granted, ssh.Marshal(ptyReq{
		Term: s.req.Term,
		Cols: size.Cols, Rows: size.Rows, XPixel: size.XPixel, YPixel: size.YPixel,
		Modes: string(s.modes),
	}))
	switch {
	case granted || err != nil:
		return true
	case !ok:
		s.say("PTY allocation request failed")
		return false
	}
	s.ch.GrantTerminals()
	return true
}

// requestProgram starts the shell, the command or the subsystem. A refusal is
// for the slave's terminal.
func (s *Session) requestProgram() (refusal string, err error) {
	name, payload := "exec", ssh.Marshal(execReq{s.req.Command})
	switch {
	case s.req.Command == "":
		name, payload = "shell", nil
	case s.req.Subsystem:
		name, payload = "subsystem", ssh.Marshal(subsystemReq{s.req.Command})
	}
	ok, err := s.ch.SendRequest(name, true, payload)
	if err == nil && !ok {
		refusal = name + " request failed"
	}
	return refusal, err
}

// say writes one line to the slave's standard error. Its terminal may be in
// raw mode.
func (s *Session) say(line string) { s.files.Err.Write([]byte(line + "\r\n")) }

// terminalModes reads the modes for pty-req from what should be a terminal.
// Without one the list is empty, as a direct ssh sends it: stock masters send
// a list of zeros there, which leaves the remote terminal without echo and
// signals.
func terminalModes(in *stdio.Stream) []byte {
	modes, err := in.TerminalModes()
	if err != nil {
		return []byte{0} // TTY_OP_END
	}
	return modes
}
