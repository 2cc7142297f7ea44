package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/upstream/prompt"
)

// usableHolder returns the key that signs for k, nil when nothing here can: a
// certificate is signed for by the plain key, which may come from elsewhere than
// it did.
func (r *keyring) usableHolder(k *key) *key {
	holder := r.holder(k)
	switch {
	case holder == nil:
		r.a.log.Debug("no private key for certificate: " + k.String())
		r.a.blame(blame{rank: rankFile,
			cause:  "there is no private key for certificate " + cleanLine(k.name),
			remedy: "name it with IdentityFile, or load it into ssh-agent"})
	case !holder.inAgent && onToken(k.public):
		r.tokenFile(holder)
		return nil
	}
	return holder
}

// sign signs with what holds the private half: the agent or a file.
func (r *keyring) sign(ctx context.Context, holder *key, data []byte, algorithm string) (*ssh.Signature, error) {
	if holder.inAgent {
		return r.a.agent.sign(ctx, holder.public, data, algorithm)
	}
	return r.fileSign(ctx, holder, data, algorithm)
}

// holder returns the key with the private half of k, nil when there is none.
func (r *keyring) holder(k *key) *key {
	if k.certificate() == nil || k.inAgent {
		return k
	}
	for _, holds := range []func(*key) bool{
		func(o *key) bool { return o.inAgent && same(o.public, k.plain()) },
		func(o *key) bool { return same(o.public, k.plain()) },
		func(o *key) bool { return o.inAgent && same(o.public, k.public) },
		func(o *key) bool { return o == k && k.path != "" },
	} {
		if i := slices.IndexFunc(r.all, holds); i >= 0 {
			return r.all[i]
		}
	}
	return nil
}

// fileSign signs with a private key from a file, after checking that it is the
// one that was offered.
func (r *keyring) fileSign(ctx context.Context, k *key, data []byte, algorithm string) (*ssh.Signature, error) {
	signer, err := r.unlock(ctx, k)
	if err != nil {
		return nil, err
	}
	if k.public != nil && !same(signer.PublicKey(), k.plain()) {
		b := blame{rank: rankFile,
			cause:  "private key " + k.name + " does not match its public half",
			remedy: "make " + k.name + ".pub anew (ssh-keygen -y)"}
		b.warning = b.cause
		r.a.log.Debug(b.cause)
		r.a.blame(b)
		return nil, errors.New(b.cause)
	}
	return signer.SignWithAlgorithm(nil, data, algorithm)
}

// discover reads a private key whose public half is not known otherwise, the
// only case in which a passphrase is asked for before the host has seen the
// key.
func (r *keyring) discover(ctx context.Context, k *key) bool {
	r.a.log.Debug("Trying private key: " + k.name)
	signer, err := r.unlock(ctx, k)
	if err != nil {
		return false
	}
	k.public = signer.PublicKey()
	if err := checkLength(k.public, r.a.c.RequiredRSASize); err != nil {
		r.tooShort(k.name, err)
		return false
	}
	return r.admitted(k)
}

// withoutAgent goes on without an agent that has gone, which was to sign for
// last: keys that are in files too are tried again from there, the others are
// not tried at all.
func (r *keyring) withoutAgent(last *key) {
	lost := func(k *key) bool { return k.inAgent && k.path == "" }
	r.keys = slices.DeleteFunc(r.keys, lost)
	r.all = slices.DeleteFunc(r.all, lost)
	for _, k := range r.all {
		if k.inAgent {
			k.inAgent, k.tried = false, r.refused[string(k.public.Marshal())]
		}
	}
	last.tried = r.holder(last) == nil
	slices.SortStableFunc(r.keys, func(a, b *key) int { return order(a.tried) - order(b.tried) })
}

func order(tried bool) int {
	if tried {
		return 1
	}
	return 0
}

// tokenFile tells of a key file that only points at a hardware token.
func (r *keyring) tokenFile(k *key) {
	text := "key " + k.name + " is on a hardware token, which is used through ssh-agent only"
	if k.explicit {
		r.a.log.Warn(text + ": load it into ssh-agent (ssh-add " + k.name + ")")
	}
	r.a.blame(blame{rank: rankToken, cause: text, remedy: "load it into ssh-agent (ssh-add " + k.name + ")"})
}

// presence asks a person to touch the token that is about to sign.
func (a *Auth) presence(ctx context.Context, k *key) (done func()) {
	if !onToken(k.public) {
		return func() {}
	}
	text := fmt.Sprintf("Confirm user presence for key %s %s", typeName(k.public), ssh.FingerprintSHA256(k.plain()))
	done, shown := prompt.Notify(ctx, a.c.Prompter, text)
	if !shown {
		a.log.Info(text)
	}
	return done
}
