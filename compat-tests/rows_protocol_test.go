package compat

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDifferentialProtocol(t *testing.T) {
	rooms := []string{"MaxSessions 40"}
	env := []string{"SendEnv CT_*"}
	compare(t, []group{
		{"framing", Setup{Server: rooms}, framingRows()},
		{"requests", Setup{Server: rooms, Client: env}, requestRows()},
		{"terminal", Setup{Terminals: true}, []row{{
			name: "terminal without one", do: greeted(func(c *conversation) {
				c.session(frame(typeNewSession, 1, "", 1, 0, 0, 0, noEscape, "xterm", "stty size; tty >/dev/null && echo tty; echo $TERM"), "")
			}),
			more: map[string]string{"replies": "the far terminal keeps its own modes where stock turns all of them off, so that lines end in CR LF"},
		}}},
		{"descriptors", Setup{Server: rooms}, descriptorRows()},
		{"refused", Setup{Server: []string{"MaxSessions 0"}}, refusedRows()},
		{"no terminal granted", Setup{Server: []string{"PermitTTY no"}}, terminalRefusedRows()},
		{"no environment wanted", Setup{}, []row{
			{name: "environment without SendEnv", do: greeted(func(c *conversation) {
				c.session(newSession(1, `echo "[$CT_A]"`, "CT_A=dropped"), "")
			})},
		}},
		{"environment of the master", Setup{Client: []string{"SetEnv CT_MASTER=own"}}, []row{
			{name: "SetEnv of the master", do: greeted(func(c *conversation) {
				c.session(newSession(1, `echo "[$CT_MASTER]"`, "CT_MASTER=dropped"), "")
			})},
		}},
	})
}

// sends is a conversation of one burst, after which the master is expected to close or to go on serving.
func sends(frames ...[]byte) func(c *conversation) {
	return func(c *conversation) {
		c.say(frames...)
		c.stillServed()
	}
}

// framingRows: §1 of the facts; checklist 1 to 11.
func framingRows() []row {
	alive := func(id uint32) []byte { return frame(typeAlive, id) }
	return []row{
		{
			name: "greeting", do: raw(func(c *conversation) { c.hear() }),
			more: map[string]string{"replies": `it announces the "info" extension, as OpenSSH does from 10.3 on`},
			want: outcome{"replies": `00000001 "\x00\x00\x00\x04\x00\x00\x00\x04info\x00\x00\x00\x010"`},
		},
		{name: "ALIVE before HELLO", do: unGreeted(sends(alive(1)))},
		{name: "NEW_SESSION before HELLO", do: unGreeted(sends(newSession(1, "true")))},
		{name: "version 3", do: unGreeted(sends(frame(typeHello, uint32(3))))},
		{name: "version 5", do: unGreeted(sends(frame(typeHello, uint32(5))))},
		{name: "HELLO without version", do: unGreeted(sends(frame(typeHello)))},
		{name: "extension without value", do: unGreeted(sends(frame(typeHello, uint32(4), "name")))},
		{name: "extension cut short", do: unGreeted(sends(frame(typeHello, uint32(4), "name", uint32(9))))},
		{name: "unknown extensions", do: unGreeted(sends(frame(typeHello, uint32(4), "x@y", "1", "", "", "info", "7")))},
		{name: "HELLO and requests in one write", do: unGreeted(sends(append(append(hello(), alive(5)...), alive(6)...)))},
		{name: "second HELLO", do: greeted(sends(hello()))},
		{name: "HELLO without type", do: unGreeted(sends([]byte{0, 0, 0, 0}))},
		{name: "length 0", do: greeted(sends([]byte{0, 0, 0, 0}))},
		{name: "length 1", do: greeted(sends([]byte{0, 0, 0, 1, 0}))},
		{name: "length 3", do: greeted(sends([]byte{0, 0, 0, 3, 0x10, 0, 0}))},
		{name: "a type alone", do: greeted(sends(frame(typeAlive)))},
		{name: "a type and half an id", do: greeted(sends(frame(typeAlive, []byte{0, 0})))},
		{name: "length 262145", do: greeted(sends([]byte{0, 4, 0, 1}))},
		{name: "length 4 GB", do: greeted(sends([]byte{0xff, 0xff, 0xff, 0xff}))},
		{name: "length 262144", do: greeted(func(c *conversation) {
			request := frame(typeNewSession, uint32(1), "", uint32(0), uint32(0), uint32(0), uint32(0), noEscape, "")
			fill := 4 + 262144 - len(request) - 4
			command := "echo fits; : " + strings.Repeat("x", fill-len("echo fits; : "))
			request = newSession(1, command)
			require.Len(c.t, request, 4+262144)
			p := newPipes(c.t)
			c.say(request)
			require.NoError(c.t, c.sendFile(p.passed[:]...))
			p.drop()
			// The far shell refuses an argument of more than 128 KiB; what counts is that the session is opened.
			c.hear()
		})},
		{name: "truncated, then closed", do: greeted(func(c *conversation) {
			c.say(newSession(1, "true")[:20])
			require.NoError(c.t, c.conn.CloseWrite())
			c.hearAll()
		})},
		{name: "half-closed between requests", do: greeted(func(c *conversation) {
			require.NoError(c.t, c.conn.CloseWrite())
			c.hearAll()
		})},
		{name: "byte by byte", do: greeted(func(c *conversation) {
			for _, b := range append(alive(1), frame(0x10000099, uint32(2))...) {
				c.say([]byte{b})
			}
			c.stillServed()
		})},
		{name: "three in one write", do: greeted(sends(append(append(alive(1), alive(2)...), alive(0xffffffff)...)))},
		{name: "bytes after a request's end", do: greeted(sends(frame(typeAlive, uint32(3), []byte("12345678"))))},
		{name: "unknown type", do: greeted(sends(frame(uint32(0x10000099), uint32(5))))},
		{name: "unknown type with a body", do: greeted(sends(frame(uint32(0x10000099), uint32(6), "body", uint32(1))))},
		{name: "type 0", do: greeted(sends(frame(uint32(0), uint32(7))))},
		{name: "the removed type 10000003", do: greeted(sends(frame(uint32(0x10000003), uint32(8))))},
		{name: "a reply's type", do: greeted(sends(frame(typeOK, uint32(9))))},
	}
}

