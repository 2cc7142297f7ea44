package compat

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// overStock has ssh-master reach the server by stock ssh, and everything that slaves do is as over a link of its own. Its
// sockets have a folder of their own.
func overStock(t *testing.T, setup Setup, behaviour func(t *testing.T, m *Master)) {
	t.Helper()
	sockets, err := os.MkdirTemp("/tmp", "ct")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(sockets) })
	setup.Client = append(setup.Client, "Compression yes")
	setup.Environment = append(setup.Environment, "XDG_RUNTIME_DIR="+sockets)
	onlyOurs(t, "stock has one transport", setup, func(t *testing.T, m *Master) {
		behaviour(t, m)
		if m.process != nil && m.Running() {
			m.End(t)
		}
		left, err := os.ReadDir(sockets)
		require.NoError(t, err)
		require.Empty(t, left)
	})
}

// children are the processes that pid has started and that have not ended.
func children(t testing.TB, pid int) []int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(t, err)
	var found []int
	for _, path := range stats {
		content, _ := os.ReadFile(path) // it may just have ended
		_, after, _ := strings.Cut(string(content), ") ")
		fields := strings.Fields(after)
		if len(fields) < 2 || fields[0] == "Z" || fields[1] != strconv.Itoa(pid) {
			continue
		}
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		require.NoError(t, err)
		found = append(found, child)
	}
	return found
}

// onlyChild is the ssh that a master in the foreground has started.
func (m *Master) onlyChild(t testing.TB) int {
	t.Helper()
	all := children(t, m.PID())
	require.Len(t, all, 1)
	return all[0]
}

func TestTransportOfSessions(t *testing.T) {
	overStock(t, Setup{Server: []string{"MaxSessions 40"}, Terminals: true}, func(t *testing.T, m *Master) {
		require.Contains(t, read(t, m.LogFile), "using stock ssh for this link: Compression yes")
		require.NotContains(t, read(t, m.LogFile), "not compressed")
		for _, code := range []int{0, 1, 44} {
			r := m.Session(t, fmt.Sprintf("echo out; echo err >&2; exit %d", code))
			require.Equal(t, Result{"out\n", "err\n", code}, r)
		}
		t.Run("terminal", func(t *testing.T) { windowChange(t, m) })
		t.Run("terminal's exit status", func(t *testing.T) { ttyExitStatus(t, m) })
		t.Run("-W", func(t *testing.T) { stdioForward(t, m) })
		t.Run("-W refused", func(t *testing.T) { stdioForwardRefused(t, m) })
		t.Run("sftp", func(t *testing.T) { sftpBatch(t, m) })
		require.Equal(t, m.PID(), m.CheckPID(t))
		require.Equal(t, 1, m.Server.Logins())
	})
}

func TestTransportOfData(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcde\n"), 4<<20) // 64 MB
	overStock(t, Setup{Plain: true}, func(t *testing.T, m *Master) {
		before := m.rested(t)
		r := run(t, Command{Args: m.SSH(Target, "cat"), Stdin: bytes.NewReader(data)})
		require.Equal(t, 0, r.Code, r.Stderr)
		require.True(t, r.Stdout == string(data), "got %d bytes", len(r.Stdout))
		m.settles(t, before)
	})
}

