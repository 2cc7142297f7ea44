package sshtest

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long the Await functions wait before they fail the test. It is generous because it only matters when
// something is broken: the machine may be busy, and the race detector slow.
const patience = 20 * time.Second

// Log is the record of what clients did, in the order in which the server noticed it. It may be read at any time and by
// several goroutines.
type Log struct {
	off bool      // nothing is kept; fixed at start
	to  io.Writer // where each event is written, or nil; fixed at start

	mu      sync.Mutex
	events  []Event
	changed chan struct{} // closed and replaced at every event
}

func newLog(off bool, to io.Writer) *Log {
	return &Log{off: off, to: to, changed: make(chan struct{})}
}

func (l *Log) add(e Event) {
	if l.off && l.to == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.to != nil {
		_, _ = fmt.Fprintf(l.to, "%d.%d %s\n", e.Conn, e.Channel, e)
	}
	if l.off {
		return
	}
	l.events = append(l.events, e)
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *Log) snapshot() ([]Event, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.events), l.changed
}

// Events returns everything recorded so far.
func (l *Log) Events() []Event {
	events, _ := l.snapshot()
	return events
}

// Channel returns, in words, what happened on the channel with this number so far. Number 0 stands for everything that
// belongs to a connection as such.
func (l *Log) Channel(number int) []string {
	return l.words(func(e Event) bool { return e.Channel == number })
}

// Kinds returns, in words, the events of the given kinds so far.
func (l *Log) Kinds(kinds ...Kind) []string {
	return l.words(func(e Event) bool { return slices.Contains(kinds, e.Kind) })
}

func (l *Log) words(match func(Event) bool) []string {
	var words []string
	for _, e := range l.Events() {
		if match(e) {
			words = append(words, e.String())
		}
	}
	return words
}

// Wait returns as soon as done says yes to what was recorded so far, or with the context's error.
func (l *Log) Wait(ctx context.Context, done func([]Event) bool) error {
	for {
		events, changed := l.snapshot()
		if done(events) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Await waits for an event whose words are exactly these, and returns the first of them. It must run on the test's own
// goroutine: it fails the test with the whole record when nothing of the sort comes.
func (l *Log) Await(t testing.TB, words string) Event {
	t.Helper()
	return l.AwaitN(t, 1, words)
}

// AwaitN waits for the n-th event whose words are exactly these, and returns it, as Await does.
func (l *Log) AwaitN(t testing.TB, n int, words string) Event {
	t.Helper()
	var found Event
	l.AwaitFunc(t, fmt.Sprintf("%q (%d times)", words, n), func(events []Event) bool {
		seen := 0
		for _, e := range events {
			if e.String() != words {
				continue
			}
			if seen++; seen == n {
				found = e
				return true
			}
		}
		return false
	})
	return found
}

// AwaitFunc waits until done says yes to what was recorded so far; what describes it in the failure.
func (l *Log) AwaitFunc(t testing.TB, what string, done func([]Event) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := l.Wait(ctx, done); err != nil {
		t.Fatalf("sshtest: no %s within %v; recorded:\n%s", what, patience, l)
	}
}

// String returns the whole record, one line for each event: connection, channel, words.
func (l *Log) String() string {
	var text strings.Builder
	for _, e := range l.Events() {
		fmt.Fprintf(&text, "  %d.%d  %s\n", e.Conn, e.Channel, e)
	}
	return text.String()
}
