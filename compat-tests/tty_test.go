package compat

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTerminal(t *testing.T) {
	behaviours := map[string]func(t *testing.T, m *Master){
		"-tt without a terminal":    ttyWithoutTerminal,
		"size and TERM":             sizeAndTerm,
		"modes relayed":             modesRelayed,
		"window change":             windowChange,
		"window change of all":      windowChangeOfAll,
		"keys reach the far side":   keysReachFarSide,
		"closing words":             closingWords,
		"exit status":               ttyExitStatus,
		"left as found":             leftAsFound,
		"no keystroke lost":         noKeystrokeLost,
		"no O_NONBLOCK after KILL":  blockingAfterKill,
		"output complete on a tty":  ttyOutputComplete,
		"~. ends that session only": tildeDot,
	}
	forEachMaster(t, Setup{Server: []string{"MaxSessions 40"}, Terminals: true}, func(t *testing.T, m *Master) {
		for name, behaviour := range behaviours {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				behaviour(t, m)
			})
		}
	})
}

func ttyWithoutTerminal(t *testing.T, m *Master) {
	r := run(t, Command{Args: m.SSH("-tt", Target, "tty; stty size; exit 4")})
	// Whether lines end in CR LF differs; the differential table says why.
	require.Regexp(t, `^/dev/\S+\r?\n0 0\r?\n$`, r.Stdout)
	require.Equal(t, 4, r.Code)
}

func sizeAndTerm(t *testing.T, m *Master) {
	term := newTerminal(t)
	term.Resize(t, 31, 97)
	p := term.Start(t, []string{"TERM=vt220"}, m.SSH("-t", Target, "stty size; echo term=$TERM")...)
	term.Expect(t, "31 97\r")
	term.Expect(t, "term=vt220\r")
	require.Equal(t, 0, p.Wait(t))
}

// modesRelayed: the far terminal begins as the near one was before the session, not in the raw mode ssh puts it into.
func modesRelayed(t *testing.T, m *Master) {
	term := newTerminal(t)
	for _, mode := range [][]string{{"intr", "^B"}, {"erase", "^H"}, {"-ixon"}, {"iutf8"}, {"38400"}} {
		run(t, Command{Args: append([]string{program(t, "stty"), "-F", term.path}, mode...)})
	}
	p := term.Start(t, nil, m.SSH("-t", Target, "stty -a; echo done")...)
	shown := term.Expect(t, "done\r")
	for _, word := range []string{"intr = ^B;", "erase = ^H;", "speed 38400 baud", "-ixon", " iutf8", " icanon", " echo ", "isig"} {
		require.Contains(t, shown, word)
	}
	require.Equal(t, 0, p.Wait(t))
}

// sizeLoop is a remote command that keeps saying its terminal's size until a line ends it.
const sizeLoop = "(while sleep 0.05; do stty size </dev/tty; done) & read x; kill $!; exit 3"

func windowChange(t *testing.T, m *Master) {
	term := newTerminal(t)
	p := term.Start(t, nil, m.SSH("-t", Target, sizeLoop)...)
	term.Expect(t, "24 80\r")
	term.Resize(t, 50, 132)
	term.Expect(t, "50 132\r\n")
	term.Resize(t, 10, 20)
	term.Expect(t, "10 20\r\n")
	term.Type(t, "\r")
	require.Equal(t, 3, p.Wait(t))
}

// windowChangeOfAll: SIGWINCH to the process that -O check names makes the master read every session's size again.
func windowChangeOfAll(t *testing.T, m *Master) {
	var terms [2]*Terminal
	var sessions [2]*Process
	for i := range terms {
		terms[i] = newTerminal(t)
		sessions[i] = terms[i].Start(t, nil, m.SSH("-t", Target, sizeLoop)...)
		terms[i].Expect(t, "24 80\r")
	}
	// Stopped, the clients cannot tell the master themselves.
	for i := range terms {
		sessions[i].Signal(t, syscall.SIGSTOP)
		terms[i].Resize(t, 40+uint16(i), 100)
	}
	require.NoError(t, syscall.Kill(m.CheckPID(t), syscall.SIGWINCH))
	for i := range terms {
		terms[i].Expect(t, fmt.Sprintf("%d 100\r\n", 40+i))
		sessions[i].Signal(t, syscall.SIGCONT)
		terms[i].Type(t, "\r")
		require.Equal(t, 3, sessions[i].Wait(t))
	}
}

func keysReachFarSide(t *testing.T, m *Master) {
	term := newTerminal(t)
	p := term.Start(t, nil, m.SSH("-t", Target, "trap 'echo interrupted' INT; echo ready; cat; echo ended; exit 12")...)
	term.Ready(t)
	term.Type(t, "words\r")
	term.Expect(t, "words\r\nwords\r\n")
	term.Type(t, "\x03")
	term.Expect(t, "interrupted\r\n")
	term.Expect(t, "ended\r\n")
	require.Equal(t, 12, p.Wait(t))
}

func closingWords(t *testing.T, m *Master) {
	term := newTerminal(t)
	term.Start(t, nil, m.SSH("-t", Target, "true")...)
	term.Expect(t, "Shared connection to 127.0.0.1 closed.")
}