// unGreeted is raw without the master's HELLO noted.
func unGreeted(talk func(c *conversation)) func(t *testing.T, m *Master) outcome {
	return raw(func(c *conversation) {
		f, err := c.readFrame()
		require.NoError(c.t, err)
		require.Equal(c.t, typeHello, f.kind())
		talk(c)
	})
}

// requestRows: §4 of the facts; checklist 21 to 33.
func requestRows() []row {
	// flags are tty, x11, agent, subsystem.
	with := func(tty, x11, agent, subsystem uint32, command string) []byte {
		return frame(typeNewSession, uint32(1), "", tty, x11, agent, subsystem, noEscape, "xterm", command)
	}
	many := make([]string, 4097)
	for i := range many {
		many[i] = "CT_MANY=" + itoa(i)
	}
	one := func(request []byte, stdin string) func(t *testing.T, m *Master) outcome {
		return greeted(func(c *conversation) { c.session(request, stdin) })
	}
	return []row{
		{name: "command", do: one(newSession(1, "echo out; echo err >&2; exit 7"), "")},
		{name: "command reading stdin", do: one(newSession(0xfffffffe, "cat; exit 255"), "input")},
		{name: "no command", do: one(newSession(1, ""), "echo shell\nexit 3\n")},
		{name: "no command, subsystem", do: one(with(0, 0, 0, 1, ""), "echo shell\nexit 3\n")},
		{name: "flags of any bit", do: one(with(0, 0, 0, 0, "echo plain"), "")},
		{name: "x11 and agent flags, master without", do: one(with(0, 0x80, 0xffffffff, 0, `echo "[$DISPLAY][$SSH_AUTH_SOCK]"`), "")},
		{name: "ended by a signal", do: one(newSession(1, "kill -TERM $$"), "")},
		{name: "command not found", do: one(newSession(1, "no-such-command-at-all 2>/dev/null"), "")},
		{name: "command not UTF-8", do: one(newSession(1, "printf '\xff\xfe' | od -An -tx1"), "")},
		{name: "command with a NUL inside", do: greeted(sends(newSession(1, "echo a\x00b")))},
		{name: "command with a NUL at its end", do: one(newSession(1, "echo cut\x00"), "")},
		{name: "command of 100 KB", do: one(newSession(1, "echo "+strings.Repeat("y", 100_000)+" | wc -c"), "")},
		{name: "command cut short", do: greeted(sends(with(0, 0, 0, 0, "true")[:50]))},
		{name: "fields missing", do: greeted(sends(frame(typeNewSession, uint32(1), "", uint32(0))))},
		{name: "environment", do: one(newSession(1, `echo "[$CT_A][$CT_B][$CT_C][$OTHER]"`, "CT_A=1=2", "CT_B=", "CT_C=x", "CT_C=last", "OTHER=no"), "")},
		{name: "environment without names", do: one(newSession(1, `env | grep -c ^CT_`, "=x", "novalue", "CT_ONE=1", strings.Repeat("N", 1100)+"=x"), "")},
		{name: "environment entry cut short", do: greeted(sends(frame(body(newSession(1, "true")[4:]), uint32(99), "x")))},
		{name: "environment with a NUL", do: greeted(sends(newSession(1, "true", "CT_A=a\x00b")))},
		{name: "4,097 variables", do: one(newSession(1, `echo ran`, many...), "")},
		{
			name: "unknown subsystem", do: one(with(0, 0, 0, 1, "no-such-subsystem"), ""),
			more: map[string]string{"replies": "it tells the refusal, which stock puts into a channel that it closes before it is read"},
			want: outcome{"replies": "80000006 1 SESSION1\nclosed\nstdout \"\"\nstderr \"subsystem request failed\\r\\n\""},
		},
		{name: "second session", do: greeted(func(c *conversation) {
			p, q := newPipes(c.t), newPipes(c.t)
			c.say(newSession(1, "cat; exit 4"))
			require.NoError(c.t, c.sendFile(p.passed[:]...))
			p.drop()
			c.hear()
			c.say(newSession(2, "true"))
			require.NoError(c.t, c.sendFile(q.passed[:]...))
			c.hear()
			c.say(frame(typeStdioFwd, uint32(3), "", "127.0.0.1", uint32(1)))
			require.NoError(c.t, c.sendFile(q.passed[:2]...))
			c.hear()
			c.stillServed()
			require.NoError(c.t, p.in.Close())
			c.hearAll()
		})},
		{name: "requests during a session", do: greeted(func(c *conversation) {
			p := newPipes(c.t)
			c.say(newSession(1, "cat; exit 6"))
			require.NoError(c.t, c.sendFile(p.passed[:]...))
			p.drop()
			c.say(frame(uint32(0x10000077), uint32(2)))
			c.hear()
			c.hear()
			c.stillServed()
			require.NoError(c.t, p.in.Close())
			c.hearAll()
		})},
		{name: "session and half-close", do: greeted(func(c *conversation) {
			p := newPipes(c.t)
			c.say(newSession(1, "cat; exit 6"))
			require.NoError(c.t, c.sendFile(p.passed[:]...))
			p.drop()
			c.hear()
			require.NoError(c.t, c.conn.CloseWrite())
			c.hearAll()
		})},
		{name: "stdio forward", do: greeted(func(c *conversation) {
			p := newPipes(c.t)
			host, port := splitHostPort(c.t, echoServer(c.t))
			c.say(frame(typeStdioFwd, uint32(4), "", host, port))
			require.NoError(c.t, c.sendFile(p.passed[:2]...))
			p.drop()
			_, err := p.in.WriteString("there and back\n")
			require.NoError(c.t, err)
			require.NoError(c.t, p.in.Close())
			c.hearAll()
			c.lines = append(c.lines, "stdout "+drained(c.t, p.out))
		})},
		{name: "stdio forward refused", do: greeted(func(c *conversation) {
			p := newPipes(c.t)
			host, port := splitHostPort(c.t, closedPort(c.t))
			c.say(frame(typeStdioFwd, uint32(4), "", host, port))
			require.NoError(c.t, c.sendFile(p.passed[:2]...))
			p.drop()
			c.hearAll()
			c.lines = append(c.lines, "stdout "+drained(c.t, p.out))
		})},
		{name: "stdio forward cut short", do: greeted(sends(frame(typeStdioFwd, uint32(4), "", "host")))},
		{name: "stdio forward with a NUL", do: greeted(sends(frame(typeStdioFwd, uint32(4), "", "ho\x00st", uint32(1))))},
	}
}

