package master

import (
	"encoding/json"

	"sshmaster/muxproto"
)

// maxStatus bounds the text of a status on the control socket, in bytes: a frame
// less what else is in it.
const maxStatus = muxproto.MaxFrame - 2<<10

// within is the status as JSON of at most limit bytes. What there are too many of
// is left out, and counted.
func (s Status) within(limit int) (string, error) {
	for {
		text, err := json.Marshal(s)
		if err != nil || len(text) <= limit || len(s.Sessions)+len(s.Forwards) == 0 {
			return string(text), err
		}
		s.leaveOut(limit, len(text))
	}
}

// leaveOut takes away, of sessions and forwards alike, about as much as makes a
// text of size bytes one of limit, and one of each at least.
func (s *Status) leaveOut(limit, size int) {
	keep := func(n int) int { return max(min(n*limit/size, n-1), 0) }
	sessions, forwards := keep(len(s.Sessions)), keep(len(s.Forwards))
	s.SessionsLeftOut += len(s.Sessions) - sessions
	s.ForwardsLeftOut += len(s.Forwards) - forwards
	s.Sessions, s.Forwards = s.Sessions[:sessions], s.Forwards[:forwards]
}
