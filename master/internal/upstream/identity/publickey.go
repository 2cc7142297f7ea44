package identity

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/ssh"
)

// errRefused is how an attempt ends that the host answered with a plain no.
var errRefused = errors.New("identity: the host refused the key")

// An offer is one attempt with one key, RFC 4252 section 7.
type offer struct {
	a      *Auth
	key    *key
	holder *key // signs: for a certificate, the key under it
	ctx    context.Context
	algo   []string

	accepted bool  // the host wanted a signature
	err      error // none could be made
	refused  bool  // the host said no
}

// publicKey is the method: the next key that can be offered.
func (a *Auth) publicKey(ctx context.Context) attempt {
	for {
		k := a.keys.next(ctx)
		if k == nil || ctx.Err() != nil {
			return nil
		}
		if o := a.newOffer(ctx, k); o != nil {
			a.keys.offered++
			a.log.Debug("Offering public key: " + k.String())
			return o
		}
		if a.stop != nil {
			return nil
		}
	}
}

// newOffer prepares an attempt with k; nil when there is no use in one.
func (a *Auth) newOffer(ctx context.Context, k *key) *offer {
	if k.public == nil && !a.keys.discover(ctx, k) {
		return nil
	}
	if a.keys.refused[string(k.public.Marshal())] {
		a.log.Debug("already refused: " + k.String())
		return nil
	}
	holder := a.keys.usableHolder(k)
	if holder == nil {
		return nil
	}
	algorithms := signatureAlgorithms(k.public, a.c.PubkeyAcceptedAlgorithms)
	return &offer{a: a, key: k, holder: holder, ctx: ctx, algo: algorithms}
}

func (o *offer) name() string { return methodPublicKey }

// method offers the key once. The library asks for signers a second time only
// after a plain refusal: an attempt that ended in any error ends there. That is
// how the two are told apart.
func (o *offer) method() ssh.AuthMethod {
	first := true
	return ssh.RetryableAuthMethod(ssh.PublicKeysCallback(func() ([]ssh.Signer, error) {
		if !first {
			o.refused = true
			return nil, errRefused
		}
		first = false
		return []ssh.Signer{o}, nil
	}), 2)
}

// PublicKey is what is offered.
func (o *offer) PublicKey() ssh.PublicKey { return o.key.public }

// Algorithms are those that the configuration admits, in its order.
func (o *offer) Algorithms() []string { return o.algo }

// Sign signs with the first of Algorithms.
func (o *offer) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return o.SignWithAlgorithm(rand, data, o.algo[0])
}

// SignWithAlgorithm is called after the host has accepted the public half.
func (o *offer) SignWithAlgorithm(_ io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	o.accepted = true
	o.a.log.Debug("Server accepts key: " + o.key.String())
	done := o.a.presence(o.ctx, o.key)
	defer done()
	signature, err := o.a.keys.sign(o.ctx, o.holder, data, algorithm)
	o.err = err
	return signature, err
}

// settle learns from the outcome.
func (o *offer) settle(ctx context.Context, partial bool) {
	switch {
	case partial || ctx.Err() != nil || o.a.stop != nil:
	case o.err != nil:
		o.unsigned()
	case o.refused:
		o.a.keys.refused[string(o.key.public.Marshal())] = true
		o.a.turnedDown(o.key, o.accepted)
	case !o.accepted:
		o.a.noCommonAlgorithm(o.key)
	}
}

// turnedDown looks for a reason why the host may have refused k.
func (a *Auth) turnedDown(k *key, signed bool) {
	if signed {
		a.log.Debug("the host did not take the signature of: " + k.String())
	}
	if cert := k.certificate(); cert != nil {
		a.blameCertificate(k, cert)
	}
}

// noCommonAlgorithm tells of a key that was not offered because the host knows
// none of the algorithms that it may sign with.
func (a *Auth) noCommonAlgorithm(k *key) {
	a.keys.offered--
	a.log.Debug("no mutual signature algorithm for: " + k.String())
	b := blame{rank: rankAlgorithm,
		cause:  fmt.Sprintf("the host and PubkeyAcceptedAlgorithms have no signature algorithm in common for %s", k),
		remedy: "use a key of another type"}
	if base, _ := baseType(k.public.Type()); base == ssh.KeyAlgoRSA {
		b.remedy = "for an old host: PubkeyAcceptedAlgorithms +ssh-rsa"
	}
	a.blame(b)
}

// unsigned deals with a key that the host accepted and that could not sign. What
// is wrong with a file has been told already. A key whose agent has gone is
// tried again from its file.
func (o *offer) unsigned() {
	text := fmt.Sprintf("signing with %s failed: %v", o.key, o.err)
	if !o.holder.inAgent {
		o.a.log.Debug(text)
		return
	}
	o.a.log.Debug(text)
	if errors.Is(o.err, errAgentGone) {
		o.a.keys.withoutAgent(o.key)
		o.a.blame(blame{rank: rankAgent, warning: text,
			cause:  fmt.Sprintf("the agent went away before it signed with %s", o.key),
			remedy: "restart it and load the key (ssh-add)"})
		return
	}
	o.a.blame(blame{rank: rankAgent, warning: text,
		cause: fmt.Sprintf("the agent refused to sign with %s", o.key),
		remedy: "unlock it (ssh-add -X) or confirm its question; " +
			"a key bound to destinations (ssh-add -h) cannot be used here, load it without"})
}
