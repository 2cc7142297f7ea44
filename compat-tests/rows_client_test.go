package compat

import (
	"testing"
)

func TestDifferentialClients(t *testing.T) {
	compare(t, []group{
		{"commands", Setup{Server: []string{"MaxSessions 40"}}, commandRows()},
		{"terminal", Setup{Server: []string{"MaxSessions 40"}}, terminalRows()},
		{"terminal, first session", Setup{}, []row{{name: "~.", do: typed("~.", "-t", Target, far)}}},
		{"terminal, next session", Setup{}, []row{
			{name: "ends inside a line", do: typed("ab\x04\x04", "-t", Target, far)},
			{
				name: "~. at the start of the next", do: typed("~.\r\x04", "-t", Target, far),
				more: map[string]string{"shown": "where a line begins is known for each session, and not shared by all as in stock"},
			},
		}},
		{"stop", Setup{}, []row{{name: "-O stop", do: stopped}}},
		{"exit", Setup{}, []row{{name: "-O exit", do: exited}}},
	})
}

func commandRows() []row {
	return []row{
		{name: "output", do: client(Target, "echo out; echo err >&2; exit 5")},
		{name: "verbose check", do: client("-O", "check", Target)},
		{name: "-O check with options of a session", do: client("-t", "-A", "-O", "check", Target, "ignored")},
		{name: "-O proxy, refused by a wrong word", do: client("-O", "dance", Target)},
		{
			name: "subsystem refused", do: client("-s", Target, "no-such-subsystem"),
			more: map[string]string{"stderr": "it tells the refusal, which stock puts into a channel that it closes before it is read"},
			want: outcome{"code": "255", "stderr": "subsystem request failed\r\n"},
		},
		{name: "subsystem sftp, closed at once", do: client("-s", Target, "sftp")},
		{name: "signalled", do: client(Target, "kill -HUP $$")},
		{name: "quiet", do: client("-q", Target, "exit 255")},
		{
			name: "-tt from no terminal", do: client("-tt", Target, "echo line; exit 3"),
			more: map[string]string{"stdout": "the far terminal keeps its own modes where stock turns all of them off, so that lines end in CR LF"},
			want: outcome{"stdout": "line\r\n"},
		},
		{name: "-W to nobody", do: client("-W", "127.0.0.1:1", Target)},
		{name: "-f", do: client("-f", Target, "exit 0")},
		{name: "agent and X11 asked, master without", do: client("-A", "-X", Target, `echo "[$SSH_AUTH_SOCK][$DISPLAY]"`)},
	}
}

// far is a remote command that shows what it gets.
const far = "stty -echo; echo ready; cat; exit 3"

func terminalRows() []row {
	return []row{
		{name: "line and end of file", do: typed("words\r\x04", "-t", Target, far)},
		{name: "interrupt", do: typed("\x03", "-t", Target, far)},
		{name: "~. after a line", do: typed("words\r~.", "-t", Target, far)},
		{name: "~~", do: typed("\r~~x\r\x04", "-t", Target, far)},
		{name: "a tilde inside a line", do: typed("a~.\r\x04", "-t", Target, far)},
		{name: "-e none", do: typed("\r~.\r\x04", "-e", "none", "-t", Target, far)},
		{name: "-e %", do: typed("\r%.", "-e", "%", "-t", Target, far)},
		{name: "not a terminal's session", do: typedCooked("~.\r\x04", "-T", Target, "echo ready; cat; exit 3")},
		{name: "far side hangs up", do: typed("x\r", "-t", Target, "echo ready; read x; kill -KILL $$")},
	}
}

func stopped(t *testing.T, m *Master) outcome {
	o := of(m.Ask(t, "stop"))
	o["socket"] = left(m)
	o["exit status"] = itoa(m.Wait(t))
	return o
}

func exited(t *testing.T, m *Master) outcome {
	o := of(m.Ask(t, "exit"))
	o["exit status"] = itoa(m.Wait(t))
	o["socket"] = left(m)
	return o
}

func left(m *Master) string {
	if exists(m.Control) {
		return "there"
	}
	return "gone"
}
