package prompt_test

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sshmaster/master/internal/upstream/prompt"
)

// patience bounds every wait of a test; none is expected to come near it.
const patience = 20 * time.Second

// A screen is the far side of a terminal: what a person sees and types.
type screen struct {
	t      *testing.T
	master *os.File
	path   string

	mu   sync.Mutex
	seen strings.Builder
}

func newScreen(t *testing.T) *screen {
	t.Helper()
	master, slave, err := pty.Open()
	require.NoError(t, err)
	s := watchScreen(t, master)
	s.path = slave.Name()
	t.Cleanup(func() { slave.Close() })
	return s
}

// watchScreen takes ownership of master.
func watchScreen(t *testing.T, master *os.File) *screen {
	s := &screen{t: t, master: master}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buffer := make([]byte, 1024)
		for {
			n, err := master.Read(buffer)
			s.mu.Lock()
			s.seen.Write(buffer[:n])
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		master.Close()
		<-ended
	})
	return s
}

// open opens the near side, as somebody else's terminal is opened.
func (s *screen) open() (*os.File, error) {
	return os.OpenFile(s.path, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen.String()
}

func (s *screen) waitFor(text string, times int) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return strings.Count(s.text(), text) >= times }, patience, time.Millisecond,
		"%q %d times", text, times)
}

func (s *screen) enter(text string) {
	s.t.Helper()
	_, err := s.master.WriteString(text)
	require.NoError(s.t, err)
}

func (s *screen) modes() unix.Termios {
	s.t.Helper()
	raw, err := s.master.SyscallConn()
	require.NoError(s.t, err)
	var modes *unix.Termios
	require.NoError(s.t, raw.Control(func(fd uintptr) { modes, err = unix.IoctlGetTermios(int(fd), getTermios) }))
	require.NoError(s.t, err)
	return *modes
}

type reply struct {
	answer string
	err    error
}

func ask(ctx context.Context, p prompt.Prompter, q prompt.Question) <-chan reply {
	replies := make(chan reply, 1)
	go func() {
		answer, err := p.Prompt(ctx, q)
		replies <- reply{answer, err}
	}()
	return replies
}

