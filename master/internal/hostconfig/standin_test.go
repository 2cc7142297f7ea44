package hostconfig_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/hostconfig"
)

// without resolves a destination where no ssh is installed.
func without(t *testing.T, destination string, args ...string) *hostconfig.Host {
	t.Helper()
	h, err := hostconfig.Resolve(context.Background(), hostconfig.Query{
		SSH: "no-such-ssh", Args: args, Destination: destination, OwnFile: "none", Env: standInEnv(),
	})
	require.NoError(t, err)
	require.NotEmpty(t, h.Warnings)
	require.Contains(t, h.Warnings[0], "no ssh program is installed")
	return h
}

func standInEnv() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "COLOUR=blue", "SSH_AUTH_SOCK=/run/auth", "MY_AGENT=/run/agent"}
}

// TestStandInIsSSH gives the same configurations to the installed ssh and to
// the stand-in.
func TestStandInIsSSH(t *testing.T) {
	ssh := realSSH(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	included := write("included", "Host inc\n  Port 2300\nHost *\n  User included\n")
	for _, c := range []struct {
		name, text, destination string
		args                    []string
	}{
		{"nothing", "", "x", nil},
		{"first wins", "Host a\n Port 1\nHost *\n Port 2\n User u", "a", nil},
		{"case of a host", "Host A\n Port 1", "a", nil},
		{"lower case", "", "UPPER.Example", nil},
		{"patterns", "Host *.example !no.example\n Port 1\nHost ??\n Port 2", "ab", nil},
		{"quoted pattern", "Host \"q\" 'r'\n Port 9", "r", nil},
		{"equals", "Host=a\nPort=5\nUser = \"some one\"", "a", nil},
		{"match all", "Match all\n Port 7", "x", nil},
		{"match host list", "HostName %h.example\nMatch host b,x.example\n Port 8", "x", nil},
		{"match host negated", "Match host !x,*\n Port 8", "x", nil},
		{"include", "Include " + included + "\nPort 4", "inc", nil},
		{"include within a block", "Host inc\n Include " + included + "\n Compression yes\nHost *\n User later", "inc", nil},
		{"include within a block of others", "Host other\n Include " + included + "\nHost *\n User later", "inc", nil},
		{"command line", "Port 1\nUser f\nIdentityFile ~/f", "u@x", []string{"-p", "99", "-4", "-C", "-i", "~/gone", "-c", "aes128-ctr", "-A", "-oCheckHostIP=yes", "-NnT"}},
		{"loud", "LogLevel ERROR", "x", []string{"-vvv", "-tt", "-M"}},
		{"quiet", "", "x", []string{"-q", "-S", "none", "-J", "a@b:3,[::1]:4"}},
		{"uri", "User f", "ssh://me@h.example:2222/", nil},
		{"forwards", "LocalForward 8080 h:80\nLocalForward [::1]:8081 [::2]:81\nLocalForward /l /c\nLocalForward 1.2.3.4:5 h/6\nRemoteForward 9\nRemoteForward 9:0 h:1\nDynamicForward 1\nDynamicForward *:2", "x",
			[]string{"-L", "1:h:2", "-L", "*:1:h:2", "-L", "[::1]:1:[::2]:2", "-L", "/a:/b", "-L", "3:/b", "-L", "/a:h:4", "-L", "b:5:/c", "-R", "7", "-R", "b:8", "-R", "1:h:2", "-D", "3", "-D", "[::1]:4"}},
		{"no forwards", "LocalForward 8080 h:80\nClearAllForwardings yes", "x", nil},
		{"lists", "SendEnv A B\nSendEnv C\nSetEnv \"D=e f\" G=h\nSetEnv I=j\nIdentityFile ~/a\nIdentityFile none\nCertificateFile %d/c", "x", nil},
		{"comments", "Port 5 # five\nRemoteCommand echo # no comment %h\nUser \"a#b\"", "x", nil},
		{"tokens", "HostName in.%h\nControlPath ~/%C-%r@%h:%p-%n-%L\nIdentityFile ~/%r\nProxyCommand nc '%h' %p %% %n\nUserKnownHostsFile ~/%h \"/${COLOUR} k\"\nHostKeyAlias AL", "x", nil},
		{"agents", "IdentityAgent $MY_AGENT\nForwardAgent yes\nAddKeysToAgent confirm", "x", nil},
		{"jump before command", "ProxyJump a,b\nProxyCommand nc", "x", nil},
		{"command before jump", "ProxyCommand nc\nProxyJump a,b", "x", nil},
		{"no jump", "ProxyJump none\nProxyCommand nc", "x", nil},
		{"none", "UserKnownHostsFile none\nGlobalKnownHostsFile none\nIdentityFile none\nIdentityAgent none\nProxyCommand none\nControlPath none\nRemoteCommand none\nEscapeChar none\nConnectTimeout none", "x", nil},
		{"values", "ServerAliveInterval 1m\nConnectTimeout 90s\nControlPersist 8h\nRekeyLimit 512M 1d\nIPQoS ef\nEscapeChar ^Q\nStreamLocalBindMask 0077\nStrictHostKeyChecking off\nTunnel yes\nControlMaster auto\nForwardX11Timeout 1w\nUpdateHostKeys ask\nRequestTTY force\nLogLevel DEBUG2\nFingerprintHash md5\nPubkeyAuthentication unbound\nCanonicalDomains a b\nAddressFamily inet", "x", nil},
		{"old names", "PubkeyAcceptedKeyTypes ssh-ed25519\nHostbasedKeyTypes ssh-rsa\nChallengeResponseAuthentication no\nKeepAlive no", "x", nil},
		{"persist for ever", "ControlPersist 0\nSessionType none\nStdinNull yes", "x", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append([]string{"-F", write("config", c.text)}, c.args...)
			want, err := hostconfig.Resolve(context.Background(), hostconfig.Query{SSH: ssh, Args: args, Destination: c.destination, OwnFile: "none", Env: standInEnv()})
			require.NoError(t, err)
			got := without(t, c.destination, args...)
			require.Len(t, got.Warnings, 1+strings.Count(strings.Join(c.args, " "), "gone"), "%q", got.Warnings)
			// The stand-in is like 10.6 in what it names the program.
			want.ProxyCommand = strings.Replace(want.ProxyCommand, ssh+" ", "ssh ", 1)
			require.Equal(t, want.Chosen(), got.Chosen())
		})
	}
}

