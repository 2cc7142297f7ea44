package hostconfig_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/hostconfig"
)

// routeTo resolves the way to "there" with more of ssh's options.
func routeTo(t *testing.T, ssh, text string, options ...string) ([]*hostconfig.Host, error) {
	t.Helper()
	h, err := hostconfig.Resolve(context.Background(), hostconfig.Query{
		SSH: ssh, Args: append(config(t, text), options...), Destination: "there", OwnFile: "none",
	})
	require.NoError(t, err)
	return h.Route(context.Background())
}

// describe names hops as ssh's arguments would.
func describe(route []*hostconfig.Host) string {
	var names []string
	for _, h := range route {
		names = append(names, hostconfig.Jump{User: h.User, Host: h.OriginalHost + "=" + h.HostName, Port: h.Port}.String())
	}
	return strings.Join(names, " ")
}

func TestRoute(t *testing.T) {
	hosts := `
Host there
    User demo
Host global
    HostName global.example.org
    User g
    Port 2201
    ForwardAgent yes
    LocalForward 1234 localhost:1
Host regional
    HostName regional.example.org
    User r
    ProxyJump global
Host inner
    ProxyJump regional
Host *
    User other
    ConnectTimeout 7
`
	for name, c := range map[string]struct {
		text    string
		options []string
		want    string
	}{
		"none":                 {hosts, nil, ""},
		"command line":         {hosts, []string{"-J", "global"}, "g@global=global.example.org:2201"},
		"user and port":        {hosts, []string{"-J", "me@global:99"}, "me@global=global.example.org:99"},
		"two named":            {hosts, []string{"-J", "global,plain"}, "g@global=global.example.org:2201 other@plain=plain:22"},
		"by its own jump":      {hosts, []string{"-J", "regional"}, "g@global=global.example.org:2201 r@regional=regional.example.org:22"},
		"three layers":         {hosts, []string{"-J", "inner"}, "g@global=global.example.org:2201 r@regional=regional.example.org:22 other@inner=inner:22"},
		"the list goes before": {hosts, []string{"-J", "plain,regional"}, "other@plain=plain:22 r@regional=regional.example.org:22"},
		"own options stay":     {hosts, []string{"-p", "5", "-l", "root", "-o", "HostName=x", "-J", "plain"}, "other@plain=plain:22"},
		"command first":        {"ProxyCommand nc %h %p\nProxyJump global", nil, ""},
		"none said":            {"Host there\nProxyJump none\nHost *\nProxyJump global", nil, ""},
	} {
		for program, ssh := range map[string]string{"ssh": realSSH(t), "without ssh": "/no/ssh"} {
			t.Run(name+"/"+program, func(t *testing.T) {
				route, err := routeTo(t, ssh, c.text, c.options...)
				require.NoError(t, err)
				require.Equal(t, c.want, describe(route))
				for _, hop := range route {
					require.False(t, hop.ForwardAgent.Enabled)
					require.Empty(t, hop.LocalForward)
					require.NotEqual(t, "DEBUG", hop.LogLevel)
				}
			})
		}
	}
}

func TestRouteKeepsVerbosityAndSurroundings(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(dir+"/config", []byte("Host there\nProxyJump bastion\nMatch host bastion exec \"test -n '$MARK'\"\nUser marked\n"), 0o600))
	h, err := hostconfig.Resolve(context.Background(), hostconfig.Query{
		SSH: realSSH(t), Args: []string{"-vv", "-F", "config"}, Destination: "there", Dir: dir, OwnFile: "none",
		Env: append(os.Environ(), "MARK=1"),
	})
	require.NoError(t, err)
	route, err := h.Route(context.Background())
	require.NoError(t, err)
	require.Equal(t, "marked@bastion=bastion:22", describe(route))
	require.Equal(t, "DEBUG2", route[0].LogLevel)
}

