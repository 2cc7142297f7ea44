package hostkeys_test

import (
	"encoding/binary"
	"encoding/pem"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/upstream/hostkeys"
)

// publicLine returns a line of a .pub file.
func publicLine(key ssh.PublicKey) string { return strings.TrimPrefix(line("", key), " ") }

func TestRevokedList(t *testing.T) {
	k := keys()
	ed := k.ed25519.PublicKey()
	cert := hostCert(t, k.ed25519, k.ca, nil).PublicKey()
	for _, tc := range []struct {
		name, list string
		key        ssh.PublicKey
		want       hostkeys.Kind
	}{
		{"empty", "", ed, 0},
		{"others", "# comment\n\n" + publicLine(k.rsa.PublicKey()) + publicLine(k.ecdsa.PublicKey()), ed, 0},
		{"the key", publicLine(k.rsa.PublicKey()) + "\t" + publicLine(ed), ed, hostkeys.Revoked},
		{"CRLF", strings.ReplaceAll(publicLine(ed), "\n", " comment\r\n"), ed, hostkeys.Revoked},
		{"the certificate's key", publicLine(ed), cert, hostkeys.Revoked},
		{"the authority", publicLine(k.ca.PublicKey()), cert, hostkeys.Revoked},
		{"a certificate of the key", publicLine(cert), ed, hostkeys.Revoked},
		{"unknown type before", "ssh-new AAAAB3NzaC1uZXc=\n" + publicLine(ed), ed, hostkeys.Revoked},
		{"unknown type", "ssh-new AAAAB3NzaC1uZXc=\n", ed, 0},
		{"broken line before", "ssh-rsa AAAA\n" + publicLine(ed), ed, hostkeys.Unverifiable},
		{"broken line", publicLine(k.rsa.PublicKey())[:80], ed, hostkeys.Unverifiable},
		{"not a list", "hello world\n", ed, hostkeys.Unverifiable},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := write(t, tc.list)
			// It holds even where host keys are not checked at all.
			_, err := check(t, hostkeys.Config{UserFiles: []string{"/dev/null"}, RevokedFiles: []string{write(t, ""), path}, Strict: hostkeys.Off}, tc.key)
			if tc.want == 0 {
				require.NoError(t, err)
				return
			}
			require.Equal(t, path, refused(t, err, tc.want).File)
		})
	}
	for _, path := range []string{"/nonexistent/list", t.TempDir()} {
		_, err := check(t, hostkeys.Config{UserFiles: []string{"/dev/null"}, RevokedFiles: []string{path}, Strict: hostkeys.Off}, ed)
		refused(t, err, hostkeys.Unverifiable)
	}
}

// Lists as ssh-keygen writes them.
func TestKRL(t *testing.T) {
	k := keys()
	folder := t.TempDir()
	put := func(name, text string) string {
		path := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	authority := put("ca.pub", publicLine(k.ca.PublicKey()))
	plain := k.ed25519.PublicKey()
	cert := func(serial uint64, id string) ssh.PublicKey {
		return hostCert(t, k.otherED, k.ca, func(c *ssh.Certificate) { c.Serial, c.KeyId = serial, id }).PublicKey()
	}
	foreign := hostCert(t, k.otherED, k.ca2, nil).PublicKey() // serial 7, "the host"
	sha := ssh.FingerprintSHA256(plain)
	for _, tc := range []struct {
		name, spec string
		ca         bool
		revoked    []ssh.PublicKey
		good       []ssh.PublicKey
	}{
		{name: "key", spec: "key: " + publicLine(plain), revoked: []ssh.PublicKey{plain, hostCert(t, k.ed25519, k.ca, nil).PublicKey()}, good: []ssh.PublicKey{k.rsa.PublicKey(), cert(7, "x")}},
		{name: "authority's key", spec: "key: " + publicLine(k.ca.PublicKey()), revoked: []ssh.PublicKey{cert(7, "x")}, good: []ssh.PublicKey{plain, foreign}},
		{name: "sha1", spec: "sha1: " + publicLine(plain), revoked: []ssh.PublicKey{plain}, good: []ssh.PublicKey{k.rsa.PublicKey()}},
		{name: "sha256", spec: "sha256: " + publicLine(plain), revoked: []ssh.PublicKey{plain}, good: []ssh.PublicKey{k.rsa.PublicKey()}},
		{name: "hash", spec: "hash: " + sha + "\n", revoked: []ssh.PublicKey{plain}, good: []ssh.PublicKey{k.rsa.PublicKey()}},
		{name: "serial", spec: "serial: 7\n", ca: true, revoked: []ssh.PublicKey{cert(7, "x")}, good: []ssh.PublicKey{cert(8, "x"), cert(0, "x"), foreign, plain}},
		{name: "range", spec: "serial: 5-100000\n", ca: true, revoked: []ssh.PublicKey{cert(5, ""), cert(100000, "")}, good: []ssh.PublicKey{cert(4, ""), cert(100001, ""), foreign}},
		{name: "bitmap", spec: "serial: 3\nserial: 7\nserial: 9\nserial: 12\nserial: 20-22\nserial: 30\n", ca: true,
			revoked: []ssh.PublicKey{cert(3, ""), cert(7, ""), cert(12, ""), cert(21, ""), cert(30, "")},
			good:    []ssh.PublicKey{cert(1, ""), cert(4, ""), cert(8, ""), cert(23, ""), cert(29, ""), cert(31, ""), cert(math.MaxUint64, "")}},
		{name: "ends", spec: "serial: 18446744073709551615\n", ca: true, revoked: []ssh.PublicKey{cert(math.MaxUint64, "")}, good: []ssh.PublicKey{cert(1, "")}},
		{name: "id", spec: "id: stolen\n", ca: true, revoked: []ssh.PublicKey{cert(0, "stolen")}, good: []ssh.PublicKey{cert(0, "stole"), foreign}},
		{name: "id of all authorities", spec: "id: the host\n", ca: true, revoked: []ssh.PublicKey{foreign, cert(0, "the host")}, good: []ssh.PublicKey{cert(0, "x")}},
		{name: "everything", spec: "id: a\nserial: 1-3\nkey: " + publicLine(plain) + "sha256: " + publicLine(k.rsa.PublicKey()), ca: true,
			revoked: []ssh.PublicKey{plain, k.rsa.PublicKey(), cert(2, ""), cert(0, "a")}, good: []ssh.PublicKey{k.ecdsa.PublicKey(), cert(4, "b")}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			krl := filepath.Join(folder, "krl")
			args := []string{"-k", "-q", "-f", krl}
			switch {
			case strings.Contains(tc.name, "all authorities"):
				args = append(args, "-s", "none")
			case tc.ca:
				args = append(args, "-s", authority)
			}
			run(t, "ssh-keygen", append(args, put("spec", tc.spec))...)
			list, err := hostkeys.ParseKRL([]byte(read(t, krl)))
			require.NoError(t, err)
			for i, key := range tc.revoked {
				require.True(t, list.Revokes(key), "revoked %d", i)
			}
			for i, key := range tc.good {
				require.False(t, list.Revokes(key), "good %d", i)
			}
			_, err = check(t, hostkeys.Config{UserFiles: []string{"/dev/null"}, RevokedFiles: []string{krl}, Strict: hostkeys.Off}, tc.revoked[0])
			refused(t, err, hostkeys.Revoked)
			_, err = check(t, hostkeys.Config{UserFiles: []string{"/dev/null"}, RevokedFiles: []string{krl}, Strict: hostkeys.Off}, tc.good[0])
			require.NoError(t, err)

			// Nothing may be passed over: each cut is an error or a shorter list.
			whole := []byte(read(t, krl))
			sections := 0
			for n := range whole {
				if _, err := hostkeys.ParseKRL(whole[:n]); err == nil {
					sections++
				}
			}
			require.LessOrEqual(t, sections, 5)
		})
	}
}

