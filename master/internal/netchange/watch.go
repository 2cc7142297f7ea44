package netchange

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// settle is how long nothing more must come before a burst of changes is
	// one event: a network that comes up is a dozen messages.
	settle = 200 * time.Millisecond

	// longestBurst is when a burst that does not end is an event all the same.
	longestBurst = 2 * time.Second
)

// Watch returns a channel of what changes from now on, until ctx ends. Changes
// that nobody has received yet are one event, so a slow receiver misses none
// and holds nobody up.
//
// The channel is closed when ctx has ended and nothing of the watch is left, no
// goroutine and no descriptor. Where the system does not tell of changes of the
// network, which is logged at debug, only the clocks are watched.
func Watch(ctx context.Context, log *slog.Logger) <-chan Event {
	w := &watcher{log: log, read: now, events: make(chan Event)}
	s, err := subscribe()
	if err != nil {
		log.Debug("changes of the network are not noticed", "error", err)
		s = nil
	}
	go w.run(ctx, s)
	return w.events
}

// A source tells of changes of the network.
type source interface {
	next() error // waits for one; after an error there are no more
	close()      // ends the wait
}

// A watcher makes events out of changes and clocks.
type watcher struct {
	log    *slog.Logger
	read   func() reading
	events chan Event
}

// run watches until ctx ends, and owns s, which may be nil.
func (w *watcher) run(ctx context.Context, s source) {
	defer close(w.events)
	changes := make(chan struct{}, 1)
	if s != nil {
		var listening sync.WaitGroup
		listening.Go(func() { w.listen(ctx, s, changes) })
		defer listening.Wait()
		defer s.close()
	}
	w.collect(ctx, changes)
}

// listen passes on that the network changed; what changed is of no interest.
func (w *watcher) listen(ctx context.Context, s source, changes chan<- struct{}) {
	for {
		if err := s.next(); err != nil {
			if ctx.Err() == nil {
				w.log.Debug("changes of the network are no longer noticed", "error", err)
			}
			return
		}
		select {
		case changes <- struct{}{}:
		default: // one is waiting to be taken
		}
	}
}

// collect sends an event when a burst of changes has settled, and at once when
// the process was away.
func (w *watcher) collect(ctx context.Context, changes <-chan struct{}) {
	var (
		event Event
		ready chan<- Event // w.events when the event may be received
		began time.Time    // of the burst; zero outside one
		last  = w.read()
	)
	quiet := time.NewTimer(settle)
	quiet.Stop()
	defer quiet.Stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changes:
			event.Network = true
			if began.IsZero() {
				began = time.Now()
			}
			quiet.Reset(min(settle, longestBurst-time.Since(began)))
		case <-quiet.C:
			ready, began = w.events, time.Time{}
		case <-look.C:
			this := w.read()
			if away := this.away(last); away > 0 {
				event.Away += away
				ready = w.events
			}
			last = this
		case ready <- event:
			w.log.Debug("the network or a clock changed", "network", event.Network, "away", event.Away.Round(time.Millisecond))
			event, ready = Event{}, nil
		}
	}
}
