package identity

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/upstream/prompt"
)

// errLocked says that a private key stays encrypted.
var errLocked = errors.New("the key stays locked")

// unlock returns the private half of a file's key, asking for its passphrase if
// it has one. The answer, good or bad, holds for the rest of the login: a
// certificate and its key share a file.
func (r *keyring) unlock(ctx context.Context, k *key) (ssh.AlgorithmSigner, error) {
	signer, known := r.unlocked[k.path]
	switch {
	case known && signer == nil:
		return nil, errLocked
	case known:
		return signer, nil
	}
	signer, err := r.load(ctx, k)
	r.unlocked[k.path] = signer
	if err != nil {
		r.notLoaded(k, err)
		return nil, err
	}
	return signer, nil
}

// load reads and decrypts a file, and gives the key to the agent if it is
// configured so.
func (r *keyring) load(ctx context.Context, k *key) (ssh.AlgorithmSigner, error) {
	data, err := readPrivate(expandHome(k.path, r.a.c.Home))
	if err != nil {
		return nil, err
	}
	defer clear(data)
	private, err := parsePrivate(data, nil)
	if errors.Is(err, errPassphrase) {
		private, err = r.decrypt(ctx, k, data)
	}
	if err != nil {
		return nil, err
	}
	signer, err := newSigner(private)
	if err != nil {
		return nil, err
	}
	r.a.addToAgent(ctx, k, private)
	return signer, nil
}

// decrypt asks for the passphrase, at most NumberOfPasswordPrompts times. An
// empty answer goes on with the next key.
func (r *keyring) decrypt(ctx context.Context, k *key, data []byte) (any, error) {
	if r.a.c.BatchMode {
		return nil, fmt.Errorf("%w: %w", errLocked, prompt.ErrNoPrompt)
	}
	question := prompt.Question{Text: fmt.Sprintf("Enter passphrase for key '%s': ", cleanLine(k.name))}
	for range r.a.c.NumberOfPasswordPrompts {
		answer, err := r.a.ask(ctx, question)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errLocked, err)
		}
		if answer == "" {
			r.a.log.Debug("no passphrase given, try next key")
			return nil, errLocked
		}
		passphrase := []byte(answer)
		private, err := parsePrivate(data, passphrase)
		clear(passphrase)
		if !errors.Is(err, errPassphrase) {
			return private, err
		}
		r.a.log.Debug("bad passphrase for " + k.name)
	}
	return nil, errPassphrase
}

// ask asks a person one question. A cancelled one ends the login.
func (a *Auth) ask(ctx context.Context, q prompt.Question) (string, error) {
	answer, err := a.c.Prompter.Prompt(ctx, q)
	if errors.Is(err, prompt.ErrCancelled) {
		a.stop = err
	}
	return answer, err
}

// notLoaded tells why the private half of k cannot be had.
func (r *keyring) notLoaded(k *key, err error) {
	switch {
	case r.a.stop != nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
	case errors.Is(err, errPermissions):
		r.a.log.Warn("WARNING: UNPROTECTED PRIVATE KEY FILE! " + err.Error() + ": the key is ignored until others cannot read it (chmod 600)")
		r.a.blame(blame{rank: rankFile, cause: "private key " + k.name + " can be read by others and is ignored", remedy: "chmod 600 " + k.name})
	case errors.Is(err, errPassphrase):
		r.a.log.Debug("no right passphrase was given for key " + k.name)
		r.a.blame(blame{rank: rankPassphrase,
			warning: "no right passphrase was given for key " + k.name,
			cause:   fmt.Sprintf("wrong passphrase for key %s, %s", k.name, times(r.a.c.NumberOfPasswordPrompts)),
			remedy:  "try again, or load the key into ssh-agent (ssh-add " + k.name + ")"})
	case errors.Is(err, prompt.ErrNoPrompt):
		r.a.log.Debug("key " + k.name + " is encrypted and nobody can be asked for its passphrase")
		r.a.blame(blame{rank: rankLocked,
			cause:  "key " + k.name + " is encrypted and nobody can be asked for its passphrase",
			remedy: "load it into ssh-agent (ssh-add " + k.name + ")"})
	case errors.Is(err, errLocked):
	default:
		r.damaged(k, err)
	}
}

// damaged tells of a file that is missing or no private key.
func (r *keyring) damaged(k *key, err error) {
	if errors.Is(err, fs.ErrNotExist) {
		r.a.log.Debug("no private key: " + err.Error())
		return
	}
	text := fmt.Sprintf("Load key %q: %v", k.name, err)
	r.a.log.Debug(text)
	r.a.blame(blame{rank: rankFile, warning: text,
		cause:  fmt.Sprintf("private key %s cannot be read: %v", k.name, err),
		remedy: "correct IdentityFile, or load the key into ssh-agent"})
}

// times counts in words.
func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