// str is an SSH string.
func str(parts ...string) string {
	body := strings.Join(parts, "")
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(body)))) + body
}

const krlHead = "SSHKRL\n\x00" + "\x00\x00\x00\x01" + "\x00\x00\x00\x00\x00\x00\x00\x05" + "\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"

func TestKRLThatIsNotUnderstood(t *testing.T) {
	u64 := func(n uint64) string { return string(binary.BigEndian.AppendUint64(nil, n)) }
	extension := func(critical string) string { return str(str("x@y"), critical, str("data")) }
	inCerts := func(sub string) string { return krlHead + "\x01" + str(str(), str(), sub) }
	for name, text := range map[string]string{
		"head":      krlHead,
		"optional":  krlHead + "\xff" + extension("\x00"),
		"in certs":  inCerts("\x39" + extension("\x00")),
		"no bitmap": inCerts("\x22" + str(u64(9), str())),
	} {
		_, err := hostkeys.ParseKRL([]byte(text))
		require.NoError(t, err, name)
	}
	for name, text := range map[string]string{
		"empty":              "",
		"magic":              "SSHKRL\n\x01" + krlHead[8:],
		"version":            krlHead[:11] + "\x02" + krlHead[12:],
		"section":            krlHead + "\x07" + str("x"),
		"critical":           krlHead + "\xff" + extension("\x01"),
		"critical in certs":  inCerts("\x39" + extension("\x01")),
		"extension's tail":   krlHead + "\xff" + str(str("x@y"), "\x00", str(), "tail"),
		"signature":          krlHead + "\x04" + str("key") + str("sig"),
		"section in certs":   inCerts("\x24" + str("x")),
		"hash size":          krlHead + "\x03" + str(str("short")),
		"hash size 256":      krlHead + "\x05" + str(str("short")),
		"reversed range":     inCerts("\x21" + str(u64(5), u64(4))),
		"long range":         inCerts("\x21" + str(u64(5), u64(6), u64(7))),
		"short serial":       inCerts("\x20" + str("1234567")),
		"negative bitmap":    inCerts("\x22" + str(u64(1), str("\x80"))),
		"bitmap beyond":      inCerts("\x22" + str(u64(math.MaxUint64-3), str("\x7f"))),
		"trailing in bitmap": inCerts("\x22" + str(u64(1), str("\x01"), "x")),
		"length":             krlHead + "\x02\xff\xff\xff\xff",
	} {
		_, err := hostkeys.ParseKRL([]byte(text))
		require.Error(t, err, name)
		_, err = check(t, hostkeys.Config{RevokedFiles: []string{write(t, text+"\n")}, UserFiles: []string{"/dev/null"}, Strict: hostkeys.Off}, keys().ed25519.PublicKey())
		if name != "empty" {
			refused(t, err, hostkeys.Unverifiable)
		}
	}
}

func FuzzParseKRL(f *testing.F) {
	f.Add([]byte(krlHead))
	f.Add([]byte(krlHead + "\x01" + str(str(), str(), "\x22", str("\x00\x00\x00\x00\x00\x00\x00\x09", str("\x01\x02")), "\x23", str(str("id")))))
	f.Add([]byte(krlHead + "\x02" + str(str("key"))))
	cert := hostCert(f, keys().ed25519, keys().ca, nil).PublicKey()
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := hostkeys.ParseKRL(data)
		if err == nil {
			list.Revokes(cert)
		}
	})
}

// privateFile writes a key for ssh-keygen and sshd and returns its path.
func privateFile(t testing.TB, name string, signer ssh.Signer) string {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(keys().private[signer], "")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(block), 0o600))
	return path
}
