package hostconfig_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/hostconfig"
)

// replayed resolves a kept case as on the machine it was made on.
func replayed(t *testing.T, release, name string) *hostconfig.Host {
	t.Helper()
	h, err := hostconfig.Resolve(context.Background(), hostconfig.Query{
		SSH: replay(t, release, name), Destination: name, OwnFile: "none",
		Args: []string{"-F", "/tmp/rich.conf"},
		Env:  []string{"PATH=" + os.Getenv("PATH"), "MY_AGENT=/run/agent", "SK_LIB=/lib/sk.so", "LANG=C", "FORWARD_AGENT=/run/forward", "SSH_AUTH_SOCK=/run/auth"},
	})
	require.NoError(t, err)
	return h
}

// eachRelease runs a test for the output of each release.
func eachRelease(t *testing.T, name string, test func(t *testing.T, release string, h *hostconfig.Host)) {
	for _, release := range releases {
		t.Run(release, func(t *testing.T) { test(t, release, replayed(t, release, name)) })
	}
}

func TestGoldenRich(t *testing.T) {
	eachRelease(t, "rich", func(t *testing.T, release string, h *hostconfig.Host) {
		home := home(t)
		require.Equal(t, home, h.Home)
		require.Equal(t, "rich", h.OriginalHost)
		require.Equal(t, "rich.example.org", h.HostName)
		require.Equal(t, 2222, h.Port)
		require.Equal(t, "alice", h.User)
		require.Equal(t, "inet6", h.AddressFamily)
		require.Equal(t, "192.0.2.1", h.BindAddress)
		require.Equal(t, "eth7", h.BindInterface)
		require.Equal(t, 7*time.Second, h.ConnectTimeout)
		require.Equal(t, 3, h.ConnectionAttempts)
		require.False(t, h.TCPKeepAlive)
		require.Equal(t, hostconfig.IPQoS{Interactive: 0x48, Bulk: hostconfig.QoSNone}, h.IPQoS)
		require.Equal(t, "nc -X connect 'rich.example.org' 2222 # rich alice 100%", h.ProxyCommand)
		require.True(t, h.ProxyUseFdpass)
		require.Equal(t, 90*time.Second, h.ServerAliveInterval)
		require.Equal(t, 5, h.ServerAliveCountMax)
		require.Equal(t, []string{"aes256-gcm@openssh.com", "aes128-ctr"}, h.Ciphers)
		require.Equal(t, []string{"hmac-sha2-256"}, h.MACs)
		require.Equal(t, []string{"curve25519-sha256"}, h.KexAlgorithms)
		require.True(t, h.Compression)
		require.Equal(t, hostconfig.RekeyLimit{Bytes: 1 << 30, Interval: time.Hour}, h.RekeyLimit)

		require.Equal(t, []string{"rsa-sha2-256", "ssh-ed25519"}, h.HostKeyAlgorithms)
		require.True(t, h.HostKeyAlgorithmsSet)
		require.Equal(t, []string{"ssh-ed25519"}, h.CASignatureAlgorithms)
		require.Equal(t, "accept-new", h.StrictHostKeyChecking)
		require.Equal(t, []string{"/root/.ssh/known_rich.example.org", "/srv/keys/known"}, h.UserKnownHostsFile)
		require.Equal(t, []string{home + "/global", "/srv/keys/global"}, h.GlobalKnownHostsFile)
		require.Equal(t, []string{"/srv/keys/revoked"}, h.RevokedHostKeys)
		require.Equal(t, "alias", h.HostKeyAlias)
		require.True(t, h.HashKnownHosts)
		require.True(t, h.CheckHostIP)
		require.True(t, h.NoHostAuthenticationForLocalhost)
		require.Equal(t, "no", h.UpdateHostKeys, "ssh gives up on ask where a remote command runs")
		require.Equal(t, "ask", h.VerifyHostKeyDNS)
		require.Equal(t, "md5", h.FingerprintHash)

		require.Equal(t, []string{home + "/.ssh/alice@rich", "/srv/my keys/id"}, h.IdentityFile)
		require.False(t, h.IdentityFileDefault)
		require.Equal(t, []string{home + "/.ssh/alias-cert.pub"}, h.CertificateFile)
		require.Equal(t, "/run/agent", h.IdentityAgent)
		require.Equal(t, hostconfig.AddKeys{Mode: "confirm"}, h.AddKeysToAgent)
		require.Equal(t, "yes", h.PubkeyAuthentication)
		require.Equal(t, []string{"ssh-ed25519"}, h.PubkeyAcceptedAlgorithms)
		require.False(t, h.PasswordAuthentication)
		require.Equal(t, release == "8.4", h.KbdInteractiveAuthentication, "ChallengeResponseAuthentication came to mean the same after 8.4")
		require.Equal(t, []string{"pam", "skey"}, h.KbdInteractiveDevices)
		require.Equal(t, []string{"publickey", "password"}, h.PreferredAuthentications)
		require.Equal(t, []string{"ssh-ed25519"}, h.HostbasedAcceptedAlgorithms)
		require.Equal(t, "/lib/sk.so", h.SecurityKeyProvider)

		require.Equal(t, hostconfig.AgentForward{Enabled: true, Path: "/run/forward"}, h.ForwardAgent)
		require.Equal(t, 10*time.Minute, h.ForwardX11Timeout)
		require.Equal(t, "ethernet", h.Tunnel)
		require.Equal(t, "3:any", h.TunnelDevice)
		require.Equal(t, uint32(0o117), h.StreamLocalBindMask)

		require.Equal(t, "autoask", h.ControlMaster)
		require.Equal(t, "/root/.ssh/cm-ece7beb808f742236b4402bf8ae84c803cfa0518", h.ControlPath)
		require.Equal(t, hostconfig.Persist{Enabled: true, Idle: 90 * time.Second}, h.ControlPersist)
		require.Equal(t, `tmux new -A -s "main" # root`, h.RemoteCommand)
		require.Equal(t, []string{"LANG", "LC_*"}, h.SendEnv)
		require.Equal(t, []string{"GREETING=hello there", "FOO=bar"}, h.SetEnv)
		require.Equal(t, hostconfig.EscapeChar(2), h.EscapeChar)
		require.Equal(t, []string{"*.a.example:*.b.example"}, h.CanonicalizePermittedCNAMEs)
		require.Equal(t, "VERBOSE", h.LogLevel)
		require.Nil(t, h.LogVerbose)
	})
}

