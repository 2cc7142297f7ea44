package prompt

import (
	"context"
	"errors"
	"log/slog"
	"sync"
)

// A Teller is a member of a [Crowd] that can be told something, in one line,
// that asks for nothing. Tell does not wait for anybody for long.
type Teller interface {
	Tell(line string)

	// Terminal names the terminal on which the member would be asked; "" where
	// there is none. Nobody is told of a question on the very same one.
	Terminal() string
}

// CrowdOptions say what a [Crowd] has beside its members.
type CrowdOptions struct {
	// Last is asked when no member can be or wants to be; nil is nobody.
	Last Prompter

	// Elsewhere is the line that members are told, once each, while another is
	// asked; "" tells nothing.
	Elsewhere string

	// Asking is called with true when a question is put to somebody, and with
	// false when it is not any more: time that runs out stands still between
	// the two. Calls alternate and do not overlap; the question waits for
	// them, so they do not block. Nil is nobody who wants to know.
	Asking func(open bool)

	// Log is told at debug level who is asked; nil is silent.
	Log *slog.Logger
}

// A Crowd is a [Prompter] over all who wait for the same thing: one of them is
// asked, and the answer serves everybody. Members come and go at any time, also
// while one is being asked.
//
// A question goes to the first member, in the order of arrival, who can be
// asked. One who cannot ([ErrNoPrompt]) is passed over, one who declines
// ([ErrCancelled]) is not asked again, and from one who leaves meanwhile the
// question is taken away; then it goes to the next, and in the end to Last. The
// error, where there is no answer, is the most telling: that somebody declined,
// or else why the first could not be asked.
type Crowd struct {
	o    CrowdOptions
	turn turn
	last *member // of Last, nil for nobody; not among the members

	mu      sync.Mutex
	members []*member // in the order of arrival
	asked   int       // questions that were really asked
	open    *member   // who is being asked, or nil
	where   string    // the terminal of that, as a Teller names it
}

// errLeft is why a question was not answered by a member that left.
var errLeft = &NobodyError{Why: "the one who was asked has left", Shown: true}

// NewCrowd returns a crowd without members.
func NewCrowd(o CrowdOptions) *Crowd {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Asking == nil {
		o.Asking = func(bool) {}
	}
	c := &Crowd{o: o, turn: newTurn()}
	if o.Last != nil {
		c.last = newMember(c, o.Last)
	}
	return c
}

// Join makes p a member until leave is called. When leave returns, p is not
// being asked and not being told anything; it may be called twice.
func (c *Crowd) Join(p Prompter) (leave func()) {
	m := newMember(c, p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.members = append(c.members, m)
	if c.open != nil {
		m.tellElsewhere(c.where)
	}
	return m.leave
}

// Asking says whether a question waits for its answer now.
func (c *Crowd) Asking() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open != nil
}

// Asked counts the questions that somebody was really asked, whatever became of
// them: a login during which it grew needed a person, and will again.
func (c *Crowd) Asked() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked
}

// Prompt asks the crowd. Questions wait for one another.
func (c *Crowd) Prompt(ctx context.Context, q Question) (string, error) {
	if err := c.turn.take(ctx); err != nil {
		return "", err
	}
	defer c.turn.give()
	var why reason
	passed := make(map[*member]bool)
	for {
		m := c.next(passed)
		if m == nil {
			return "", why.get()
		}
		passed[m] = true
		err := Check(m.p) // who cannot be asked stops nobody's time
		if err == nil {
			var answer string
			if answer, err = m.ask(ctx, q); err == nil {
				return answer, nil
			}
		}
		switch {
		case ctx.Err() != nil:
			return "", context.Cause(ctx)
		case errors.Is(err, errSignalled):
			return "", err // it ended the process, or will
		}
		c.o.Log.Debug("somebody who waits has no answer: " + err.Error())
		why.add(err)
	}
}

// Check returns nil when a member, or Last, could be asked now.
func (c *Crowd) Check() error {
	var why reason
	passed := make(map[*member]bool)
	for {
		m := c.next(passed)
		if m == nil {
			return why.get()
		}
		passed[m] = true
		err := Check(m.p)
		if err == nil {
			return nil
		}
		why.add(err)
	}
}

// Notify shows text to the first who could be asked, if it is one who can show
// it.
func (c *Crowd) Notify(ctx context.Context, text string) (done func()) {
	passed := make(map[*member]bool)
	for m := c.next(passed); m != nil; m = c.next(passed) {
		passed[m] = true
		if Check(m.p) == nil {
			return m.notify(ctx, text)
		}
	}
	return func() {}
}

// next returns whose turn it is to be asked.
func (c *Crowd) next(passed map[*member]bool) *member {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.members {
		if !m.declined && !passed[m] {
			return m
		}
	}
	if c.last != nil && !passed[c.last] {
		return c.last
	}
	return nil
}

// A reason is the most telling of the errors of those who did not answer.
type reason struct {
	err  error
	rank int
}

func (r *reason) add(err error) {
	rank := 1
	switch {
	case errors.Is(err, ErrCancelled):
		rank = 4
	case !errors.Is(err, ErrNoPrompt):
		rank = 3
	case err != errLeft && err != ErrNoPrompt:
		rank = 2
	}
	if rank > r.rank {
		r.err, r.rank = err, rank
	}
}

func (r *reason) get() error {
	if r.err == nil {
		return ErrNoPrompt
	}
	return r.err
}
