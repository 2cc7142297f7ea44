package hostconfig_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/hostconfig"
)

// ask resolves the host x by an ssh.
func ask(t testing.TB, ssh string) (*hostconfig.Host, error) {
	return hostconfig.Resolve(context.Background(), hostconfig.Query{SSH: ssh, Destination: "x", OwnFile: "none"})
}

// TestExpansionIsSSHs compares our tokens with those of ssh itself, which
// expands ControlPath and leaves IdentityFile.
func TestExpansionIsSSHs(t *testing.T) {
	for _, pattern := range []string{
		"/k/%%-%h-%n-%p-%r-%u-%d-%i-%l-%L-%k-%C", "~/a%h", "~", "~/", "~root/%%", "~root", "~//x", "/${WHERE}/%h", "%d/.ssh/x", "100%%",
	} {
		h, err := hostconfig.Resolve(context.Background(), hostconfig.Query{
			SSH: realSSH(t), OwnFile: "none", Destination: "carol@There",
			Args: config(t, "HostName real-%h\nPort 77\nHostKeyAlias Other\nControlPath "+pattern+"\nIdentityFile "+pattern+"\nCertificateFile "+pattern),
			Env:  append(os.Environ(), "WHERE=some/where %h"),
		})
		require.NoError(t, err, pattern)
		require.Equal(t, []string{h.ControlPath}, h.IdentityFile, pattern)
		require.Equal(t, []string{h.ControlPath}, h.CertificateFile, pattern)
	}
}

func TestBadExpansionNamesOption(t *testing.T) {
	for text, says := range map[string]string{
		"IdentityFile /k/%z":                        `IdentityFile "/k/%z" has the token "%z"`,
		"CertificateFile /k/%T":                     `CertificateFile "/k/%T" has the token "%T"`,
		"ProxyCommand nc %u":                        `ProxyCommand "nc %u" has the token "%u"`,
		"ProxyCommand nc %":                         `ProxyCommand "nc %" ends in a lone %`,
		"PermitLocalCommand yes\nLocalCommand a %H": `LocalCommand "a %H" has the token "%H"`,
		"KnownHostsCommand /bin/k %T":               `KnownHostsCommand "/bin/k %T" has the token "%T"`,
		"IdentityFile ${NOT_SET_AT_ALL}/x":          `needs the environment variable NOT_SET_AT_ALL`,
		"IdentityFile ${HOME":                       `has a ${ without its }`,
		"IdentityFile ~nosuchuser/x":                `~nosuchuser, and there is no such user`,
	} {
		_, err := resolve(t, text)
		require.ErrorContains(t, err, says)
	}
}

func TestLocalCommandLine(t *testing.T) {
	h, err := resolve(t, "PermitLocalCommand yes\nLocalCommand echo %T %h %% '%u'")
	require.NoError(t, err)
	line, err := h.LocalCommandLine("")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(line, "echo NONE there % '"), line)
	line, err = h.LocalCommandLine("tun3")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(line, "echo tun3 there"), line)
}

func TestNamesThatAShellWouldRun(t *testing.T) {
	for _, destination := range []string{
		"$(id)", "a;id", "`id`", "a|b", "a b", "-oProxyCommand=id", "x@-l", "a\nb", "u;id@x", "-l@x", "u'@x", `u\@x`, "u -oX@x", "ssh://u%3bid@x", "ssh://h$x", "", "u@",
	} {
		_, err := hostconfig.Resolve(context.Background(), hostconfig.Query{SSH: realSSH(t), Args: config(t, "ProxyCommand nc %h %p"), Destination: destination, OwnFile: "none"})
		require.Error(t, err, destination)
		require.True(t, strings.HasPrefix(err.Error(), "hostconfig: "), err.Error())
	}
	for text, says := range map[string]string{
		"HostName a;id\nProxyCommand nc %h":          `host name "a;id" holds the character ';'`,
		"HostName -oX\nProxyCommand nc %h":           `host name "-ox" begins with a dash`,
		"HostKeyAlias a$b\nProxyCommand nc %k":       `host name "a$b"`,
		"ProxyJump bad;id":                           `;`,
		"User \"a;id\"\nProxyCommand ssh %r@%h":      `user name "a;id"`,
		"User \"a -oX\"\nProxyCommand ssh %r@%h":     `an option after a space`,
		"HostName $(id)\nProxyCommand nc '%h' ##%%h": `host name "$(id)"`,
	} {
		_, err := resolve(t, text)
		require.ErrorContains(t, err, says)
	}
	for _, text := range []string{
		"HostName a;id\nProxyCommand nc %%h %p",
		"User DOMAIN\\\\name\nProxyCommand ssh '%r@%h'",
		"User a;b\nProxyCommand nc %h",
	} {
		_, err := resolve(t, text)
		require.NoError(t, err, text)
	}
}

