package compat

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// hops are the hosts between here and "far", in the order of -J.
const hops = "hop1,hop2"

// chained runs a behaviour on three hosts, one behind the other, with masters of either kind.
func chained(t *testing.T, behaviour func(t *testing.T, kind Kind, n *Network)) {
	t.Helper()
	eachKind(t, func(t *testing.T, kind Kind) {
		behaviour(t, kind, newNetwork(t, map[string][]string{"hop1": nil, "hop2": nil, "far": nil}))
	})
}

// only starts a master, the last one to log in to its host.
func (n *Network) only(t testing.TB, kind Kind, name string, options ...string) {
	t.Helper()
	n.Master(t, kind, name, options...)
	n.Servers[name].StopListening()
}

// reaches runs a command on the far host, twice, and requires how often each host was logged in to until then.
func (n *Network) reaches(t testing.TB, logins map[string]int, args ...string) {
	t.Helper()
	args = append(append([]string{"ssh", "-F", n.Config}, args...), "far", "cat; exit 3")
	for range 2 {
		r := run(t, Command{Args: args, Stdin: strings.NewReader("arrived\n")})
		require.Equal(t, Result{Stdout: "arrived\n", Code: 3}, r)
	}
	for name, want := range logins {
		require.Equal(t, want, n.Servers[name].Logins(), name)
	}
}

// TestJumpTwoHops: masters on both hops, the second reached through the first. ssh -J asks the second only.
func TestJumpTwoHops(t *testing.T) {
	chained(t, func(t *testing.T, kind Kind, n *Network) {
		n.only(t, kind, "hop1")
		n.only(t, kind, "hop2", "-J", "hop1")
		n.reaches(t, map[string]int{"hop1": 1, "hop2": 1, "far": 2}, "-J", hops)
	})
}

// TestJumpThroughFirstHop: the login to the second hop goes through the master on the first.
func TestJumpThroughFirstHop(t *testing.T) {
	chained(t, func(t *testing.T, kind Kind, n *Network) {
		n.only(t, kind, "hop1")
		n.reaches(t, map[string]int{"hop1": 1, "hop2": 2, "far": 2}, "-J", hops)
	})
}

// TestMasterBehindTwoHops: the master on the far host has come through the masters on its hops.
func TestMasterBehindTwoHops(t *testing.T) {
	chained(t, func(t *testing.T, kind Kind, n *Network) {
		n.only(t, kind, "hop1")
		n.only(t, kind, "hop2", "-J", "hop1")
		n.only(t, kind, "far", "-J", hops)
		n.reaches(t, map[string]int{"hop1": 1, "hop2": 1, "far": 1})
	})
}
