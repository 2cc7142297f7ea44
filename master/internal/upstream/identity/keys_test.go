package identity_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/upstream/identity"
	"sshmaster/master/internal/upstream/prompt"
)

// keysOnly is an sshd without passwords.
const keysOnly = "PasswordAuthentication no\nKbdInteractiveAuthentication no"

// Every format that ssh-keygen writes, with a passphrase that is asked for
// after the host has accepted the public half, and not before.
func TestEncryptedKeys(t *testing.T) {
	folder := t.TempDir()
	formats := map[string][]string{
		"openssh": {"-t", "ed25519"},
		"cbc":     {"-t", "ed25519", "-Z", "aes256-cbc"},
		"pem":     {"-t", "ecdsa", "-m", "PEM"},
		"pkcs8":   {"-t", "ecdsa", "-m", "PKCS8"},
	}
	var public []string
	for name, args := range formats {
		keygen(t, folder, append(args, "-N", "open sesame", "-f", name)...)
		public = append(public, folder+"/"+name+".pub")
	}
	h := newSSHD(t, "", public...)
	for name := range formats {
		t.Run(name, func(t *testing.T) {
			p := &person{answers: []string{"wrong", "open sesame"}}
			c, log := newConfig(t)
			c.IdentityFiles, c.Prompter = files(folder+"/"+name), p
			method, err := login(t, h, c)
			require.NoError(t, err)
			require.Equal(t, "publickey", method)
			question := "Enter passphrase for key '" + folder + "/" + name + "': "
			require.Equal(t, []string{question, question}, p.asked)
			require.Len(t, log.story("Server accepts key: "+folder+"/"+name), 1)
			require.NotContains(t, log.all(), "open sesame")
			require.NotContains(t, log.all(), "wrong")
		})
		t.Run(name+" without its public half", func(t *testing.T) {
			alone := t.TempDir() + "/key"
			copyFile(t, folder+"/"+name, alone)
			p := &person{answers: []string{"open sesame"}}
			c, _ := newConfig(t)
			c.IdentityFiles, c.Prompter = files(alone), p
			_, err := login(t, h, c)
			require.NoError(t, err)
			require.Len(t, p.asked, 1)
		})
	}
}

// The old format has no check: some wrong passphrases make something of it that is no key.
func TestManyWrongPassphrases(t *testing.T) {
	folder := t.TempDir()
	const wrong = 2000
	for _, kind := range []string{"ecdsa", "rsa"} {
		keygen(t, folder, "-t", kind, "-m", "PEM", "-N", "open sesame", "-f", kind)
		p := &person{}
		for i := range wrong {
			p.answers = append(p.answers, fmt.Sprint("wrong ", i))
		}
		p.answers = append(p.answers, "open sesame")
		c, _ := newConfig(t)
		c.IdentityFiles, c.Prompter, c.NumberOfPasswordPrompts = files(folder+"/"+kind), p, wrong+1
		_, err := login(t, newSSHD(t, keysOnly, folder+"/"+kind+".pub"), c)
		require.NoError(t, err, kind)
		require.Len(t, p.asked, wrong+1, kind)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, data, 0o600))
}

// The passphrase of a key that the host does not want is not asked for.
func TestNoQuestionForAnUnwantedKey(t *testing.T) {
	folder := t.TempDir()
	keygen(t, folder, "-t", "ed25519", "-N", "open sesame", "-f", "locked")
	good := newKey(t, folder, "good")
	p := &person{}
	c, _ := newConfig(t)
	c.IdentityFiles, c.Prompter = files(folder+"/locked", good), p
	_, err := login(t, newSSHD(t, "", good+".pub"), c)
	require.NoError(t, err)
	require.Empty(t, p.asked)
}

