// Package hostkeys decides whether the machine at the other end is the host
// that the user meant, the way ssh(1) does: by the known_hosts files, host
// certificates, revocation lists, and as the last resort by asking a person.
//
// # One connection
//
// A [Checker] serves one connection. Its owner fills a [Config], then
//
//	checker := hostkeys.New(config)
//	algorithms, err := checker.Algorithms(ctx) // what to offer, known key types first
//	client.HostKeyAlgorithms = algorithms
//	client.HostKeyCallback = checker.Callback(ctx)
//	// ... after the first key exchange:
//	if checker.Result().Unsafe { /* no passwords, no forwarding */ }
//
// and, when the server announces its keys after authentication, calls
// [Checker.UpdateKeys].
//
// The callback runs again on every key exchange of the connection. The key
// accepted first is remembered: from then on nothing is asked, written or run.
//
// # Sources
//
// The file format is that of sshd(8), SSH_KNOWN_HOSTS FILE FORMAT; the options
// are those of ssh_config(5). Lines that cannot be read are skipped, as ssh
// skips them, and logged at debug level. RevokedHostKeys files are the
// opposite: what cannot be read there ends the connection. They are plain lists
// of keys or binary revocation lists (PROTOCOL.krl). Key rotation is
// draft-miller-sshm-hostkey-update, "hostkeys-00@openssh.com".
//
// # Where it differs from ssh
//
//   - A key that is revoked for the host's name without a port is refused on
//     every port; ssh 9.2 warns, and then adds it as new.
//   - A host certificate without principals is refused, and principals may be
//     patterns, as since OpenSSH 10.3.
//   - When HostKeyAlgorithms leaves out the plain key type, a host certificate
//     is not judged by its plain key, as since OpenSSH 9.8.
//   - CheckHostIP is not applied when the key was found by the name without the
//     port.
//   - A known_hosts that is a symbolic link stays one when UpdateHostKeys
//     rewrites it.
//   - DNS is not asked for fingerprints (VerifyHostKeyDNS), because Go's resolver
//     does not tell whether an answer was authenticated, and no picture of a key
//     is drawn (VisualHostKey), which decides nothing. Of the former the user is
//     warned; with Transport openssh the installed ssh does both.
package hostkeys
