package stocklink

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"time"

	"sshmaster/master/internal/hostconfig"
)

const (
	// maxLine bounds one line of ssh's; a longer one is cut in pieces.
	maxLine = 4096

	// holdBack is how long a line may be the last one before it is shown: the
	// reason why ssh ends is told once, by whoever learns of the end.
	holdBack = 300 * time.Millisecond
)

// words are what ssh says on standard error. It has chosen by its LogLevel what
// to say, so that all of it is shown, but for what we made it say.
type words struct {
	log     *slog.Logger
	level   slog.Level // of what is shown
	verbose bool       // show what ssh says at LogLevel VERBOSE, too
	facts   *facts

	mu    sync.Mutex
	held  string // the last line, not shown yet
	last  string // the last line
	timer *time.Timer
	muted bool
}

// listen takes ssh's lines until r ends.
func (w *words) listen(r io.Reader) {
	br := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := br.ReadSlice('\n')
		if text := clean(strings.TrimRight(string(line), "\r\n")); len(line) > 0 {
			w.hear(text)
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// newWords are those of an ssh that connects to h.
func newWords(h *hostconfig.Host, log *slog.Logger) *words {
	w := &words{log: log, level: slog.LevelWarn, verbose: h.LogLevel != "INFO", facts: &facts{}}
	switch h.LogLevel {
	case "QUIET", "FATAL", "ERROR":
		w.level = slog.LevelError // nothing less is said
	}
	return w
}

// hear takes one line.
func (w *words) hear(line string) {
	w.facts.hear(line)
	switch {
	case debugging.MatchString(line):
		w.log.Debug("ssh: " + line[len("debug1: "):])
	case strings.HasPrefix(line, "mux_"): // of a forward that we tell of ourselves
		w.log.Debug("ssh: " + line)
	case !w.verbose && chatter(line):
		w.log.Info("ssh: " + line)
	default:
		w.hold(line)
	}
}

var debugging = regexp.MustCompile(`^debug[123]: `)

// chatter are the lines that ssh says at LogLevel VERBOSE, which carry no mark:
// we ask for them with the debugging ones.
func chatter(line string) bool {
	for _, start := range []string{"OpenSSH_", "Authenticated to ", "Authenticated using ", "Transferred: ", "Bytes per second: ", "Killed by signal "} {
		if strings.HasPrefix(line, start) {
			return true
		}
	}
	return false
}

// hold shows the line before and holds this one back.
func (w *words) hold(line string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.show()
	if line == "" {
		w.write(line)
		return
	}
	w.held, w.last = line, line
	if w.timer == nil {
		w.timer = time.AfterFunc(holdBack, w.flush)
		return
	}
	w.timer.Reset(holdBack)
}

// flush shows what is held back.
func (w *words) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.show()
}

// show shows what is held back; the caller holds the lock.
func (w *words) show() {
	if w.held != "" {
		w.write(w.held)
		w.held = ""
	}
}

func (w *words) write(line string) {
	if !w.muted {
		w.log.Log(context.Background(), w.level, line)
	}
}

// lastWords returns the last line, which is not shown any more if it was held
// back.
func (w *words) lastWords() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held = ""
	if w.timer != nil {
		w.timer.Stop()
	}
	return w.last
}

// attached shows what is held back: it was not the reason for anything.
func (w *words) attached() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.show()
	w.last = ""
}

// mute throws away what ssh says from now on: it ends because it was told to.
func (w *words) mute() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.show()
	w.muted = true
}