func TestRouteThatLeadsNowhere(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"itself": {"ProxyJump bastion\nHost bastion\nHostName b.example.org",
			"jumphost loop via bastion: there through bastion, and again bastion; give bastion a Host block of its own with ProxyJump none"},
		"each other": {"Host there\nProxyJump a\nHost a\nProxyJump b\nHost b\nProxyJump a",
			"jumphost loop via a: there through a through b, and again a; "},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := routeTo(t, realSSH(t), c.text)
			require.ErrorContains(t, err, c.want)
		})
	}
	ssh := script(t, `for last; do :; done
case "$last" in a) echo "refused" >&2; exit 255 ;; esac
echo "hostname $last"; echo "proxyjump a"`)
	_, err := routeTo(t, ssh, "")
	require.EqualError(t, err, "jump host a: hostconfig: ssh -G: refused")
	var said *hostconfig.SSHError
	require.ErrorAs(t, err, &said)
}

func TestRouteIsBounded(t *testing.T) {
	ssh := script(t, `for last; do :; done
case "$*" in *none*) echo "hostname x" ;; *) echo "hostname $last"; echo "proxyjump x$last" ;; esac`)
	_, err := routeTo(t, ssh, "")
	require.ErrorContains(t, err, "more than 16 jump hosts on the way to there")
}

func TestLinkKey(t *testing.T) {
	key := func(text string) string {
		h, err := resolve(t, text)
		require.NoError(t, err)
		return h.LinkKey()
	}
	plain := key("")
	for _, same := range []string{
		"ForwardAgent yes", "ControlPath /tmp/x", "ControlMaster yes", "LogLevel DEBUG", "ConnectTimeout 3",
		"LocalForward 1234 localhost:1", "SendEnv X", "ProxyJump a", "RequestTTY force",
	} {
		require.Equal(t, plain, key(same), same)
	}
	seen := map[string]string{plain: ""}
	for _, other := range []string{
		"User somebody", "Port 23", "HostName elsewhere", "IdentityFile /tmp/k", "IdentityAgent /tmp/a", "CertificateFile /tmp/c",
		"StrictHostKeyChecking no", "UserKnownHostsFile /tmp/k", "HostKeyAlias a", "Ciphers aes128-ctr", "ServerAliveInterval 5",
		"ProxyCommand nc", "BindAddress 127.0.0.1", "AddressFamily inet6", "KnownHostsCommand /bin/true %n",
		"PreferredAuthentications password", "IPQoS none",
	} {
		k := key(other)
		require.NotContains(t, seen, k, other)
		seen[k] = other
	}
}

func TestLinkKeyNamesKeywords(t *testing.T) {
	names := map[string]bool{"OriginalHost": true}
	for _, k := range hostconfig.Keywords {
		names[k.Name] = true
	}
	for _, name := range hostconfig.Indifferent {
		require.True(t, names[name], "%s is no keyword", name)
	}
}

func TestControlMasterThatNobodyAttachesTo(t *testing.T) {
	const path = "ControlPath /tmp/x\n"
	for _, c := range []struct {
		text    string
		options []string
		found   string
		warned  bool
	}{
		{path, nil, "no", false},
		{path, []string{"-M"}, "no", false},
		{path, []string{"-MN", "-oControlMaster=yes"}, "no", false},
		{path + "ControlMaster auto", []string{"-M"}, "auto", false},
		{path + "ControlMaster yes", nil, "yes", true},
		{path + "ControlMaster yes", []string{"-M"}, "yes", true},
		{path + "ControlMaster yes", []string{"-M", "-M"}, "yes", true},
		{path + "ControlMaster yes", []string{"-o", "controlmaster auto"}, "yes", true},
		{path + "ControlMaster ask", []string{"-M"}, "ask", true},
		{"ControlMaster yes", nil, "yes", false},
	} {
		for _, ssh := range []string{realSSH(t), "/no/ssh"} {
			h, err := hostconfig.Resolve(context.Background(), hostconfig.Query{
				SSH: ssh, Args: append(config(t, c.text), c.options...), Destination: "there", OwnFile: "none",
			})
			require.NoError(t, err)
			require.Equal(t, c.found, h.ControlMasterConfigured, "%v", c)
			warnings, err := h.Check()
			require.NoError(t, err)
			if !c.warned {
				require.NotContains(t, strings.Join(warnings, "\n"), "ControlMaster", "%v", c)
				continue
			}
			require.Contains(t, strings.Join(warnings, "\n"), "ControlMaster "+c.found+": with it ssh never attaches")
		}
	}
}
