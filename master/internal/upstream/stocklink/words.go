package stocklink

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"
)

const (
	// maxLine bounds one line of ssh's; a longer one is cut in pieces.
	maxLine = 4096

	// holdBack is how long a line may be the last one before it is shown: the
	// reason why ssh ends is told once, by whoever learns of the end.
	holdBack = 300 * time.Millisecond
)

// words are what ssh says on standard error.
type words struct {
	out     io.Writer
	log     *slog.Logger
	verbose bool // show what ssh says at LogLevel VERBOSE
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

// hear takes one line.
func (w *words) hear(line string) {
	w.facts.hear(line)
	switch {
	case strings.HasPrefix(line, "debug"):
		w.log.Debug(line)
	case !w.verbose && chatter(line):
		w.log.Info(line)
	default:
		w.hold(line)
	}
}

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
		_, _ = io.WriteString(w.out, line+"\n")
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