func TestPassphrases(t *testing.T) {
	folder := t.TempDir()
	keygen(t, folder, "-t", "ecdsa", "-m", "PEM", "-N", "open sesame", "-f", "locked")
	locked, good := folder+"/locked", newKey(t, folder, "good")
	both := newSSHD(t, keysOnly, locked+".pub", good+".pub")
	one := newSSHD(t, keysOnly, locked+".pub")
	question := "Enter passphrase for key '" + locked + "': "
	for name, c := range map[string]struct {
		host    host
		answers []string
		nobody  error
		batch   bool
		asked   int
		err     string
	}{
		"empty goes on with the next key":   {host: both, answers: []string{""}, asked: 1},
		"wrong goes on with the next key":   {host: both, answers: []string{"a", "b", "c"}, asked: 3},
		"nobody goes on with the next key":  {host: both, nobody: prompt.ErrNoPrompt, asked: 1},
		"batch mode goes on with the next":  {host: both, batch: true},
		"wrong three times":                 {host: one, answers: []string{"a", "b", "c"}, asked: 3, err: "(publickey): wrong passphrase for key " + locked + ", 3 times; try again"},
		"nobody can be asked":               {host: one, nobody: prompt.ErrNoPrompt, asked: 1, err: "(publickey): key " + locked + " is encrypted and nobody can be asked for its passphrase; load it into ssh-agent (ssh-add " + locked + ")"},
		"batch mode":                        {host: one, batch: true, err: "is encrypted and nobody can be asked"},
		"a cancelled question ends at once": {host: both, asked: 1, err: "the question was cancelled"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &person{answers: c.answers, err: c.nobody}
			config, _ := newConfig(t)
			config.IdentityFiles, config.Prompter, config.BatchMode = files(locked, good), p, c.batch
			_, err := login(t, c.host, config)
			if c.err == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, me(t)+"@host.example: Permission denied")
				require.ErrorContains(t, err, c.err)
				require.NotContains(t, err.Error(), "\n")
			}
			require.Len(t, p.asked, c.asked)
			for _, text := range p.asked {
				require.Equal(t, question, text)
			}
		})
	}
}

// What is wrong with a file is said by its name.
func TestUnusableFiles(t *testing.T) {
	folder := t.TempDir()
	good, other, another := newKey(t, folder, "good"), newKey(t, folder, "other"), newKey(t, folder, "another")
	h := newSSHD(t, keysOnly, good+".pub", other+".pub", another+".pub")
	write := func(name, text string, mode os.FileMode) string {
		path := folder + "/" + name
		require.NoError(t, os.WriteFile(path, []byte(text), mode))
		require.NoError(t, os.Chmod(path, mode))
		return path
	}
	private := readPublic(t, good)
	open := write("open", private, 0o644)
	mixed := write("mixed", private, 0o600)
	copyFile(t, other+".pub", mixed+".pub")
	damaged := write("damaged", strings.Replace(private, "b3BlbnNzaC1rZXk", "b3BlbnNzaC1rZXk=", 1), 0o600)
	copyFile(t, good+".pub", damaged+".pub")
	lonely := write("lonely.pub", readPublic(t, good+".pub"), 0o600)
	require.NoError(t, os.Mkdir(folder+"/folder", 0o700))

	for name, c := range map[string]struct{ path, cause, remedy, log string }{
		"readable by others": {open, "private key " + open + " can be read by others and is ignored", "chmod 600 " + open, "WARN WARNING: UNPROTECTED PRIVATE KEY FILE! permissions 0644 for " + open},
		"other public half":  {mixed, "private key " + mixed + " does not match its public half", "make " + mixed + ".pub anew", "WARN private key " + mixed},
		"damaged":            {damaged, "private key " + damaged + " cannot be read: ssh: no key found", "correct IdentityFile", "WARN Load key"},
		"public half only":   {lonely, "private key " + lonely + " cannot be read: ssh: no key found", "correct IdentityFile", "WARN Load key"},
		"folder":             {folder + "/folder", "/folder is not a regular file", "correct IdentityFile", "WARN Load key"},
		"missing":            {folder + "/missing", "IdentityFile " + folder + "/missing does not exist", "correct IdentityFile", "DEBUG no such identity"},
	} {
		t.Run(name, func(t *testing.T) {
			config, log := newConfig(t)
			config.IdentityFiles = files(c.path)
			_, err := login(t, h, config)
			require.ErrorContains(t, err, "Permission denied (publickey): ")
			require.ErrorContains(t, err, c.cause)
			require.ErrorContains(t, err, "; "+c.remedy)
			framed := strings.HasPrefix(c.log, "WARN WARNING") // as ssh has it
			require.True(t, framed || !strings.Contains(log.all(), "WARN "), "said twice: %s", log.all())

			config.IdentityFiles = append(config.IdentityFiles, files(another)...)
			_, err = login(t, h, config)
			require.NoError(t, err, "it stops nobody")
			require.Contains(t, log.all(), c.log, "and is said")
		})
	}
}

