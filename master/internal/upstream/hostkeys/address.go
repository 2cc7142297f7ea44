package hostkeys

import "fmt"

// checkAddress compares the key with what is known for the address, where
// CheckHostIP asks for that and the key was accepted for the name: by the line
// host, or as a new one when that is nil.
func (q *inquiry) checkAddress(host *entry, status status, e *entry) error {
	if q.ip == "" {
		return nil
	}
	switch {
	case status == keyNew && host != nil:
		q.addAddress(host)
	case status == keyChanged:
		return q.addressDiffers(host, e)
	}
	return nil
}

// addressDiffers asks or refuses, as StrictHostKeyChecking says.
func (q *inquiry) addressDiffers(host, e *entry) error {
	text := fmt.Sprintf("Warning: the %s key of '%s' is not the one known for its address '%s'\n"+
		"Offending key for IP in %s", keyName(q.key), printable(q.name()), printable(q.ip), e.where())
	if host != nil {
		text += "\nMatching host key in " + host.where()
	}
	switch q.config.Strict {
	case Off:
		q.notify("%s", text)
		return nil
	case Ask:
		yes, err := q.confirm(text+"\nAre you sure you want to continue connecting (yes/no)? ", "")
		if yes {
			return nil
		}
		if err != nil && q.ctx.Err() != nil {
			return q.ctx.Err()
		}
	default:
		q.notify("%s", text)
	}
	err := q.refusal(Changed, q.key, "the %s key is not the one known for the address %s, which %s holds",
		keyName(q.key), printable(q.ip), e.where())
	err.File, err.Line = e.file, e.number
	err.Remedy = "if the address moved to this host, " + e.removal(q.ip) + ", or set CheckHostIP no"
	return err
}
