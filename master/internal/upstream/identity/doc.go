// Package identity proves to a host who the user is: RFC 4252 with public
// keys, passwords and keyboard-interactive, in OpenSSH's order and with its
// limits, through the one hook [ssh.ClientConfig].AuthCallback.
//
// An [Auth] serves one login. It is made from a plain [Config], gives the
// callback to the handshake, and afterwards puts the outcome into words:
//
//	a, err := identity.New(config)
//	defer a.Close()
//	ctx, nc = identity.Watch(ctx, nc)
//	conn, chans, reqs, err := ssh.NewClientConn(nc, addr, &ssh.ClientConfig{
//		User:            config.User,
//		AuthCallback:    a.AuthCallback(ctx), // and no Auth
//		BannerCallback:  a.Banner,
//		HostKeyCallback: ...,
//	})
//	if err != nil {
//		return a.Explain(err)
//	}
//
// # Keys
//
// Each key is one attempt, because a method with several keys ends at the
// first that cannot sign. The order is ssh's: configured certificates, keys of
// the agent that are configured as files, the agent's other keys (unless
// IdentitiesOnly), and keys that are only in files. A file's public half comes
// from the file itself, its .pub neighbour or the open part of OpenSSH's
// private format; the private half is read, and its passphrase asked for, only
// after the host has accepted the public one (the old PEM formats without a
// .pub neighbour excepted).
//
// The agent is dialled at the first need and closed by [Auth.Close]. Keys on
// hardware tokens work through it; their key files do not.
//
// # Questions
//
// Passphrases, passwords and codes are asked through [prompt.Prompter]. A
// question that is cancelled ends the login at once; one that nobody can
// answer ends its method. While a question waits, the end of the context and
// (with [Watch]) of the connection withdraw it.
//
// # What is said
//
// The story is told to Config.Log at debug level in the words of `ssh -v`
// ("Offering public key", "Server accepts key"), what a person must know at
// warn level. Secrets are never logged. Bytes that came from the host or an
// agent are stripped of control characters first ([Clean]).
package identity
