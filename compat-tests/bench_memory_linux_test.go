package compat

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sshmaster/master/daemon"
)

// settle is how long a master may take to give back what it does not need any more.
const settle = 3 * time.Second

// memoryContests count what is a master's own, in the kernel's books.
func memoryContests() []contest {
	return []contest{idleRow(), hostsRow()}
}

// idleRow opens sessions that do nothing, lets each carry a keystroke, and leaves them alone again.
func idleRow() contest {
	return contest{
		name: "idle", what: "private memory with so many idle sessions", rounds: 3, slow: true,
		goals: []goal{
			{metric: "0", unit: "kB"}, {metric: "100", unit: "kB"}, {metric: "1000", unit: "kB"},
			{metric: "each of 1000", unit: "kB", due: 15, aim: 8, own: true},
			{metric: "each, once used", unit: "kB"},
		},
		prepare: func(b testing.TB, kind Kind) func() reading {
			return func() reading {
				m := newServedMaster(b, kind, "-idle")
				rested := func() float64 {
					time.Sleep(settle)
					return memoryOf(b, m.PID()).private
				}
				none := rested()
				sessions := idlers(b, m, 100)
				hundred := rested()
				sessions = append(sessions, idlers(b, m, 900)...)
				thousand := rested()
				for _, s := range sessions {
					s.key(b)
				}
				used := rested()
				for _, s := range sessions {
					s.leave(b)
				}
				m.End(b)
				return reading{"0": none, "100": hundred, "1000": thousand,
					"each of 1000": (thousand - none) / 1000, "each, once used": (used - none) / 1000}
			}
		},
	}
}

func idlers(b testing.TB, m *Master, n int) []*typist {
	var all []*typist
	for range n {
		all = append(all, openTypist(b, m))
	}
	return all
}

const manyHosts = 50

// hostsRow holds connections to many hosts: stock in as many processes, ours in one, the master of every host.
func hostsRow() contest {
	return contest{
		name: "hosts-50", what: "50 idle connections: 50 × `ssh -MN`, and one ssh-master of every host", rounds: 3, slow: true,
		goals: []goal{
			{metric: "proportional", unit: "kB", due: 0.25, aim: 0.2}, {metric: "private", unit: "kB"},
		},
		prepare: func(b testing.TB, kind Kind) func() reading {
			m := benchMaster(b, kind, Setup{Client: gcm, NotStarted: true})
			begin := manyStock
			if kind == Ours {
				begin = manyOurs
			}
			return func() reading {
				processes := begin(b, m)
				time.Sleep(2 * settle)
				var pids []int
				for _, p := range processes {
					pids = append(pids, p.PID())
				}
				sum := memoryOf(b, pids...)
				for _, p := range processes {
					p.kill()
				}
				for i := range manyHosts { // stock never replaces one that was left behind
					_ = os.Remove(manySocket(m, i))
				}
				return reading{"proportional": sum.proportional, "private": sum.private}
			}
		},
	}
}

func manySocket(m *Master, i int) string { return filepath.Join(m.Dir, "h"+itoa(i)) }

func manyStock(b testing.TB, m *Master) []*Process {
	var all []*Process
	for i := range manyHosts { // not all at once: 50 key exchanges would keep a small machine from answering
		args := m.Command("-M", "-N", "-S", manySocket(m, i), Target)
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env, cmd.Dir = environment(), m.Dir
		all = append(all, start(b, cmd))
		at := &Master{Control: manySocket(m, i)}
		eventually(b, at.Answers, "%s never became ready", at.Control)
	}
	return all
}

// manyOurs lets a session that ends bring about each connection.
func manyOurs(b testing.TB, m *Master) []*Process {
	config := strings.ReplaceAll(read(b, m.Server.Config), "ControlPath "+m.Control, "ControlPath "+filepath.Join(m.Dir, "%n"))
	config = write(b, filepath.Join(m.Dir, "many"), 0o600, config)
	place := daemon.Place{Socket: filepath.Join(m.Dir, "daemon")}
	cmd := exec.Command(plainSSHMaster(b))
	cmd.Env, cmd.Dir = environment("SSH_MASTER_SOCK="+place.Socket), m.Dir
	p := start(b, cmd)
	client, f := daemon.Client{Place: place}, null(b)
	running := func() bool { _, _, err := client.Check(b.Context()); return err == nil }
	eventually(b, running, "the daemon never became ready")
	for i := range manyHosts {
		call := daemon.Call{Args: []string{"-F", config}, Destination: "h" + itoa(i), Dir: m.Dir, Env: environment()}
		e, err := client.Ensure(b.Context(), call, daemon.Wish{})
		require.NoError(b, err)
		lightSession(b, &Master{Control: e.Control}, "exit 0", f, f, f)
	}
	return []*Process{p}
}