// descriptorRows: §2 of the facts; checklist 14 to 17.
func descriptorRows() []row {
	return []row{
		{name: "another byte than 0 beside a descriptor", do: greeted(func(c *conversation) {
			p := newPipes(c.t)
			c.say(newSession(1, "exit 9"))
			for _, f := range p.passed {
				require.NoError(c.t, c.sendBeside([]byte{'x'}, f))
			}
			p.drop()
			c.hearAll()
		})},
		{name: "descriptor beside the frame", more: map[string]string{"replies": "it tells the reason before it closes"}, do: greeted(func(c *conversation) {
			p := newPipes(c.t)
			require.NoError(c.t, c.sendBeside(append(newSession(1, "exit 9"), 0), p.passed[0]))
			p.drop()
			_ = c.conn.CloseWrite()
			c.hearAll()
		})},
		{name: "one file three times", do: greeted(func(c *conversation) {
			file := shapes(c.t)["regular file"]
			c.say(newSession(1, "wc -c >/dev/null; exit 8"))
			require.NoError(c.t, c.sendFile(file, file, file))
			c.hearAll()
		})},
		{name: "/dev/null three times", do: greeted(func(c *conversation) {
			null := shapes(c.t)["/dev/null"]
			c.say(newSession(1, "cat; echo lost; exit 8"))
			require.NoError(c.t, c.sendFile(null, null, null))
			c.hearAll()
		})},
	}
}

func refusedRows() []row {
	return []row{
		{name: "session", do: greeted(func(c *conversation) { c.session(newSession(3, "true"), "") })},
		{name: "client", do: client(Target, "true")},
	}
}

func terminalRefusedRows() []row {
	return []row{
		{name: "raw", do: greeted(func(c *conversation) {
			c.session(frame(typeNewSession, uint32(1), "", uint32(1), uint32(0), uint32(0), uint32(0), noEscape, "xterm", "echo on; exit 3"), "")
		})},
		// Not typed into: whether the terminal is still raw when the far side speaks depends on which comes first.
		{name: "client", do: client("-tt", Target, "tty; exit 5")},
	}
}
