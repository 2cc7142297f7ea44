package compat

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const answered3 = `"welcome\nthere and back\nbye\n"`

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", itoa(port)) }

// Forwards outlive the connection: local ones listen all the time, remote ones are asked for again although nobody comes,
// and a port that the server chose stays the one that it was.
func TestForwardsOutliveALink(t *testing.T) {
	outages := map[string]func(t *testing.T, f *faulty){
		"cut":    func(t *testing.T, f *faulty) { f.Relay.Cut(t) },
		"frozen": func(t *testing.T, f *faulty) { f.Relay.FreezePresent(t) },
		"server": func(t *testing.T, f *faulty) { f.crash(); f.Server.ListenAgain(t) },
	}
	// The server must let go of what it listened at before, and does so, with the silent connection too.
	tidy := []string{"StreamLocalBindUnlink yes", "ClientAliveInterval 1", "ClientAliveCountMax 2"}
	for name, outage := range outages {
		t.Run(name, func(t *testing.T) {
			echo := echoServer(t)
			local, dynamic, remote, unix := freePort(t), freePort(t), freePort(t), t.TempDir()+"/far.sock"
			c := circumstances{Server: tidy, Options: []string{"-o", "ServerAliveInterval=1",
				"-L", fmt.Sprintf("127.0.0.1:%d:%s", local, echo), "-D", fmt.Sprintf("127.0.0.1:%d", dynamic),
				"-R", fmt.Sprintf("127.0.0.1:%d:%s", remote, echo), "-R", unix + ":" + echo}}
			ourFaulty(t, "it ends with its connection", c, func(t *testing.T, f *faulty) {
				chosen := f.Ask(t, "forward", "-R", "127.0.0.1:0:"+echo)
				require.Equal(t, 0, chosen.Code, chosen.Stderr)
				port, err := strconv.Atoi(strings.TrimSpace(chosen.Stdout))
				require.NoError(t, err)
				remotes := map[string]string{"the given port": loopback(remote), "the chosen port": loopback(port)}
				for what, address := range remotes {
					require.Equal(t, answered3, exchange("tcp", address), what)
				}
				outage(t, f)
				if name == "frozen" {
					delete(remotes, "the chosen port") // which is not free when it is asked for again
				}
				// Whoever comes to a local forward waits as a session does.
				require.Equal(t, answered3, exchange("tcp", loopback(local)))
				require.Contains(t, socks5(dynamic, echo), "welcome")
				for what, address := range remotes {
					eventually(t, func() bool { return exchange("tcp", address) == answered3 }, "%s is not listened at again", what)
				}
				eventually(t, func() bool { return exchange("unix", unix) == answered3 }, "the socket is not listened at again")
				require.Equal(t, 2, f.logins(t))
				// They can be taken back, by the names that they had.
				require.Equal(t, 0, f.Ask(t, "cancel", "-R", fmt.Sprintf("127.0.0.1:%d:%s", remote, echo)).Code)
				require.NotEqual(t, answered3, exchange("tcp", loopback(remote)))
				f.nobodyFellBack(t)
			})
		})
	}
}

// Nobody but the forwards wants the connection back: the master dials by itself.
func TestRemoteForwardsComeBack(t *testing.T) {
	echo, remote := echoServer(t), freePort(t)
	c := circumstances{Options: []string{"-R", fmt.Sprintf("127.0.0.1:%d:%s", remote, echo)}}
	ourFaulty(t, "it ends with its connection", c, func(t *testing.T, f *faulty) {
		for i := range 3 {
			eventually(t, func() bool { return exchange("tcp", loopback(remote)) == answered3 }, "not listened at")
			require.Equal(t, i+1, f.logins(t))
			f.Relay.Cut(t)
		}
		f.crash() // and while the server is away it tries again and again
		eventually(t, func() bool { return strings.Count(read(t, f.LogFile), "\n") > 0 }, "the log says nothing")
		f.Server.ListenAgain(t)
		eventually(t, func() bool { return exchange("tcp", loopback(remote)) == answered3 }, "not listened at")
		f.nobodyFellBack(t)
	})
}
