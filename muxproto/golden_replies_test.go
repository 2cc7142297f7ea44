package muxproto_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/muxproto"
)

// answers says what each recorded reply is, after Hello, with the numbers that
// a master chooses left out.
var answers = map[string][]muxproto.Message{
	"alive": {&muxproto.Alive{RequestID: 9}},
	"denied": {
		&muxproto.PermissionDenied{RequestID: 1, Reason: "Permission denied"},
		&muxproto.PermissionDenied{RequestID: 2, Reason: "Permission denied"},
		&muxproto.PermissionDenied{RequestID: 3, Reason: "Permission denied"},
	},
	"forwards": {
		&muxproto.OK{RequestID: 0}, &muxproto.OK{RequestID: 1},
		&muxproto.Failure{RequestID: 2, Reason: "Port forwarding failed"},
		&muxproto.Failure{RequestID: 3, Reason: "Invalid forwarding request"},
		&muxproto.RemotePort{RequestID: 4},
		&muxproto.Failure{RequestID: 5, Reason: "remote port forwarding failed for listen port "},
		&muxproto.OK{RequestID: 6},
		&muxproto.Failure{RequestID: 7, Reason: "port not forwarded"},
	},
	"proxy": {&muxproto.ProxyReply{}},
	"second-session": {
		&muxproto.SessionOpened{RequestID: 0},
		&muxproto.Failure{RequestID: 1, Reason: "Multiple sessions not supported"},
		&muxproto.ExitMessage{},
	},
	"session":       {&muxproto.SessionOpened{RequestID: 3}, &muxproto.ExitMessage{Status: 7}},
	"stdio-refused": {&muxproto.Failure{RequestID: 4, Reason: "Session open refused by peer"}},
	"stop":          {&muxproto.OK{RequestID: 8}},
	"tty-refused":   {&muxproto.SessionOpened{RequestID: 3}, &muxproto.TTYAllocFail{}, &muxproto.ExitMessage{}},
	"unsupported":   {&muxproto.Failure{RequestID: 5, Reason: "unsupported request"}, &muxproto.Alive{RequestID: 6}},
}

// TestGoldenReplies compares what masters sent with what it means.
func TestGoldenReplies(t *testing.T) {
	for _, r := range loadAll(t, "replies") {
		hello := &muxproto.Hello{Version: muxproto.Version}
		var got []muxproto.Message
		for _, frame := range r.frames() {
			m, err := muxproto.DecodeReply(frame[4:])
			require.NoError(t, err)
			got = append(got, leaveOut(m))
		}
		require.Contains(t, answers, r.name)
		require.Equal(t, append([]muxproto.Message{hello}, answers[r.name]...), got, r.name)
	}
}

// leaveOut clears the numbers that differ between two recordings.
func leaveOut(m muxproto.Message) muxproto.Message {
	switch m := m.(type) {
	case *muxproto.Alive:
		m.PID = 0
	case *muxproto.RemotePort:
		m.Port = 0
	case *muxproto.SessionOpened:
		m.SessionID = 0
	case *muxproto.ExitMessage:
		m.SessionID = 0
	case *muxproto.TTYAllocFail:
		m.SessionID = 0
	case *muxproto.Failure:
		m.Reason = strings.TrimRight(m.Reason, "0123456789")
	}
	return m
}
