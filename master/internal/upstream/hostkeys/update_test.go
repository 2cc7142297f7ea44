package hostkeys_test

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/upstream/hostkeys"
)

// server answers hostkeys-prove-00 as sshd does, or worse.
type server struct {
	keys      []ssh.Signer
	id        []byte
	algorithm string // for RSA
	refuse    bool
	err       error
	change    func(reply []byte) []byte
	asked     int
}

func (s *server) SendRequest(_ context.Context, name string, wantReply bool, payload []byte) (bool, []byte, error) {
	s.asked++
	if name != "hostkeys-prove-00@openssh.com" || !wantReply || s.refuse || s.err != nil {
		return false, nil, s.err
	}
	var reply []byte
	for len(payload) > 0 {
		var head struct {
			Blob []byte
			Rest []byte `ssh:"rest"`
		}
		if err := ssh.Unmarshal(payload, &head); err != nil {
			return false, nil, err
		}
		payload = head.Rest
		for _, key := range s.keys {
			if string(key.PublicKey().Marshal()) != string(head.Blob) {
				continue
			}
			data := ssh.Marshal(struct {
				Name     string
				ID, Blob []byte
			}{name, s.id, head.Blob})
			signature, err := sign(key, data, s.algorithm)
			if err != nil {
				return false, nil, err
			}
			reply = append(reply, str(string(ssh.Marshal(signature)))...)
		}
	}
	if s.change != nil {
		reply = s.change(reply)
	}
	return true, reply, nil
}

func sign(key ssh.Signer, data []byte, algorithm string) (*ssh.Signature, error) {
	if key.PublicKey().Type() == "ssh-rsa" && algorithm != "" {
		return key.(ssh.AlgorithmSigner).SignWithAlgorithm(rand.Reader, data, algorithm)
	}
	return key.Sign(rand.Reader, data)
}

// announce is the payload of hostkeys-00.
func announce(signers ...ssh.Signer) []byte {
	var b strings.Builder
	for _, s := range signers {
		b.WriteString(str(string(s.PublicKey().Marshal())))
	}
	return []byte(b.String())
}

// update connects with the host's ed25519 key and hands the announcement over.
func update(t *testing.T, config hostkeys.Config, srv *server, payload []byte) error {
	t.Helper()
	config.Host = "srv"
	if config.Update == hostkeys.UpdateNo {
		config.Update = hostkeys.UpdateYes
	}
	checker := hostkeys.New(config)
	require.NoError(t, checker.Check(t.Context(), remote, keys().ed25519.PublicKey()))
	return checker.UpdateKeys(t.Context(), hostkeys.Session{Requester: srv, ID: []byte("session")}, payload)
}

func TestUpdate(t *testing.T) {
	k := keys()
	ed, ec, rsa, old := line("srv", k.ed25519.PublicKey()), line("srv", k.ecdsa.PublicKey()), line("srv", k.rsa.PublicKey()), line("srv", k.otherED.PublicKey())
	elsewhere := line("other", k.otherECDSA.PublicKey())
	hashed := line("|1|x|y", k.rsa.PublicKey()) // broken, and kept
	all := announce(k.ed25519, k.ecdsa, k.rsa)
	for _, tc := range []struct {
		name, before, after string
		payload             []byte
		asked               int
	}{
		{name: "learns", before: "# mine\n" + elsewhere + ed, after: "# mine\n" + elsewhere + ed + ec + rsa, payload: all, asked: 1},
		{name: "no newline at the end", before: strings.TrimSpace(ed), after: ed + ec + rsa, payload: all, asked: 1},
		{name: "forgets", before: old + ed + hashed, after: ed + hashed, payload: announce(k.ed25519)},
		{name: "learns and forgets", before: ed + old, after: ed + ec, payload: announce(k.ed25519, k.ecdsa), asked: 1},
		{name: "nothing new", before: ed + ec, payload: announce(k.ed25519, k.ecdsa)},
		{name: "nothing announced", before: ed + old},
		{name: "types that are not known", before: ed, payload: append([]byte(str(str("ssh-new"), "x")), announce(k.ed25519)...)},
		{name: "CRLF of others stays", before: ed + "x y z\r\n", after: ed + "x y z\r\n" + ec, payload: announce(k.ed25519, k.ecdsa), asked: 1},
		{name: "list of two", before: strings.Replace(ed, "srv", "srv,1.2.3.4", 1), after: strings.Replace(ed, "srv", "srv,1.2.3.4", 1) + ec, payload: announce(k.ed25519, k.ecdsa), asked: 1},

		{name: "list of three", before: strings.Replace(ed, "srv", "srv,a,b", 1), payload: all},
		{name: "pattern", before: strings.Replace(ed, "srv", "s*", 1), payload: all},
		{name: "authority", before: ed + line("@cert-authority *", k.ca.PublicKey()), payload: all},
		{name: "revocation", before: ed + line("@revoked srv", k.ca.PublicKey()), payload: all},
		{name: "new key known elsewhere", before: ed + line("other", k.ecdsa.PublicKey()), payload: all},
		{name: "old key known elsewhere", before: ed + old + line("other", k.otherED.PublicKey()), payload: announce(k.ed25519)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := write(t, tc.before)
			srv := &server{keys: []ssh.Signer{k.ecdsa, k.rsa}, id: []byte("session"), algorithm: "rsa-sha2-512"}
			require.NoError(t, update(t, hostkeys.Config{UserFiles: []string{path}}, srv, tc.payload))
			require.Equal(t, tc.asked, srv.asked)
			if tc.after == "" {
				require.Equal(t, tc.before, read(t, path))
				require.NoFileExists(t, path+".old")
				return
			}
			require.Equal(t, tc.after, read(t, path))
			require.Equal(t, tc.before, read(t, path+".old"))
			entries, err := os.ReadDir(filepath.Dir(path))
			require.NoError(t, err)
			require.Len(t, entries, 2)
			info, err := os.Stat(path)
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
		})
	}
}