func ttyExitStatus(t *testing.T, m *Master) {
	for _, code := range []int{0, 1, 44, 255} {
		term := newTerminal(t)
		require.Equal(t, code, term.Start(t, nil, m.SSH("-t", Target, fmt.Sprintf("exit %d", code))...).Wait(t))
	}
}

// leftAsFound: after any kind of session, the user's terminal has the modes and flags that it had before.
func leftAsFound(t *testing.T, m *Master) {
	batch := write(t, t.TempDir()+"/batch", 0o600, "pwd\n")
	for name, args := range map[string][]string{
		"command":      m.SSH(Target, "true"),
		"tty command":  m.SSH("-t", Target, "true"),
		"failed":       m.SSH("-t", Target, "exit 1"),
		"signalled":    m.SSH("-t", Target, "kill -KILL $$"),
		"far stty raw": m.SSH("-t", Target, "stty raw -echo; true"),
		"no stdin":     m.SSH("-n", "-t", Target, "true"),
		"refused":      m.SSH("-s", Target, "no-such-subsystem"),
		"sftp":         {"sftp", "-q", "-F", m.Server.Config, "-b", batch, Target},
		"check":        m.SSH("-O", "check", Target),
	} {
		term := newTerminal(t)
		before := term.State(t)
		term.Start(t, nil, args...).Wait(t)
		require.Equal(t, before, term.State(t), name)
	}
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT} {
		term := newTerminal(t)
		before := term.State(t)
		p := term.Start(t, nil, m.SSH("-t", Target, "echo ready; cat")...)
		term.Ready(t)
		p.Signal(t, sig)
		require.Equal(t, 255, p.Wait(t))
		require.Equal(t, before, term.State(t), "%v", sig)
	}
}

// noKeystrokeLost: what is typed after a session ended is read by the next program on the terminal, all of it.
func noKeystrokeLost(t *testing.T, m *Master) {
	ssh := strings.Join(m.SSH(), " ")
	for _, session := range []string{"-T " + Target + " true", "-t " + Target + " true", "-t " + Target + " 'sleep 0.05; exit 1'"} {
		term := newTerminal(t)
		p := term.Start(t, nil, "sh", "-c", fmt.Sprintf(
			`i=0; while [ $i -lt 5 ]; do i=$((i+1)); %s %s; echo "ended $i"; read line; echo "read $i:$line"; done`, ssh, session))
		for i := 1; i <= 5; i++ {
			term.Expect(t, fmt.Sprintf("ended %d\r\n", i))
			for _, key := range "abcdefgh" {
				term.Type(t, string(key))
			}
			term.Type(t, "\r")
			term.Expect(t, fmt.Sprintf("read %d:abcdefgh\r\n", i))
		}
		require.Equal(t, 0, p.Wait(t))
	}
}

// blockingAfterKill: a killed client restores nothing, so the master must have left nothing to restore but the modes.
func blockingAfterKill(t *testing.T, m *Master) {
	term := newTerminal(t)
	before := term.State(t)
	mark := filepath.Join(t.TempDir(), "ended")
	p := term.Start(t, nil, m.SSH("-t", Target, "trap '' HUP; echo ready; cat; : >"+mark)...)
	term.Ready(t)
	p.Signal(t, os.Kill)
	p.Wait(t)
	// The master has let go of the terminal before the far side hears of the end. Typed earlier, keys would be read by
	// two; stock waits for the rest of them then, and serves nobody meanwhile.
	eventually(t, func() bool { return exists(mark) }, "the far terminal was not hung up")
	require.Equal(t, before.Flags, term.State(t).Flags)
	run(t, Command{Args: []string{program(t, "stty"), "-F", term.path, "sane"}})
	next := term.Start(t, nil, "sh", "-c", "read line; echo read:$line")
	term.Type(t, "all of it\n")
	term.Expect(t, "read:all of it\r\n")
	require.Equal(t, 0, next.Wait(t))
}

func ttyOutputComplete(t *testing.T, m *Master) {
	term := newTerminal(t)
	p := term.Start(t, nil, m.SSH("-t", Target, "echo ready; read x; seq 1 5000")...)
	term.Ready(t)
	term.Type(t, "\r")
	term.Expect(t, "\r\n")
	shown := term.Expect(t, "\n5000\r\n")
	require.Equal(t, 5000, strings.Count(shown, "\r\n"))
	require.Equal(t, 0, p.Wait(t))
}

func tildeDot(t *testing.T, m *Master) {
	other := newTerminal(t)
	stays := other.Start(t, nil, m.SSH("-t", Target, "echo ready; cat")...)
	other.Ready(t)
	term := newTerminal(t)
	before := term.State(t)
	p := term.Start(t, nil, m.SSH("-t", Target, "echo ready; cat")...)
	term.Ready(t)
	term.Type(t, "x\r~.")
	term.Expect(t, "Shared connection to")
	require.Equal(t, 255, p.Wait(t))
	require.Equal(t, before, term.State(t))
	other.Type(t, "alive\r")
	other.Expect(t, "alive\r\nalive\r\n")
	other.Type(t, "\x04")
	require.Equal(t, 0, stays.Wait(t))
}
