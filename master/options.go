package master

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"

	"sshmaster/master/internal/control"
	"sshmaster/master/internal/hostconfig"
	"sshmaster/master/internal/upstream/prompt"
)

// A Host is what the user's configuration says of one destination, every
// option decoded and expanded.
type Host = hostconfig.Host

// A Query asks what the configuration says of a destination.
type Query = hostconfig.Query

// Baselines are what [Query] may share among queries: then each host costs less time
// and memory.
type Baselines = hostconfig.Baselines

// A Prompter asks a person for a password, a passphrase or a code.
type Prompter = prompt.Prompter

// A Question is what a [Prompter] asks.
type Question = prompt.Question

// PromptOptions says where [NewPrompter] finds a person.
type PromptOptions = prompt.Options

// NewPrompter returns the Prompter that ssh(1)'s rules choose: the process's
// own terminal, or the program of SSH_ASKPASS.
func NewPrompter(o PromptOptions) Prompter { return prompt.New(o) }

// What a [Prompter] returns when it has no answer.
var (
	ErrNoPrompt  = prompt.ErrNoPrompt
	ErrCancelled = prompt.ErrCancelled
)

// An InUseError says who, or what, is at the path of a control socket.
type InUseError = control.InUseError

// Holder finds out who listens at a control path, relative to dir when it is not
// absolute: nobody, or somebody live, whose process id is 0 where it is no master
// or did not say. An error says what is wrong with the path: an [*InUseError] is of
// what is no socket at all.
func Holder(path, dir string) (pid uint32, live bool, err error) { return control.Holder(path, dir) }

// Resolve runs the installed `ssh -G` with the user's own arguments and decodes
// its answer. Where no ssh is installed it reads ssh's configuration files
// itself and says in the host's Warnings what it could not judge.
func Resolve(ctx context.Context, q Query) (*Host, error) { return hostconfig.Resolve(ctx, q) }

// Options is all that a master needs of the world outside it.
type Options struct {
	// Host says where to connect and how. Required; not changed afterwards.
	Host *Host

	// Control is the path of the control socket; empty means the host's
	// ControlPath. A relative path is relative to Dir.
	Control string

	// Log gets what happens. Nil discards it.
	Log *slog.Logger

	// Prompter answers questions while the master connects. Nil means that
	// nobody can be asked.
	Prompter Prompter

	// Stderr gets, line by line and without control characters, what the
	// host's banner and a ProxyCommand print. Nil logs it.
	Stderr io.Writer

	// Env is the master's environment, "NAME=value"; nil means the process's
	// own. Dir is its folder; empty means the process's own. See [Master.SetEnv].
	Env []string
	Dir string

	// Set is what the master shares with others of this process. Nil is a set of
	// its own, which is closed with it.
	Set *Set

	// OnDemand makes a master that is simply there, as a program keeps for each of
	// many hosts. It connects when a slave first needs the host. When nothing has
	// kept it busy for ControlPersist's time it closes its links and keeps its
	// socket, and the next slave has it connect again; ControlPersist no, yes and 0
	// keep the links. What the configuration forwards is opened with the first link,
	// and all that is forwarded ends when the links are closed. LazyConnect is
	// implied, and ForkAfterAuthentication means nothing.
	OnDemand bool

	// Replace takes the path over from a master that listens there: it is asked to
	// stop listening, and its sessions end by themselves. One that does not make
	// way is an [*InUseError].
	Replace bool

	// Version is what the host is told of the program after
	// "SSH-2.0-sshmaster_".
	Version string
}

var errNoControlPath = errors.New("no ControlPath for this host: give -S PATH, or set ControlPath in ~/.ssh/config (such as ~/.ssh/cm-%C)")

// complete fills in what was left to the process.
func (o Options) complete() (Options, error) {
	if o.Host == nil {
		return o, errors.New("master: Options without a Host")
	}
	if o.Control == "" {
		o.Control = o.Host.ControlPath
	}
	if o.Control == "" {
		return o, errNoControlPath
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Prompter == nil {
		o.Prompter = prompt.Nobody{}
	}
	if o.Env == nil {
		o.Env = os.Environ()
	}
	if o.Dir == "" {
		dir, err := os.Getwd()
		if err != nil {
			return o, err
		}
		o.Dir = dir
	}
	return o, nil
}