func TestUpdateMovesKeysToTheFirstFile(t *testing.T) {
	k := keys()
	first, second := write(t, "# first\n"), write(t, line("srv", k.ed25519.PublicKey())+"# second\n")
	srv := &server{keys: []ssh.Signer{k.ecdsa}, id: []byte("session")}
	require.NoError(t, update(t, hostkeys.Config{UserFiles: []string{first, "/nonexistent/file", second}, Hash: true}, srv, announce(k.ed25519, k.ecdsa)))
	require.Equal(t, "# second\n", read(t, second))
	require.Contains(t, run(t, "ssh-keygen", "-F", "srv", "-f", first), "found: line 3")
	require.NotContains(t, read(t, first), "srv")
}

func TestUpdateKeepsASymbolicLink(t *testing.T) {
	k := keys()
	target := write(t, line("srv", k.ed25519.PublicKey()))
	path := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(target, path))
	srv := &server{keys: []ssh.Signer{k.ecdsa}, id: []byte("session")}
	require.NoError(t, update(t, hostkeys.Config{UserFiles: []string{path}}, srv, announce(k.ed25519, k.ecdsa)))
	info, err := os.Lstat(path)
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&os.ModeSymlink)
	require.Equal(t, line("srv", k.ed25519.PublicKey())+line("srv", k.ecdsa.PublicKey()), read(t, target))
}

func TestUpdateWithAddress(t *testing.T) {
	k := keys()
	ed := k.ed25519.PublicKey()
	path := write(t, line("srv,192.0.2.7", ed)+line("srv", k.otherED.PublicKey()))
	srv := &server{keys: []ssh.Signer{k.ecdsa}, id: []byte("session")}
	require.NoError(t, update(t, hostkeys.Config{UserFiles: []string{path}, CheckHostIP: true}, srv, announce(k.ed25519, k.ecdsa)))
	require.Equal(t, line("srv,192.0.2.7", ed)+line("srv,192.0.2.7", k.ecdsa.PublicKey()), read(t, path))

	other := line("twin,192.0.2.7", ed) + line("srv", ed)
	path = write(t, other)
	require.NoError(t, update(t, hostkeys.Config{UserFiles: []string{path}, CheckHostIP: true}, srv, announce(k.ed25519, k.ecdsa)))
	require.Equal(t, other, read(t, path))
}

func TestUpdateIsNotProved(t *testing.T) {
	k := keys()
	before := line("srv", k.ed25519.PublicKey())
	for name, tc := range map[string]struct {
		srv     server
		payload []byte
		silent  bool
	}{
		"refused":        {srv: server{refuse: true}},
		"broken":         {srv: server{err: errors.New("gone")}},
		"other session":  {srv: server{id: []byte("another"), keys: []ssh.Signer{k.ecdsa, k.rsa}}},
		"too few":        {srv: server{keys: []ssh.Signer{k.ecdsa}}},
		"wrong order":    {srv: server{keys: []ssh.Signer{k.ecdsa, k.rsa}, change: swapped}},
		"trailing":       {srv: server{keys: []ssh.Signer{k.ecdsa, k.rsa}, change: func(b []byte) []byte { return append(b, 0) }}},
		"garbage":        {srv: server{keys: []ssh.Signer{k.ecdsa, k.rsa}, change: func(b []byte) []byte { b[8] ^= 1; return b }}},
		"cut list":       {payload: announce(k.ecdsa)[:30]},
		"key twice":      {payload: announce(k.ecdsa, k.ecdsa)},
		"RSA with SHA-1": {srv: server{keys: []ssh.Signer{k.rsa}, algorithm: "ssh-rsa"}, payload: announce(k.ed25519, k.rsa), silent: true},
	} {
		path := write(t, before)
		if tc.srv.id == nil {
			tc.srv.id = []byte("session")
		}
		if tc.srv.algorithm == "" {
			tc.srv.algorithm = "rsa-sha2-256"
		}
		if tc.payload == nil {
			tc.payload = announce(k.ed25519, k.ecdsa, k.rsa)
		}
		err := update(t, hostkeys.Config{UserFiles: []string{path}}, &tc.srv, tc.payload)
		require.Equal(t, tc.silent, err == nil, name)
		require.Equal(t, before, read(t, path), name)
	}
}

