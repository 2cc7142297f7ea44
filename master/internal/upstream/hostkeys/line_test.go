package hostkeys_test

import (
	"encoding/base64"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/upstream/hostkeys"
)

func TestParseLine(t *testing.T) {
	ed := strings.TrimSpace(line("", keys().ed25519.PublicKey()))
	for _, tc := range []struct {
		name, text string
		marker     hostkeys.Marker
		hosts      string
		bad        bool
	}{
		{name: "empty"},
		{name: "blanks", text: " \t "},
		{name: "comment", text: "  # srv " + ed},
		{name: "plain", text: "srv " + ed, hosts: "srv"},
		{name: "comment behind", text: "srv " + ed + " root@srv # more", hosts: "srv"},
		{name: "tabs and CRLF", text: "\tsrv,1.2.3.4\t \t" + strings.ReplaceAll(ed, " ", "\t") + "\r", hosts: "srv,1.2.3.4"},
		{name: "authority", text: "@cert-authority *.net " + ed, marker: hostkeys.CertAuthority, hosts: "*.net"},
		{name: "revoked", text: "@revoked\t* " + ed, marker: hostkeys.RevokedKey, hosts: "*"},
		{name: "two markers", text: "@revoked @cert-authority * " + ed, bad: true},
		{name: "unknown marker", text: "@trusted * " + ed, bad: true},
		{name: "marker alone", text: "@revoked", bad: true},
		{name: "host alone", text: "srv", bad: true},
		{name: "no key", text: "srv ssh-ed25519", bad: true},
		{name: "key is a comment", text: "srv # " + ed, bad: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := hostkeys.ParseLine(tc.text)
			if tc.bad {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.marker, got.Marker)
			require.Equal(t, tc.hosts, got.Hosts)
			if tc.hosts == "" {
				return
			}
			key, err := got.Key()
			require.NoError(t, err)
			require.Equal(t, keys().ed25519.PublicKey().Marshal(), key.Marshal())
		})
	}
}

func TestLineKeyRefusesWhatIsNoHostKey(t *testing.T) {
	ed := keys().ed25519.PublicKey()
	cert := hostCert(t, keys().ed25519, keys().ca, nil).PublicKey()
	shortRSA := ssh.Marshal(struct {
		Type string
		E, N *big.Int
	}{"ssh-rsa", big.NewInt(65537), new(big.Int).Lsh(big.NewInt(1), 1022)})
	for name, text := range map[string]string{
		"not base64":  "srv ssh-ed25519 !!!",
		"cut":         line("srv", ed)[:60],
		"other type":  strings.Replace(line("srv", ed), "ssh-ed25519", "ssh-rsa", 1),
		"SSH-1":       "srv 1024 35 1234567890",
		"certificate": line("srv", cert),
		"short RSA":   "srv ssh-rsa " + base64.StdEncoding.EncodeToString(shortRSA),
	} {
		l, err := hostkeys.ParseLine(strings.TrimSpace(text))
		require.NoError(t, err, name)
		_, err = l.Key()
		require.Error(t, err, name)
	}
}

func TestLineMatches(t *testing.T) {
	for _, tc := range []struct {
		hosts, name string
		want        bool
	}{
		{"srv", "srv", true},
		{"SRV.Example.NET", "srv.example.net", true},
		{"srv", "srv2", false},
		{"a,b,srv", "srv", true},
		{"*.example.net", "srv.example.net", true},
		{"*.example.net", "example.net", false},
		{"s?v", "srv", true},
		{"s?v", "sv", false},
		{"*", "[srv]:2222", true},
		{"**r*", "srv", true},
		{"[srv]:2222", "[srv]:2222", true},
		{"[srv]:2222", "srv", false},
		{"[*.net]:2222", "[srv.net]:2222", true},
		{"srv", "[srv]:2222", false},
		{"*.net,!bad.net", "good.net", true},
		{"*.net,!bad.net", "bad.net", false},
		{"!bad.net,*.net", "bad.net", false},
		{"!bad.net", "good.net", false},
		{"fe80::1%eth0", "fe80::1%eth0", true},
		{strings.Repeat("a*", 600), strings.Repeat("a", 600), false},
		{"*a*a*a*a*a*a*a*a*a*a*b", strings.Repeat("a", 1000), false},
	} {
		got, err := hostkeys.Line{Hosts: tc.hosts}.Matches(tc.name)
		require.NoError(t, err)
		require.Equal(t, tc.want, got, "%s ~ %s", tc.hosts, tc.name)
	}
}

// The example of sshd(8) was made by ssh itself; the malformed ones are skipped.
func TestLineMatchesHashed(t *testing.T) {
	path := write(t, line("srv", keys().ed25519.PublicKey()))
	run(t, "ssh-keygen", "-q", "-H", "-f", path)
	l, err := hostkeys.ParseLine(strings.TrimSpace(read(t, path)))
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(l.Hosts, "|1|"))
	for name, want := range map[string]bool{"srv": true, "other": false} {
		got, err := l.Matches(name)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, bad := range []string{"|", "|1|", "|1|a|b", "|2|" + l.Hosts[3:], l.Hosts[:20], l.Hosts + "A"} {
		_, err := hostkeys.Line{Hosts: bad}.Matches("srv")
		require.Error(t, err, bad)
	}
}

func FuzzParseLine(f *testing.F) {
	f.Add("srv "+line("", keys().ed25519.PublicKey()), "srv")
	f.Add(line("@revoked *.net,!a.net", keys().ecdsa.PublicKey()), "a.net")
	f.Add("|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= "+line("", keys().rsa.PublicKey()), "192.168.1.61")
	f.Add(line("@cert-authority *", hostCert(f, keys().ed25519, keys().ca, nil).PublicKey()), "x")
	f.Add("# comment\r", "")
	f.Fuzz(func(t *testing.T, text, name string) {
		l, err := hostkeys.ParseLine(text)
		if err != nil {
			require.Empty(t, l)
			return
		}
		require.Equal(t, l.Hosts == "", l.KeyText == "")
		require.NotContains(t, l.Hosts+l.KeyType+l.KeyText, " ")
		if _, err := l.Matches(name); err != nil {
			require.True(t, strings.HasPrefix(l.Hosts, "|"))
		}
		key, err := l.Key()
		if err != nil {
			return
		}
		again, err := hostkeys.ParseLine(strings.TrimSuffix(line("x", key), "\n"))
		require.NoError(t, err)
		same, err := again.Key()
		require.NoError(t, err)
		require.Equal(t, key.Marshal(), same.Marshal())
	})
}
