package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/ssh"
)

// A keyring is the list of keys of one login, in the order in which they are
// offered, and what became known of them.
type keyring struct {
	a        *Auth
	loaded   bool
	keys     []*key                         // a key that was tried goes to the end
	all      []*key                         // also those whose own algorithm is not admitted: they sign for certificates
	refused  map[string]bool                // by wire form, since the last partial success
	unlocked map[string]ssh.AlgorithmSigner // by path; nil is one that cannot be had
	comments map[string]string              // by path
	offered  int
}

func newKeyring(a *Auth) *keyring {
	r := &keyring{a: a}
	r.forget()
	return r
}

// forget drops the private halves. The library's key types offer no way to
// wipe them.
func (r *keyring) forget() {
	r.loaded, r.keys, r.all = false, nil, nil
	r.refused = map[string]bool{}
	r.unlocked = map[string]ssh.AlgorithmSigner{}
	r.comments = map[string]string{}
}

// restart lets every key be tried again, those first that come after the one
// that just succeeded: a host may want two keys.
func (r *keyring) restart() {
	clear(r.refused)
	for _, k := range r.keys {
		k.tried = false
	}
}

// next returns the next key to offer and moves it to the end; nil when all have
// been tried.
func (r *keyring) next(ctx context.Context) *key {
	if !r.loaded {
		r.loaded = true
		r.keys = r.prepare(ctx)
	}
	if len(r.keys) == 0 || r.keys[0].tried {
		return nil
	}
	k := r.keys[0]
	k.tried = true
	r.keys = append(slices.Delete(r.keys, 0, 1), k)
	return k
}

// prepare lists the keys: configured certificates, the agent's keys that are
// configured as files, its other keys, and the remaining files.
func (r *keyring) prepare(ctx context.Context) []*key {
	if r.a.c.PKCS11Provider != "" {
		r.a.log.Warn("PKCS11Provider is not loaded here: load it into ssh-agent (ssh-add -s " + r.a.c.PKCS11Provider + ")")
	}
	list := r.certificates()
	files := r.files()
	var others []*key
	for _, held := range r.held(ctx) {
		i := slices.IndexFunc(files, func(f *key) bool { return same(f.public, held.public) })
		switch {
		case i >= 0:
			files[i].inAgent = true
			list = append(list, files[i])
			files = slices.Delete(files, i, i+1)
		case !r.a.c.IdentitiesOnly:
			others = append(others, held)
		}
	}
	r.all = slices.Concat(list, others, files)
	list = slices.DeleteFunc(slices.Clone(r.all), func(k *key) bool { return !r.admitted(k) })
	for _, k := range list {
		r.a.log.Debug("Will attempt key: " + k.String())
	}
	return list
}

// admitted filters by PubkeyAcceptedAlgorithms. A key whose type is not known
// yet is judged when it is read.
func (r *keyring) admitted(k *key) bool {
	if k.public == nil || len(signatureAlgorithms(k.public, r.a.c.PubkeyAcceptedAlgorithms)) > 0 {
		return true
	}
	r.a.log.Debug("Skipping key, its algorithm is not in PubkeyAcceptedAlgorithms: " + k.String())
	r.a.blame(blame{rank: rankAlgorithm,
		cause:  fmt.Sprintf("PubkeyAcceptedAlgorithms excludes %s", k),
		remedy: "add its algorithm there"})
	return false
}

// held asks the agent for its keys.
func (r *keyring) held(ctx context.Context) []*key {
	path := r.a.c.agentPath()
	client, err := dialAgent(ctx, path)
	switch {
	case errors.Is(err, errNoAgent):
		return nil
	case err != nil:
		r.agentFailed(path, err)
		return nil
	}
	r.a.agent = client
	keys, err := client.list(ctx)
	if err != nil {
		r.agentFailed(path, err)
		return nil
	}
	return slices.DeleteFunc(keys, func(k *key) bool {
		err := checkLength(k.public, r.a.c.RequiredRSASize)
		if err != nil {
			r.a.log.Debug("ignoring agent key " + k.String() + ": " + err.Error())
		}
		return err != nil
	})
}

// agentFailed tells of an agent that cannot be used.
func (r *keyring) agentFailed(path string, err error) {
	r.a.log.Debug("agent " + path + ": " + err.Error())
	r.a.blame(blame{rank: rankAgentAbsent,
		cause:  fmt.Sprintf("the agent at %s does not answer: %v", path, err),
		remedy: "start it, or correct IdentityAgent or SSH_AUTH_SOCK"})
}
