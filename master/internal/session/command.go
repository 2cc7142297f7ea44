package session

import (
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
)

// breakLength is how long a BREAK lasts, in milliseconds (RFC 4335).
const breakLength = 1000

// command carries out one escape of a multiplexed session, with the words and
// on the descriptor, standard error, that OpenSSH's master uses.
func (s *Session) command(c byte) {
	esc := string(rune(s.req.Escape))
	switch c {
	case '.':
		s.Close()
	case 'B':
		s.say(esc + "B")
		s.ch.SendRequest("break", false, ssh.Marshal(breakReq{breakLength}))
	case 'R':
		// x/crypto/ssh rekeys by volume and has no way to ask for it.
		s.req.Log.Debug("rekey asked for by an escape: not possible on this link")
	case '#':
		s.say(esc + "#")
		s.info("channels")
	case 'I':
		s.say(esc + "I")
		s.info("connection")
	case '?':
		s.say(esc + "?")
		s.help(esc)
	case ctrlZ:
		s.unavailable(esc + "^Z")
	default:
		s.unavailable(esc + string(rune(c)))
	}
}

// info shows one of the texts that -O channels and -O conninfo print.
func (s *Session) info(name string) {
	if s.req.Info == nil {
		return
	}
	if text, ok := s.req.Info(name); ok {
		s.files.Err.Write([]byte(text))
	}
}

// unavailable says of an escape what OpenSSH says of it under multiplexing.
func (s *Session) unavailable(sequence string) {
	s.say(sequence + " escape not available to multiplexed sessions")
}

func (s *Session) help(esc string) {
	var b strings.Builder
	b.WriteString("Supported escape sequences:\r\n")
	for _, h := range escapeHelp {
		fmt.Fprintf(&b, " %s%s   - %s\r\n", esc, h.key, h.does)
	}
	fmt.Fprintf(&b, " %s%s   - send the escape character by typing it twice\r\n", esc, esc)
	b.WriteString("(Note that escapes are only recognized immediately after newline.)\r\n")
	s.files.Err.Write([]byte(b.String()))
}
