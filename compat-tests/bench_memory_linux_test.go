package compat

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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
		prepare: func(b *testing.B, kind Kind) func() reading {
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

func idlers(b *testing.B, m *Master, n int) []*typist {
	var all []*typist
	for range n {
		all = append(all, openTypist(b, m))
	}
	return all
}

const manyHosts = 50

// hostsRow holds connections to many hosts: stock in as many processes, ours in one that embeds package master.
func hostsRow() contest {
	return contest{
		name: "hosts-50", what: "50 idle connections: 50 × `ssh -MN` and one process of 50 masters", rounds: 3, slow: true,
		goals: []goal{
			{metric: "proportional", unit: "kB", due: 0.25, aim: 0.2}, {metric: "private", unit: "kB"},
		},
		prepare: func(b *testing.B, kind Kind) func() reading {
			m := benchMaster(b, kind, Setup{Client: gcm, NotStarted: true})
			var sockets []string
			for i := range manyHosts {
				sockets = append(sockets, filepath.Join(m.Dir, itoa(i)))
			}
			begin := manyStock
			if kind == Ours {
				begin = manyOurs
			}
			return func() reading {
				processes := begin(b, m, sockets)
				time.Sleep(settle)
				var pids []int
				for _, p := range processes {
					pids = append(pids, p.PID())
				}
				sum := memoryOf(b, pids...)
				for _, p := range processes {
					p.kill()
				}
				for _, socket := range sockets { // stock never replaces one that was left behind
					_ = os.Remove(socket)
				}
				return reading{"proportional": sum.proportional, "private": sum.private}
			}
		},
	}
}

func manyStock(b *testing.B, m *Master, sockets []string) []*Process {
	var all []*Process
	for _, socket := range sockets { // not all at once: 50 key exchanges would keep a small machine from answering
		args := m.Command("-M", "-N", "-S", socket, Target)
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env, cmd.Dir = environment(), m.Dir
		all = append(all, start(b, cmd))
		at := &Master{Control: socket}
		eventually(b, at.Answers, "%s never became ready", socket)
	}
	return all
}

var manyBinary build

func manyOurs(b *testing.B, m *Master, sockets []string) []*Process {
	args := append([]string{m.Server.Config, Target}, sockets...)
	cmd := exec.Command(manyBinary.get(b, "manymasters", "sshmaster/compat-tests/manymasters"), args...)
	cmd.Env, cmd.Dir = environment(), m.Dir
	stdout, err := cmd.StdoutPipe()
	require.NoError(b, err)
	p := start(b, cmd)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(b, err)
	require.Equal(b, "ready\n", line)
	return []*Process{p}
}