func TestSSHsOwnWords(t *testing.T) {
	_, err := resolve(t, "NoSuchOption yes")
	var e *hostconfig.SSHError
	require.ErrorAs(t, err, &e)
	require.Contains(t, e.Message, "Bad configuration option: nosuchoption")
	require.NotContains(t, e.Message, "\n")

	_, err = ask(t, script(t, `printf 'debug1: noise\r\nPseudo-terminal will not be allocated because stdin is not a terminal.\r\n\033[31mno\007 way.\r\nsecond\n' >&2; exit 255`))
	require.ErrorAs(t, err, &e)
	require.Equal(t, "[31mno way; second", e.Message)
	require.EqualError(t, err, "hostconfig: ssh -G: [31mno way; second")

	_, err = ask(t, script(t, `exit 255`))
	require.ErrorContains(t, err, "without a message")

	h, err := ask(t, script(t, `echo noise >&2; echo hostname x`))
	require.NoError(t, err)
	require.Empty(t, h.Warnings)

	_, err = ask(t, script(t, `echo OpenSSH_9.9`))
	require.Error(t, err)
	_, err = ask(t, script(t, `exec cat /dev/zero`))
	require.ErrorContains(t, err, "printed more than")
}

func TestArgumentsThatNeedNoSession(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	h, err := hostconfig.Resolve(context.Background(), hostconfig.Query{
		SSH: realSSH(t), OwnFile: "none", Destination: "ssh://dave@there:2022",
		Args: []string{"-Nn2", "-MS/run/%n.sock", "-Fnone", "-oSendEnv=X", "-E", log, "-fvvs", "-L8080:inner:80", "-J", "hop", "-p", "2023"},
	})
	require.NoError(t, err)
	require.Equal(t, "/run/there.sock", h.ControlPath)
	require.Equal(t, "yes", h.ControlMaster)
	require.Equal(t, []string{"X"}, h.SendEnv)
	require.Equal(t, "DEBUG2", h.LogLevel)
	require.Equal(t, "dave", h.User)
	require.Equal(t, "there", h.OriginalHost)
	require.True(t, h.ForkAfterAuthentication)
	require.Contains(t, h.ProxyCommand, " -F none -vv -W ")
	require.NoFileExists(t, log)

	_, err = hostconfig.Resolve(context.Background(), hostconfig.Query{SSH: realSSH(t), OwnFile: "none", Destination: "x", Args: []string{"-Fnone", "-f"}})
	require.NoError(t, err, "-f of a master needs no command")
	for _, args := range [][]string{{"host"}, {"-p"}, {"--"}} {
		_, err = hostconfig.Resolve(context.Background(), hostconfig.Query{Destination: "x", Args: args, OwnFile: "none"})
		require.Error(t, err)
	}
	_, err = hostconfig.Resolve(context.Background(), hostconfig.Query{SSH: realSSH(t), OwnFile: "none", Destination: "-F/etc/passwd"})
	require.Error(t, err)
}

func TestSurroundings(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config"), []byte(
		"Match exec \"test $COLOUR = blue -a -f mark\"\n  Port 4000\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "mark"), nil, 0o600))
	q := hostconfig.Query{SSH: realSSH(t), Args: []string{"-F", "config", "-J", "hop"}, Destination: "x", Dir: dir, OwnFile: "none",
		Env: []string{"PATH=" + os.Getenv("PATH"), "COLOUR=red", "COLOUR=blue"}}
	h, err := hostconfig.Resolve(context.Background(), q)
	require.NoError(t, err)
	require.Equal(t, 4000, h.Port)
	require.Contains(t, h.ProxyCommand, "-F "+filepath.Join(dir, "config"))

	q.Env[2] = "COLOUR=green"
	h, err = hostconfig.Resolve(context.Background(), q)
	require.NoError(t, err)
	require.Equal(t, 22, h.Port)
}

func TestContextEndsMatchExec(t *testing.T) {
	started := filepath.Join(t.TempDir(), "started")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	args := config(t, "Match exec \"touch "+started+"; exec sleep 5\"\n  Port 1\n")
	ssh := realSSH(t)
	go func() {
		_, err := hostconfig.Resolve(ctx, hostconfig.Query{SSH: ssh, Args: args, Destination: "x", OwnFile: "none"})
		done <- err
	}()
	require.Eventually(t, func() bool { _, err := os.Stat(started); return err == nil }, 5*time.Second, 5*time.Millisecond)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
}

