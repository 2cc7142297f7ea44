package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/gdamore/tcell/v2"
	"golang.org/x/term"

	"sshmaster/master"
)

const (
	// topPause is how often masters are looked at, and topTime how long one may
	// take to answer.
	topPause = time.Second
	topTime  = 5 * time.Second
)

// top is -O top: what masters hold and move, live, until the user has seen enough.
func (c *command) top(ctx context.Context, a *asker) error {
	if !term.IsTerminal(int(os.Stdin.Fd())) || !term.IsTerminal(int(os.Stdout.Fd())) {
		return errors.New("-O top needs a terminal: -O list --json tells a program the same")
	}
	ctx, stop := endOnSignal(ctx, endSignals)
	defer stop()
	w := &watch{asker: a}
	defer w.leave()
	masters, err := w.masters(ctx)
	if err != nil {
		return err // before the screen is anything but the user's
	}
	s, err := newTopScreen()
	if err != nil {
		return err
	}
	defer s.Fini()
	s.board.update(masters, nil, time.Now())
	return s.run(ctx, w)
}

// A watch looks at masters again and again. One that is named by its socket is
// asked over one connection, which also sees it when its path is free already.
type watch struct {
	*asker
}

func (w *watch) masters(ctx context.Context) ([]master.Status, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, topTime, errors.New("it does not answer"))
	defer cancel()
	if w.path == "" {
		return listAll(ctx)
	}
	if w.Client == nil {
		if err := w.connect(ctx); err != nil {
			return nil, err
		}
	}
	s, err := w.status(ctx)
	if err != nil {
		w.leave()
		return nil, err
	}
	if s.State == master.StateDraining && remaining(s) == "" {
		w.leave() // our connection is all that keeps it
	}
	return []master.Status{s}, nil
}

// leave lets go of the master.
func (w *watch) leave() {
	if w.Client != nil {
		w.Close()
		w.Client = nil
	}
}

// A look is what was seen of the masters at a time.
type seen struct {
	masters []master.Status
	err     error
	at      time.Time
}

// looks sends what masters are, each second, until ctx ends.
func (w *watch) looks(ctx context.Context, to chan<- seen) {
	for {
		select {
		case <-time.After(topPause):
		case <-ctx.Done():
			return
		}
		masters, err := w.masters(ctx)
		select {
		case to <- seen{masters, err, time.Now()}:
		case <-ctx.Done():
			return
		}
	}
}

// A topScreen is a terminal that shows a board, from a line of it on.
type topScreen struct {
	tcell.Screen
	board board
	from  int // how many lines of the table are above what is shown
}

func newTopScreen() (*topScreen, error) {
	s, err := tcell.NewScreen()
	if err == nil {
		err = s.Init()
	}
	if err != nil {
		return nil, fmt.Errorf("-O top cannot use this terminal (TERM=%s): %w", os.Getenv("TERM"), err)
	}
	return &topScreen{Screen: s, board: board{glyphs: glyphsOf(os.Getenv)}}, nil
}

// run shows the masters until the user leaves, or ctx ends.
func (s *topScreen) run(ctx context.Context, w *watch) error {
	ctx, cancel := context.WithCancel(ctx)
	looks, events, quit := make(chan seen), make(chan tcell.Event), make(chan struct{})
	var running sync.WaitGroup
	defer running.Wait()
	defer close(quit)
	defer cancel()
	running.Go(func() { w.looks(ctx, looks) })
	running.Go(func() { s.ChannelEvents(events, quit) })
	for {
		s.draw(time.Now())
		select {
		case l := <-looks:
			s.board.update(l.masters, l.err, l.at)
		case e := <-events:
			if !s.handle(e) {
				return nil
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
