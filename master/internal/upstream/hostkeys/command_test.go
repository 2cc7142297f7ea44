package hostkeys_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/upstream/hostkeys"
)

// script writes an executable and returns its path.
func script(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "command")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+body), 0o700))
	return path
}

func TestCommand(t *testing.T) {
	k := keys()
	key := k.ecdsa.PublicKey()
	calls := filepath.Join(t.TempDir(), "calls")
	path := script(t, `for a; do printf '%s,' "$a" >>`+calls+`; done; echo >>`+calls+`
echo garbage; case $1 in HOSTNAME|ORDER) cat <<X
`+line("srv", key)+`X
;; esac`)
	var shown screen
	known := write(t, "")
	checker := hostkeys.New(hostkeys.Config{Host: "srv", CheckHostIP: true, Notify: shown.show, UserFiles: []string{known},
		Command: path + ` %I %H "%t %f" %K %%`, Strict: hostkeys.Yes})
	algorithms, err := checker.Algorithms(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"ecdsa-sha2-nistp256-cert-v01@openssh.com", "ecdsa-sha2-nistp256"}, algorithms[:2])
	require.NoError(t, checker.Check(t.Context(), remote, key))
	require.NoError(t, checker.Check(t.Context(), remote, key))
	require.False(t, checker.Result().Trusted)

	blob := strings.Fields(line("x", key))[2]
	shownKey := key.Type() + " " + ssh.FingerprintSHA256(key) + "," + blob + ",%,\n"
	require.Equal(t, "ORDER,srv,NONE NONE,NONE,%,\nHOSTNAME,srv,"+shownKey+"ADDRESS,192.0.2.7,"+shownKey, read(t, calls))
	require.Contains(t, shown.all(), "ECDSA host key for IP address '192.0.2.7' not in list of known hosts")
	require.Empty(t, read(t, known), "what the command knows is not written")
}

func TestCommandNamesItselfInAChange(t *testing.T) {
	k := keys()
	path := script(t, "cat <<X\n"+line("srv", k.otherED.PublicKey())+"X")
	_, err := check(t, hostkeys.Config{Command: path}, k.ed25519.PublicKey())
	e := refused(t, err, hostkeys.Changed)
	require.Equal(t, "KnownHostsCommand-HOSTNAME", e.File)
	require.Contains(t, e.Remedy, "KnownHostsCommand")
}

func TestCommandUsesTheGivenExpansion(t *testing.T) {
	k := keys()
	path := script(t, `[ "$1 $2" = "a b c" ] && cat <<X
`+line("srv", k.ed25519.PublicKey())+`X`)
	config := hostkeys.Config{Command: path + ` a\ b %x`, Expand: func(word string, tokens map[byte]string) (string, error) {
		require.Equal(t, "HOSTNAME", tokens['I'])
		return strings.ReplaceAll(word, "%x", "c"), nil
	}}
	_, err := check(t, config, k.ed25519.PublicKey())
	require.NoError(t, err)
	config.Expand = func(string, map[byte]string) (string, error) { return "", errors.New("no such token") }
	_, err = check(t, config, k.ed25519.PublicKey())
	require.ErrorContains(t, refused(t, err, hostkeys.Unverifiable), "no such token")
}

// A command that fails ends the connection, one that cannot be started does not.
func TestCommandFails(t *testing.T) {
	k := keys()
	known := write(t, line("srv", k.ed25519.PublicKey()))
	for name, command := range map[string]string{
		"status":         script(t, "exit 3"),
		"signal":         script(t, "kill -9 $$"),
		"quotes":         "/bin/true 'x",
		"blanks":         " \t",
		"token":          "/bin/true %q",
		"percent":        "/bin/true %",
		"not executable": known,
		"endless":        script(t, "exec cat /dev/zero"),
	} {
		_, err := check(t, hostkeys.Config{UserFiles: []string{known}, Command: command}, k.ed25519.PublicKey())
		require.Contains(t, refused(t, err, hostkeys.Unverifiable).Error(), "KnownHostsCommand", name)
		_, err = hostkeys.New(hostkeys.Config{Command: command}).Algorithms(t.Context())
		refused(t, err, hostkeys.Unverifiable)
	}
	for _, command := range []string{"/nonexistent/command", "true", "none"} {
		var shown screen
		_, err := check(t, hostkeys.Config{UserFiles: []string{known}, Command: command, Notify: shown.show}, k.ed25519.PublicKey())
		require.NoError(t, err)
		require.Equal(t, command != "none", strings.Contains(shown.all(), "KnownHostsCommand is left out"))
	}
}

func TestCommandEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	checker := hostkeys.New(hostkeys.Config{Command: script(t, "exec sleep 60")})
	require.ErrorIs(t, checker.Check(ctx, remote, keys().ed25519.PublicKey()), context.DeadlineExceeded)
}
