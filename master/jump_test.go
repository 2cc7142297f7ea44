package master_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sshmaster/master"
	"sshmaster/master/internal/sshtest"
)

// behind resolves the aliases of a configuration in which the one named bastion
// is the jump host of the others.
func behind(t *testing.T, servers map[string]*sshtest.Server) func(alias string, args ...string) *master.Host {
	t.Helper()
	var blocks []string
	for alias, srv := range servers {
		host, port, err := net.SplitHostPort(srv.Addr())
		require.NoError(t, err)
		files := srv.Files(t)
		blocks = append(blocks, "Host "+alias, "HostName "+host, "Port "+port, "User demo",
			"IdentityFile "+files.ClientKey, "IdentityAgent none", "UserKnownHostsFile "+files.KnownHosts,
			"GlobalKnownHostsFile none", "StrictHostKeyChecking yes", "UpdateHostKeys no", "BatchMode yes")
		if alias != "bastion" {
			blocks = append(blocks, "ProxyJump bastion")
		}
	}
	config := filepath.Join(t.TempDir(), "config")
	require.NoError(t, os.WriteFile(config, []byte(strings.Join(blocks, "\n")+"\n"), 0o600))
	return func(alias string, args ...string) *master.Host {
		host, err := master.Resolve(t.Context(), master.Query{
			Args: append([]string{"-F", config}, args...), Destination: alias, OwnFile: "none",
		})
		require.NoError(t, err)
		return host
	}
}

// newSet is a set that is closed after the masters of the test.
func newSet(t *testing.T) *master.Set {
	t.Helper()
	set := master.NewSet(nil)
	t.Cleanup(set.Close)
	return set
}

// ended is what Serve returned.
func (s *serving) ended(t *testing.T) error {
	t.Helper()
	select {
	case err := <-s.end:
		return err
	case <-time.After(patience):
		require.FailNow(t, "the master has not ended")
		return nil
	}
}

func TestMastersShareABastion(t *testing.T) {
	bastion, inner1, inner2 := sshtest.NewServer(t), sshtest.NewServer(t), sshtest.NewServer(t)
	host := behind(t, map[string]*sshtest.Server{"bastion": bastion, "inner1": inner1, "inner2": inner2})
	set := newSet(t)
	one := startWith(t, master.Options{Host: host("inner1"), Set: set})
	own := startWith(t, master.Options{Host: host("bastion", "-o", "ControlPersist=1"), Set: set}) // never idle: inner1 is there
	two := startWith(t, master.Options{Host: host("inner2"), Set: set})
	for _, srv := range []*sshtest.Server{bastion, inner1, inner2} {
		require.Equal(t, 1, srv.Counts().Logins)
	}

	require.NoError(t, one.Shutdown(t.Context()))
	select {
	case err := <-own.end:
		require.FailNow(t, "the bastion's master is idle, but serves a jump", "%v", err)
	case err := <-two.end:
		require.FailNow(t, "it ended", "%v", err)
	default:
	}
	require.NoError(t, two.Shutdown(t.Context()))
	require.NoError(t, own.ended(t), "ControlPersist")
}

func TestEndOfTheBastionsMaster(t *testing.T) {
	bastion, inner := sshtest.NewServer(t), sshtest.NewServer(t)
	host := behind(t, map[string]*sshtest.Server{"bastion": bastion, "inner": inner})
	set := newSet(t)
	inside := startWith(t, master.Options{Host: host("inner"), Set: set})
	own := startWith(t, master.Options{Host: host("bastion"), Set: set})
	require.Equal(t, 1, bastion.Counts().Logins, "the bastion's master takes the link over")
	require.NoError(t, own.Shutdown(context.Background()))
	require.Eventually(t, func() bool {
		return strings.Contains(inside.info(t), "no connection: Connection to 127.0.0.1 lost: jump host bastion: ")
	}, patience, tick)
	inside.succeeds(t)
	require.Equal(t, 2, bastion.Counts().Logins, "it goes there by itself")
}
