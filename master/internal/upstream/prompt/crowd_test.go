package prompt_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sshmaster/master/internal/upstream/prompt"
)

const elsewhere = "an answer is awaited on another terminal"

// A waiter is a member of a crowd at a terminal that it may have.
type waiter struct {
	prompt.Prompter
	terminal string

	mu   sync.Mutex
	told []string
}

func (w *waiter) Terminal() string { return w.terminal }

func (w *waiter) Check() error { return prompt.Check(w.Prompter) }

func (w *waiter) Tell(line string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = append(w.told, line)
}

func (w *waiter) heard() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.told)
}

// seated returns a waiter at a terminal of its own.
func seated(t *testing.T) (*waiter, *screen) {
	s := newScreen(t)
	return &waiter{Prompter: prompt.NewTerminalAt(prompt.Seat{Open: s.open}), terminal: s.path}, s
}

// standing returns one who cannot be asked.
func standing(why string) *waiter { return &waiter{Prompter: refuser{why}} }

type refuser struct{ why string }

func (r refuser) Prompt(context.Context, prompt.Question) (string, error) { return "", r.Check() }

func (r refuser) Check() error { return &prompt.NobodyError{Why: r.why} }

var secret = prompt.Question{Text: "Code: "}

func TestCrowdAsksTheFirst(t *testing.T) {
	c := prompt.NewCrowd(prompt.CrowdOptions{Elsewhere: elsewhere})
	cannot := standing("no terminal")
	first, s := seated(t)
	second, other := seated(t)
	neighbour := &waiter{Prompter: second.Prompter, terminal: first.terminal}
	for _, w := range []*waiter{cannot, first, second, neighbour} {
		defer c.Join(w)()
	}
	require.False(t, c.Asking())
	replies := ask(t.Context(), c, secret)
	s.waitFor("Code: ", 1)
	require.True(t, c.Asking())
	late := standing("late")
	leave := c.Join(late)
	s.enter("123\n")
	require.Equal(t, reply{answer: "123"}, get(t, replies))
	require.False(t, c.Asking())
	require.Equal(t, 1, c.Asked())
	leave()
	require.Equal(t, []string{elsewhere}, late.heard())

	replies = ask(t.Context(), c, secret) // the same person answers the next
	s.waitFor("Code: ", 2)
	s.enter("456\n")
	require.Equal(t, reply{answer: "456"}, get(t, replies))
	require.Equal(t, 2, c.Asked())
	require.Empty(t, other.text())
	require.Empty(t, first.heard())
	require.Empty(t, neighbour.heard(), "who sits at the terminal of the question sees it")
	require.Eventually(t, func() bool { return len(second.heard()) == 1 }, patience, 1e6, "told, and once")
}

// The question wanders on when the one who is asked leaves, and what was typed
// there is nobody's answer.
func TestCrowdTakesTheQuestionAway(t *testing.T) {
	c := prompt.NewCrowd(prompt.CrowdOptions{})
	first, s := seated(t)
	second, other := seated(t)
	before := s.modes()
	leave := c.Join(first)
	defer c.Join(second)()
	replies := ask(t.Context(), c, secret)
	s.waitFor("Code: ", 1)
	s.enter("half")
	leave()
	leave()
	require.Equal(t, before, s.modes(), "when leave has returned")
	other.waitFor("Code: ", 1)
	require.Zero(t, other.modes().Lflag&unix.ECHO)
	other.enter("123\n")
	require.Equal(t, reply{answer: "123"}, get(t, replies))
	require.Equal(t, before, other.modes())
	require.Equal(t, 2, c.Asked())
}

// Who declines is not asked again; the others are, and Last in the end.
func TestCrowdDeclines(t *testing.T) {
	last, own := seated(t)
	c := prompt.NewCrowd(prompt.CrowdOptions{Last: last})
	first, s := seated(t)
	defer c.Join(first)()
	for n := 1; n <= 2; n++ {
		replies := ask(t.Context(), c, secret)
		if n == 1 {
			s.waitFor("Code: ", 1)
			s.enter("\x04")
		}
		own.waitFor("Code: ", n)
		own.enter("123\n")
		require.Equal(t, reply{answer: "123"}, get(t, replies))
	}
	replies := ask(t.Context(), c, secret)
	own.waitFor("Code: ", 3)
	own.enter("\x04")
	require.ErrorIs(t, get(t, replies).err, prompt.ErrCancelled)
	s.waitFor("Code: ", 1)
	require.NotContains(t, s.text()[1+len("Code: "):], "Code: ")
}

