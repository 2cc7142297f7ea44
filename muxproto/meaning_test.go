package muxproto_test

import "sshmaster/muxproto"

// ran is a session that was opened and ended with a status, or without one if
// that is negative.
func ran(m *muxproto.NewSession, status int) []muxproto.Message {
	all := []muxproto.Message{&muxproto.AliveCheck{RequestID: m.RequestID - 1}, alive(m.RequestID - 1), m, opened(m.RequestID)}
	if status >= 0 {
		all = append(all, &muxproto.ExitMessage{SessionID: maskedSession, Status: uint32(status)})
	}
	return all
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

// session is a NewSession as stock ssh sends it for a command.
func session(id uint32, command string, change ...func(*muxproto.NewSession)) *muxproto.NewSession {
	m := &muxproto.NewSession{RequestID: id, EscapeChar: '~', Term: "xterm-256color", Command: command}
	for _, f := range change {
		f(m)
	}
	return m
}

func tty(m *muxproto.NewSession)       { m.WantTTY = true }
func x11(m *muxproto.NewSession)       { m.WantX11 = true }
func subsystem(m *muxproto.NewSession) { m.Subsystem = true }

func env(entries ...string) func(*muxproto.NewSession) {
	return func(m *muxproto.NewSession) { m.Env = entries }
}

func escape(char uint32) func(*muxproto.NewSession) {
	return func(m *muxproto.NewSession) { m.EscapeChar = char }
}

func stdio(host string, port uint32) muxproto.Message {
	return &muxproto.NewStdioForward{RequestID: 1, Host: host, Port: port}
}

func cancel(id uint32, f muxproto.Forward) muxproto.Message {
	return &muxproto.CloseForward{RequestID: id, Forward: f}
}

func alive(id uint32) muxproto.Message { return &muxproto.Alive{RequestID: id, PID: maskedPID} }
func ok(id uint32) muxproto.Message    { return &muxproto.OK{RequestID: id} }

func opened(id uint32) muxproto.Message {
	return &muxproto.SessionOpened{RequestID: id, SessionID: maskedSession}
}

func remotePort(id uint32) muxproto.Message {
	return &muxproto.RemotePort{RequestID: id, Port: maskedPort}
}

func refused(id uint32, reason string) muxproto.Message {
	return &muxproto.Failure{RequestID: id, Reason: reason}
}

func denied(id uint32) muxproto.Message {
	return &muxproto.PermissionDenied{RequestID: id, Reason: "Permission denied"}
}
