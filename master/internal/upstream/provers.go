package upstream

import (
	"context"
	"errors"
	"fmt"

	"sshmaster/master/internal/upstream/hostkeys"
	"sshmaster/master/internal/upstream/identity"
)

// provide fills in who judges the host and who vouches for the user, where the
// caller brought nobody.
func (d *dialer) provide() error {
	if d.Verifier == nil {
		checker, err := d.checker()
		if err != nil {
			return err
		}
		d.Verifier = checker
		if d.HostKeys == nil {
			d.HostKeys = d.learnHostKeys(checker)
		}
	}
	if d.Authenticator == nil {
		auth, err := identity.New(d.identity())
		if err != nil {
			return err
		}
		d.Authenticator = auth
	}
	return nil
}

// checker reads the host's known_hosts.
func (d *dialer) checker() (*hostkeys.Checker, error) {
	h := d.Host
	strict, err := hostkeys.ParseStrict(h.StrictHostKeyChecking)
	if err != nil {
		return nil, err
	}
	update, err := hostkeys.ParseUpdate(h.UpdateHostKeys)
	if err != nil {
		return nil, err
	}
	config := hostkeys.Config{
		Host: h.HostName, Port: h.Port, Alias: h.HostKeyAlias,
		Proxied:   h.ProxyCommand != "" || len(h.ProxyJump) > 0,
		UserFiles: h.UserKnownHostsFile, GlobalFiles: h.GlobalKnownHostsFile, RevokedFiles: h.RevokedHostKeys,
		Command: h.KnownHostsCommand, Expand: h.ExpandKnownHostsWord, Env: d.Env, Dir: d.Dir, Home: h.Home,
		HostKeyAlgorithms: h.HostKeyAlgorithms, KeepAlgorithmOrder: h.HostKeyAlgorithmsSet,
		CASignatureAlgorithms: h.CASignatureAlgorithms, RequiredRSASize: h.RequiredRSASize,
		Strict: strict, Batch: h.BatchMode, CheckHostIP: h.CheckHostIP, Hash: h.HashKnownHosts,
		TrustLocal: h.NoHostAuthenticationForLocalhost, Update: update,
		FingerprintHash: h.FingerprintHash, Prompter: d.Prompter, Log: d.Log,
	}
	if _, logged := d.Stderr.(logWriter); !logged {
		config.Notify = func(text string) { eachLine(text, d.say) }
	}
	return hostkeys.New(config), nil
}

// identity is what the host's configuration says of the user.
func (d *dialer) identity() identity.Config {
	h := d.Host
	config := identity.Config{
		User: h.User, Host: h.HostName,
		CertificateFiles: h.CertificateFile, IdentitiesOnly: h.IdentitiesOnly,
		Agent:                    h.IdentityAgent,
		AddKeysToAgent:           identity.AddKeys{Mode: h.AddKeysToAgent.Mode, Lifetime: h.AddKeysToAgent.Lifetime},
		PubkeyAcceptedAlgorithms: h.PubkeyAcceptedAlgorithms, RequiredRSASize: h.RequiredRSASize,
		PKCS11Provider:               h.PKCS11Provider,
		PreferredAuthentications:     h.PreferredAuthentications,
		PubkeyAuthentication:         h.PubkeyAuthentication != "no",
		PasswordAuthentication:       h.PasswordAuthentication,
		KbdInteractiveAuthentication: h.KbdInteractiveAuthentication,
		NumberOfPasswordPrompts:      h.NumberOfPasswordPrompts,
		BatchMode:                    h.BatchMode,
		Env:                          d.Env, Home: h.Home, Prompter: d.Prompter, Log: d.Log,
	}
	for _, path := range h.IdentityFile {
		config.IdentityFiles = append(config.IdentityFiles, identity.File{Path: path, Default: h.IdentityFileDefault})
	}
	return config
}

// learnHostKeys returns what is done with the keys that the server announces
// (UpdateHostKeys).
func (d *dialer) learnHostKeys(checker *hostkeys.Checker) func(*Link, []byte) {
	return func(l *Link, announced []byte) {
		ctx, cancel := context.WithCancelCause(context.Background())
		defer cancel(nil)
		go func() {
			select {
			case <-l.done:
				cancel(l.err)
			case <-ctx.Done():
			}
		}()
		session := hostkeys.Session{Requester: l, ID: l.SessionID(), HostKeyAlgorithm: l.Info().Algorithms.HostKey}
		if err := checker.UpdateKeys(ctx, session, announced); err != nil && l.Err() == nil && !errors.Is(err, context.Canceled) {
			d.Log.Warn(fmt.Sprintf("the host keys of %s were not updated: %v", d.Host.HostName, err))
		}
	}
}

// mistrust keeps secrets from a host whose key was accepted against better
// knowledge, and says whether that is so.
func (g *login) mistrust() bool {
	checker, ok := g.Verifier.(*hostkeys.Checker)
	if !ok || !checker.Result().Unsafe {
		return false
	}
	if auth, ok := g.Authenticator.(interface{ Restrict() }); ok {
		auth.Restrict()
	}
	return true
}
