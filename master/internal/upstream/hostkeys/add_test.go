package hostkeys_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/upstream/hostkeys"
)

func TestAddMakesFileAndFolder(t *testing.T) {
	key := keys().ed25519.PublicKey()
	home := t.TempDir()
	result, err := check(t, hostkeys.Config{Home: home, UserFiles: []string{"~/.ssh/known_hosts", "~/.ssh/known_hosts2"}, Strict: hostkeys.AcceptNew}, key)
	require.NoError(t, err)
	require.True(t, result.Added)
	path := filepath.Join(home, ".ssh", "known_hosts")
	require.Equal(t, line("srv", key), read(t, path))
	for file, mode := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		info, err := os.Stat(file)
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm())
	}
}

func TestAddAppends(t *testing.T) {
	k := keys()
	before := strings.TrimSuffix(line("other", k.rsa.PublicKey()), "\n")
	for _, text := range []string{before, before + "\n"} {
		path := write(t, text)
		require.NoError(t, os.Chmod(path, 0o644))
		_, err := check(t, hostkeys.Config{UserFiles: []string{path}, Port: 2401, Strict: hostkeys.Off}, k.ed25519.PublicKey())
		require.NoError(t, err)
		require.Equal(t, before+"\n"+line("[srv]:2401", k.ed25519.PublicKey()), read(t, path))
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o644), info.Mode().Perm(), "the mode of a file that is there stays")
	}
}

func TestAddHashed(t *testing.T) {
	key := keys().ed25519.PublicKey()
	path := write(t, "")
	config := hostkeys.Config{Host: "Srv", UserFiles: []string{path}, CheckHostIP: true, Hash: true, Strict: hostkeys.AcceptNew}
	_, err := check(t, config, key)
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(read(t, path), "\n"))
	require.NotContains(t, read(t, path), "srv ")
	require.Contains(t, run(t, "ssh-keygen", "-F", "srv", "-f", path), "found: line 1")
	require.Contains(t, run(t, "ssh-keygen", "-F", "192.0.2.7", "-f", path), "found: line 2")
	config.Strict = hostkeys.Yes
	_, err = check(t, config, key)
	require.NoError(t, err)
}

// A file that cannot be written is a warning.
func TestAddFails(t *testing.T) {
	for _, path := range []string{"/nonexistent/known_hosts", t.TempDir()} {
		var shown screen
		result, err := check(t, hostkeys.Config{UserFiles: []string{path}, Strict: hostkeys.AcceptNew, Notify: shown.show}, keys().ed25519.PublicKey())
		require.NoError(t, err)
		require.False(t, result.Added)
		require.Contains(t, shown.all(), "Failed to add the host to the list of known hosts ("+path)
	}
}

func TestAddToNull(t *testing.T) {
	result, err := check(t, hostkeys.Config{UserFiles: []string{"/dev/null"}, Strict: hostkeys.Off}, keys().ed25519.PublicKey())
	require.NoError(t, err)
	require.True(t, result.Added)
}

func TestAddressIsChecked(t *testing.T) {
	k := keys()
	ed, other := k.ed25519.PublicKey(), k.otherED.PublicKey()
	const ip = "192.0.2.7"
	for _, tc := range []struct {
		name, file string
		strict     hostkeys.Strict
		answers    []string
		want       hostkeys.Kind
		added      string
		says       string
	}{
		{name: "both known", file: line("srv,"+ip, ed), strict: hostkeys.Yes},
		{name: "address is new", file: line("srv", ed), strict: hostkeys.Yes, added: line(ip, ed), says: "for IP address '192.0.2.7'"},
		{name: "both new", strict: hostkeys.AcceptNew, added: line("srv,"+ip, ed), says: "added 'srv,192.0.2.7'"},
		{name: "host is new, address known", file: line(ip, ed), strict: hostkeys.AcceptNew, added: line("srv", ed)},
		{name: "address differs, yes", file: line("srv", ed) + line(ip, other), strict: hostkeys.Yes, want: hostkeys.Changed, says: "Offending key for IP in "},
		{name: "address differs, off", file: line("srv", ed) + line(ip, other), strict: hostkeys.Off, says: "Matching host key in "},
		{name: "address differs, asked", file: line("srv", ed) + line(ip, other), answers: []string{"yes"}},
		{name: "address differs, denied", file: line("srv", ed) + line(ip, other), answers: []string{"no"}, want: hostkeys.Changed},
		{name: "address differs, nobody", file: line("srv", ed) + line(ip, other), want: hostkeys.Changed},
		{name: "host changed, address known", file: line("srv", other) + line(ip, ed), want: hostkeys.Changed, says: "DNS spoofing"},
		{name: "address revoked", file: line("srv", ed) + line("@revoked "+ip, ed), want: hostkeys.Revoked},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := write(t, tc.file)
			var shown screen
			_, err := check(t, hostkeys.Config{UserFiles: []string{path}, CheckHostIP: true, Strict: tc.strict,
				Prompter: &person{answers: tc.answers}, Notify: shown.show}, ed)
			if tc.want != 0 {
				refused(t, err, tc.want)
			} else {
				require.NoError(t, err)
			}
			require.Equal(t, tc.file+tc.added, read(t, path))
			require.Contains(t, shown.all(), tc.says)
		})
	}
}