func TestGoldenForwards(t *testing.T) {
	eachRelease(t, "rich", func(t *testing.T, _ string, h *hostconfig.Host) {
		require.Equal(t, []hostconfig.Forward{
			{ListenPort: 8080, ConnectPath: "/run/remote.sock"},
			{ListenHost: "127.0.0.1", ListenPort: 8081, ConnectHost: "inner", ConnectPort: 80},
			{ListenHost: "*", ListenPort: 8082, ConnectHost: "2001:db8::1", ConnectPort: 80},
			{ListenPath: "/run/local.sock", ConnectHost: "inner", ConnectPort: 81},
			{ListenPath: "/run/a.sock", ConnectPath: "/run/b.sock"},
		}, h.LocalForward)
		require.Equal(t, []hostconfig.Forward{
			{ListenPort: 1080, Dynamic: true},
			{ListenHost: "*", ListenPort: 1081, Dynamic: true},
		}, h.DynamicForward, "what ssh prints twice is not the user's")
		require.Equal(t, []hostconfig.Forward{
			{ListenPort: 9090, Dynamic: true},
			{ConnectHost: "home", ConnectPort: 80},
			{ListenPath: "/run/r.sock", ConnectHost: "home", ConnectPort: 22},
			{ListenHost: "::1", ListenPort: 9091, ConnectPath: "/run/home.sock"},
		}, h.RemoteForward)
	})
}

func TestGoldenLaterKeywords(t *testing.T) {
	old, later := replayed(t, "8.4", "rich"), replayed(t, "10.6", "rich")
	require.Equal(t, 1024, old.RequiredRSASize)
	require.Equal(t, "default", old.SessionType)
	require.Equal(t, []string{"any"}, old.PermitRemoteOpen)
	require.Equal(t, 3072, later.RequiredRSASize)
	require.Equal(t, []string{"inner:80", "inner:443"}, later.PermitRemoteOpen)
	require.Equal(t, []string{"session=5m", "direct-tcpip=0"}, later.ChannelTimeout)
	require.Equal(t, "for rich.example.org", later.VersionAddendum)
	require.Equal(t, "blue", later.Tag)
	require.Zero(t, later.ObscureKeystrokeTiming)
	require.Equal(t, "no", later.WarnWeakCrypto)
	require.Equal(t, 20*time.Millisecond, replayed(t, "10.6", "none").ObscureKeystrokeTiming)
}

