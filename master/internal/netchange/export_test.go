package netchange

import (
	"context"
	"io"
	"log/slog"
	"os"
	"time"
)

// The times that the tests wait for.
const (
	Settle       = settle
	LongestBurst = longestBurst
	LookEvery    = lookEvery
)

// A Source is a network that a test changes.
type Source struct {
	Changes chan struct{} // one for each; closing it is a failure of the socket
	closed  chan struct{}
}

// NewSource returns one that is quiet.
func NewSource() *Source {
	return &Source{Changes: make(chan struct{}), closed: make(chan struct{})}
}

func (s *Source) next() error {
	select {
	case <-s.closed:
		return os.ErrClosed
	case _, ok := <-s.Changes:
		if !ok {
			return io.ErrUnexpectedEOF
		}
		return nil
	}
}

func (s *Source) close() { close(s.closed) }

// Clocks are how far each clock of a test has gone beside the timers.
type Clocks struct{ Wall, Boot time.Duration }

// WatchWith is Watch on such a network and such clocks, which read is asked for.
func WatchWith(ctx context.Context, s *Source, read func() Clocks) <-chan Event {
	start := time.Now()
	w := &watcher{log: slog.New(slog.DiscardHandler), events: make(chan Event), read: func() reading {
		ran, c := time.Since(start), read()
		return reading{wall: start.Add(ran + c.Wall).Round(0), running: ran, boot: ran + c.Boot}
	}}
	go w.run(ctx, s)
	return w.events
}