func TestStandInAlgorithms(t *testing.T) {
	h := without(t, "x", config(t, "Ciphers -*gcm*,chacha*\nMACs ^hmac-sha2-256\nHostKeyAlgorithms +ssh-rsa,ssh-ed25519\nKexAlgorithms a,b")...)
	require.Equal(t, []string{"aes128-ctr", "aes192-ctr", "aes256-ctr"}, h.Ciphers)
	require.Equal(t, "hmac-sha2-256", h.MACs[0])
	require.Equal(t, "umac-64-etm@openssh.com", h.MACs[1])
	require.Equal(t, "ssh-rsa", h.HostKeyAlgorithms[len(h.HostKeyAlgorithms)-1])
	require.False(t, h.HostKeyAlgorithmsSet)
	require.Equal(t, []string{"a", "b"}, h.KexAlgorithms)
}

func TestStandInNamesWhatItCannotJudge(t *testing.T) {
	path := file(t, "config", strings.Join([]string{
		"Match exec \"true\"", "  Port 1", "Match final", "  Port 2", "Match originalhost x user y", "  Port 3",
		"Match host x user y", "  Port 4", "Match !host y", "  Port 5", "Match tagged t", "  Port 6",
		"Host x", "  UseKeychain yes", "  Compression yes", "CanonicalizeHostname yes", "Include ${COLOUR}",
		"IgnoreUnknown Foo*", "FooBar yes", "Host *", "  Port 22022", "",
	}, "\n"))
	h := without(t, "x", "-F", path)
	require.Equal(t, 22022, h.Port, "blocks that cannot be judged are left out, the rest of the file is not")
	require.True(t, h.Compression)
	require.Len(t, h.Warnings, 10, "%q", h.Warnings)
	for i, line := range []string{":1: Match exec true ", ":3: Match final ", ":5: Match originalhost x user y ", ":7: Match host x user y ", ":9: Match !host y ", ":11: Match tagged t "} {
		require.Contains(t, h.Warnings[i+1], path+line)
	}
	require.Contains(t, h.Warnings[7], path+":14: UseKeychain is not known")
	require.Contains(t, h.Warnings[8], path+":17: Include ${COLOUR} ")
	require.Contains(t, h.Warnings[9], "CanonicalizeHostname yes needs ssh")
	warnings, err := h.Check()
	require.NoError(t, err)
	require.Equal(t, []string{"Compression yes: links are not compressed"}, warnings)
}

func TestStandInErrors(t *testing.T) {
	for text, says := range map[string]string{
		"Port many":            `Port "many": is no number`,
		"Host x\nPort":         `config:2: Port "" has no value`,
		"User \"x":             `config:1: User has a quote that does not end`,
		"LocalForward 8080":    `config:1: LocalForward "8080" is no listening end and target`,
		"SlaveTimeout 5":       `config:1: SlaveTimeout is an option of ssh-master`,
		"ControlPath /%z":      `ControlPath "/%z" has the token "%z"`,
		"HostName %p":          `HostName has the token "%p"`,
		"User ${NOT_SET}":      `User "${NOT_SET}" needs the environment variable NOT_SET`,
		"Include ~nosuchuser/": `config:1: Include`,
	} {
		_, err := hostconfig.Resolve(context.Background(), hostconfig.Query{SSH: "no-such-ssh", Args: config(t, text), Destination: "x", OwnFile: "none"})
		require.ErrorContains(t, err, says, text)
	}
	loop := filepath.Join(t.TempDir(), "loop")
	require.NoError(t, os.WriteFile(loop, []byte("Include "+loop+"\n"), 0o600))
	_, err := hostconfig.Resolve(context.Background(), hostconfig.Query{SSH: "no-such-ssh", Args: []string{"-F", loop}, Destination: "x", OwnFile: "none"})
	require.ErrorContains(t, err, "nests deeper than 16")
	_, err = hostconfig.Resolve(context.Background(), hostconfig.Query{SSH: "no-such-ssh", Args: []string{"-F", filepath.Join(t.TempDir(), "gone")}, Destination: "x", OwnFile: "none"})
	require.ErrorIs(t, err, os.ErrNotExist, "a file that -F names must be there")
}