func TestTransportOfForwards(t *testing.T) {
	overStock(t, Setup{}, func(t *testing.T, m *Master) {
		echo := echoServer(t)
		at := func(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
		const answer = `"welcome\nthere and back\nbye\n"`
		for _, letter := range []string{"-L", "-R"} {
			port := freePort(t)
			spec := fmt.Sprintf("%d:%s", port, echo)
			r := m.Ask(t, "forward", letter, spec)
			require.Equal(t, 0, r.Code, r.Stderr)
			require.Equal(t, answer, exchange("tcp", at(port)))
			require.Equal(t, 0, m.Ask(t, "cancel", letter, spec).Code)
			eventually(t, func() bool { return exchange("tcp", at(port)) == "not connected" }, "%s is cancelled", letter)
			require.Equal(t, 0, m.Ask(t, "forward", letter, spec).Code)
			require.Equal(t, answer, exchange("tcp", at(port)))
		}

		r := m.Ask(t, "forward", "-R", "0:"+echo)
		require.Equal(t, 0, r.Code, r.Stderr)
		require.Equal(t, answer, throughChosen(strings.TrimSpace(r.Stdout)))

		socket := filepath.Join(m.Dir, "r")
		require.Equal(t, 0, m.Ask(t, "forward", "-R", socket+":"+echo).Code)
		require.Equal(t, answer, exchange("unix", socket))

		// A refused one, and then the same when there is nothing in its way any more.
		busy := listenApart(t)
		taken := busy.Addr().(*net.TCPAddr).Port
		spec := fmt.Sprintf("127.0.0.1:%d:%s", taken, echo)
		r = m.Ask(t, "forward", "-R", spec)
		require.Equal(t, 255, r.Code)
		require.Contains(t, r.Stderr, fmt.Sprintf("remote port forwarding failed for listen port %d", taken))
		require.NoError(t, busy.Close())
		eventually(t, func() bool { return m.Ask(t, "forward", "-R", spec).Code == 0 }, "the port is free")
		require.Equal(t, answer, exchange("tcp", at(taken)))

		// A slave in proxy mode, which asks by itself.
		port := freePort(t)
		line := m.SSH("-O", "proxy", "-N", "-R", fmt.Sprintf("127.0.0.1:%d:%s", port, echo), Target)
		slave := exec.Command(line[0], line[1:]...)
		slave.Env = environment()
		start(t, slave)
		eventually(t, func() bool { return exchange("tcp", at(port)) == answer }, "the proxy slave's forward")

		port = freePort(t)
		require.Equal(t, 0, m.Ask(t, "forward", "-D", strconv.Itoa(port)).Code)
		require.Contains(t, socks5(port, echo), "welcome")
	})
}

func TestTransportIsDescribed(t *testing.T) {
	overStock(t, Setup{}, func(t *testing.T, m *Master) {
		r := run(t, Command{Args: m.Command("-O", "conninfo", Target)})
		require.Equal(t, 0, r.Code, r.Stderr)
		require.Regexp(t, `(?m)^  compression zlib`, r.Stdout)
		require.Regexp(t, fmt.Sprintf(`(?m)-> 127\.0\.0\.1:%d\r?$`, m.Server.Port), r.Stdout)
		require.Regexp(t, `(?m)^  kexalgorithm \S+`, r.Stdout)
	})
}

func TestTransportIsLost(t *testing.T) {
	overStock(t, Setup{KeepOpen: true}, func(t *testing.T, m *Master) {
		p, _, _ := heldSession(t, m, "echo ready; cat")
		ssh := m.onlyChild(t)
		require.NoError(t, syscall.Kill(ssh, syscall.SIGKILL))
		require.Equal(t, 255, p.Wait(t))
		m.servesAnew(t)
		require.Contains(t, read(t, m.LogFile), "Connection to 127.0.0.1 lost: its ssh was ended by signal killed")
		require.NotEqual(t, ssh, m.onlyChild(t))
		require.Equal(t, 2, m.Server.Logins())
	})
}

func TestTransportEndsWithItsMaster(t *testing.T) {
	for _, by := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(by.String(), func(t *testing.T) {
			overStock(t, Setup{}, func(t *testing.T, m *Master) {
				p, _, _ := heldSession(t, m, "echo ready; cat")
				ssh := m.onlyChild(t)
				m.Signal(t, by)
				m.Wait(t)
				require.Equal(t, 255, p.Wait(t))
				eventually(t, func() bool { return !exists(fmt.Sprintf("/proc/%d", ssh)) }, "ssh %d goes on", ssh)
			})
		})
	}
}

