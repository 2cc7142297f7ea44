package muxproto

import (
	"fmt"
	"strconv"
	"strings"
)

// briefLen bounds how much of a string a description shows, in bytes.
const briefLen = 80

// brief quotes s, which cuts its control characters off from a terminal.
func brief(s string) string {
	if len(s) > briefLen {
		return fmt.Sprintf("%s...(%d bytes)", strconv.QuoteToASCII(s[:briefLen]), len(s))
	}
	return strconv.QuoteToASCII(s)
}

// Describe prints m on one line for a log: its name and fields, long strings
// cut, control characters escaped. Of an environment it tells only how large it
// is, for values may be secret.
func Describe(m Message) string {
	b := new(strings.Builder)
	b.WriteString(m.MsgType().String())
	describeFields(b, m)
	return b.String()
}

func describeFields(b *strings.Builder, m Message) {
	switch m := m.(type) {
	case *Hello:
		fmt.Fprintf(b, " version %d", m.Version)
		if n := len(m.Extensions); n > 0 {
			fmt.Fprintf(b, " extensions %d, first %s", n, brief(m.Extensions[0].Name))
		}
	case *NewSession:
		fmt.Fprintf(b, " id %d tty %t x11 %t agent %t subsystem %t escape %#x term %s command %s env %d", m.RequestID,
			m.WantTTY, m.WantX11, m.WantAgent, m.Subsystem, m.EscapeChar, brief(m.Term), brief(m.Command), len(m.Env))
	case *OpenForward:
		fmt.Fprintf(b, " id %d %v", m.RequestID, m.Forward)
	case *CloseForward:
		fmt.Fprintf(b, " id %d %v", m.RequestID, m.Forward)
	case *NewStdioForward:
		fmt.Fprintf(b, " id %d %s", m.RequestID, endpoint(m.Host, m.Port))
	case *InfoRequest:
		fmt.Fprintf(b, " id %d %s", m.RequestID, brief(m.Name))
	default:
		describeReply(b, m)
	}
}

func describeReply(b *strings.Builder, m Message) {
	switch m := m.(type) {
	case *PermissionDenied:
		fmt.Fprintf(b, " id %d %s", m.RequestID, brief(m.Reason))
	case *Failure:
		fmt.Fprintf(b, " id %d %s", m.RequestID, brief(m.Reason))
	case *ExitMessage:
		fmt.Fprintf(b, " session %d status %d", m.SessionID, m.Status)
	case *Alive:
		fmt.Fprintf(b, " id %d pid %d", m.RequestID, m.PID)
	case *SessionOpened:
		fmt.Fprintf(b, " id %d session %d", m.RequestID, m.SessionID)
	case *RemotePort:
		fmt.Fprintf(b, " id %d port %d", m.RequestID, m.Port)
	case *TTYAllocFail:
		fmt.Fprintf(b, " session %d", m.SessionID)
	case *InfoReply:
		fmt.Fprintf(b, " id %d ok %t, %d bytes", m.RequestID, m.OK, len(m.Text))
	default: // nothing but a request id
		if id, ok := requestID(m); ok {
			fmt.Fprintf(b, " id %d", id)
		}
	}
}

// requestID is the id of a message that has one: the first number of its body.
func requestID(m Message) (uint32, bool) {
	switch m.(type) {
	case *Hello, *ExitMessage, *TTYAllocFail:
		return 0, false
	}
	c := &cursor{rest: m.appendBody(nil)}
	return c.u32(), true
}
