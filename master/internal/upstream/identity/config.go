package identity

import (
	"log/slog"
	"time"

	"sshmaster/master/internal/upstream/prompt"
)

// A Config is everything a login needs to know, under ssh_config(5)'s names.
// Paths are expanded, except that a leading "~/" is taken for Home.
//
// Zero values are not ssh's defaults: switches that are false are off.
type Config struct {
	User string // the remote user
	Host string // the host as questions and errors name it: ssh's HostName

	// Keys and certificates.
	IdentityFiles    []File
	CertificateFiles []string // when there are any, "-cert.pub" neighbours are not looked for
	IdentitiesOnly   bool

	// Agent is IdentityAgent: the path of a socket, "SSH_AUTH_SOCK", "$NAME"
	// for the variable of that name, and "none" or "" for no agent.
	Agent          string
	AddKeysToAgent AddKeys

	// PubkeyAcceptedAlgorithms are names or patterns in order of preference;
	// none at all admits whatever the library can do.
	PubkeyAcceptedAlgorithms []string
	RequiredRSASize          int    // bits; 0 takes any
	PKCS11Provider           string // not loaded: a warning says to use ssh-agent

	// Methods.
	PreferredAuthentications     []string // none at all is ssh's own order
	PubkeyAuthentication         bool
	PasswordAuthentication       bool
	KbdInteractiveAuthentication bool
	NumberOfPasswordPrompts      int // of each kind; also the tries at one passphrase
	BatchMode                    bool

	Env      []string         // NAME=value, for Agent
	Home     string           // for a leading "~/"
	Prompter prompt.Prompter  // nil asks nobody
	Log      *slog.Logger     // nil is silent
	Now      func() time.Time // nil is time.Now; for certificates' validity
}

// A File is one IdentityFile.
type File struct {
	Path string

	// Default says that the user did not ask for this file by name: it is
	// nothing to tell when it does not exist.
	Default bool
}

// An AddKeys is AddKeysToAgent: what becomes of a key loaded from a file.
type AddKeys struct {
	Mode     string        // "no" or "", "yes", "ask" or "confirm"
	Lifetime time.Duration // how long the agent keeps it, in whole seconds; 0 is for ever
}

// sshOrder is the default of PreferredAuthentications, reduced to the methods
// that exist here.
var sshOrder = []string{methodPublicKey, methodInteractive, methodPassword}

// The method names of RFC 4252 and RFC 4256.
const (
	methodPublicKey   = "publickey"
	methodInteractive = "keyboard-interactive"
	methodPassword    = "password"
)
