package muxproto_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/muxproto"
)

// session is a NewSession as stock ssh sends it for a command.
func session(id uint32, command string, change ...func(*muxproto.NewSession)) *muxproto.NewSession {
	m := &muxproto.NewSession{RequestID: id, EscapeChar: '~', Term: "xterm-256color", Command: command}
	for _, f := range change {
		f(m)
	}
	return m
}

func open(id uint32, f muxproto.Forward) muxproto.Message {
	return &muxproto.OpenForward{RequestID: id, Forward: f}
}

func local(listen string, lport uint32, connect string, cport uint32) muxproto.Forward {
	return muxproto.Forward{Type: muxproto.ForwardLocal, ListenHost: listen, ListenPort: lport, ConnectHost: connect, ConnectPort: cport}
}

func remote(listen string, lport uint32, connect string, cport uint32) muxproto.Forward {
	f := local(listen, lport, connect, cport)
	f.Type = muxproto.ForwardRemote
	return f
}

func dynamic(listen string, lport uint32) muxproto.Forward {
	f := local(listen, lport, "socks", 0)
	f.Type = muxproto.ForwardDynamic
	return f
}

const path = muxproto.PortStreamLocal

// wanted says what each recording means: the messages after Hello.
var wanted = map[string][]muxproto.Message{
	"session":   {&muxproto.AliveCheck{}, session(1, "echo hi")},
	"shell":     {&muxproto.AliveCheck{}, session(1, "")},
	"tty":       {&muxproto.AliveCheck{}, session(1, "", func(m *muxproto.NewSession) { m.WantTTY = true })},
	"agent":     {&muxproto.AliveCheck{}, session(1, "true", func(m *muxproto.NewSession) { m.WantAgent = true })},
	"x11":       {&muxproto.AliveCheck{}, session(1, "true", func(m *muxproto.NewSession) { m.WantX11 = true })},
	"subsystem": {&muxproto.AliveCheck{}, session(1, "netconf", func(m *muxproto.NewSession) { m.Subsystem = true })},
	"sftp":      {&muxproto.AliveCheck{}, session(1, "sftp", func(m *muxproto.NewSession) { m.Subsystem = true })},
	"scp":       {&muxproto.AliveCheck{}, session(1, "scp -f /nonexistent")},
	"escape": {&muxproto.AliveCheck{}, session(1, "top", func(m *muxproto.NewSession) {
		m.WantTTY, m.EscapeChar = true, muxproto.NoEscape
	})},
	"env": {&muxproto.AliveCheck{}, session(1, "env", func(m *muxproto.NewSession) {
		m.Env = []string{"CT_A=1", "CT_B=", "FOO=bar", "EMPTY="}
	})},
	"session-forwards": {
		open(0, local("", 8080, "h", 80)), open(1, dynamic("", 1080)), open(2, remote("", 0, "h", 80)),
		&muxproto.AliveCheck{RequestID: 3}, session(4, "true"),
	},
	"stdio":    {&muxproto.AliveCheck{}, &muxproto.NewStdioForward{RequestID: 1, Host: "h", Port: 22}},
	"stdio-v6": {&muxproto.AliveCheck{}, &muxproto.NewStdioForward{RequestID: 1, Host: "::1", Port: 22}},
	"check":    {&muxproto.AliveCheck{}},
	"exit":     {&muxproto.Terminate{}},
	"stop":     {&muxproto.StopListening{}},
	"local": {
		open(0, local("", 8080, "h", 80)), open(1, local("*", 8081, "h", 80)), open(2, local("localhost", 8082, "::1", 80)),
	},
	"local-unix": {
		open(0, local("/a", path, "h", 80)), open(1, local("/a", path, "/b", path)), open(2, local("", 8080, "/b", path)),
	},
	"remote": {
		open(0, remote("", 8080, "h", 80)), open(1, remote("", 0, "h", 80)),
		open(2, remote("", 1080, "socks", 0)), open(3, remote("/r", path, "/l", path)),
	},
	"dynamic": {open(0, dynamic("", 1080)), open(1, dynamic("127.0.0.1", 1081))},
	"cancel": {
		&muxproto.CloseForward{RequestID: 0, Forward: local("", 8080, "h", 80)},
		&muxproto.CloseForward{RequestID: 1, Forward: dynamic("", 1080)},
		&muxproto.CloseForward{RequestID: 2, Forward: remote("", 8081, "h", 81)},
	},
	"proxy": {&muxproto.Proxy{}},
	"info": {
		&muxproto.InfoRequest{RequestID: 0, Name: muxproto.InfoConnection},
		&muxproto.InfoRequest{RequestID: 1, Name: muxproto.InfoChannels},
	},
}

// TestGoldenRequests compares what stock programs sent with what it means.
func TestGoldenRequests(t *testing.T) {
	for _, r := range loadAll(t, "requests") {
		var got []muxproto.Message
		for _, frame := range r.frames() {
			m, err := muxproto.DecodeRequest(frame[4:])
			require.NoError(t, err)
			got = append(got, m)
		}
		require.Contains(t, wanted, r.name)
		require.Equal(t, append([]muxproto.Message{&muxproto.Hello{Version: muxproto.Version}}, wanted[r.name]...), got, r.name)
		require.Equal(t, descriptors(got), r.count("fd"), r.name)
	}
}

// descriptors counts what must follow these requests.
func descriptors(requests []muxproto.Message) int {
	n := 0
	for _, m := range requests {
		switch m.(type) {
		case *muxproto.NewSession:
			n += 3
		case *muxproto.NewStdioForward:
			n += 2
		}
	}
	return n
}