func TestCrowdOfNobody(t *testing.T) {
	c := prompt.NewCrowd(prompt.CrowdOptions{})
	_, err := c.Prompt(t.Context(), secret)
	require.Equal(t, prompt.ErrNoPrompt, err)
	require.Equal(t, prompt.ErrNoPrompt, prompt.Check(c))

	defer c.Join(standing("it has no terminal"))()
	defer c.Join(standing("it is in the background"))()
	_, err = c.Prompt(t.Context(), secret)
	require.ErrorIs(t, err, prompt.ErrNoPrompt)
	require.EqualError(t, err, "it has no terminal", "of the first")
	require.Zero(t, c.Asked())

	busy := &prompt.NobodyError{Why: "it has just gone into the background"}
	defer c.Join(prompterFunc(func(context.Context) (string, error) { return "", busy }))()
	_, err = c.Prompt(t.Context(), secret)
	require.EqualError(t, err, "it has no terminal")
	require.Zero(t, c.Asked())

	failure := errors.New("a terminal that fails")
	defer c.Join(prompterFunc(func(context.Context) (string, error) { return "", failure }))()
	_, err = c.Prompt(t.Context(), secret)
	require.Equal(t, failure, err, "tells more")
}

type prompterFunc func(ctx context.Context) (string, error)

func (f prompterFunc) Prompt(ctx context.Context, _ prompt.Question) (string, error) { return f(ctx) }

// The last who leaves takes the question along.
func TestCrowdThatLeaves(t *testing.T) {
	c := prompt.NewCrowd(prompt.CrowdOptions{})
	first, s := seated(t)
	leave := c.Join(first)
	replies := ask(t.Context(), c, secret)
	s.waitFor("Code: ", 1)
	leave()
	require.ErrorIs(t, get(t, replies).err, prompt.ErrNoPrompt)
	require.Equal(t, 1, c.Asked())
}

func TestCrowdContext(t *testing.T) {
	c := prompt.NewCrowd(prompt.CrowdOptions{})
	first, s := seated(t)
	second, other := seated(t)
	defer c.Join(first)()
	defer c.Join(second)()
	before := s.modes()
	ctx, cancel := context.WithCancelCause(t.Context())
	replies := ask(ctx, c, secret)
	s.waitFor("Code: ", 1)
	gone := errors.New("the host is gone")
	cancel(gone)
	require.Equal(t, reply{err: gone}, get(t, replies))
	require.Equal(t, before, s.modes())
	require.Empty(t, other.text())
}

// Time stands still while, and only while, somebody thinks.
func TestCrowdTellsWhenItAsks(t *testing.T) {
	events := make(chan string, 10)
	c := prompt.NewCrowd(prompt.CrowdOptions{Asking: func(open bool) { events <- fmt.Sprint(open) }})
	defer c.Join(prompt.NewTerminal("/dev/null"))()
	first, s := seated(t)
	defer c.Join(first)()
	replies := ask(t.Context(), c, secret)
	s.waitFor("Code: ", 1)
	require.Equal(t, "true", <-events)
	require.Empty(t, events)
	s.enter("1\n")
	get(t, replies)
	require.Equal(t, "false", <-events)
	require.Empty(t, events)
}

func TestCrowdNotice(t *testing.T) {
	c := prompt.NewCrowd(prompt.CrowdOptions{})
	s, other := newScreen(t), newScreen(t)
	defer c.Join(prompt.NewTerminal("/dev/null"))()
	leave := c.Join(prompt.NewTerminalAt(prompt.Seat{Open: s.open}))
	defer c.Join(prompt.NewTerminalAt(prompt.Seat{Open: other.open}))()
	done, shown := prompt.Notify(t.Context(), c, "touch the key")
	require.True(t, shown)
	s.waitFor("touch the key\r\n", 1)
	leave() // does not wait for done
	done()
	require.Empty(t, other.text())
}

// Many come, go and answer at the same time.
func TestCrowdInMotion(t *testing.T) {
	c := prompt.NewCrowd(prompt.CrowdOptions{Elsewhere: elsewhere})
	goroutines := running()
	stay := c.Join(prompterFunc(func(context.Context) (string, error) { return "yes", nil }))
	var moving sync.WaitGroup
	for range 20 {
		moving.Go(func() {
			for range 50 {
				w := &waiter{Prompter: prompterFunc(func(ctx context.Context) (string, error) {
					<-ctx.Done()
					return "", context.Cause(ctx)
				})}
				leave := c.Join(w)
				leave()
			}
		})
		moving.Go(func() {
			answer, err := c.Prompt(t.Context(), secret)
			if err != nil || answer != "yes" {
				t.Errorf("answer %q, error %v", answer, err)
			}
		})
	}
	moving.Wait()
	stay()
	require.False(t, c.Asking())
	settled(t, goroutines)
}
