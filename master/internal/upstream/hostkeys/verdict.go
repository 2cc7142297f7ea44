package hostkeys

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// quoteList shows a few items of a list that somebody else wrote.
func quoteList(items []string) string {
	const most = 8
	if len(items) == 0 {
		return "nobody"
	}
	if len(items) > most {
		items = append(slices.Clone(items[:most]), "...")
	}
	return strings.Join(items, ", ")
}

// where shows the place of a line.
func (e *entry) where() string { return fmt.Sprintf("%s:%d", printable(e.file), e.number) }

// removal says how to get rid of the line. ssh-keygen -R leaves patterns alone.
func (e *entry) removal(name string) string {
	switch {
	case e.origin == fromCommand:
		return "correct what KnownHostsCommand prints for this host"
	case e.origin == fromGlobal:
		return "have line " + e.where() + " corrected by the administrator of this machine"
	case e.Marker == NoMarker && !strings.ContainsAny(e.Hosts, "*?!"):
		return fmt.Sprintf("remove the line with: ssh-keygen -f %q -R %q", printable(e.file), printable(name))
	}
	return "edit line " + e.where()
}

// unsafe lets a connection go on that proves nothing.
func (q *inquiry) unsafe() (Result, error) {
	q.notify("Passwords, keyboard-interactive authentication and all forwarding are disabled " +
		"to avoid man-in-the-middle attacks.")
	return Result{Unsafe: true}, nil
}

// revokedKey refuses a revoked key unless StrictHostKeyChecking is off.
func (q *inquiry) revokedKey(e *entry) (Result, error) {
	q.notify("%s\nThe %s key that %s sent is marked as revoked in %s.\n"+
		"Somebody may have stolen it and stand in for the host.",
		framed("WARNING: REVOKED HOST KEY DETECTED!"), keyName(q.key), printable(q.name()), e.where())
	if q.config.Strict == Off {
		return q.unsafe()
	}
	return Result{}, q.revokedError(q.key, e)
}

// revokedError names the line that revokes the key.
func (c *Checker) revokedError(key ssh.PublicKey, e *entry) *Error {
	err := c.refusal(Revoked, key, "the %s key that the server sent, or its authority, is revoked in %s", keyName(key), e.where())
	err.File, err.Line = e.file, e.number
	err.Remedy = "the server needs a new key; ask its administrator"
	return err
}

// changedKey refuses a key other than the known one unless
// StrictHostKeyChecking is off.
func (q *inquiry) changedKey(e *entry, ipStatus status, ipEntry *entry) (Result, error) {
	q.notify("%s", q.changedWarning(e, ipStatus, ipEntry))
	if q.config.Strict == Off {
		return q.unsafe()
	}
	err := q.refusal(Changed, q.key, "the host key has changed: the %s key that the server sent is not the %s key %s in %s",
		keyName(q.key), keyName(e.key), q.fingerprint(e.key), e.where())
	err.File, err.Line = e.file, e.number
	err.Remedy = "if the change is expected, " + e.removal(q.name())
	return Result{}, err
}

// changedWarning is what a person reads. The words in the frame and the line
// that starts with "Offending" are ssh's own: people and programs look for them.
func (q *inquiry) changedWarning(e *entry, ipStatus status, ipEntry *entry) string {
	var b strings.Builder
	fmt.Fprintln(&b, framed("WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!"))
	fmt.Fprintf(&b, "%s does not identify itself with the key that is known for it.\n", printable(q.name()))
	fmt.Fprintln(&b, "Either the host got a new key, or somebody stands in between and reads everything (a man-in-the-middle attack).")
	if q.ip != "" && (ipStatus != keyChanged || !sameKey(ipEntry.key, e.key)) {
		fmt.Fprintf(&b, "The key known for its address %s is %s: the name may also lead to the wrong address (DNS spoofing).\n",
			printable(q.ip), map[status]string{keyNew: "none", keyKnown: "the one sent", keyChanged: "yet another"}[ipStatus])
	}
	fmt.Fprintf(&b, "The %s key sent has the fingerprint\n%s.\n", keyName(q.key), q.fingerprint(q.key))
	fmt.Fprintln(&b, "Ask the host's administrator whether that is right.")
	fmt.Fprintf(&b, "Offending %s key in %s\n", keyName(e.key), e.where())
	fmt.Fprintf(&b, "If it is right: %s", e.removal(q.name()))
	return b.String()
}
