package hostkeys

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"sshmaster/master/internal/upstream/prompt"
)

// Config is what ssh_config says about the host key of one destination, in
// plain values: paths expanded, lists split.
type Config struct {
	// Host is HostName: the name or address that was dialled, not the name the
	// user typed. Port is its port; 0 means 22.
	Host string
	Port int

	// Alias is HostKeyAlias, or empty. It stands in for host and port in every
	// lookup and in what is added.
	Alias string

	// Proxied says that the connection goes through a ProxyCommand or a
	// ProxyJump, so that its remote address says nothing about the host.
	Proxied bool

	// UserFiles, GlobalFiles and RevokedFiles are UserKnownHostsFile,
	// GlobalKnownHostsFile and RevokedHostKeys. A list that is only "none" is
	// empty. Relative paths are taken from Dir, "~/" from Home. New keys go to
	// the first of UserFiles.
	UserFiles    []string
	GlobalFiles  []string
	RevokedFiles []string

	// Command is KnownHostsCommand with its tokens in place, or empty. It is
	// split into words first; Expand then replaces the tokens in each word but
	// the first. Its map holds the tokens only this command has: %H %I %K %f %t.
	// A nil Expand knows those and %%. The command runs with Env in Dir.
	Command string
	Expand  func(word string, tokens map[byte]string) (string, error)
	Env     []string
	Dir     string

	// Home is the user's home directory. Where a new known_hosts belongs into
	// its .ssh folder, that folder is made with mode 0700.
	Home string

	// HostKeyAlgorithms is the effective list, best first; empty takes what
	// x/crypto/ssh supports. KeepAlgorithmOrder says that the user chose the
	// order, so that known keys do not change it.
	HostKeyAlgorithms  []string
	KeepAlgorithmOrder bool

	// CASignatureAlgorithms are the signatures (patterns) accepted on a host
	// certificate; empty accepts all. RequiredRSASize is in bits; 0 means 1024.
	CASignatureAlgorithms []string
	RequiredRSASize       int

	Strict      Strict
	Batch       bool // BatchMode: ask nobody
	CheckHostIP bool
	Hash        bool // HashKnownHosts
	TrustLocal  bool // NoHostAuthenticationForLocalhost
	Update      Update

	// FingerprintHash is "sha256", which is also the default, or "md5".
	FingerprintHash string

	// Prompter answers StrictHostKeyChecking=ask; nil means nobody can be asked.
	Prompter prompt.Prompter

	// Notify receives what a person should read, of one line or several, without
	// a final newline and free of control characters. Without it the text is
	// logged as a warning. It must not call the Checker.
	Notify func(text string)

	// Log may be nil, Clock (which judges certificates) too.
	Log   *slog.Logger
	Clock func() time.Time
}

// Strict is StrictHostKeyChecking.
type Strict int

// The values of StrictHostKeyChecking.
const (
	Ask       Strict = iota // ask whether to accept an unknown key; the default
	Yes                     // refuse unknown keys
	AcceptNew               // add unknown keys unasked
	Off                     // add unknown keys, connect in spite of a changed one
)

// ParseStrict reads a value of StrictHostKeyChecking, in any of the spellings
// that ssh accepts or that "ssh -G" prints.
func ParseStrict(value string) (Strict, error) {
	switch strings.ToLower(value) {
	case "", "ask":
		return Ask, nil
	case "yes", "true":
		return Yes, nil
	case "accept-new":
		return AcceptNew, nil
	case "no", "off", "false":
		return Off, nil
	}
	return Ask, fmt.Errorf("hostkeys: StrictHostKeyChecking %q is none of yes, accept-new, ask and no", value)
}

// String returns the value as ssh_config(5) spells it.
func (s Strict) String() string {
	switch s {
	case Yes:
		return "yes"
	case AcceptNew:
		return "accept-new"
	case Off:
		return "no"
	}
	return "ask"
}

// Update is UpdateHostKeys.
type Update int

// The values of UpdateHostKeys.
const (
	UpdateNo  Update = iota // leave known_hosts as it is
	UpdateYes               // learn the server's other keys, forget those it dropped
	UpdateAsk               // the same, after asking
)

// ParseUpdate reads a value of UpdateHostKeys.
func ParseUpdate(value string) (Update, error) {
	switch strings.ToLower(value) {
	case "", "no", "false":
		return UpdateNo, nil
	case "yes", "true":
		return UpdateYes, nil
	case "ask":
		return UpdateAsk, nil
	}
	return UpdateNo, fmt.Errorf("hostkeys: UpdateHostKeys %q is none of yes, no and ask", value)
}