func TestGoldenKnownHostsCommand(t *testing.T) {
	for _, release := range releases[1:] {
		h := replayed(t, release, "rich")
		require.Equal(t, `/usr/bin/keys "%H" %I %K %f %t %h ${LANG}`, h.KnownHostsCommand)
		for word, want := range map[string]string{"%H/%h": "name/rich.example.org", "${LANG}%%": "C%", "%I": "ORDER"} {
			got, err := h.ExpandKnownHostsWord(word, map[byte]string{'H': "name", 'I': "ORDER"})
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
		_, err := h.ExpandKnownHostsWord("%T", nil)
		require.ErrorContains(t, err, `KnownHostsCommand`)
		require.ErrorContains(t, err, `"%T"`)
	}
}

func TestGoldenJump(t *testing.T) {
	eachRelease(t, "jump", func(t *testing.T, release string, h *hostconfig.Host) {
		require.Equal(t, []hostconfig.Jump{{User: "bob", Host: "outer.example.org", Port: 2200}, {Host: "middle"}}, h.ProxyJump)
		require.True(t, strings.HasSuffix(h.ProxyCommand, `/ssh -J bob@outer.example.org:2200 -F /tmp/rich.conf -W '[jump]:22' -- middle`), h.ProxyCommand)
		require.Equal(t, hostconfig.Persist{Enabled: true}, h.ControlPersist)
		require.Equal(t, hostconfig.AgentForward{Enabled: true}, h.ForwardAgent)
		require.Equal(t, "no", h.StrictHostKeyChecking)
		require.Empty(t, h.IdentityAgent)
		require.Nil(t, h.UserKnownHostsFile)
		require.Nil(t, h.GlobalKnownHostsFile)
		require.Nil(t, h.RevokedHostKeys)
		require.Nil(t, h.IdentityFile)
		require.Equal(t, hostconfig.EscapeNone, h.EscapeChar)
		require.Zero(t, h.ConnectTimeout)
		require.Nil(t, h.LocalForward)
		require.Empty(t, h.RemoteCommand)
		require.False(t, h.HostKeyAlgorithmsSet, "+ leaves the order to what is known")
		require.Contains(t, h.HostKeyAlgorithms, "ssh-rsa")
	})
}

func TestGoldenDefaults(t *testing.T) {
	eachRelease(t, "none", func(t *testing.T, _ string, h *hostconfig.Host) {
		require.True(t, h.IdentityFileDefault)
		require.Contains(t, h.IdentityFile, filepath.Join(home(t), ".ssh", "id_ed25519"))
		require.Equal(t, "/run/auth", h.IdentityAgent)
		require.False(t, h.HostKeyAlgorithmsSet)
		require.Equal(t, "ask", h.StrictHostKeyChecking)
		require.Equal(t, []string{"/root/.ssh/known_hosts", "/root/.ssh/known_hosts2"}, h.UserKnownHostsFile)
		require.Equal(t, hostconfig.Persist{}, h.ControlPersist)
		require.Equal(t, hostconfig.EscapeChar('~'), h.EscapeChar)
		require.Equal(t, 3, h.ServerAliveCountMax)
		require.True(t, h.KbdInteractiveAuthentication)
		require.Equal(t, "internal", h.SecurityKeyProvider)
		require.Equal(t, uint32(0o177), h.StreamLocalBindMask)
		require.Equal(t, "sha256", h.FingerprintHash)
		warnings, err := h.Check()
		require.NoError(t, err)
		require.Empty(t, warnings)
		require.Empty(t, h.Findings())
	})
}

func TestStrictDecoding(t *testing.T) {
	for line, says := range map[string]string{
		"port many":                     `Port "many": is no number`,
		"batchmode perhaps":             `BatchMode "perhaps": is neither yes nor no`,
		"stricthostkeychecking sure":    `StrictHostKeyChecking "sure": is none of yes, no, ask, accept-new`,
		"ipqos fast":                    `IPQoS "fast": has "fast", which is no class of service`,
		"controlpersist soon":           `ControlPersist "soon": is no time`,
		"localforward 99999 [x]:1":      `LocalForward "99999 [x]:1": has no port between 0 and 65535`,
		"rekeylimit 1Q 0":               `RekeyLimit "1Q 0": is no size`,
		"streamlocalbindmask 999":       `StreamLocalBindMask "999": is no octal mode`,
		"proxyjump -oProxyCommand=x":    `begins with a dash`,
		"user a\nuser b":                `User has 2 values`,
		"\x1b[31mhello there":           `line 2 of ssh -G is no keyword and value: "\x1b[31mhello there"`,
		"localforward /a b /c d /e f":   `cannot be told apart`,
		"escapechar two":                `EscapeChar "two": is no single character`,
		"addkeystoagent sometimes":      `AddKeysToAgent "sometimes"`,
		"requiredrsasize 4294967296999": `RequiredRSASize "4294967296999": is no number`,
	} {
		ssh := script(t, "cat <<'EOF'\nhostname x\n"+line+"\nEOF")
		_, err := hostconfig.Resolve(context.Background(), hostconfig.Query{SSH: ssh, Destination: "x", OwnFile: "none"})
		require.ErrorContains(t, err, says, line)
	}
}