func get(t *testing.T, replies <-chan reply) reply {
	t.Helper()
	select {
	case r := <-replies:
		return r
	case <-time.After(patience):
		require.FailNow(t, "no answer")
		return reply{}
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	s := newScreen(t)
	before := s.modes()
	replies := ask(t.Context(), prompt.NewTerminal(s.path), prompt.Question{Text: "me@host's password: "})
	s.waitFor("me@host's password: ", 1)
	require.Zero(t, s.modes().Lflag&unix.ECHO)
	s.enter("hunter3\x7f2\n")
	require.Equal(t, reply{answer: "hunter2"}, get(t, replies))
	require.Equal(t, before, s.modes())
	s.waitFor("\r\n", 1)
	require.Equal(t, "\rme@host's password: \r\n", s.text())
}

func TestEchoShowsTheAnswer(t *testing.T) {
	s := newScreen(t)
	replies := ask(t.Context(), prompt.NewTerminal(s.path), prompt.Question{Text: "Code: ", Echo: true})
	s.waitFor("Code: ", 1)
	s.enter("123456\n")
	require.Equal(t, reply{answer: "123456"}, get(t, replies))
	s.waitFor("Code: 123456\r\n", 1)
}

func TestEmptyAnswersAreAnswers(t *testing.T) {
	s := newScreen(t)
	replies := ask(t.Context(), prompt.NewTerminal(s.path), prompt.Question{Text: "Passphrase: "})
	s.waitFor("Passphrase: ", 1)
	s.enter("\n")
	require.Equal(t, reply{}, get(t, replies))
}

func TestEndOfInputCancels(t *testing.T) {
	s := newScreen(t)
	before := s.modes()
	replies := ask(t.Context(), prompt.NewTerminal(s.path), prompt.Question{Text: "Passphrase: "})
	s.waitFor("Passphrase: ", 1)
	s.enter("\x04")
	require.ErrorIs(t, get(t, replies).err, prompt.ErrCancelled)
	require.Equal(t, before, s.modes())
}

func TestTooLongAnswersEnd(t *testing.T) {
	s := newScreen(t)
	replies := ask(t.Context(), prompt.NewTerminal(s.path), prompt.Question{Text: "Passphrase: "})
	s.waitFor("Passphrase: ", 1)
	for range 3 { // a line is at most 4,095 bytes long, ^D sends it without an end
		s.enter(strings.Repeat("x", 2000) + "\x04")
	}
	require.ErrorContains(t, get(t, replies).err, "too long")
}

func TestContextWithdrawsTheQuestion(t *testing.T) {
	s := newScreen(t)
	before := s.modes()
	ctx, cancel := context.WithCancelCause(t.Context())
	replies := ask(ctx, prompt.NewTerminal(s.path), prompt.Question{Text: "Passphrase: "})
	s.waitFor("Passphrase: ", 1)
	s.enter("half an ans")
	gone := errors.New("the host is gone")
	cancel(gone)
	require.ErrorIs(t, get(t, replies).err, gone)
	require.Equal(t, before, s.modes())
}

func TestConfirmInsists(t *testing.T) {
	for typed, want := range map[string]string{"yes": "yes", "Y": "yes", "no": "no", " NO ": "no"} {
		s := newScreen(t)
		replies := ask(t.Context(), prompt.NewTerminal(s.path), prompt.Question{Text: "Add key? ", Confirm: true})
		s.waitFor("Add key? ", 1)
		s.enter("perhaps\n")
		s.waitFor("Please type", 1)
		s.enter(typed + "\n")
		require.Equal(t, reply{answer: want}, get(t, replies))
	}
}

func TestOneQuestionAtATime(t *testing.T) {
	s := newScreen(t)
	p := prompt.NewTerminal(s.path)
	first := ask(t.Context(), p, prompt.Question{Text: "Question: "})
	s.waitFor("Question: ", 1)
	second := ask(t.Context(), p, prompt.Question{Text: "Question: "})
	s.enter("one\n")
	require.Equal(t, "one", get(t, first).answer)
	s.waitFor("Question: ", 2)

	ctx, cancel := context.WithCancel(t.Context())
	third := ask(ctx, p, prompt.Question{Text: "Question: "})
	cancel()
	require.ErrorIs(t, get(t, third).err, context.Canceled)
	s.enter("two\n")
	require.Equal(t, "two", get(t, second).answer)
	require.Equal(t, 2, strings.Count(s.text(), "Question: "))
}

func TestNoTerminal(t *testing.T) {
	for _, path := range []string{"/dev/null", t.TempDir() + "/none"} {
		_, err := prompt.NewTerminal(path).Prompt(t.Context(), prompt.Question{Text: "?"})
		require.ErrorIs(t, err, prompt.ErrNoPrompt)
	}
}

func TestTerminalNotice(t *testing.T) {
	s := newScreen(t)
	done, shown := prompt.Notify(t.Context(), prompt.NewTerminal(s.path), "touch the key")
	done()
	require.True(t, shown)
	s.waitFor("touch the key\r\n", 1)

	_, shown = prompt.Notify(t.Context(), prompt.Nobody{}, "touch the key")
	require.False(t, shown)
}

// Neither descriptors nor goroutines stay behind.
func TestTerminalLeaksNothing(t *testing.T) {
	s := newScreen(t)
	p := prompt.NewTerminal(s.path)
	once := func() {
		ctx, cancel := context.WithCancel(t.Context())
		replies := ask(ctx, p, prompt.Question{Text: "."})
		s.waitFor(".", 1)
		cancel()
		get(t, replies)
	}
	once()
	descriptors, goroutines := open(t), running()
	for range 20 {
		once()
	}
	require.Equal(t, descriptors, open(t))
	settled(t, goroutines)
}

// settled waits until no more goroutines run than did.
func settled(t *testing.T, goroutines int) {
	t.Helper()
	for end := time.Now().Add(patience); running() > goroutines && time.Now().Before(end); {
		runtime.Gosched()
	}
	require.LessOrEqual(t, running(), goroutines)
}
