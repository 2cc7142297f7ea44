package hostkeys

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"sshmaster/master/internal/upstream/prompt"
)

const (
	// maxTries bounds how often an answer that is none is asked for again.
	maxTries = 10

	// maxOtherNames bounds the list of names that share a key.
	maxOtherNames = 8
)

// admit decides whether an unknown key may be added, as StrictHostKeyChecking
// says. It reports whether a person confirmed the key.
func (q *inquiry) admit() (confirmed bool, err error) {
	switch {
	case !q.recordable():
		return false, q.unknown("the host's name cannot be written to known_hosts", "set HostKeyAlias to a plain name")
	case len(q.userFiles) == 0:
		return false, q.unknown("UserKnownHostsFile is none, so that it cannot be added",
			"set UserKnownHostsFile, or add the key to GlobalKnownHostsFile")
	}
	switch q.config.Strict {
	case Yes:
		return false, q.unknown("StrictHostKeyChecking is yes",
			"if the fingerprint is the host's, add its key to "+printable(q.userFiles[0])+
				" or connect once with -o StrictHostKeyChecking=ask")
	case Ask:
		return true, q.ask()
	}
	return false, nil
}

// unknown refuses a key that is not known.
func (q *inquiry) unknown(why, remedy string) *Error {
	e := q.refusal(Unknown, q.key, "no %s key is known for the host and %s", keyName(q.key), why)
	e.Remedy = remedy
	return e
}

// ask has a person compare the fingerprint.
func (q *inquiry) ask() error {
	const remedy = "connect once where you can answer, or with -o StrictHostKeyChecking=accept-new"
	if q.config.Batch {
		return q.unknown("BatchMode forbids to ask", remedy)
	}
	text, err := q.question()
	if err != nil {
		return err
	}
	yes, err := q.confirm(text, q.fingerprint(q.key))
	switch {
	case yes:
		return nil
	case errors.Is(err, prompt.ErrNoPrompt):
		return q.nobody(err, remedy)
	case err != nil && !errors.Is(err, prompt.ErrCancelled):
		if q.ctx.Err() != nil {
			return q.ctx.Err()
		}
		e := q.unknown("the question failed", remedy)
		e.Err = err
		return e
	}
	return q.unknown("the new one was not accepted", "connect again and answer yes if the fingerprint is the host's")
}

// nobody refuses a key because nobody can be asked, for a reason that the
// Prompter may have told.
func (q *inquiry) nobody(err error, remedy string) *Error {
	var known *prompt.NobodyError
	if !errors.As(err, &known) {
		return q.unknown("nobody can be asked", remedy)
	}
	return q.unknown("nobody can be asked: "+known.Why, cmp.Or(known.Remedy, remedy))
}

// confirm asks until the answer is yes, no, or the fingerprint, which may be
// empty where there is none to give. No answer is no.
func (q *inquiry) confirm(text, fingerprint string) (bool, error) {
	if q.config.Batch {
		return false, nil
	}
	if q.config.Prompter == nil {
		return false, prompt.ErrNoPrompt
	}
	again := "Please type 'yes' or 'no': "
	if fingerprint != "" {
		again = "Please type 'yes', 'no' or the fingerprint: "
	}
	for range maxTries {
		answer, err := q.config.Prompter.Prompt(q.ctx, prompt.Question{Text: text, Echo: true})
		if err != nil {
			return false, err
		}
		word, _ := nextField(strings.TrimLeft(answer, " \t\r\n"))
		word = strings.TrimRight(word, "\r\n")
		switch {
		case word == "" || strings.EqualFold(word, "no"):
			return false, nil
		case strings.EqualFold(word, "yes") || word == fingerprint:
			return true, nil
		}
		text = again
	}
	return false, nil
}

// question is the text above the answer. Its first words and its last line are
// ssh's own: programs that answer for a person wait for them.
func (q *inquiry) question() (string, error) {
	var b strings.Builder
	name := printable(q.name())
	if q.addr != "" {
		name += " (" + q.addr + ")"
	}
	fmt.Fprintf(&b, "The authenticity of host '%s' can't be established: no key is known for it.\n", name)
	if q.certFault != nil {
		fmt.Fprintf(&b, "Note: %s.\n", q.certFault.Reason)
	}
	fmt.Fprintf(&b, "%s key fingerprint is: %s\n", keyName(q.key), q.fingerprint(q.key))
	others, err := q.otherNames()
	if err != nil {
		return "", err
	}
	if len(others) == 0 {
		fmt.Fprintln(&b, "The key is not known under any other name.")
	} else {
		fmt.Fprintln(&b, "The same key is known under other names:")
	}
	for _, other := range others[:min(len(others), maxOtherNames)] {
		fmt.Fprintf(&b, "    %s\n", other)
	}
	if more := len(others) - maxOtherNames; more > 0 {
		fmt.Fprintf(&b, "    (and %d more)\n", more)
	}
	b.WriteString("Are you sure you want to continue connecting (yes/no/[fingerprint])? ")
	return b.String(), nil
}

// otherNames lists the lines that hold the key for other hosts.
func (q *inquiry) otherNames() ([]string, error) {
	var others []string
	text := base64.StdEncoding.EncodeToString(q.key.Marshal())
	visit := func(line numbered) {
		if line.KeyText != text || line.Marker != NoMarker {
			return
		}
		hosts := printable(line.Hosts)
		if strings.HasPrefix(line.Hosts, "|") {
			hosts = "[hashed name]"
		}
		others = append(others, fmt.Sprintf("%s:%d: %s", printable(q.underHome(line.file)), line.number, hosts))
	}
	for _, path := range q.userFiles {
		if err := q.scanFile(q.ctx, path, visit); err != nil {
			return nil, err
		}
	}
	for _, path := range q.globalFiles {
		if err := q.scanFile(q.ctx, path, visit); err != nil {
			return nil, err
		}
	}
	return others, nil
}

// underHome shortens a path to "~/" where it lies under the home directory.
func (c *Checker) underHome(path string) string {
	home := strings.TrimSuffix(c.config.Home, "/")
	if rest, ok := strings.CutPrefix(path, home+"/"); ok && home != "" {
		return "~/" + rest
	}
	return path
}