// TestTransportPrompts: ssh asks its own questions on the terminal, which a shell gets back as it was.
func TestTransportPrompts(t *testing.T) {
	unattended := Setup{NotStarted: true, KeepOpen: true}
	t.Run("answered", func(t *testing.T) {
		overStock(t, unattended, func(t *testing.T, m *Master) {
			term, before := m.askedAtShell(t)
			term.Type(t, "sesame\n")
			shown := term.Expect(t, atRest)
			require.NotContains(t, shown, "sesame")
			require.Equal(t, before, term.State(t))
			pid := m.adopt(t)
			ssh := children(t, pid)
			require.Len(t, ssh, 1)
			require.Equal(t, Result{Stdout: "in\n"}, m.Session(t, "echo in"))
			require.Equal(t, 0, m.Ask(t, "exit").Code)
			eventually(t, func() bool { return !exists(fmt.Sprintf("/proc/%d", ssh[0])) }, "ssh goes on")
		})
	})
	t.Run("interrupted", func(t *testing.T) {
		overStock(t, unattended, func(t *testing.T, m *Master) {
			term, before := m.askedAtShell(t)
			term.Type(t, "\x03")
			term.Expect(t, atRest)
			require.Equal(t, before, term.State(t))
			require.Zero(t, m.answering())
		})
	})
	t.Run("suspended", func(t *testing.T) {
		overStock(t, unattended, func(t *testing.T, m *Master) {
			// As people's shells do, it takes care of the terminal when a job stops: ssh, which nobody waits for, may be
			// too late to do so itself.
			term, before := m.askedAt(t, program(t, "bash"), "--norc", "--noediting", "-i")
			term.Type(t, "\x1a")
			term.Expect(t, atRest)
			eventually(t, func() bool { return term.State(t) == before }, "the terminal stays as it was for the question")
			term.Type(t, "fg\n")
			term.Expect(t, "Enter passphrase for key")
			term.Type(t, "sesame\n")
			term.Expect(t, atRest)
			m.adopt(t)
			require.Equal(t, Result{Stdout: "in\n"}, m.Session(t, "echo in"))
			require.Equal(t, 0, m.Ask(t, "exit").Code)
			eventually(t, func() bool { return !exists(m.Control) }, "the socket stays")
		})
	})
}

func TestTransportFails(t *testing.T) {
	overStock(t, Setup{NotStarted: true, KeepOpen: true}, func(t *testing.T, m *Master) {
		write(t, filepath.Join(m.Dir, "authorized_keys"), 0o600, "")
		r := run(t, Command{Args: m.Command("-M", "-N", Target)})
		require.Equal(t, 255, r.Code)
		require.Regexp(t, regexp.MustCompile(`^using stock ssh for this link: Compression yes\r?\n(\S+: )?\S+@127\.0\.0\.1: Permission denied \(publickey\)\.\r?\n$`), r.Stderr)
	})
}

// What ssh says goes where the master's own words go, and -q silences it.
func TestTransportIsQuiet(t *testing.T) {
	overStock(t, Setup{NotStarted: true, KeepOpen: true}, func(t *testing.T, m *Master) {
		log := filepath.Join(m.Dir, "log")
		unreachable := []string{"-M", "-N", "-oProxyCommand=false"}
		require.Equal(t, Result{Code: 255}, run(t, Command{Args: m.Command(append(unreachable, "-q", Target)...)}))
		require.Equal(t, Result{Code: 255}, run(t, Command{Args: m.Command(append(unreachable, "-E", log, Target)...)}))
		require.NotEmpty(t, read(t, log))
	})
}

func TestTransportIsChosen(t *testing.T) {
	setup := Setup{NotStarted: true, KeepOpen: true}
	t.Run("native", func(t *testing.T) {
		setup := setup
		setup.Client = []string{"Compression yes"}
		setup.Options = []string{"-oTransport=native"}
		onlyOurs(t, "it is an option of ours", setup, func(t *testing.T, m *Master) {
			m.Start(t)
			require.Empty(t, children(t, m.PID()))
			require.Contains(t, read(t, m.LogFile), "Compression yes: links are not compressed")
		})
	})
	t.Run("openssh", func(t *testing.T) {
		setup := setup
		setup.Options = []string{"-oTransport=openssh", "-v"}
		onlyOurs(t, "it is an option of ours", setup, func(t *testing.T, m *Master) {
			m.Start(t)
			m.onlyChild(t)
			require.Contains(t, read(t, m.LogFile), "using stock ssh for this link: Transport openssh")
			require.Equal(t, Result{Stdout: "in\n"}, m.Session(t, "echo in"))
		})
	})
	t.Run("algorithms", func(t *testing.T) {
		setup := setup
		setup.Server = []string{"KexAlgorithms sntrup761x25519-sha512@openssh.com"}
		onlyOurs(t, "stock has them", setup, func(t *testing.T, m *Master) {
			m.Start(t)
			m.onlyChild(t)
			require.Contains(t, read(t, m.LogFile), "using stock ssh for this link: sntrup761x25519-sha512@openssh.com for key exchange")
			require.Equal(t, Result{Stdout: "in\n"}, m.Session(t, "echo in"))
		})
	})
}