func TestDefaultFilesMayBeMissing(t *testing.T) {
	folder := t.TempDir()
	good := newKey(t, folder, "good")
	c, log := newConfig(t)
	c.Home = folder
	c.IdentityFiles = []identity.File{{Path: "~/id_rsa", Default: true}, {Path: "~/named"}, {Path: "~/good", Default: true}}
	_, err := login(t, newSSHD(t, "", good+".pub"), c)
	require.NoError(t, err)
	require.NotContains(t, log.all(), "id_rsa")
	require.NotContains(t, log.all(), "cert")
	require.Equal(t, []string{"no such identity: ~/named"}, log.story("no such identity"))
	require.NotContains(t, log.all(), "explicit")
}

// A key file of a hardware token is named with what to do about it.
func TestTokenFiles(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(folder+"/id_ed25519_sk.pub", []byte("sk-ssh-ed25519@openssh.com "+
		"AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAICFo/k5LU8863u66YC9eUO2170QduohPURkQnbLa/dczAAAABHNzaDo= me\n"), 0o600))
	require.NoError(t, os.WriteFile(folder+"/id_ed25519_sk", []byte("handle"), 0o600))
	good := newKey(t, folder, "good")
	path := folder + "/id_ed25519_sk"
	c, log := newConfig(t)
	c.PKCS11Provider = "/usr/lib/token.so"
	c.IdentityFiles = files(path)
	h := newSSHD(t, keysOnly, good+".pub")
	_, err := login(t, h, c)
	require.ErrorContains(t, err, "key "+path+" is on a hardware token, which is used through ssh-agent only; load it into ssh-agent (ssh-add "+path+")")
	require.Contains(t, log.all(), "WARN key "+path+" is on a hardware token")
	require.Contains(t, log.all(), "WARN PKCS11Provider is not loaded here: load it into ssh-agent (ssh-add -s /usr/lib/token.so)")
}

func TestMaxAuthTries(t *testing.T) {
	folder := t.TempDir()
	var paths []string
	for _, name := range []string{"a", "b", "c", "d"} {
		paths = append(paths, newKey(t, folder, name))
	}
	c, _ := newConfig(t)
	c.IdentityFiles = files(paths...)
	_, err := login(t, newSSHD(t, "MaxAuthTries 3", paths[3]+".pub"), c)
	require.ErrorContains(t, err, "too many authentication failures for this host (its MaxAuthTries) after 3 keys; set IdentitiesOnly yes and IdentityFile")
	var denied *identity.DeniedError
	require.ErrorAs(t, err, &denied)
	require.Contains(t, denied.Methods, "publickey")
}

// Two keys, one after the other: the first stays out of the second step, and a
// passphrase is asked for once.
func TestTwoKeys(t *testing.T) {
	folder := t.TempDir()
	stranger, good, locked := newKey(t, folder, "stranger"), newKey(t, folder, "good"), newRSAKey(t, folder, "locked", "open sesame")
	p := &person{answers: []string{"open sesame"}}
	c, log := newConfig(t)
	c.IdentityFiles, c.Prompter = files(stranger, locked, good), p
	_, err := login(t, newSSHD(t, "AuthenticationMethods publickey,publickey", locked+".pub", good+".pub"), c)
	require.NoError(t, err)
	require.Len(t, p.asked, 1)
	require.Len(t, log.story("Offering"), 3)
	require.Equal(t, []string{`Authenticated using "publickey" with partial success.`}, log.story("Authenticated"))
}

func TestNoKey(t *testing.T) {
	folder := t.TempDir()
	good, stranger := newKey(t, folder, "good"), newKey(t, folder, "stranger")
	h := newSSHD(t, keysOnly, good+".pub")
	c, _ := newConfig(t)
	_, err := login(t, h, c)
	require.EqualError(t, err, me(t)+"@host.example: Permission denied (publickey): there is no key to offer; name one with IdentityFile, or load it into ssh-agent (ssh-add)")
	c.IdentityFiles = files(stranger)
	_, err = login(t, h, c)
	require.EqualError(t, err, me(t)+"@host.example: Permission denied (publickey): the host does not accept the key offered; add its public half to authorized_keys there (ssh-copy-id)")
	c.IdentityFiles = files(good)
	c.PubkeyAuthentication = false
	_, err = login(t, h, c)
	require.ErrorContains(t, err, "what the host takes is switched off or not preferred here")
	c.PubkeyAuthentication = true
	c.PubkeyAcceptedAlgorithms = []string{"rsa-sha2-512"}
	_, err = login(t, h, c)
	require.ErrorContains(t, err, "PubkeyAcceptedAlgorithms excludes "+good+" ED25519 SHA256:")
}
