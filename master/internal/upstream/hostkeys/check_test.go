package hostkeys_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/upstream/hostkeys"
	"sshmaster/master/internal/upstream/prompt"
)

// What x/crypto's knownhosts and others get wrong. The host has an ed25519 key,
// with a certificate where that is said.
func TestKnown(t *testing.T) {
	k := keys()
	ed := k.ed25519.PublicKey()
	cert := hostCert(t, k.ed25519, k.ca, nil).PublicKey()
	good := line("srv", ed)
	for _, tc := range []struct {
		name, file string
		port       int
		key        ssh.PublicKey
		want       hostkeys.Kind // 0 is accepted
	}{
		{name: "known", file: good},
		{name: "known among others", file: line("srv", k.otherECDSA.PublicKey()) + good},
		{name: "bad lines around", file: "srv ssh-rsa\n\x00\xff\nsrv 1024 35 99\nsrv ssh-ed25519 AAAA\n@x y z w\n" + good},
		{name: "overlong line before", file: "srv " + strings.Repeat("x", 200<<10) + "\n" + good},
		{name: "overlong list of hosts", file: strings.Repeat("a,", 40<<10) + good, want: hostkeys.Unknown},
		{name: "missing file", want: hostkeys.Unknown},
		{name: "CRLF", file: strings.ReplaceAll(good, "\n", "\r\n")},
		{name: "no newline at the end", file: strings.TrimSpace(good)},
		{name: "without port, at a port", file: good, port: 2401},
		{name: "another key without port, at a port", file: line("srv", k.otherED.PublicKey()), port: 2401, want: hostkeys.Unknown},
		{name: "with port", file: line("[srv]:2401", ed), port: 2401},
		{name: "with another port", file: line("[srv]:2402", ed), port: 2401, want: hostkeys.Unknown},
		{name: "changed with port, known without", file: line("[srv]:2401", k.otherED.PublicKey()) + good, port: 2401, want: hostkeys.Changed},
		{name: "star, at a port", file: line("*", ed), port: 2401},
		{name: "negated", file: line("*,!srv", ed), want: hostkeys.Unknown},
		{name: "changed", file: line("srv", k.otherED.PublicKey()), want: hostkeys.Changed},
		{name: "changed, of another type", file: line("srv", k.ecdsa.PublicKey()), want: hostkeys.Changed},
		{name: "known for another host", file: line("other", ed), want: hostkeys.Unknown},
		{name: "authority star, at a port", file: line("@cert-authority *", k.ca.PublicKey()), port: 2401, key: cert},
		{name: "authority by the name, at a port", file: line("@cert-authority srv", k.ca.PublicKey()), port: 2401, key: cert},
		{name: "only an authority, and no certificate", file: line("@cert-authority *", k.ca.PublicKey()), want: hostkeys.Unknown},
		{name: "certificate, its plain key known", file: good, key: cert},
		{name: "certificate, another plain key known", file: line("srv", k.otherED.PublicKey()), key: cert, want: hostkeys.Changed},
		{name: "certificate of an unknown authority", file: line("@cert-authority *", k.ca2.PublicKey()), key: cert, want: hostkeys.Unknown},
		{name: "the authority's key is no host key", file: line("@cert-authority *", ed), want: hostkeys.Unknown},
		{name: "a host key is no authority", file: line("srv", k.ca.PublicKey()), key: cert, want: hostkeys.Changed},
		{name: "revoked", file: line("@revoked srv", ed), want: hostkeys.Revoked},
		{name: "revoked and known", file: good + line("@revoked *", ed), want: hostkeys.Revoked},
		{name: "revoked for another host", file: good + line("@revoked other", ed)},
		{name: "revoked without port, at a port", file: line("@revoked srv", ed), port: 2401, want: hostkeys.Revoked},
		{name: "certificate of a revoked authority", file: line("@cert-authority *", k.ca.PublicKey()) + line("@revoked *", k.ca.PublicKey()), key: cert, want: hostkeys.Revoked},
		{name: "certificate with a revoked key", file: line("@cert-authority *", k.ca.PublicKey()) + line("@revoked *", ed), key: cert, want: hostkeys.Revoked},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.key == nil {
				tc.key = ed
			}
			path := filepath.Join(t.TempDir(), "missing")
			if tc.file != "" {
				path = write(t, tc.file)
			}
			for _, config := range []hostkeys.Config{
				{UserFiles: []string{path, "/dev/null"}},
				{GlobalFiles: []string{path}, UserFiles: []string{filepath.Join(t.TempDir(), "missing")}},
			} {
				config.Port, config.Strict = tc.port, hostkeys.Yes
				result, err := check(t, config, tc.key)
				if tc.want != 0 {
					e := refused(t, err, tc.want)
					require.Nil(t, result.Key)
					require.NotEmpty(t, e.Host)
					require.Contains(t, e.Error(), e.Fingerprint)
					continue
				}
				require.NoError(t, err)
				require.False(t, result.Unsafe || result.Added)
				require.Equal(t, tc.key, result.Key)
			}
			if tc.file != "" {
				require.Equal(t, tc.file, read(t, path))
			}
		})
	}
}