// swapped exchanges the two strings of a reply.
func swapped(reply []byte) []byte {
	var two struct{ A, B []byte }
	if ssh.Unmarshal(reply, &two) != nil {
		return nil
	}
	return ssh.Marshal(struct{ B, A []byte }{two.B, two.A})
}

func TestUpdateOnlyWhereAllowed(t *testing.T) {
	k := keys()
	known := line("srv", k.ed25519.PublicKey())
	for name, config := range map[string]hostkeys.Config{
		"global":         {UserFiles: []string{write(t, "")}, GlobalFiles: []string{write(t, known)}},
		"batch and ask":  {UserFiles: []string{write(t, known)}, Update: hostkeys.UpdateAsk, Batch: true},
		"just added":     {UserFiles: []string{write(t, "")}, Strict: hostkeys.AcceptNew},
		"changed":        {UserFiles: []string{write(t, line("srv", k.otherED.PublicKey()))}, Strict: hostkeys.Off},
		"denied":         {UserFiles: []string{write(t, known)}, Update: hostkeys.UpdateAsk, Prompter: &person{answers: []string{"no"}}},
		"not acceptable": {UserFiles: []string{write(t, known)}, HostKeyAlgorithms: []string{"ssh-ed25519", "rsa-sha2-256"}, RequiredRSASize: 4096},
	} {
		srv := &server{keys: []ssh.Signer{k.ecdsa, k.rsa}, id: []byte("session")}
		require.NoError(t, update(t, config, srv, announce(k.ed25519, k.ecdsa, k.rsa)), name)
		require.LessOrEqual(t, strings.Count(read(t, config.UserFiles[0]), "\n"), 1, name)
		require.Equal(t, name == "denied", srv.asked > 0, name)
	}
}

func TestUpdateAsks(t *testing.T) {
	k := keys()
	path := write(t, line("srv", k.ed25519.PublicKey())+line("srv", k.otherED.PublicKey()))
	someone := &person{answers: []string{"hm", "yes"}}
	srv := &server{keys: []ssh.Signer{k.ecdsa}, id: []byte("session")}
	require.NoError(t, update(t, hostkeys.Config{UserFiles: []string{path}, Update: hostkeys.UpdateAsk, Prompter: someone}, srv, announce(k.ed25519, k.ecdsa)))
	require.Contains(t, someone.asked[0], "Learned new hostkey: ECDSA "+ssh.FingerprintSHA256(k.ecdsa.PublicKey())+"\n")
	require.Contains(t, someone.asked[0], "Deprecating obsolete hostkey: ED25519 "+ssh.FingerprintSHA256(k.otherED.PublicKey())+"\n")
	require.Equal(t, line("srv", k.ed25519.PublicKey())+line("srv", k.ecdsa.PublicKey()), read(t, path))
}

// A key exchange may come between the server's announcement and its proof.
func TestUpdateDoesNotHoldUpAKeyExchange(t *testing.T) {
	k := keys()
	path := write(t, line("srv", k.ed25519.PublicKey()))
	checker := hostkeys.New(hostkeys.Config{Host: "srv", UserFiles: []string{path}, Update: hostkeys.UpdateYes})
	require.NoError(t, checker.Check(t.Context(), remote, k.ed25519.PublicKey()))
	srv := &rekeying{server: server{keys: []ssh.Signer{k.ecdsa}, id: []byte("session")},
		check: func() error { return checker.Check(t.Context(), remote, k.ed25519.PublicKey()) }}
	require.NoError(t, checker.UpdateKeys(t.Context(), hostkeys.Session{Requester: srv, ID: srv.id}, announce(k.ed25519, k.ecdsa)))
	require.NoError(t, checker.UpdateKeys(t.Context(), hostkeys.Session{Requester: srv, ID: srv.id}, announce(k.ed25519)))
	require.Equal(t, line("srv", k.ed25519.PublicKey())+line("srv", k.ecdsa.PublicKey()), read(t, path), "the second announcement does not count")
}

type rekeying struct {
	server
	check func() error
}

func (r *rekeying) SendRequest(ctx context.Context, name string, wantReply bool, payload []byte) (bool, []byte, error) {
	if err := r.check(); err != nil {
		return false, nil, err
	}
	return r.server.SendRequest(ctx, name, wantReply, payload)
}
