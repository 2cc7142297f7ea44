package guest

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"sshmaster/master/internal/stdio"
	"sshmaster/master/internal/upstream/prompt"
)

// Config is what is known of a slave that waits.
type Config struct {
	// Files are what the slave passed. They are borrowed: they are not read,
	// written or closed here, and may be closed before the guest is. Nil is
	// none.
	Files *stdio.Set

	// PID is the slave's process as the control socket tells it (SO_PEERCRED);
	// 0 is unknown. The slave is connected when [New] is called.
	PID int

	// Env is the master's own environment, NAME=value, which stands in for the
	// slave's where that is not to be had.
	Env []string

	// Host is how the user calls the host, for advice.
	Host string

	// Log is told at debug level how the slave is asked; nil is silent. It
	// never sees an answer, nor the environment.
	Log *slog.Logger
}

// A Guest is a slave that waits. It is a [prompt.Prompter], a [prompt.Checker],
// a [prompt.Notifier] and a [prompt.Teller], and safe for concurrent use.
type Guest struct {
	c    Config
	peer *peer // nil when unknown

	person func() prompt.Prompter // who sits at the slave's terminal, or before its display
	device atomic.Uint64          // of the terminal that was opened last

	stays  context.Context // until Close
	quit   context.CancelFunc
	asking atomic.Int32 // questions that are open on this guest

	mu     sync.Mutex
	closed bool
	busy   sync.WaitGroup // counts what goes on; added to under mu, and not once it is closed
}

// errLeft is the fate of a question to a guest that does not wait any more.
var errLeft = &prompt.NobodyError{Why: "the one who was asked has left", Shown: true}

// New returns the guest. It costs next to nothing as long as nobody is asked.
func New(c Config) *Guest {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Files == nil {
		c.Files = new(stdio.Set)
	}
	g := &Guest{c: c, peer: newPeer(c.PID)}
	g.person = sync.OnceValue(g.findPerson)
	g.stays, g.quit = context.WithCancel(context.Background())
	return g
}

// Close ends the guest's waiting, before SESSION_OPENED is sent as well as when
// the slave has left: a question is taken away and the terminal set back. When
// Close returns nothing of the guest reads, writes or is open. It may be called
// twice.
func (g *Guest) Close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.quit()
	g.busy.Wait()
}

// begin counts one use of the slave, until end is called. The context ends with
// the guest.
func (g *Guest) begin(ctx context.Context) (_ context.Context, end func(), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, nil, errLeft
	}
	g.busy.Add(1)
	ctx, cancel := context.WithCancelCause(ctx)
	unwatch := context.AfterFunc(g.stays, func() { cancel(errLeft) })
	return ctx, func() {
		unwatch()
		cancel(nil)
		g.busy.Done()
	}, nil
}

// Prompt asks one question, on the terminal or by the askpass program. An error
// that is [prompt.ErrNoPrompt] says why the slave cannot be asked, and what its
// user can do.
func (g *Guest) Prompt(ctx context.Context, q prompt.Question) (string, error) {
	ctx, end, err := g.begin(ctx)
	if err != nil {
		return "", err
	}
	defer end()
	g.asking.Add(1)
	defer g.asking.Add(-1)
	answer, err := g.person().Prompt(ctx, q)
	return answer, g.explain(err)
}

// Check says whether the slave could be asked now. It is nil when it could, and
// otherwise a [prompt.ErrNoPrompt] that says why not.
func (g *Guest) Check() error {
	_, end, err := g.begin(context.Background())
	if err != nil {
		return err
	}
	defer end()
	return g.explain(prompt.Check(g.person()))
}

// Interactive says whether the slave could be asked now.
func (g *Guest) Interactive() bool { return g.Check() == nil }

// Notify shows text, which may have several lines, where a question would be
// asked.
func (g *Guest) Notify(ctx context.Context, text string) (done func()) {
	ctx, end, err := g.begin(ctx)
	if err != nil {
		return func() {}
	}
	hide, _ := prompt.Notify(ctx, g.person(), text)
	over := sync.OnceFunc(func() {
		hide()
		end()
	})
	unwatch := context.AfterFunc(ctx, over)
	return func() {
		unwatch()
		over()
	}
}

func (g *Guest) findPerson() prompt.Prompter {
	if inBatchMode(g.peer.commandLine()) {
		return silent{}
	}
	return prompt.New(prompt.Options{
		Env:  g.environment(),
		Seat: &prompt.Seat{Open: g.openTerminal, Present: g.present},
		Log:  g.c.Log,
	})
}

// environment is the slave's, or else the master's own.
func (g *Guest) environment() []string {
	env, err := g.peer.environment()
	if err != nil {
		g.c.Log.Debug("the slave's environment is not used", "reason", err)
		return g.c.Env
	}
	return env
}

// explain puts it into words that nobody can be asked.
func (g *Guest) explain(err error) error {
	var known *prompt.NobodyError
	switch {
	case !errors.Is(err, prompt.ErrNoPrompt) || err == errLeft:
		return err
	case !errors.As(err, &known):
		g.c.Log.Debug("the slave cannot be asked", "reason", err)
		known = &prompt.NobodyError{Why: "the terminal of this ssh cannot be used"}
	}
	e := *known
	if e.Remedy == "" {
		e.Remedy = "run " + strings.Join(strings.Fields("ssh "+plain(g.c.Host)), " ") + " in a terminal once"
	}
	return &e
}