func TestTrustedOnlyByTheUsersFile(t *testing.T) {
	k := keys()
	path := write(t, line("srv", k.ed25519.PublicKey()))
	empty := write(t, "")
	for _, tc := range []struct {
		name   string
		config hostkeys.Config
		want   bool
	}{
		{"user", hostkeys.Config{UserFiles: []string{empty, path}}, true},
		{"global", hostkeys.Config{UserFiles: []string{empty}, GlobalFiles: []string{path}}, false},
		{"without port", hostkeys.Config{UserFiles: []string{path}, Port: 2401}, false},
	} {
		result, err := check(t, tc.config, k.ed25519.PublicKey())
		require.NoError(t, err, tc.name)
		require.Equal(t, tc.want, result.Trusted, tc.name)
	}
}

func TestNames(t *testing.T) {
	k := keys()
	key := k.ed25519.PublicKey()
	path := write(t, line("alias", key)+line("[alias]:2401", k.otherED.PublicKey())+line("upper", key))
	for _, tc := range []struct {
		name   string
		config hostkeys.Config
		want   hostkeys.Kind
	}{
		{"alias ignores the port", hostkeys.Config{Host: "x", Port: 2401, Alias: "Alias"}, 0},
		{"lower case", hostkeys.Config{Host: "UPPER"}, 0},
		{"no fallback from an alias", hostkeys.Config{Host: "upper", Port: 2401, Alias: "nobody"}, hostkeys.Unknown},
	} {
		tc.config.UserFiles, tc.config.Strict = []string{path}, hostkeys.Yes
		_, err := check(t, tc.config, key)
		if tc.want == 0 {
			require.NoError(t, err, tc.name)
		} else {
			refused(t, err, tc.want)
		}
	}
}

func TestStrict(t *testing.T) {
	k := keys()
	key := k.ed25519.PublicKey()
	changed := line("srv", k.otherED.PublicKey())
	revoked := line("@revoked srv", key)
	for _, tc := range []struct {
		strict hostkeys.Strict
		file   string
		want   hostkeys.Kind
		result hostkeys.Result
	}{
		{hostkeys.Yes, "", hostkeys.Unknown, hostkeys.Result{}},
		{hostkeys.Ask, "", hostkeys.Unknown, hostkeys.Result{}},
		{hostkeys.AcceptNew, "", 0, hostkeys.Result{Added: true}},
		{hostkeys.Off, "", 0, hostkeys.Result{Added: true}},
		{hostkeys.Yes, changed, hostkeys.Changed, hostkeys.Result{}},
		{hostkeys.Ask, changed, hostkeys.Changed, hostkeys.Result{}},
		{hostkeys.AcceptNew, changed, hostkeys.Changed, hostkeys.Result{}},
		{hostkeys.Off, changed, 0, hostkeys.Result{Unsafe: true}},
		{hostkeys.Yes, revoked, hostkeys.Revoked, hostkeys.Result{}},
		{hostkeys.Ask, revoked, hostkeys.Revoked, hostkeys.Result{}},
		{hostkeys.AcceptNew, revoked, hostkeys.Revoked, hostkeys.Result{}},
		{hostkeys.Off, revoked, 0, hostkeys.Result{Unsafe: true}},
	} {
		path := write(t, tc.file)
		var shown screen
		result, err := check(t, hostkeys.Config{UserFiles: []string{path}, Strict: tc.strict, Notify: shown.show}, key)
		if tc.want != 0 {
			refused(t, err, tc.want)
			require.Equal(t, tc.file, read(t, path))
		} else {
			require.NoError(t, err)
			tc.result.Key = key
			require.Equal(t, tc.result, result)
		}
		if tc.result.Added {
			require.Equal(t, line("srv", key), read(t, path))
			require.Equal(t, "Warning: Permanently added 'srv' (ED25519) to the list of known hosts.", shown.all())
		}
	}
}

