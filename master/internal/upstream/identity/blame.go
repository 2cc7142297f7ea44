package identity

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/upstream/prompt"
)

// A blame is one thing that went wrong and what to do about it. Only the one of
// the lowest rank is told in the end; each was logged when it happened.
type blame struct {
	rank   int
	cause  string
	remedy string

	// warning is what ssh would have said at the time. It is said at the end
	// of the login, unless it is this blame that is told then.
	warning string
}

// The ranks: what a person did or can mend at once comes first.
const (
	rankExpired = iota
	rankPassphrase
	rankAgent
	rankCertificate
	rankPassword
	rankFile
	rankToken
	rankLocked
	rankRestricted
	rankNobody
	rankAlgorithm
	rankAgentAbsent
)

func (a *Auth) blame(b blame) { a.blames = append(a.blames, b) }

// worst returns the blame to tell; ok is false when there is none.
func (a *Auth) worst() (b blame, ok bool) {
	if len(a.blames) == 0 {
		return blame{}, false
	}
	return slices.MinFunc(a.blames, func(x, y blame) int { return x.rank - y.rank }), true
}

// warnOfRest says the warnings that are still to be said, but not that of the
// blame with the cause told.
func (a *Auth) warnOfRest(told string) {
	for i := range a.blames {
		b := &a.blames[i]
		if b.warning != "" && b.cause != told {
			a.log.Warn(b.warning)
		}
		b.warning = ""
	}
}

// blameNobody tells that a secret is wanted and nobody can be asked, with what
// the Prompter has to say to that.
func (a *Auth) blameNobody(secret string, err error) {
	b := blame{rank: rankNobody,
		cause:  "nobody can be asked for " + secret,
		remedy: "use a key, start from a terminal, or set SSH_ASKPASS"}
	var known *prompt.NobodyError
	if errors.As(err, &known) {
		b.cause += ": " + known.Why
		b.remedy = cmp.Or(known.Remedy, b.remedy)
	}
	a.blame(b)
}

// blameCertificate tells what is wrong with a certificate that the host
// refused, as far as that can be seen from here.
func (a *Auth) blameCertificate(k *key, cert *ssh.Certificate) {
	now := uint64(a.c.Now().Unix())
	name := cleanLine(cmp.Or(k.certFile, k.name))
	b := blame{rank: rankCertificate, remedy: "have it issued anew"}
	switch {
	case cert.ValidBefore != ssh.CertTimeInfinity && now >= cert.ValidBefore:
		b.cause = fmt.Sprintf("certificate %s expired at %s", name, day(cert.ValidBefore))
	case now < cert.ValidAfter:
		b.cause = fmt.Sprintf("certificate %s is not valid before %s", name, day(cert.ValidAfter))
	case len(cert.ValidPrincipals) > 0 && !slices.Contains(cert.ValidPrincipals, a.c.User):
		b.cause = fmt.Sprintf("certificate %s is for %s, not for %s",
			name, cleanLine(strings.Join(cert.ValidPrincipals, ",")), cleanLine(a.c.User))
	default:
		return
	}
	a.log.Debug(b.cause)
	a.blame(b)
}

// day writes a certificate's time.
func day(seconds uint64) string {
	return time.Unix(int64(min(seconds, 1<<40)), 0).UTC().Format("2006-01-02 15:04:05 UTC")
}
