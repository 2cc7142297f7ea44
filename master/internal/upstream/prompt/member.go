package prompt

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// A member is one who waits in a [Crowd].
type member struct {
	crowd *Crowd
	p     Prompter
	busy  sync.WaitGroup  // counts what goes on with p; added to under the crowd's lock, and not once it left
	stays context.Context // until it leaves
	quit  context.CancelFunc

	// Under the crowd's lock.
	left     bool
	declined bool // and is not asked again
	asked    bool // at least once
	told     bool // that another is asked
}

func newMember(c *Crowd, p Prompter) *member {
	m := &member{crowd: c, p: p}
	m.stays, m.quit = context.WithCancel(context.Background())
	return m
}

// leave takes the question away, if it is the member's to answer, and waits
// until nothing goes on with its Prompter.
func (m *member) leave() {
	c := m.crowd
	c.mu.Lock()
	c.members = slices.DeleteFunc(c.members, func(other *member) bool { return other == m })
	m.left = true
	c.mu.Unlock()
	m.quit()
	m.busy.Wait()
}

// begin counts one use of p, until end is called. The context ends when the
// member leaves.
func (m *member) begin(ctx context.Context) (_ context.Context, end func(), err error) {
	c := m.crowd
	c.mu.Lock()
	defer c.mu.Unlock()
	if m.left {
		return nil, nil, errLeft
	}
	ctx, cancel := context.WithCancelCause(ctx)
	unwatch := context.AfterFunc(m.stays, func() { cancel(errLeft) })
	m.busy.Add(1)
	return ctx, func() {
		unwatch()
		cancel(nil)
		m.busy.Done()
	}, nil
}

// ask puts the question to the member. The turn to ask is the caller's.
func (m *member) ask(ctx context.Context, q Question) (string, error) {
	ctx, end, err := m.begin(ctx)
	if err != nil {
		return "", err
	}
	defer end()
	m.opened()
	m.crowd.o.Asking(true)
	answer, err := m.p.Prompt(ctx, q)
	if err != nil && context.Cause(ctx) == errLeft {
		err = errLeft
	}
	m.closed(err)
	m.crowd.o.Asking(false)
	return answer, err
}

// opened notes that the member is being asked, and tells the others.
func (m *member) opened() {
	where := ""
	if t, ok := m.p.(Teller); ok {
		where = t.Terminal()
	}
	c := m.crowd
	c.mu.Lock()
	defer c.mu.Unlock()
	m.asked = true
	c.open, c.where = m, where
	for _, other := range c.members {
		other.tellElsewhere(where)
	}
}

// closed notes what came of it.
func (m *member) closed(err error) {
	c := m.crowd
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = nil
	if shown(err) {
		c.asked++
	}
	if m != c.last && errors.Is(err, ErrCancelled) {
		m.declined = true
	}
}

// shown says whether somebody saw the question that ended with err.
func shown(err error) bool {
	var known *NobodyError
	if errors.As(err, &known) {
		return known.Shown
	}
	return !errors.Is(err, ErrNoPrompt)
}

// tellElsewhere tells the member, who has not been asked, that another is being
// asked at the terminal where. The crowd's lock is held.
func (m *member) tellElsewhere(where string) {
	t, ok := m.p.(Teller)
	line := m.crowd.o.Elsewhere
	if !ok || line == "" || m.asked || m.told || m.left {
		return
	}
	m.told = true
	m.busy.Go(func() { // it opens a terminal, and nobody need wait for that
		if where == "" || t.Terminal() != where {
			t.Tell(line)
		}
	})
}

// notify shows text to the member until done is called, or it leaves.
func (m *member) notify(ctx context.Context, text string) (done func()) {
	n, ok := m.p.(Notifier)
	if !ok {
		return func() {}
	}
	ctx, end, err := m.begin(ctx)
	if err != nil {
		return func() {}
	}
	hide := n.Notify(ctx, text)
	over := sync.OnceFunc(func() {
		hide()
		end()
	})
	unwatch := context.AfterFunc(ctx, over) // who leaves does not wait for done
	return func() {
		unwatch()
		over()
	}
}