func TestAgents(t *testing.T) {
	env := append(os.Environ(), "SSH_AUTH_SOCK=/run/auth", "OTHER=/run/other")
	for text, want := range map[string]string{
		"":                              "/run/auth",
		"IdentityAgent SSH_AUTH_SOCK":   "/run/auth",
		"IdentityAgent $OTHER":          "/run/other",
		"IdentityAgent ${OTHER}":        "/run/other",
		"IdentityAgent $NOT_SET_AT_ALL": "",
		"IdentityAgent none":            "",
		"IdentityAgent ~/agent-%n":      home(t) + "/agent-x",
	} {
		h, err := hostconfig.Resolve(context.Background(), hostconfig.Query{SSH: realSSH(t), Args: config(t, text), Destination: "x", OwnFile: "none", Env: env})
		require.NoError(t, err)
		require.Equal(t, want, h.IdentityAgent, text)
	}
	h, err := resolve(t, "ForwardAgent $NOT_SET_AT_ALL")
	require.NoError(t, err)
	require.False(t, h.ForwardAgent.Enabled)
}

func TestHostKeyAlgorithmsSet(t *testing.T) {
	for text, set := range map[string]bool{
		"":                           false,
		"HostKeyAlgorithms +ssh-rsa": false,
		"HostKeyAlgorithms -ecdsa*":  false,
		"HostKeyAlgorithms ^ssh-rsa": true,
		"HostKeyAlgorithms rsa-sha2-256,ssh-ed25519": true,
	} {
		h, err := resolve(t, text)
		require.NoError(t, err)
		require.Equal(t, set, h.HostKeyAlgorithmsSet, text)
	}
}

func TestIdentityFileDefault(t *testing.T) {
	h, err := resolve(t, "")
	require.NoError(t, err)
	require.True(t, h.IdentityFileDefault)
	h, err = resolve(t, "IdentityFile ~/.ssh/id_rsa")
	require.NoError(t, err)
	require.False(t, h.IdentityFileDefault)
}

func TestJoinedFileNames(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"plain", "with some spaces", "with", "with some"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	for text, want := range map[string][]string{
		`"` + in("with some spaces") + `" ` + in("plain"): {in("with some spaces"), in("plain")},
		in("with") + " " + in("plain"):                    {in("with"), in("plain")},
		`"` + in("not made yet") + `" ` + in("plain"):     {in("not made yet"), in("plain")},
		"plain new": {"plain", "new"},
		"none":      nil,
	} {
		for _, keyword := range []string{"UserKnownHostsFile", "GlobalKnownHostsFile"} {
			h, err := hostconfig.Resolve(context.Background(), hostconfig.Query{SSH: realSSH(t), Args: config(t, keyword+" "+text), Destination: "x", Dir: dir, OwnFile: "none"})
			require.NoError(t, err)
			if keyword == "UserKnownHostsFile" {
				require.Equal(t, want, h.UserKnownHostsFile)
			} else {
				require.Equal(t, want, h.GlobalKnownHostsFile)
			}
		}
	}
}

func TestBaselinesAreAskedOnce(t *testing.T) {
	count := filepath.Join(t.TempDir(), "count")
	body := `case "$*" in *none*) echo x >> '` + count + `' ;; esac; echo hostname x`
	ssh := script(t, body)
	q := hostconfig.Query{SSH: ssh, Destination: "x", OwnFile: "none", Baselines: new(hostconfig.Baselines)}
	runs := func(want int) {
		t.Helper()
		for range 3 {
			_, err := hostconfig.Resolve(context.Background(), q)
			require.NoError(t, err)
		}
		out, err := os.ReadFile(count)
		require.NoError(t, err)
		require.Equal(t, want, bytes.Count(out, []byte("x")))
	}
	runs(1)
	require.NoError(t, os.WriteFile(ssh, []byte("#!/bin/sh\n# another program\n"+body+"\n"), 0o700))
	runs(2)
	q.Baselines = nil
	runs(5)
}

func TestUnknownKeywordIsLogged(t *testing.T) {
	var log bytes.Buffer
	_, err := hostconfig.Resolve(context.Background(), hostconfig.Query{
		SSH: script(t, "echo hostname x; echo neverheardof a b"), Destination: "x", OwnFile: "none",
		Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	require.NoError(t, err)
	require.Contains(t, log.String(), "keyword=neverheardof")
}

func TestSSHThatCannotRun(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "ssh")
	require.NoError(t, os.WriteFile(bad, []byte("\x7fELF nothing"), 0o700))
	_, err := ask(t, bad)
	require.Error(t, err, "a broken ssh is told, not stood in for")
	require.False(t, errors.Is(err, exec.ErrNotFound))
}