func TestParseValues(t *testing.T) {
	for text, want := range map[string]hostkeys.Strict{
		"": hostkeys.Ask, "ask": hostkeys.Ask, "yes": hostkeys.Yes, "true": hostkeys.Yes, "ACCEPT-NEW": hostkeys.AcceptNew,
		"no": hostkeys.Off, "off": hostkeys.Off, "false": hostkeys.Off,
	} {
		got, err := hostkeys.ParseStrict(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
		again, err := hostkeys.ParseStrict(got.String())
		require.NoError(t, err)
		require.Equal(t, want, again)
	}
	_, err := hostkeys.ParseStrict("maybe")
	require.ErrorContains(t, err, "StrictHostKeyChecking")
	for text, want := range map[string]hostkeys.Update{"yes": hostkeys.UpdateYes, "true": hostkeys.UpdateYes, "ask": hostkeys.UpdateAsk, "no": hostkeys.UpdateNo} {
		got, err := hostkeys.ParseUpdate(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err = hostkeys.ParseUpdate("force")
	require.ErrorContains(t, err, "UpdateHostKeys")
}

func TestChangedKeyNamesLineAndRemedy(t *testing.T) {
	k := keys()
	old := k.otherECDSA.PublicKey()
	path := write(t, "# mine\n"+line("[srv]:2401", old))
	var shown screen
	_, err := check(t, hostkeys.Config{UserFiles: []string{path}, Port: 2401, Notify: shown.show}, k.ed25519.PublicKey())
	e := refused(t, err, hostkeys.Changed)
	require.Equal(t, path, e.File)
	require.Equal(t, 2, e.Line)
	require.Equal(t, "[srv]:2401", e.Host)
	require.Equal(t, "ED25519", e.KeyType)
	require.Equal(t, ssh.FingerprintSHA256(k.ed25519.PublicKey()), e.Fingerprint)
	for _, text := range []string{shown.all(), e.Error()} {
		require.Contains(t, text, path+":2")
		require.Contains(t, text, ssh.FingerprintSHA256(k.ed25519.PublicKey()))
		require.Contains(t, text, `ssh-keygen -f "`+path+`" -R "[srv]:2401"`)
	}
	require.Contains(t, shown.all(), "WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!")
	require.Contains(t, shown.all(), "Offending ECDSA key in "+path+":2\n")

	// ssh-keygen -R leaves patterns alone, and others' files cannot be edited.
	path = write(t, line("s*", old))
	_, err = check(t, hostkeys.Config{UserFiles: []string{path}}, k.ed25519.PublicKey())
	require.Contains(t, refused(t, err, hostkeys.Changed).Remedy, "edit line "+path+":1")
	_, err = check(t, hostkeys.Config{GlobalFiles: []string{path}}, k.ed25519.PublicKey())
	require.Contains(t, refused(t, err, hostkeys.Changed).Remedy, "administrator")
}

func TestNothingOfOthersReachesTheTerminal(t *testing.T) {
	k := keys()
	path := write(t, line("evil\x1b[2J,\u202esrv", k.ed25519.PublicKey()))
	someone := &person{answers: []string{"no"}}
	_, err := check(t, hostkeys.Config{UserFiles: []string{path}, Prompter: someone}, k.ed25519.PublicKey())
	refused(t, err, hostkeys.Unknown)
	require.Contains(t, someone.asked[0], "evil?[2J,?srv")
	_, err = check(t, hostkeys.Config{Host: "a\x1b]0;b", UserFiles: []string{path}}, k.ed25519.PublicKey())
	require.NotContains(t, err.Error(), "\x1b")
}

func TestFingerprintMD5(t *testing.T) {
	key := keys().ed25519.PublicKey()
	_, err := check(t, hostkeys.Config{FingerprintHash: "MD5", Strict: hostkeys.Yes, UserFiles: []string{write(t, "")}}, key)
	require.Equal(t, "MD5:"+ssh.FingerprintLegacyMD5(key), refused(t, err, hostkeys.Unknown).Fingerprint)
}

func TestLoopback(t *testing.T) {
	k := keys()
	path := write(t, line("localhost", k.otherED.PublicKey()))
	local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 22}
	for _, tc := range []struct {
		name   string
		config hostkeys.Config
		remote net.Addr
		ok     bool
	}{
		{"trusted", hostkeys.Config{TrustLocal: true}, local, true},
		{"IPv6", hostkeys.Config{TrustLocal: true}, &net.TCPAddr{IP: net.IPv6loopback}, true},
		{"not asked for", hostkeys.Config{}, local, false},
		{"alias", hostkeys.Config{TrustLocal: true, Alias: "localhost"}, local, false},
		{"elsewhere", hostkeys.Config{TrustLocal: true}, remote, false},
		{"proxied", hostkeys.Config{TrustLocal: true, Proxied: true}, local, false},
		{"unix socket", hostkeys.Config{TrustLocal: true}, &net.UnixAddr{Name: "/x"}, false},
	} {
		tc.config.Host, tc.config.UserFiles = "localhost", []string{path}
		checker := hostkeys.New(tc.config)
		err := checker.Check(t.Context(), tc.remote, k.ed25519.PublicKey())
		require.Equal(t, tc.ok, err == nil, tc.name)
		require.False(t, checker.Result().Trusted, tc.name)
	}
}

// Every key exchange calls again. The first answer holds, and nothing is asked
// or written twice.
func TestRekey(t *testing.T) {
	k := keys()
	path := write(t, "")
	someone := &person{answers: []string{"yes"}}
	checker := hostkeys.New(hostkeys.Config{Host: "srv", UserFiles: []string{path}, Prompter: someone})
	callback := checker.Callback(t.Context())
	require.NoError(t, callback("srv:22", remote, k.ed25519.PublicKey()))
	text := read(t, path)
	require.NoError(t, os.Remove(path))
	for range 3 {
		require.NoError(t, callback("srv:22", remote, k.ed25519.PublicKey()))
	}
	require.NoFileExists(t, path)
	require.Len(t, someone.asked, 1)

	refused(t, callback("srv:22", remote, k.ecdsa.PublicKey()), hostkeys.Changed)
	require.Len(t, someone.asked, 1)
	require.NoError(t, os.WriteFile(path, []byte(text+line("srv", k.ecdsa.PublicKey())), 0o600))
	require.NoError(t, callback("srv:22", remote, k.ecdsa.PublicKey()))
	require.Equal(t, k.ecdsa.PublicKey(), checker.Result().Key)
	require.NoError(t, os.WriteFile(path, []byte(line("@revoked srv", k.rsa.PublicKey())), 0o600))
	refused(t, callback("srv:22", remote, k.rsa.PublicKey()), hostkeys.Revoked)
}

func TestUnacceptableKeys(t *testing.T) {
	k := keys()
	path := write(t, line("srv", k.rsa.PublicKey()))
	_, err := check(t, hostkeys.Config{UserFiles: []string{path}, RequiredRSASize: 3072}, k.rsa.PublicKey())
	require.Contains(t, refused(t, err, hostkeys.Unacceptable).Error(), "2048 bits")
	_, err = check(t, hostkeys.Config{UserFiles: []string{path}, HostKeyAlgorithms: []string{"ssh-ed25519"}}, k.rsa.PublicKey())
	require.Contains(t, refused(t, err, hostkeys.Unacceptable).Remedy, "HostKeyAlgorithms")
	_, err = check(t, hostkeys.Config{UserFiles: []string{path}, HostKeyAlgorithms: []string{"rsa-sha2-256"}}, k.rsa.PublicKey())
	require.NoError(t, err)
}

func TestErrorUnwraps(t *testing.T) {
	_, err := check(t, hostkeys.Config{RevokedFiles: []string{"/nonexistent/list"}}, keys().rsa.PublicKey())
	require.ErrorIs(t, err, os.ErrNotExist)
	require.False(t, errors.Is(err, prompt.ErrNoPrompt))
}
