package compat

import (
	"fmt"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// sessionContests count how many sessions a second start and end, on sshd and, where the server's own work does not hide the
// master's, on a server that starts no process.
func sessionContests() []contest {
	sshd := func(b testing.TB, kind Kind) *Master {
		return benchMaster(b, kind, Setup{Client: gcm, Server: []string{manySessions}})
	}
	bare := func(b testing.TB, kind Kind) *Master { return newServedMaster(b, kind) }
	n := choose(10_000/benchRounds, 100)
	return []contest{
		sessions("sessions-1", "10,000 of `exit 0` on sshd, one by one", sshd, n, 1, 1.0, 1.1),
		sessions("sessions-16", "10,000 of `exit 0` on sshd, 16 at a time", sshd, n, 16, 0.85, 1.0),
		sessions("bare-sessions-1", "the same on a server that starts no process", bare, 2*n, 1, 0, 0),
		sessions("bare-sessions-16", "the same on a server that starts no process", bare, 2*n, 16, 0, 0),
	}
}

func sessions(name, what string, begin func(testing.TB, Kind) *Master, n, slaves int, due, aim float64) contest {
	return contest{
		name: name, what: what, rounds: benchRounds, pair: 3, slow: due == 0,
		goals: []goal{{metric: "rate", unit: "1/s", due: due, aim: aim, more: true}, {metric: "CPU", unit: "µs"}},
		prepare: func(b testing.TB, kind Kind) func() reading {
			m := begin(b, kind)
			return func() reading {
				cpu, began := cpuTime(b, m.PID()), time.Now()
				var all sync.WaitGroup
				for range slaves {
					all.Go(func() {
						f := null(b)
						defer f.Close()
						for range n / slaves {
							lightSession(b, m, "exit 0", f, f, f)
						}
					})
				}
				all.Wait()
				wall, done := time.Since(began), float64(n/slaves*slaves)
				cpu = cpuTime(b, m.PID()) - cpu
				return reading{"rate": done / wall.Seconds(), "CPU": float64(cpu.Microseconds()) / done}
			}
		},
	}
}

// delayed is a master whose connection to its server goes through a link.
func delayed(b testing.TB, kind Kind, l link, server ...string) *Master {
	b.Helper()
	m := benchMaster(b, kind, Setup{Client: gcm, Server: append([]string{manySessions}, server...), NotStarted: true})
	m.setup.Options = []string{"-p", itoa(l.start(b, m.Server.Port)), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"}
	m.Start(b)
	return m
}

// startContests are how long somebody waits for a session.
func startContests() []contest {
	var rows []contest
	for _, trip := range []time.Duration{0, 20 * time.Millisecond, 100 * time.Millisecond} {
		l := link{delay: trip / 2}
		suffix, at := fmt.Sprintf("-%d", trip.Milliseconds()), fmt.Sprintf("%v round trip", trip)
		rows = append(rows,
			starts("start"+suffix, "a session of `exit 0`, "+at, l, func(b testing.TB, m *Master) time.Duration {
				f := null(b)
				defer f.Close()
				began := time.Now()
				lightSession(b, m, "exit 0", f, f, f)
				return time.Since(began)
			}),
			starts("start-tty"+suffix, "the same on a terminal, "+at, l, func(b testing.TB, m *Master) time.Duration {
				return lightTerminal(b, m, "exit 0")
			}))
		if trip == 0 {
			continue
		}
		for _, n := range []int{5, 20} {
			rows = append(rows, starts(fmt.Sprintf("burst-%d%s", n, suffix), fmt.Sprintf("%d such sessions at once, until all are done, %s", n, at), l, burst(n)))
		}
	}
	return append(rows, firstByteRow(), startUpRow())
}

// starts is the median of a few waits a round.
func starts(name, what string, l link, wait func(b testing.TB, m *Master) time.Duration) contest {
	return contest{
		name: name, what: what, rounds: benchRounds, goals: []goal{{metric: "time", unit: "ms"}},
		slow: l.delay > 20*time.Millisecond, // the nearer one has said it
		prepare: func(b testing.TB, kind Kind) func() reading {
			m := delayed(b, kind, l)
			return func() reading {
				var waits []float64
				for range choose(5, 3) {
					waits = append(waits, milliseconds(wait(b, m)))
				}
				return reading{"time": median(waits)}
			}
		},
	}
}

func burst(n int) func(b testing.TB, m *Master) time.Duration {
	return func(b testing.TB, m *Master) time.Duration {
		began := time.Now()
		var all sync.WaitGroup
		for range n {
			all.Go(func() {
				f := null(b)
				defer f.Close()
				lightSession(b, m, "exit 0", f, f, f)
			})
		}
		all.Wait()
		return time.Since(began)
	}
}

// firstByteRow compares an ssh that attaches with one that logs in by itself.
func firstByteRow() contest {
	return contest{
		name: "first-byte", what: "ssh host 'echo x' until the x; and as a part of what a login of its own takes", rounds: benchRounds,
		goals: []goal{{metric: "time", unit: "ms"}, {metric: "of a login", unit: "×"}},
		prepare: func(b testing.TB, kind Kind) func() reading {
			m := benchMaster(b, kind, Setup{Client: gcm})
			return func() reading {
				attached := firstByte(b, m.SSH(Target, "echo x"))
				alone := firstByte(b, m.SSH("-S", "none", Target, "echo x"))
				return reading{"time": milliseconds(attached), "of a login": float64(attached) / float64(alone)}
			}
		},
	}
}

func firstByte(b testing.TB, args []string) time.Duration {
	cmd := Command{Args: args}.prepare(b.Context())
	r, w := blockingPipe(b)
	defer r.Close()
	cmd.Stdout = w
	began := time.Now()
	require.NoError(b, cmd.Start())
	require.NoError(b, w.Close())
	_, err := r.Read(make([]byte, 1))
	require.NoError(b, err)
	took := time.Since(began)
	require.NoError(b, cmd.Wait())
	return took
}

// startUpRow is a whole master: from its exec until its socket answers, the login in between.
func startUpRow() contest {
	return contest{
		name: "start-up", what: "the master itself: from exec, through the login, until a slave is greeted", rounds: benchRounds,
		goals: []goal{{metric: "time", unit: "ms"}, {metric: "CPU", unit: "ms"}},
		prepare: func(b testing.TB, kind Kind) func() reading {
			m := benchMaster(b, kind, Setup{Client: gcm, NotStarted: true})
			args := m.Command("-M", "-N", Target)
			return func() reading {
				cmd := exec.Command(args[0], args[1:]...)
				cmd.Env, cmd.Dir = environment(), m.Dir
				began := time.Now()
				p := start(b, cmd)
				for deadline := soon(); !m.Answers(); time.Sleep(500 * time.Microsecond) {
					require.True(b, time.Now().Before(deadline), "never became ready")
				}
				took := time.Since(began)
				cpu := cpuTime(b, p.PID())
				require.Equal(b, 0, m.Ask(b, "exit").Code)
				p.Wait(b)
				return reading{"time": milliseconds(took), "CPU": milliseconds(cpu)}
			}
		},
	}
}
