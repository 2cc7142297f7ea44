package compat

import (
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestDifferentialClients(t *testing.T) {
	compare(t, []group{
		{"commands", Setup{Server: []string{"MaxSessions 40"}}, commandRows()},
		{"terminal", Setup{Server: []string{"MaxSessions 40"}, Terminals: true}, terminalRows()},
		{"escapes", Setup{Server: []string{"MaxSessions 40"}, Terminals: true}, escapeRows()},
		{"terminal, first session", Setup{Terminals: true}, []row{{name: "~.", do: typed("~.", "-t", Target, far)}}},
		{"terminal, next session", Setup{Terminals: true}, []row{
			{name: "ends inside a line", do: typed("ab\x04\x04", "-t", Target, far)},
			{
				name: "~. at the start of the next", do: typed("~.\r\x04", "-t", Target, far),
				more: map[string]string{"shown": "where a line begins is known for each session, and not shared by all as in stock"},
			},
		}},
		{"asked by the master's own program", Setup{}, ownProgramRows()},
		{"without a master", Setup{NotStarted: true}, noMasterRows()},
		{"start", Setup{NotStarted: true, KeepOpen: true}, startRows()},
		{"stop", Setup{}, []row{{name: "-O stop", do: endedBy(func(t *testing.T, m *Master) { m.Ask(t, "stop") })}}},
		{"exit", Setup{}, []row{{name: "-O exit", do: endedBy(func(t *testing.T, m *Master) { m.Ask(t, "exit"); m.Wait(t) })}}},
		{"TERM", Setup{}, []row{{name: "signal", do: endedBy(signalled(syscall.SIGTERM))}}},
		{"INT", Setup{}, []row{{name: "signal", do: endedBy(signalled(syscall.SIGINT))}}},
		{"HUP", Setup{}, []row{{name: "signal", do: endedBy(signalled(syscall.SIGHUP))}}},
		{"QUIT", Setup{}, []row{{name: "signal", do: endedBy(signalled(syscall.SIGQUIT))}}},
		{"link lost", Setup{KeepOpen: true}, []row{linkLostRow()}},
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
		{name: "-W to nobody", do: client("-W", "127.0.0.1:1", Target)},
		{name: "-f", do: client("-f", Target, "exit 0")},
		{name: "agent and X11 asked, master without", do: client("-A", "-X", Target, `echo "[$SSH_AUTH_SOCK][$DISPLAY]"`)},
	}
}

// far is a remote command that shows what it gets.
const far = "stty -echo; echo ready; cat; exit 3"

func terminalRows() []row {
	return []row{
		{
			name: "-tt from no terminal", do: client("-tt", Target, "echo line; exit 3"),
			more: map[string]string{"stdout": "the far terminal keeps its own modes where stock turns all of them off, so that lines end in CR LF"},
			want: outcome{"stdout": "line\r\n"},
		},
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

// escapeRows: §5 of the facts; checklist 43 to 46.
func escapeRows() []row {
	// The far side shows each line that comes through, and ends by itself.
	escape := func(keys string) func(t *testing.T, m *Master) outcome {
		return typed("\r"+keys+"\r\x04", "-t", Target, far)
	}
	return []row{
		{name: "~~", do: escape("~~")},
		{
			name: "~?", do: escape("~?"),
			more: map[string]string{"shown": "it has ~I, as OpenSSH from 10.3 on"},
		},
		{name: "~B", do: escape("~B")},
		{name: "~R", do: escape("~R")},
		{name: "~V", do: escape("~V")},
		{name: "~v", do: escape("~v")},
		{name: "~C", do: escape("~C")},
		{name: "~&", do: escape("~&")},
		{name: "~^Z", do: escape("~\x1a")},
		{name: "~x", do: escape("~x")},
		{name: "~ alone, then a line", do: escape("~")},
		{name: "two in one line", do: escape("~V~v")},
		{name: "inside a line", do: escape("a~?")},
		{name: "other character", do: typed("\r%V~V\r\x04", "-e", "%", "-t", Target, far)},
		{name: "none", do: typed("\r~V\r\x04", "-e", "none", "-t", Target, far)},
	}
}

// own asks with the master's own program: ssh for stock, ssh-master for ours.
func own(args ...string) func(t *testing.T, m *Master) outcome {
	return func(t *testing.T, m *Master) outcome {
		return of(run(t, Command{Args: m.Command(args...), Dir: m.Dir}))
	}
}

func ownProgramRows() []row {
	return []row{
		{name: "check", do: own("-O", "check", Target)},
		{name: "check, attached value", do: own("-Ocheck", Target)},
		{name: "check of a fake host", do: own("-O", "check", "dummyhost")},
		{name: "quiet check", do: own("-q", "-O", "check", Target)},
		{name: "check at another path", do: own("-S", "ctl", "-O", "check", Target)},
		{name: "stop of nobody", do: own("-S", "none-such", "-O", "stop", Target)},
		{name: "no control path", do: own("-S", "none", "-O", "check", Target)},
		{name: "two commands", do: own("-O", "check", "-O", "stop", Target)},
		{name: "command and -W", do: own("-O", "check", "-W", "a:1", Target)},
		{name: "forward without a forward", do: own("-O", "forward", Target)},
		{name: "cancel without a forward", do: own("-O", "cancel", Target)},
	}
}

func noMasterRows() []row {
	return []row{
		{name: "check", do: own("-O", "check", Target)},
		{name: "exit", do: own("-O", "exit", Target)},
		{name: "stop", do: own("-O", "stop", Target)},
		{name: "forward", do: own("-O", "forward", "-L", "1:a:2", Target)},
		{
			name: "proxy", do: own("-O", "proxy", Target),
			more: map[string]string{"stderr": "it is no slave of its own and says what to use as one"},
		},
		{name: "path of 108 bytes", do: own("-S", "/tmp/"+strings.Repeat("p", 103), "-O", "check", Target)},
		{name: "a file that is no socket", do: own("-S", "config", "-O", "check", Target)},
	}
}

// startRows compare how starting goes; only the exit status where the words are ssh-master's own.
func startRows() []row {
	const words = "the reason is said in words of its own"
	background := func(args ...string) func(t *testing.T, m *Master) outcome {
		return func(t *testing.T, m *Master) outcome {
			r, pid := m.Background(t, args...)
			o := of(r)
			o["answers"] = strconv.FormatBool(pid != 0)
			o["socket"] = left(m)
			if pid != 0 {
				// Not by a signal: stock misses one that comes just before it waits.
				run(t, Command{Args: m.SSH("-O", "exit", Target)})
				gone(t, pid)
				o["socket after its end"] = left(m)
			}
			return o
		}
	}
	return []row{
		{name: "background", do: background()},
		{name: "background, quiet", do: background("-q")},
		{name: "no such folder", do: background("-S", "/none/such/ctl"), more: map[string]string{"stderr": words}},
		{name: "path too long", do: background("-S", "/tmp/"+strings.Repeat("p", 103)), more: map[string]string{"stderr": words}},
		{name: "refused", do: background("-p", "1"), more: map[string]string{"stderr": words}},
		{name: "no such host", do: background("-o", "HostName=no-such-host.invalid"), more: map[string]string{"stderr": words}},
		{name: "wrong user", do: background("-l", "nobody-at-all"), more: map[string]string{"stderr": words}},
	}
}

// signalled is the end by a signal, which the end of a session's input must not overtake.
func signalled(sig syscall.Signal) func(t *testing.T, m *Master) {
	return func(t *testing.T, m *Master) {
		m.Signal(t, sig)
		m.Wait(t)
	}
}

// endedBy is how a master in the foreground ends, and its sessions with it where they do.
func endedBy(end func(t *testing.T, m *Master)) func(t *testing.T, m *Master) outcome {
	return func(t *testing.T, m *Master) outcome {
		session, stdin, _ := heldSession(t, m, "cat; exit 7")
		end(t, m)
		if err := stdin.Close(); err != nil {
			t.Log(err)
		}
		return outcome{
			"session's exit status": itoa(session.Wait(t)),
			"exit status":           itoa(m.Wait(t)),
			"socket":                left(m),
		}
	}
}

// linkLostRow is the one end of a link that is not its master's.
func linkLostRow() row {
	const because = "it outlives its link, and connects anew for the next session"
	return row{
		name: "sshd killed",
		do: func(t *testing.T, m *Master) outcome {
			session, _, _ := heldSession(t, m, "cat; exit 7")
			m.Server.Cut()
			o := outcome{"session's exit status": itoa(session.Wait(t)), "ended": "no"}
			if m.Kind == Stock {
				o["ended"] = itoa(m.Wait(t))
			}
			next := of(run(t, Command{Args: m.SSH(noLogin, Target, "echo anew; exit 3")}))
			o["next session's exit status"], o["next session's output"] = next["code"], next["stdout"]
			o["socket"] = left(m)
			return o
		},
		more: map[string]string{"ended": because, "next session's exit status": because, "next session's output": because, "socket": because},
		want: outcome{"session's exit status": "255", "next session's exit status": "3", "next session's output": "anew\n", "socket": "there"},
	}
}

func left(m *Master) string {
	if exists(m.Control) {
		return "there"
	}
	return "gone"
}
